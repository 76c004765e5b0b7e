//! From what happens to money to the entries of the ledger. Keys are deterministic: what happened is posted once.
//!
//! | event | debit | credit |
//! |---|---|---|
//! | capture | `assets:provider:NAME` | `income:sales`, `income:delivery`, `income:service-fees`, `liabilities:tips` |
//! | fee | `expenses:provider-fees` | `assets:provider:NAME` |
//! | dispute | `assets:disputes` | `assets:provider:NAME` |
//! | dispute lost | `expenses:disputes` | `assets:disputes` |
//! | payout | `assets:payouts-in-transit` | `assets:provider:NAME` |
//! | its arrival, by the bank's statement | `assets:bank` | `assets:payouts-in-transit` |
//! | another fee | `expenses:provider-fees` | `assets:provider:NAME` |
//! | refund | `income:refunds`, `liabilities:tips` | `assets:provider:NAME` |
//! | money of a try that counts for nothing | `assets:provider:NAME` | `liabilities:unapplied-payments` |
//! | the fee of it | `expenses:provider-fees` | `assets:provider:NAME` |
//! | its refund | `liabilities:unapplied-payments` | `assets:provider:NAME` |

use crate::Currency;
use crate::basket::Totals;
use crate::ledger::{Draft, Entry, EntryError, EntryKind};

/// What is sold.
pub const SALES: &str = "income:sales";
/// What customers pay for the courier.
pub const DELIVERY: &str = "income:delivery";
/// What customers pay for the service.
pub const SERVICE_FEES: &str = "income:service-fees";
/// What is owed to the staff.
pub const TIPS: &str = "liabilities:tips";
/// What the provider keeps.
pub const PROVIDER_FEES: &str = "expenses:provider-fees";
/// What the customers' banks have taken back until it is decided.
pub const OPEN_DISPUTES: &str = "assets:disputes";
/// What they took back for good.
pub const LOST_DISPUTES: &str = "expenses:disputes";
/// What was given back to customers: it comes off the income.
pub const REFUNDS: &str = "income:refunds";
/// What customers paid for tries that no order counts with, until it goes back.
pub const UNAPPLIED: &str = "liabilities:unapplied-payments";
/// The shop's bank account. Only people and the bank's own statements post to it.
pub const BANK: &str = "assets:bank";
/// What providers have paid out and no bank statement shows yet.
pub const IN_TRANSIT: &str = "assets:payouts-in-transit";

/// The shop's balance with a payment provider.
#[must_use]
pub fn provider_account(provider: &str) -> String {
    format!("assets:provider:{provider}")
}

/// Which payment of which order, and when.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    /// `ord_...`
    pub order: &'a str,
    /// Which try of the order, from 1.
    pub attempt: i64,
    /// The provider's name.
    pub provider: &'a str,
    /// Of all amounts.
    pub currency: Currency,
    /// When it counts, in milliseconds since the epoch.
    pub at: i64,
}

impl Of<'_> {
    fn entry(&self, kind: EntryKind, key: String, description: String) -> Draft {
        Draft::new(kind, self.at, description).key(key).metadata("order", self.order)
    }

    fn account(&self) -> String {
        provider_account(self.provider)
    }
}

/// The key under which a capture is posted.
#[must_use]
pub fn capture_key(order: &str, attempt: i64) -> String {
    format!("payment/{order}/capture/{attempt}")
}

/// The key under which the fee of a capture is posted.
#[must_use]
pub fn fee_key(order: &str, attempt: i64) -> String {
    format!("payment/{order}/fee/{attempt}")
}

/// The key under which the opening of a dispute is posted.
#[must_use]
pub fn dispute_key(dispute: &str) -> String {
    format!("dispute/{dispute}")
}

/// The order's amount was taken.
///
/// # Errors
/// [`EntryError`] if the parts do not add up to the total.
pub fn capture(of: Of<'_>, totals: &Totals) -> Result<Entry, EntryError> {
    let entry = of.entry(EntryKind::Capture, capture_key(of.order, of.attempt), format!("{} paid", of.order));
    entry
        .debit(of.account(), totals.total, of.currency)
        .credit(SALES, totals.subtotal, of.currency)
        .credit(DELIVERY, totals.delivery_fee, of.currency)
        .credit(SERVICE_FEES, totals.service_fee, of.currency)
        .credit(TIPS, totals.tip, of.currency)
        .check()
}

