//! Which record of ours a line of the provider's account belongs to, and what differs.

use domain::Currency;
use domain::dispute::DisputeStatus;
use domain::refund::RefundStatus;
use store::ReadError;

use crate::App;
use crate::provider::{Movement, MovementKind};
use crate::records::dispute::DisputeRecord;
use crate::records::refund::Refund;
use crate::records::{Payment, order};
use crate::refunds;

/// Why a line, or a record of ours, does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    MissingHere,
    MissingAtProvider,
    AmountDiffers,
    CurrencyDiffers,
    FeeUnexpected,
    UnknownKind,
    /// A payout is not the sum of the lines that the provider says it is made of.
    PayoutDiffers,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Reason::MissingHere => "missing-here",
            Reason::MissingAtProvider => "missing-at-provider",
            Reason::AmountDiffers => "amount-differs",
            Reason::CurrencyDiffers => "currency-differs",
            Reason::FeeUnexpected => "fee-unexpected",
            Reason::UnknownKind => "unknown-kind",
            Reason::PayoutDiffers => "payout-differs",
        }
    }
}

/// What a line was found to be.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// Our record, if there is one.
    pub(crate) reference: Option<String>,
    /// What differs; `None` if it fits.
    pub(crate) reason: Option<Reason>,
    /// What we say, in minor units.
    pub(crate) ours: Option<i64>,
    /// The payment of a capture that it does not count with: nothing but this line tells of its fee.
    pub(crate) stray: Option<Payment>,
    /// The payment of a capture that fits, if its fee is not known yet: this line tells it.
    pub(crate) feeless: Option<Payment>,
}

impl Finding {
    fn nothing(reason: Reason) -> Finding {
        Finding { reference: None, reason: Some(reason), ours: None, stray: None, feeless: None }
    }

    /// Our record with its amount, currency and fee beside the line's.
    fn of(movement: &Movement, reference: String, amount: i64, currency: &str, fee: Option<i64>) -> Finding {
        let (reason, ours) = if movement.currency != currency {
            (Some(Reason::CurrencyDiffers), amount)
        } else if movement.amount != amount {
            (Some(Reason::AmountDiffers), amount)
        } else {
            let unexpected = fee.is_some_and(|fee| fee != movement.fee);
            (unexpected.then_some(Reason::FeeUnexpected), fee.unwrap_or(0))
        };
        Finding {
            reference: Some(reference),
            reason,
            ours: reason.is_some().then_some(ours),
            stray: None,
            feeless: None,
        }
    }
}

/// The reference of a capture.
pub(crate) fn capture_reference(order_id: i64, attempt: i64) -> String {
    format!("capture/{}/{attempt}", order::public_id(order_id))
}

/// The reference of a refund.
pub(crate) fn refund_reference(refund: &str, attempt: i64) -> String {
    format!("refund/{refund}/{attempt}")
}

/// The reference of a capture that its payment does not count with, by the refund that gives it back.
fn stray_reference(refund: &Refund) -> String {
    format!("stray/{}", refund.public_id())
}

impl App {
    /// Finds our record of a line.
    pub(crate) async fn find_record(&self, movement: &Movement) -> Result<Finding, ReadError> {
        match movement.kind {
            MovementKind::Payout | MovementKind::PayoutFailure | MovementKind::Fee
                if Currency::from_code(&movement.currency).is_none() =>
            {
                Ok(Finding::nothing(Reason::CurrencyDiffers))
            }
            MovementKind::Payout | MovementKind::PayoutFailure | MovementKind::Fee => {
                let reference = format!("{}/{}", kind_of(movement), movement.source.as_deref().unwrap_or(&movement.id));
                Ok(Finding { reference: Some(reference), reason: None, ours: None, stray: None, feeless: None })
            }
            MovementKind::Dispute | MovementKind::DisputeReversal => self.find_dispute(movement).await,
            MovementKind::Capture => self.find_capture(movement).await,
            MovementKind::Refund | MovementKind::RefundFailure => self.find_refund(movement).await,
            MovementKind::Other => Ok(Finding::nothing(Reason::UnknownKind)),
        }
    }

    async fn payment_of(&self, movement: &Movement) -> Result<Option<Payment>, ReadError> {
        let mut order_id = movement.order_id.as_deref().and_then(order::private_id);
        if let (None, Some(intent)) = (order_id, &movement.intent) {
            // A provider that does not answer now is asked again with the next beat.
            let found = self.provider.retrieve(intent).await.ok();
            order_id = found.and_then(|intent| order::private_id(&intent.order_id));
        }
        match order_id {
            Some(id) => Payment::load(&*self.store, id).await,
            None => Ok(None),
        }
    }

