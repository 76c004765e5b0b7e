//! Which record of ours a line of the provider's account belongs to, and what differs.

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
        }
    }
}

/// What a line was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Our record, if there is one.
    pub(crate) reference: Option<String>,
    /// What differs; `None` if it fits.
    pub(crate) reason: Option<Reason>,
    /// What we say, in minor units.
    pub(crate) ours: Option<i64>,
}

impl Finding {
    fn nothing(reason: Reason) -> Finding {
        Finding { reference: None, reason: Some(reason), ours: None }
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
        Finding { reference: Some(reference), reason, ours: reason.is_some().then_some(ours) }
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

impl App {
    /// Finds our record of a line.
    pub(crate) async fn find_record(&self, movement: &Movement) -> Result<Finding, ReadError> {
        match movement.kind {
            MovementKind::Payout | MovementKind::PayoutFailure | MovementKind::Fee => {
                let reference = format!("{}/{}", kind_of(movement), movement.source.as_deref().unwrap_or(&movement.id));
                Ok(Finding { reference: Some(reference), reason: None, ours: None })
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
            return Ok(Finding::of(movement, reference, payment.captured, payment.currency(), payment.fee()));
        }
        // Money of a try that the payment does not count with goes back with a refund of its own.
        let all = refunds::all(&*self.store, &payment).await?;
        let stray = all.iter().find(|refund| refund.is_stray() && Some(refund.intent()) == movement.intent.as_deref());
        Ok(stray.map_or_else(
            || Finding::nothing(Reason::MissingHere),
            |refund| {
                let reference = format!("stray/{}", refund.public_id());
                Finding::of(movement, reference, refund.amount, refund.currency(), None)
            },
        ))
    }

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
            return Ok(Finding::of(movement, reference, -refund.amount, refund.currency(), Some(0)));
        }
        // A try before the current one failed, or there would be no other.
        if attempt == refund.attempt && refund.status != RefundStatus::Failed {
            return Ok(Finding::nothing(Reason::MissingHere));
        }
        Ok(Finding::of(movement, format!("{reference}/back"), refund.amount, refund.currency(), Some(0)))
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