/// The provider kept its fee of the capture; `None` if it kept nothing.
///
/// # Errors
/// [`EntryError`] if the amount is out of range.
pub fn fee(of: Of<'_>, amount: i64) -> Result<Option<Entry>, EntryError> {
    if amount == 0 {
        return Ok(None);
    }
    let entry =
        of.entry(EntryKind::Fee, fee_key(of.order, of.attempt), format!("{} fee for {}", of.provider, of.order));
    let entry = entry.debit(PROVIDER_FEES, amount, of.currency).credit(of.account(), amount, of.currency);
    entry.check().map(Some)
}

/// The customer's bank took an amount back until it is decided.
///
/// # Errors
/// [`EntryError`] if the amount is out of range.
pub fn dispute_opened(of: Of<'_>, dispute: &str, amount: i64) -> Result<Entry, EntryError> {
    let entry = of.entry(EntryKind::Dispute, dispute_key(dispute), format!("{} disputed", of.order));
    entry.debit(OPEN_DISPUTES, amount, of.currency).credit(of.account(), amount, of.currency).check()
}

/// The amount is the shop's again: the opening is reversed.
///
/// # Errors
/// [`EntryError`] if the amount is out of range.
pub fn dispute_won(of: Of<'_>, dispute: &str, amount: i64) -> Result<Entry, EntryError> {
    let opened = dispute_opened(of, dispute, amount)?;
    let reference = dispute_key(dispute);
    Draft::reversal(&reference, &opened.postings, of.at, "the dispute was won").metadata("order", of.order).check()
}

/// The amount is the customer's.
///
/// # Errors
/// [`EntryError`] if the amount is out of range.
pub fn dispute_lost(of: Of<'_>, dispute: &str, amount: i64) -> Result<Entry, EntryError> {
    let description = format!("dispute of {} lost", of.order);
    let entry = of.entry(EntryKind::Dispute, format!("{}/lost", dispute_key(dispute)), description);
    entry.debit(LOST_DISPUTES, amount, of.currency).credit(OPEN_DISPUTES, amount, of.currency).check()
}

/// The provider took that much more for a dispute, or (below zero) gave it back; `None` if it is nothing. `number` tells the
/// fees of a dispute apart.
///
/// # Errors
/// [`EntryError`] if the amount is out of range.
pub fn dispute_fee(of: Of<'_>, dispute: &str, number: i64, amount: i64) -> Result<Option<Entry>, EntryError> {
    if amount == 0 {
        return Ok(None);
    }
    let description = format!("{} fee for a dispute of {}", of.provider, of.order);
    let key = format!("{}/fee/{number}", dispute_key(dispute));
    let entry = of.entry(EntryKind::Fee, key, description);
    let entry = entry.debit(PROVIDER_FEES, amount, of.currency).credit(of.account(), amount, of.currency);
    entry.check().map(Some)
}

/// What a refund is to the books.
#[derive(Debug, Clone, Copy)]
pub struct Refunded<'a> {
    /// `rfd_...`
    pub refund: &'a str,
    /// Which try with the provider, from 1: one that came back can go again.
    pub attempt: i64,
    /// What went back, in minor units.
    pub amount: i64,
    /// How much of it comes out of the tip.
    pub tip: i64,
    /// Whether it is money of a try that the order does not count with.
    pub stray: bool,
}

/// The key under which a refund is posted.
#[must_use]
pub fn refund_key(refund: &str, attempt: i64) -> String {
    match attempt {
        1 => format!("refund/{refund}"),
        attempt => format!("refund/{refund}/{attempt}"),
    }
}

/// The key under which money of a try that counts for nothing is posted.
#[must_use]
pub fn stray_key(order: &str, intent: &str) -> String {
    format!("payment/{order}/stray/{intent}")
}

/// A refund went.
///
/// # Errors
/// [`EntryError`] if an amount is out of range.
pub fn refund(of: Of<'_>, refunded: Refunded<'_>) -> Result<Entry, EntryError> {
    let Refunded { refund, attempt, amount, tip, stray } = refunded;
    let entry = of.entry(EntryKind::Refund, refund_key(refund, attempt), format!("{} refunded", of.order));
    let entry = entry.metadata("refund", refund);
    let entry = match stray {
        true => entry.debit(UNAPPLIED, amount, of.currency),
        false => entry.debit(REFUNDS, amount.saturating_sub(tip), of.currency).debit(TIPS, tip, of.currency),
    };
    entry.credit(of.account(), amount, of.currency).check()
}

