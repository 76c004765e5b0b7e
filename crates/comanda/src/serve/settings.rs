//! From the configuration to the settings of the parts.

use app::{CourierSettings, LatePaymentPolicy, LatePaymentSettings, PayoutSchedule, Settings, SimulatorSettings};
use domain::Currency;
use domain::basket::Charges;
use domain::payment::CaptureOn;
use domain::receipt::Merchant;
use gateway::Limits;

use crate::config::Config;

/// After how long a capture or refund must stand in PayPal's report, which takes up to three hours, in milliseconds.
const PAYPAL_REPORT_MS: i64 = 6 * 3_600_000;

/// The settings of the use cases.
pub(crate) fn of(config: &Config, url: &str) -> Settings {
    let defaults = Settings::default();
    let merchant = &config.merchant;
    let schedule = config.simulator.schedule().unwrap_or(defaults.simulator.payouts);
    Settings {
        merchant: Merchant {
            name: merchant.name.clone(),
            tax_id: merchant.tax_id.clone(),
            address: merchant.address.clone(),
        },
        time_zone: merchant.time_zone.clone(),
        cut_off_minutes: merchant.cut_off_minutes().unwrap_or(defaults.cut_off_minutes),
        currency: Currency::from_code(&merchant.currency).unwrap_or(defaults.currency),
        charges: Charges {
            delivery_fee: config.order.delivery_fee,
            service_basis_points: config.order.service_fee_basis_points,
            max_tip: config.order.max_tip,
        },
        payment_window_ms: config.order.payment_deadline.as_ms(),
        max_payment_attempts: config.order.payment_attempts.into(),
        capture_on: CaptureOn::from_name(&config.payment.capture).unwrap_or(defaults.capture_on),
        poll_after_ms: config.payment.poll_after.as_ms(),
        late_payment: LatePaymentSettings {
            policy: match config.order.late_payment.as_str() {
                "refund" => LatePaymentPolicy::Refund,
                _ => LatePaymentPolicy::ReserveAgain,
            },
            within_ms: config.order.late_payment_within.as_ms(),
        },
        reconcile_after_ms: match config.payment.provider.as_str() {
            "paypal" => PAYPAL_REPORT_MS,
            _ => defaults.reconcile_after_ms,
        },
        receipt_link_ms: config.order.receipt_link.as_ms(),
        public_url: match config.public_url.as_str() {
            "" => url.to_owned(),
            public => public.trim_end_matches('/').to_owned(),
        },
        mail_from: config.smtp.from.clone(),
        simulator: SimulatorSettings {
            webhook_delay_ms: config.simulator.webhook.as_ms(),
            late_webhook_ms: config.simulator.late_webhook.as_ms(),
            pix_paid_after_ms: Some(config.simulator.pix.as_ms()),
            payouts: schedule,
            // Half of a short pause, so that what is paid out is what came before.
            payout_delay_ms: match schedule {
                PayoutSchedule::Every(pause) => defaults.simulator.payout_delay_ms.min(pause / 2),
                PayoutSchedule::Daily | PayoutSchedule::Never => defaults.simulator.payout_delay_ms,
            },
            ..defaults.simulator
        },
        courier: CourierSettings {
            simulated: true,
            pick_up_after_ms: config.simulator.courier_pick_up.as_ms(),
            deliver_after_ms: config.simulator.courier_delivery.as_ms(),
        },
        ..defaults
    }
}

/// The limits of the HTTP server.
pub(crate) fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        body_bytes: limits.body_bytes,
        request_time: limits.request_time.std(),
        requests: limits.requests,
        streams: limits.streams,
        shutdown_time: limits.shutdown_time.std(),
    }
}
