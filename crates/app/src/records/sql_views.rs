//! What a shell or a reporting tool reads of payments and what belongs to them: ids as the API writes them, times as ISO
//! 8601 in UTC, amounts in minor units. docs/payments.md describes the columns.

use store::View;

/// The views, which are named apart from the tables behind them.
pub(crate) const PAYMENT_VIEWS: [View; 9] = [
    View { name: "payment_overview", query: PAYMENTS },
    View { name: "refund_overview", query: REFUNDS },
    View { name: "credit_note_overview", query: CREDIT_NOTES },
    View { name: "dispute_overview", query: DISPUTES },
    View { name: "payouts", query: PAYOUTS },
    View { name: "provider_account", query: ACCOUNT },
    View { name: "provider_events_set_aside", query: EVENTS },
    View { name: "reconciliation_unmatched", query: UNMATCHED },
    View { name: "reconciliation_explained", query: EXPLAINED },
];

/// A time in milliseconds since 1970, as text.
macro_rules! time {
    ($milliseconds:literal) => {
        concat!("strftime('%Y-%m-%dT%H:%M:%fZ', (", $milliseconds, ") / 1000.0, 'unixepoch')")
    };
}

/// A prefix and an id as `store::id::encode` writes it: 13 characters of five bits each.
macro_rules! public_id {
    ($prefix:literal, $id:literal) => {
        public_id!($prefix, $id, 60 55 50 45 40 35 30 25 20 15 10 5 0)
    };
    ($prefix:literal, $id:literal, $($shift:literal)+) => {
        concat!(
            "'", $prefix, "'",
            $(" || substr('0123456789abcdefghjkmnpqrstvwxyz', ((", $id, " >> ", $shift, ") & 31) + 1, 1)",)+
        )
    };
}

/// A payment a line. The time of placing is in the order's id: milliseconds since 2024 above 22 bits.
const PAYMENTS: &str = concat!(
    "SELECT ",
    public_id!("ord_", "payment.order_id"),
    " AS order_id, placed.number AS order_number, ",
    public_id!("pay_", "payment.order_id"),
    " AS payment_id, ",
    time!("(payment.order_id >> 22) + 1704067200000"),
    " AS placed_at, payment.status AS status, payment.method AS method, payment.card AS card,
      payment.currency AS currency, payment.amount AS amount, payment.items AS subtotal,
      payment.delivery_fee AS delivery_fee, payment.service_fee AS service_fee, payment.tip AS tip,
      payment.captured AS captured, payment.refunded AS refunded, payment.refund_pending AS refund_pending,
      payment.disputed AS disputed,
      max(payment.captured - payment.refunded - payment.refund_pending - payment.disputed, 0) AS left,
      payment.fee AS fee, payment.attempts AS attempts, payment.provider AS provider, payment.intent AS intent,
      payment.capture_on AS capture_on, ",
    time!("payment.capture_before"),
    " AS capture_before, ",
    time!("payment.expires_at"),
    " AS expires_at, payment.failure_code AS failure_code
FROM payments AS payment LEFT JOIN orders AS placed ON placed.id = payment.order_id"
);

/// A refund a line.
const REFUNDS: &str = concat!(
    "SELECT ",
    public_id!("rfd_", "refund.order_id"),
    " || '-' || refund.number AS refund_id, ",
    public_id!("ord_", "refund.order_id"),
    " AS order_id, placed.number AS order_number, refund.status AS status, refund.currency AS currency,
      refund.amount AS amount, refund.tip AS tip, refund.reason AS reason, refund.note AS note, refund.lines AS lines,
      refund.stray IS NOT NULL AS stray, refund.provider AS provider, refund.intent AS intent,
      refund.provider_refund AS provider_refund, refund.attempt AS attempts, ",
    time!("refund.requested_at"),
    " AS requested_at, ",
    time!("refund.settled_at"),
    " AS settled_at, ",
    time!("refund.halted_at"),
    " AS halted_at, refund.failure AS failure, refund.credit_note AS credit_note
FROM refunds AS refund LEFT JOIN orders AS placed ON placed.id = refund.order_id"
);

/// A credit note a line, with the refund that it is for.
const CREDIT_NOTES: &str = concat!(
    "SELECT note.number AS number, ",
    public_id!("crn_", "note.order_id"),
    " || '-' || note.refund AS credit_note_id, ",
    public_id!("rfd_", "note.order_id"),
    " || '-' || note.refund AS refund_id, ",
    public_id!("ord_", "note.order_id"),
    " AS order_id, placed.number AS order_number, note.receipt AS receipt, ",
    time!("note.issued_at"),
    " AS issued_at, refund.currency AS currency, note.amount AS amount, refund.reason AS reason, note.sha256 AS sha256
FROM credit_notes AS note
LEFT JOIN orders AS placed ON placed.id = note.order_id
LEFT JOIN refunds AS refund ON refund.order_id = note.order_id AND refund.number = note.refund"
);

/// A payout a line, as the API shows it: what reached the bank is positive.
const PAYOUTS: &str = concat!(
    "SELECT coalesce(source, id) AS payout_id, provider, currency, -amount AS amount, fee, ",
    time!("at"),
    " AS paid_at FROM provider_movements WHERE kind = 'payout'"
);

/// A line of the provider's account a line; `reference` is what of ours it fits, and null while nothing does.
const ACCOUNT: &str = concat!(
    "SELECT id, provider, kind, currency, amount, fee, order_id, reference, ",
    time!("at"),
    " AS moved_at, ",
    time!("recorded_at"),
    " AS recorded_at FROM provider_movements"
);

/// What does not fit now, a line each.
const UNMATCHED: &str = concat!(
    "SELECT id, reason, subject, currency, ours, theirs, ",
    time!("found_at"),
    " AS found_at FROM reconciliation_differences WHERE open = 1"
);

/// What does not fit and was settled by a person, a line each.
const EXPLAINED: &str = concat!(
    "SELECT id, reason, subject, currency, ours, theirs, explanation, explained_by, entry, ",
    time!("resolved_at"),
    " AS explained_at FROM reconciliation_differences WHERE open = 2"
);

/// A dispute a line.
const DISPUTES: &str = concat!(
    "SELECT dispute.id AS dispute_id, ",
    public_id!("ord_", "dispute.order_id"),
    " AS order_id, placed.number AS order_number, dispute.status AS status, dispute.currency AS currency,
      dispute.amount AS amount, dispute.fee AS fee, dispute.reason AS reason, ",
    time!("dispute.respond_by"),
    " AS respond_by, ",
    time!("dispute.opened_at"),
    " AS opened_at, ",
    time!("dispute.updated_at"),
    " AS updated_at FROM disputes AS dispute LEFT JOIN orders AS placed ON placed.id = dispute.order_id"
);

/// An event of the provider that could not be taken, a line each.
const EVENTS: &str = concat!(
    "SELECT substr(id, length(provider) + 2) AS event_id, provider, about, problem, ",
    time!("at"),
    " AS happened_at, tries, ",
    time!("failed_at"),
    " AS failed_at FROM failed_events WHERE set_aside = 1",
);