/// A refund came back: its entry is reversed.
///
/// # Errors
/// [`EntryError`] if an amount is out of range.
pub fn refund_bounced(of: Of<'_>, refunded: Refunded<'_>) -> Result<Entry, EntryError> {
    let went = refund(of, refunded)?;
    let reference = refund_key(refunded.refund, refunded.attempt);
    let entry = Draft::reversal(&reference, &went.postings, of.at, "the refund came back");
    entry.metadata("order", of.order).metadata("refund", refunded.refund).check()
}

/// Money came for a try that the order does not count with: it is owed until it goes back.
///
/// # Errors
/// [`EntryError`] if the amount is out of range.
pub fn stray(of: Of<'_>, intent: &str, amount: i64) -> Result<Entry, EntryError> {
    let description = format!("{} paid once more", of.order);
    let entry = of.entry(EntryKind::Capture, stray_key(of.order, intent), description);
    entry.debit(of.account(), amount, of.currency).credit(UNAPPLIED, amount, of.currency).check()
}

/// The key under which the provider's fee for such money is posted.
#[must_use]
pub fn stray_fee_key(order: &str, intent: &str) -> String {
    format!("payment/{order}/stray-fee/{intent}")
}

/// The provider kept its fee of money that the order does not count with; `None` if it kept nothing.
///
/// # Errors
/// [`EntryError`] if the amount is out of range.
pub fn stray_fee(of: Of<'_>, intent: &str, amount: i64) -> Result<Option<Entry>, EntryError> {
    if amount == 0 {
        return Ok(None);
    }
    let description = format!("{} fee for what was paid once more for {}", of.provider, of.order);
    let entry = of.entry(EntryKind::Fee, stray_fee_key(of.order, intent), description);
    let entry = entry.debit(PROVIDER_FEES, amount, of.currency).credit(of.account(), amount, of.currency);
    entry.check().map(Some)
}

/// The key under which a payout is posted.
#[must_use]
pub fn payout_key(payout: &str) -> String {
    format!("payout/{payout}")
}

/// The provider sent money to the shop's bank account. It is on its way until the bank's statement shows it.
///
/// # Errors
/// [`EntryError`] if the amount is out of range.
pub fn payout(provider: &str, payout: &str, amount: i64, currency: Currency, at: i64) -> Result<Entry, EntryError> {
    let entry = Draft::new(EntryKind::Payout, at, format!("{provider} paid out")).key(payout_key(payout));
    let entry = entry.metadata("payout", payout);
    entry.debit(IN_TRANSIT, amount, currency).credit(provider_account(provider), amount, currency).check()
}

/// A payout came back: its entry is reversed.
///
/// # Errors
/// [`EntryError`] if the amount is out of range.
pub fn payout_failed(
    provider: &str,
    payout_id: &str,
    amount: i64,
    currency: Currency,
    at: i64,
) -> Result<Entry, EntryError> {
    let went = payout(provider, payout_id, amount, currency, at)?;
    let reference = payout_key(payout_id);
    Draft::reversal(&reference, &went.postings, at, "the payout came back").metadata("payout", payout_id).check()
}

