//! The configuration: one struct with defaults, one file, `COMANDA_*` variables and flags over it.
//!
//! The fields of [`Config`] are the only list of keys there is: the names come from serialising its default.

mod duration;
mod layers;

use std::net::SocketAddr;
use std::path::PathBuf;

use app::PayoutSchedule;
use app::provider::paypal::PAYPAL_URL;
use app::provider::stripe::{STRIPE_URL, STRIPE_VERSION};
use domain::basket::MAX_SERVICE_BASIS_POINTS;
use serde::{Deserialize, Serialize};

pub(crate) use duration::Duration;
pub(crate) use layers::{ConfigError, Effective, Flags, load};

/// Everything a user may set. Each section is a table of `comanda.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Where to listen; port 0 picks a free one. Loopback only, until there is sign-in.
    pub(crate) listen: SocketAddr,
    /// The folder of the store, the receipts and the key.
    pub(crate) data: PathBuf,
    /// What to log: a level, or a filter such as `info,runtime=debug`.
    pub(crate) log: String,
    /// Where people reach this server, for links in mails; empty: the address it listens on.
    pub(crate) public_url: String,
    /// A folder whose `*.asl.json` files replace the built-in flows; empty: none.
    pub(crate) flows: PathBuf,
    pub(crate) merchant: Merchant,
    pub(crate) order: Order,
    pub(crate) payment: Payment,
    pub(crate) stripe: Stripe,
    pub(crate) paypal: PayPal,
    pub(crate) ledger: Ledger,
    pub(crate) engine: Engine,
    pub(crate) smtp: Smtp,
    pub(crate) simulator: Simulator,
    pub(crate) limits: Limits,
    pub(crate) keys: Keys,
}

/// Who sells.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Merchant {
    /// The name on receipts and mails.
    pub(crate) name: String,
    /// The tax number (CNPJ, VAT number) on receipts.
    pub(crate) tax_id: String,
    /// The address on receipts, in one line.
    pub(crate) address: String,
    /// Of all prices: BRL, USD or EUR.
    pub(crate) currency: String,
    /// An IANA time zone, such as `America/Sao_Paulo`.
    pub(crate) time_zone: String,
    /// When the day of the statements ends and the next begins, such as `04:00` after a night at work.
    pub(crate) cut_off: String,
}

impl Merchant {
    /// The cut-off in minutes after midnight.
    pub(crate) fn cut_off_minutes(&self) -> Option<u16> {
        let (hours, minutes) = self.cut_off.split_once(':')?;
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
    }
}

/// The rules of orders.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// How long a customer may take to pay; then the order expires and its stock is free again.
    pub(crate) payment_deadline: Duration,
    /// How often a customer may try to pay.
    pub(crate) payment_attempts: u32,
    /// What a courier costs, in minor units.
    pub(crate) delivery_fee: i64,
    /// What the service costs, in hundredths of a per cent of the lines: 1000 is ten per cent.
    pub(crate) service_fee_basis_points: i64,
    /// The largest tip, in minor units.
    pub(crate) max_tip: i64,
    /// What becomes of money that comes when the time to pay is over: `reserve-again` or `refund`.
    pub(crate) late_payment: String,
    /// For how long after its expiry an order can be taken up again.
    pub(crate) late_payment_within: Duration,
    /// How long the link to a receipt works.
    pub(crate) receipt_link: Duration,
}

/// Who takes the money, and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Payment {
    /// `simulator`, `stripe` or `paypal`.
    pub(crate) provider: String,
    /// When a card's amount is taken: on `acceptance`, before the kitchen begins, or on `dispatch`, before the order leaves.
    pub(crate) capture: String,
    /// After how long the provider is asked about a payment whose webhook has not come.
    pub(crate) poll_after: Duration,
}

