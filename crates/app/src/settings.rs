//! What can be configured, with defaults that work.

use domain::Currency;
use domain::basket::Charges;
use domain::payment::CaptureOn;
use domain::receipt::Merchant;

use crate::signature;

/// The settings of the application. The default is a complete one.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who sells.
    pub merchant: Merchant,
    /// The merchant's time zone, an IANA name.
    pub time_zone: String,
    /// When the merchant's day ends, in minutes after midnight: a night at work belongs to the day on which it began.
    pub cut_off_minutes: u16,
    /// Of all prices.
    pub currency: Currency,
    /// What is charged besides the lines.
    pub charges: Charges,
    /// How long an order may stay unpaid.
    pub payment_window_ms: i64,
    /// How often a customer may try to pay.
    pub max_payment_attempts: i64,
    /// When a card's amount is taken.
    pub capture_on: CaptureOn,
    /// How long a receipt's link works.
    pub receipt_link_ms: i64,
    /// How long idempotency keys and the ids of webhooks are kept; at least a day.
    pub keep_keys_days: i64,
    /// After how long the provider is asked about a payment whose webhook has not come.
    pub poll_after_ms: i64,
    /// Where customers reach the page, for links in mails; empty until it is known.
    pub public_url: String,
    /// The sender of mails.
    pub mail_from: String,
    /// What becomes of money that comes when the time to pay is over.
    pub late_payment: LatePaymentSettings,
    /// Whether several processes work on the store: then what has to be one (numbers) is kept there and not in memory.
    pub shared: bool,
    /// After how long a capture or a refund of ours must stand in the provider's account.
    pub reconcile_after_ms: i64,
    /// The payment simulator.
    pub simulator: SimulatorSettings,
    /// The courier simulator.
    pub courier: CourierSettings,
}

/// What becomes of money that comes when the time to pay is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatePaymentSettings {
    /// What to try.
    pub policy: LatePaymentPolicy,
    /// For how long after its expiry an order can be taken up again: later, nobody waits for it.
    pub within_ms: i64,
}

/// See [`LatePaymentSettings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatePaymentPolicy {
    /// Take the order up again if its goods are still there, else give the money back.
    ReserveAgain,
    /// Give the money back.
    Refund,
}

/// The payment simulator's behaviour.
#[derive(Debug, Clone)]
pub struct SimulatorSettings {
    /// How long an ordinary webhook takes.
    pub webhook_delay_ms: i64,
    /// How long a late webhook takes.
    pub late_webhook_ms: i64,
    /// After how long a Pix is paid by itself; `None` leaves it to [`crate::App::simulate_pix`].
    pub pix_paid_after_ms: Option<i64>,
    /// What it keeps of each payment, in hundredths of a per cent.
    pub fee_basis_points: i64,
    /// And besides, in minor units.
    pub fee_fixed: i64,
    /// What it takes for a dispute, in minor units.
    pub dispute_fee: i64,
    /// When it pays out.
    pub payouts: PayoutSchedule,
    /// How old a line of its account must be to be paid out; some seconds, so that it stands there for sure.
    pub payout_delay_ms: i64,
}

/// When the payment simulator pays out what its account holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayoutSchedule {
    /// Only by hand, with [`crate::provider::Simulator::pay_out`].
    Never,
    /// When the merchant's day ends, at the cut-off.
    Daily,
    /// After that many milliseconds.
    Every(i64),
}

impl PayoutSchedule {
    /// Whether a payout is due that was due last, or whose first line was written, at that time. `day_of` tells the
    /// merchant's day of an instant.
    #[must_use]
    pub fn is_due(self, since: i64, now: i64, day_of: impl Fn(i64) -> i32) -> bool {
        match self {
            PayoutSchedule::Never => false,
            PayoutSchedule::Daily => day_of(since) < day_of(now),
            PayoutSchedule::Every(pause) => now.saturating_sub(since) >= pause,
        }
    }
}

impl SimulatorSettings {
    /// What it keeps of an amount, in minor units.
    #[must_use]
    pub fn fee(&self, amount: i64) -> i64 {
        let share = i128::from(amount) * i128::from(self.fee_basis_points) / 10_000;
        let fee = share + i128::from(self.fee_fixed);
        i64::try_from(fee.clamp(0, i128::from(amount.max(0)))).unwrap_or(0)
    }
}

/// The courier simulator's behaviour.
#[derive(Debug, Clone)]
pub struct CourierSettings {
    /// Whether deliveries go to the simulator; otherwise a real courier calls back.
    pub simulated: bool,
    /// From the request to the pick-up.
    pub pick_up_after_ms: i64,
    /// From the pick-up to the customer.
    pub deliver_after_ms: i64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            merchant: Merchant {
                name: "Lancheria Comanda".into(),
                tax_id: "12.345.678/0001-95".into(),
                address: "Rua da Praia, 100, Centro, Porto Alegre, RS".into(),
            },
            time_zone: "America/Sao_Paulo".into(),
            cut_off_minutes: 0,
            currency: Currency::BRL,
            charges: Charges { delivery_fee: 800, service_basis_points: 0, max_tip: 50_000 },
            payment_window_ms: 15 * 60_000,
            max_payment_attempts: 5,
            capture_on: CaptureOn::Acceptance,
            receipt_link_ms: 15 * 60_000,
            keep_keys_days: 2,
            poll_after_ms: 30_000,
            public_url: String::new(),
            mail_from: "Comanda <no-reply@comanda.example>".into(),
            reconcile_after_ms: 3_600_000,
            late_payment: LatePaymentSettings { policy: LatePaymentPolicy::ReserveAgain, within_ms: 2 * 3_600_000 },
            shared: false,
            simulator: SimulatorSettings {
                webhook_delay_ms: 0,
                late_webhook_ms: 60_000,
                pix_paid_after_ms: Some(5_000),
                fee_basis_points: 399,
                fee_fixed: 39,
                dispute_fee: 5_500,
                payouts: PayoutSchedule::Daily,
                payout_delay_ms: 10_000,
            },
            courier: CourierSettings { simulated: true, pick_up_after_ms: 5_000, deliver_after_ms: 10_000 },
        }
    }
}

/// The keys that sign links, webhooks and callbacks, each derived from one secret.
#[derive(Clone)]
pub struct Secrets {
    pub(crate) tracking: Vec<u8>,
    pub(crate) receipts: Vec<u8>,
    pub(crate) fingerprints: Vec<u8>,
    pub(crate) webhooks: Vec<u8>,
    pub(crate) courier: Vec<u8>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// Derives all keys from a secret of at least 16 random bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Secrets {
        let derive = |purpose: &str| signature::hmac(secret, &[purpose.as_bytes()]).to_vec();
        Secrets {
            tracking: derive("tracking"),
            receipts: derive("receipts"),
            fingerprints: derive("fingerprints"),
            webhooks: derive("webhooks"),
            courier: derive("courier"),
        }
    }

    /// With the signing secret that the payment provider gave out.
    #[must_use]
    pub fn with_webhook_secret(mut self, secret: &str) -> Secrets {
        self.webhooks = secret.as_bytes().to_vec();
        self
    }

    /// With the signing secret that was agreed with the courier service.
    #[must_use]
    pub fn with_courier_secret(mut self, secret: &str) -> Secrets {
        self.courier = secret.as_bytes().to_vec();
        self
    }

    /// What the courier's callbacks are signed with.
    #[must_use]
    pub fn courier_secret(&self) -> &[u8] {
        &self.courier
    }

    /// What the provider's webhooks are signed with.
    #[must_use]
    pub fn webhook_secret(&self) -> &[u8] {
        &self.webhooks
    }
}