/// The provider took a fee that belongs to no payment, or (below zero) gave one back. `line` is its line in the provider's
/// account.
///
/// # Errors
/// [`EntryError`] if the amount is out of range.
pub fn other_fee(provider: &str, line: &str, amount: i64, currency: Currency, at: i64) -> Result<Entry, EntryError> {
    let entry = Draft::new(EntryKind::Fee, at, format!("{provider} fee")).key(format!("fee/{line}"));
    entry.debit(PROVIDER_FEES, amount, currency).credit(provider_account(provider), amount, currency).check()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OF: Of<'_> =
        Of { order: "ord_1", attempt: 2, provider: "stripe", currency: Currency::BRL, at: 1_760_000_000_000 };

    fn totals(subtotal: i64, delivery_fee: i64, service_fee: i64, tip: i64) -> Totals {
        Totals { subtotal, delivery_fee, service_fee, tip, total: subtotal + delivery_fee + service_fee + tip }
    }

    #[track_caller]
    fn check(entry: &Entry, expected: &str) {
        let postings = entry.postings.iter().map(|p| format!("{} {}", p.account, p.amount));
        let found = format!("{}: {}", entry.key.as_deref().unwrap_or("-"), postings.collect::<Vec<_>>().join(", "));
        assert_eq!(found, expected);
    }

    #[test]
    fn events_become_entries() {
        check(
            &capture(OF, &totals(4_000, 800, 400, 100)).unwrap(),
            "payment/ord_1/capture/2: assets:provider:stripe 5300, income:sales -4000, income:delivery -800, \
             income:service-fees -400, liabilities:tips -100",
        );
        check(
            &capture(OF, &totals(4_000, 0, 0, 0)).unwrap(),
            "payment/ord_1/capture/2: assets:provider:stripe 4000, income:sales -4000",
        );
        check(
            &fee(OF, 250).unwrap().unwrap(),
            "payment/ord_1/fee/2: expenses:provider-fees 250, assets:provider:stripe -250",
        );
        assert_eq!(fee(OF, 0), Ok(None));
        check(
            &dispute_opened(OF, "dp_1", 500).unwrap(),
            "dispute/dp_1: assets:disputes 500, assets:provider:stripe -500",
        );
        let won = dispute_won(OF, "dp_1", 500).unwrap();
        check(&won, "reversal/dispute/dp_1: assets:disputes -500, assets:provider:stripe 500");
        assert_eq!(won.reverses.as_deref(), Some("dispute/dp_1"));
        check(
            &dispute_lost(OF, "dp_1", 500).unwrap(),
            "dispute/dp_1/lost: expenses:disputes 500, assets:disputes -500",
        );
        check(
            &dispute_fee(OF, "dp_1", 1, 1_500).unwrap().unwrap(),
            "dispute/dp_1/fee/1: expenses:provider-fees 1500, assets:provider:stripe -1500",
        );
        check(
            &dispute_fee(OF, "dp_1", 3, -1_500).unwrap().unwrap(),
            "dispute/dp_1/fee/3: expenses:provider-fees -1500, assets:provider:stripe 1500",
        );
        check(
            &payout("stripe", "po_1", 900, Currency::BRL, OF.at).unwrap(),
            "payout/po_1: assets:payouts-in-transit 900, assets:provider:stripe -900",
        );
        check(
            &payout_failed("stripe", "po_1", 900, Currency::BRL, OF.at).unwrap(),
            "reversal/payout/po_1: assets:payouts-in-transit -900, assets:provider:stripe 900",
        );
        check(
            &other_fee("stripe", "txn_1", 90, Currency::BRL, OF.at).unwrap(),
            "fee/txn_1: expenses:provider-fees 90, assets:provider:stripe -90",
        );
        let back = Refunded { refund: "rfd_1-1", attempt: 1, amount: 500, tip: 80, stray: false };
        check(
            &refund(OF, back).unwrap(),
            "refund/rfd_1-1: income:refunds 420, liabilities:tips 80, assets:provider:stripe -500",
        );
        let again = Refunded { attempt: 2, tip: 0, ..back };
        check(&refund(OF, again).unwrap(), "refund/rfd_1-1/2: income:refunds 500, assets:provider:stripe -500");
        let bounced = refund_bounced(OF, back).unwrap();
        check(
            &bounced,
            "reversal/refund/rfd_1-1: income:refunds -420, liabilities:tips -80, assets:provider:stripe 500",
        );
        assert_eq!(bounced.reverses.as_deref(), Some("refund/rfd_1-1"));
        check(
            &stray(OF, "pi_1", 500).unwrap(),
            "payment/ord_1/stray/pi_1: assets:provider:stripe 500, liabilities:unapplied-payments -500",
        );
        check(
            &stray_fee(OF, "pi_1", 60).unwrap().unwrap(),
            "payment/ord_1/stray-fee/pi_1: expenses:provider-fees 60, assets:provider:stripe -60",
        );
        assert_eq!(stray_fee(OF, "pi_1", 0), Ok(None));
        check(
            &refund(OF, Refunded { stray: true, ..back }).unwrap(),
            "refund/rfd_1-1: liabilities:unapplied-payments 500, assets:provider:stripe -500",
        );
        let off = Totals { total: 1, ..totals(4_000, 0, 0, 0) };
        assert!(matches!(capture(OF, &off), Err(EntryError::Unbalanced { difference: -3_999, .. })));
    }

    proptest! {
        /// Whatever an order is made of, its capture balances and the provider's account gains the total.
        #[test]
        fn any_capture_balances(parts in [1..50_000i64, 0..900, 0..900, 0..900]) {
            let totals = totals(parts[0], parts[1], parts[2], parts[3]);
            let entry = capture(OF, &totals).unwrap();
            prop_assert_eq!(entry.postings[0].amount, totals.total);
        }
    }
}