/// The account with Stripe.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stripe {
    /// `sk_...` or `rk_...`.
    pub(crate) secret_key: String,
    /// A file that holds it, instead.
    pub(crate) secret_key_file: PathBuf,
    /// `pk_...`, with which the page shows Stripe's form; empty: it shows none.
    pub(crate) publishable_key: String,
    /// What its webhooks are signed with, `whsec_...`; several, separated by commas, while one replaces another.
    pub(crate) webhook_secrets: String,
    /// A file that holds them, instead, separated by commas or lines.
    pub(crate) webhook_secrets_file: PathBuf,
    /// Where its API is.
    pub(crate) url: String,
    /// The version of its API.
    pub(crate) api_version: String,
    /// How long one request to it may take.
    pub(crate) timeout: Duration,
}

/// The account with PayPal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayPal {
    /// The client id of the app.
    pub(crate) client_id: String,
    /// Its secret.
    pub(crate) client_secret: String,
    /// A file that holds it, instead.
    pub(crate) client_secret_file: PathBuf,
    /// The id of the webhook, by which PayPal verifies what it sent.
    pub(crate) webhook_id: String,
    /// Where its API is.
    pub(crate) url: String,
    /// How long one request to it may take.
    pub(crate) timeout: Duration,
}

/// The books.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    /// Whether this server counts entries into the daily statements. Without it entries are accepted all the same, and wait.
    pub(crate) consolidate: bool,
}

/// How much the engine takes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Engine {
    /// Functions running at once.
    pub(crate) concurrency: u32,
    /// Orders that may wait for the engine; more are answered 503.
    pub(crate) backlog: u32,
    /// Whether the Step Functions API is served, at `POST /`.
    pub(crate) states_api: bool,
    /// The access keys with which calls of that API have to be signed, as `ID:SECRET`, separated by commas; empty: calls
    /// need no signature. Never shown.
    pub(crate) access_keys: String,
    /// A file that declares tables, topics, buses, connections and functions elsewhere for flows; empty: none.
    pub(crate) resources: PathBuf,
}

/// The mail server. Without one, mails go to the mailbox that the server shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smtp {
    /// Empty: no mail leaves. It may hold a password, so it is never shown.
    pub(crate) url: String,
    /// The sender, such as `Comanda <orders@example.com>`.
    pub(crate) from: String,
}

/// The delays of the simulated payment provider and courier.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Simulator {
    /// Between a payment request and its webhook.
    pub(crate) webhook: Duration,
    /// The same for the card that is late on purpose.
    pub(crate) late_webhook: Duration,
    /// Until a Pix is paid.
    pub(crate) pix: Duration,
    /// Until the courier has picked an order up.
    pub(crate) courier_pick_up: Duration,
    /// From there to the customer.
    pub(crate) courier_delivery: Duration,
    /// When it pays out: `daily`, at the merchant's cut-off, `never`, or after a duration such as `2m`.
    pub(crate) payouts: String,
}

impl Simulator {
    /// When it pays out; `None` if that cannot be read.
    pub(crate) fn schedule(&self) -> Option<PayoutSchedule> {
        match self.payouts.as_str() {
            "daily" => Some(PayoutSchedule::Daily),
            "never" => Some(PayoutSchedule::Never),
            text => {
                let every: Duration = text.parse().ok()?;
                (every >= Duration::seconds(1)).then(|| PayoutSchedule::Every(every.as_ms()))
            }
        }
    }
}

/// What one client, and all together, may ask for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// The largest request body.
    pub(crate) body_bytes: usize,
    /// The longest that one request may take.
    pub(crate) request_time: Duration,
    /// Requests in work at once; more are answered 503.
    pub(crate) requests: usize,
    /// Open event streams; more are answered 503.
    pub(crate) streams: usize,
    /// How long a shutdown waits for requests in work.
    pub(crate) shutdown_time: Duration,
}