    async fn find_capture(&self, movement: &Movement) -> Result<Finding, ReadError> {
        let Some(payment) = self.payment_of(movement).await? else { return Ok(Finding::nothing(Reason::MissingHere)) };
        if payment.intent() == movement.intent.as_deref() && payment.captured > 0 {
            let reference = capture_reference(payment.order_id, payment.attempts);
            let finding = Finding::of(movement, reference, payment.captured, payment.currency(), payment.fee());
            let feeless = (finding.reason.is_none() && payment.fee().is_none()).then_some(payment);
            return Ok(Finding { feeless, ..finding });
        }
        // Money of a try that the payment does not count with goes back with a refund of its own.
        let stray = match movement.intent.as_deref() {
            Some(intent) => self.stray_refund(&payment, intent).await?,
            None => None,
        };
        let Some(refund) = stray else { return Ok(Finding::nothing(Reason::MissingHere)) };
        let finding = Finding::of(movement, stray_reference(&refund), refund.amount, refund.currency(), None);
        Ok(Finding { stray: Some(payment), ..finding })
    }

    async fn stray_refund(&self, payment: &Payment, intent: &str) -> Result<Option<Refund>, ReadError> {
        let all = refunds::all(&*self.store, payment).await?;
        Ok(all.into_iter().find(|refund| refund.is_stray() && refund.intent() == intent))
    }

    /// The reference under which the line of an entry is matched, by the entry's key; `None` if the entry has no line of its
    /// own. See `domain::bookkeeping` for the keys.
    pub(super) async fn reference_of(&self, key: &str) -> Result<Option<String>, ReadError> {
        let parts: Vec<&str> = key.split('/').collect();
        let kind = crate::records::reconciliation::kind_name;
        Ok(match parts.as_slice() {
            ["payment", order, "capture", attempt] => Some(format!("capture/{order}/{attempt}")),
            ["payment", order, "stray", intent] => match order::private_id(order) {
                Some(id) => match Payment::load(&*self.store, id).await? {
                    Some(payment) => self.stray_refund(&payment, intent).await?.as_ref().map(stray_reference),
                    None => None,
                },
                None => None,
            },
            ["refund", refund] => Some(refund_reference(refund, 1)),
            ["refund", refund, attempt] => Some(format!("refund/{refund}/{attempt}")),
            ["reversal", "refund", refund] => Some(format!("{}/back", refund_reference(refund, 1))),
            ["reversal", "refund", refund, attempt] => Some(format!("refund/{refund}/{attempt}/back")),
            ["dispute", dispute] => Some(format!("{}/{dispute}", kind(MovementKind::Dispute))),
            ["reversal", "dispute", dispute] => Some(format!("{}/{dispute}", kind(MovementKind::DisputeReversal))),
            _ => None,
        })
    }

    /// A fee that the provider keeps or gives back with it is posted from the line, so it differs from nothing.
    async fn find_refund(&self, movement: &Movement) -> Result<Finding, ReadError> {
        let Some(payment) = self.payment_of(movement).await? else { return Ok(Finding::nothing(Reason::MissingHere)) };
        let all = refunds::all(&*self.store, &payment).await?;
        let Some(source) = movement.source.as_deref() else { return Ok(Finding::nothing(Reason::MissingHere)) };
        let found = all.iter().find(|refund| refund.text("provider_refund") == Some(source));
        let found = match found.map(|refund| (refund, refund.attempt)) {
            Some(found) => Some(found),
            None => self.try_before(&all, source).await,
        };
        let Some((refund, attempt)) = found else { return Ok(Finding::nothing(Reason::MissingHere)) };
        let reference = refund_reference(&refund.public_id(), attempt);
        if movement.kind == MovementKind::Refund {
            return Ok(Finding::of(movement, reference, -refund.amount, refund.currency(), None));
        }
        // A try before the current one failed, or there would be no other.
        if attempt == refund.attempt && refund.status != RefundStatus::Failed {
            return Ok(Finding::nothing(Reason::MissingHere));
        }
        Ok(Finding::of(movement, format!("{reference}/back"), refund.amount, refund.currency(), None))
    }

    /// The refund of which this was an earlier try: our record has the provider's id of the current one only, and the provider
    /// keeps the key of each.
    async fn try_before<'a>(&self, all: &'a [Refund], source: &str) -> Option<(&'a Refund, i64)> {
        // A provider that does not answer now is asked again with the next beat.
        let key = self.provider.retrieve_refund(source).await.ok()?.key?;
        let (order_id, number, attempt) = refunds::read_key(&key)?;
        let is_meant = |refund: &&Refund| (refund.order_id, refund.number) == (order_id, number);
        all.iter().find(is_meant).filter(|refund| attempt < refund.attempt).map(|refund| (refund, attempt))
    }

    async fn find_dispute(&self, movement: &Movement) -> Result<Finding, ReadError> {
        let known = match movement.source.as_deref() {
            Some(id) => DisputeRecord::load(&*self.store, id).await?,
            None => None,
        };
        let Some(known) = known else { return Ok(Finding::nothing(Reason::MissingHere)) };
        let won = movement.kind == MovementKind::DisputeReversal;
        if won && known.status != DisputeStatus::Won {
            return Ok(Finding::nothing(Reason::MissingHere));
        }
        let amount = if won { known.amount } else { -known.amount };
        let reference = format!("{}/{}", kind_of(movement), known.id);
        Ok(Finding::of(movement, reference, amount, &movement.currency, None))
    }
}

fn kind_of(movement: &Movement) -> &'static str {
    crate::records::reconciliation::kind_name(movement.kind)
}
