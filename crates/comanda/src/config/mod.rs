//! The configuration: one struct with defaults, one file, `COMANDA_*` variables and flags over it.
//!
//! The fields of [`Config`] are the only list of keys there is: the names come from serialising its default.

mod duration;
mod layers;

use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// ISO 4217.
    pub(crate) currency: String,
    /// An IANA time zone, such as `America/Sao_Paulo`.
    pub(crate) time_zone: String,
    /// When the business day ends, after local midnight: `HH:MM`.
    pub(crate) cut_off: String,
    /// The language of customers who name none: `en` or `pt-BR`.
    pub(crate) locale: String,
}

/// How long orders wait.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    /// How long a customer may take to pay; then the order expires.
    pub(crate) payment_deadline: Duration,
    /// How long stock stays reserved for an order; at least the payment deadline.
    pub(crate) reservation: Duration,
}

/// How much the engine takes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Engine {
    /// Functions running at once.
    pub(crate) concurrency: u32,
    /// Orders that may wait for the engine; more are answered 503.
    pub(crate) backlog: u32,
}

/// The mail server. Without a host, mails go to the mailbox that the server shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Smtp {
    /// Empty: no mail leaves.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    /// The sender, such as `Comanda <orders@example.com>`.
    pub(crate) from: String,
    /// `starttls`, `tls`, or `none` (loopback only).
    pub(crate) security: String,
}

/// The delays of the simulated payment provider, courier and kitchen.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Simulator {
    /// Between a payment request and its webhook.
    pub(crate) payment: Duration,
    /// Of the webhook of the card that is late on purpose.
    pub(crate) late_webhook: Duration,
    /// Between the kitchen's hand-over and the courier's confirmation.
    pub(crate) courier: Duration,
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
                name: "Comanda".into(),
                currency: "BRL".into(),
                time_zone: "America/Sao_Paulo".into(),
                cut_off: "04:00".into(),
                locale: "pt-BR".into(),
            },
            order: Order {
                payment_deadline: Duration::minutes(15),
                reservation: Duration::minutes(20),
            },
            engine: Engine {
                concurrency: 256,
                backlog: 100_000,
            },
            smtp: Smtp {
                host: String::new(),
                port: 587,
                user: String::new(),
                password: String::new(),
                from: "Comanda <comanda@localhost>".into(),
                security: "starttls".into(),
            },
            simulator: Simulator {
                payment: Duration::milliseconds(400),
                late_webhook: Duration::seconds(20),
                courier: Duration::seconds(5),
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

/// Keys whose value is never shown.
const SECRETS: &[&str] = &["smtp.password"];

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
        let one_of = |key, value: &str, allowed: &[&str]| {
            (!allowed.contains(&value)).then(|| (key, format!("`{value}` is none of `{}`", allowed.join("`, `"))))
        };
        let none = || None;
        let (second, day) = (Duration::seconds(1), Duration::hours(24));
        none()
            .or_else(|| one_of("smtp.security", &self.smtp.security, &["starttls", "tls", "none"]))
            .or_else(|| one_of("merchant.locale", &self.merchant.locale, &["en", "pt-BR"]))
            .or_else(|| self.merchant_problem())
            .or_else(|| lasts("order.payment_deadline", self.order.payment_deadline, second, day))
            .or_else(|| {
                lasts(
                    "order.reservation",
                    self.order.reservation,
                    self.order.payment_deadline,
                    day,
                )
            })
            .or_else(|| within("engine.concurrency", self.engine.concurrency.into(), 1, 65_536))
            .or_else(|| within("engine.backlog", self.engine.backlog.into(), 1, 10_000_000))
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

    fn merchant_problem(&self) -> Option<(&'static str, String)> {
        let Merchant {
            currency,
            time_zone,
            cut_off,
            ..
        } = &self.merchant;
        if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Some((
                "merchant.currency",
                format!("`{currency}` is no ISO 4217 code; write for example `BRL`"),
            ));
        }
        if jiff::tz::TimeZone::get(time_zone).is_err() {
            let problem = format!("`{time_zone}` is no IANA time zone; write for example `America/Sao_Paulo`");
            return Some(("merchant.time_zone", problem));
        }
        let hours_minutes = |t: &str| t.len() == 5 && t.parse::<jiff::civil::Time>().is_ok();
        if !hours_minutes(cut_off) {
            return Some((
                "merchant.cut_off",
                format!("`{cut_off}` is no time of day; write for example `04:00`"),
            ));
        }
        None
    }
}