/// Where the key is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// The key file; empty: `key` in the data folder, made on the first start.
    pub(crate) file: PathBuf,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            data: "data".into(),
            log: "info".into(),
            public_url: String::new(),
            flows: PathBuf::new(),
            merchant: Merchant {
                name: "Lancheria Comanda".into(),
                tax_id: "12.345.678/0001-95".into(),
                address: "Rua da Praia, 100, Centro, Porto Alegre, RS".into(),
                currency: "BRL".into(),
                time_zone: "America/Sao_Paulo".into(),
                cut_off: "00:00".into(),
            },
            order: Order {
                payment_deadline: Duration::minutes(15),
                payment_attempts: 5,
                delivery_fee: 800,
                service_fee_basis_points: 0,
                max_tip: 50_000,
                late_payment: "reserve-again".into(),
                late_payment_within: Duration::hours(2),
                receipt_link: Duration::minutes(15),
            },
            payment: Payment {
                provider: "simulator".into(),
                capture: "acceptance".into(),
                poll_after: Duration::seconds(30),
            },
            stripe: Stripe {
                secret_key: String::new(),
                secret_key_file: PathBuf::new(),
                publishable_key: String::new(),
                webhook_secrets: String::new(),
                webhook_secrets_file: PathBuf::new(),
                url: STRIPE_URL.into(),
                api_version: STRIPE_VERSION.into(),
                timeout: Duration::seconds(10),
            },
            paypal: PayPal {
                client_id: String::new(),
                client_secret: String::new(),
                client_secret_file: PathBuf::new(),
                webhook_id: String::new(),
                url: PAYPAL_URL.into(),
                timeout: Duration::seconds(10),
            },
            ledger: Ledger { consolidate: true },
            engine: Engine {
                concurrency: 512,
                backlog: 100_000,
                states_api: true,
                access_keys: String::new(),
                resources: PathBuf::new(),
            },
            smtp: Smtp { url: String::new(), from: "Comanda <no-reply@comanda.example>".into() },
            simulator: Simulator {
                webhook: Duration::milliseconds(400),
                late_webhook: Duration::seconds(20),
                pix: Duration::seconds(5),
                courier_pick_up: Duration::seconds(5),
                courier_delivery: Duration::seconds(10),
                payouts: "daily".into(),
            },
            limits: Limits {
                body_bytes: 256 * 1024,
                request_time: Duration::seconds(10),
                requests: 1024,
                streams: 1024,
                shutdown_time: Duration::seconds(10),
            },
            keys: Keys { file: PathBuf::new() },
        }
    }
}

/// The most a courier may cost, or a tip be, in minor units.
const MAX_CHARGE: i64 = 100_000_000;

/// The fewest characters of the secret of an access key.
const LEAST_SECRET: usize = 16;

/// Keys whose value is never shown.
const SECRETS: &[&str] =
    &["smtp.url", "stripe.secret_key", "stripe.webhook_secrets", "paypal.client_secret", "engine.access_keys"];

impl Config {
    /// The first value that has the right type and yet makes no sense: its key and the cure.
    fn problem(&self) -> Option<(&'static str, String)> {
        let within = |key, value: u64, least: u64, most: u64| {
            (!(least..=most).contains(&value))
                .then(|| (key, format!("`{value}` is out of range; use {least} to {most}")))
        };
        let lasts = |key, value: Duration, least: Duration, most: Duration| {
            (!(least..=most).contains(&value))
                .then(|| (key, format!("`{value}` is out of range; use {least} to {most}")))
        };
        let amount = |key, value: i64, most: i64| {
            (!(0..=most).contains(&value)).then(|| (key, format!("`{value}` is out of range; use 0 to {most}")))
        };
        let one_of = |key, value: &str, allowed: &[&str]| {
            (!allowed.contains(&value)).then(|| (key, format!("`{value}` is none of `{}`", allowed.join("`, `"))))
        };
        let none = || None;
        let (second, day) = (Duration::seconds(1), Duration::hours(24));
        none()
            .or_else(|| one_of("merchant.currency", &self.merchant.currency, &["BRL", "USD", "EUR"]))
            .or_else(|| self.time_zone_problem())
            .or_else(|| self.cut_off_problem())
            .or_else(|| lasts("order.payment_deadline", self.order.payment_deadline, second, day))
            .or_else(|| one_of("order.late_payment", &self.order.late_payment, &["reserve-again", "refund"]))
            .or_else(|| lasts("order.late_payment_within", self.order.late_payment_within, second, day))
            .or_else(|| lasts("order.receipt_link", self.order.receipt_link, second, day))
            .or_else(|| within("order.payment_attempts", self.order.payment_attempts.into(), 1, 100))
            .or_else(|| amount("order.delivery_fee", self.order.delivery_fee, MAX_CHARGE))
            .or_else(|| {
                let fee = self.order.service_fee_basis_points;
                amount("order.service_fee_basis_points", fee, MAX_SERVICE_BASIS_POINTS)
            })
            .or_else(|| amount("order.max_tip", self.order.max_tip, MAX_CHARGE))
            .or_else(|| one_of("payment.provider", &self.payment.provider, &["simulator", "stripe", "paypal"]))
            .or_else(|| one_of("payment.capture", &self.payment.capture, &["acceptance", "dispatch"]))
            .or_else(|| lasts("payment.poll_after", self.payment.poll_after, second, Duration::hours(1)))
            .or_else(|| lasts("stripe.timeout", self.stripe.timeout, second, Duration::minutes(1)))
            .or_else(|| lasts("paypal.timeout", self.paypal.timeout, second, Duration::minutes(1)))
            .or_else(|| {
                let problem = || format!("`{}` is no schedule; use `daily`, `never`, or `2m`", self.simulator.payouts);
                self.simulator.schedule().is_none().then(|| ("simulator.payouts", problem()))
            })
            .or_else(|| within("engine.concurrency", self.engine.concurrency.into(), 1, 65_536))
            .or_else(|| within("engine.backlog", self.engine.backlog.into(), 1, 10_000_000))
            .or_else(|| self.access_keys().err().map(|problem| ("engine.access_keys", problem)))
            .or_else(|| within("limits.body_bytes", self.limits.body_bytes as u64, 4096, 4 << 20))
            .or_else(|| within("limits.requests", self.limits.requests as u64, 1, 65_536))
            .or_else(|| within("limits.streams", self.limits.streams as u64, 1, 65_536))
            .or_else(|| {
                lasts(
                    "limits.request_time",
                    self.limits.request_time,
                    Duration::milliseconds(100),
                    Duration::minutes(10),
                )
            })
            .or_else(|| {
                lasts(
                    "limits.shutdown_time",
                    self.limits.shutdown_time,
                    Duration::milliseconds(100),
                    Duration::minutes(10),
                )
            })
    }

    /// The access keys by their ids.
    ///
    /// # Errors
    /// What is wrong with them, without showing them.
    pub(crate) fn access_keys(&self) -> Result<Vec<(String, String)>, String> {
        let mut keys = Vec::new();
        for (n, pair) in self.engine.access_keys.split(',').map(str::trim).filter(|pair| !pair.is_empty()).enumerate() {
            let (id, secret) = pair.split_once(':').unwrap_or_default();
            let plain = !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !plain || secret.len() < LEAST_SECRET {
                return Err(format!(
                    "key {} is not `ID:SECRET` with letters and digits as the id and a secret of at least {LEAST_SECRET} \
                     characters",
                    n + 1
                ));
            }
            keys.push((id.to_owned(), secret.to_owned()));
        }
        Ok(keys)
    }

    fn cut_off_problem(&self) -> Option<(&'static str, String)> {
        let problem = || format!("`{}` is no time of day; write for example `04:00`", self.merchant.cut_off);
        self.merchant.cut_off_minutes().is_none().then(|| ("merchant.cut_off", problem()))
    }

    fn time_zone_problem(&self) -> Option<(&'static str, String)> {
        let zone = &self.merchant.time_zone;
        let problem = || format!("`{zone}` is no IANA time zone; write for example `America/Sao_Paulo`");
        jiff::tz::TimeZone::get(zone).err().map(|_| ("merchant.time_zone", problem()))
    }
}
