//! Refunds that no flow carries on: they stand before a person, and finish by themselves once the provider's word comes.

use domain::notification::Notice;
use domain::refund::RefundStatus;
use store::{ReadError, Value};

use super::open::all;
use crate::error::StoreError;
use crate::provider::{self, ProviderError, RefundRequest};
use crate::receipts::reason_words;
use crate::records::mail::MAILS;
use crate::records::refund::Refund;
use crate::records::{Order, Payment};
use crate::{App, mail};

/// What is set on a refund whose flow ended before its time. The provider is asked about one that it has not decided: it may
/// have given the money back before the flow could write that down.
pub(crate) fn halted(refund: &Refund, now: i64) -> Vec<(&'static str, Value)> {
    let mut set = vec![("halted", Value::Int(1)), ("halted_at", Value::Int(now))];
    if refund.status == RefundStatus::Pending {
        set.extend([("waiting", Value::Int(1)), ("ask_at", Value::Int(now))]);
    }
    set
}

/// What is set on a refund that is carried on, or done.
pub(crate) const CARRIED_ON: [(&str, Value); 2] = [("halted", Value::Null), ("halted_at", Value::Null)];

/// The request for a refund: the same whenever it is made, so that the provider does it once.
pub(crate) fn request(order: &Order, refund: &Refund) -> Result<RefundRequest, ReadError> {
    Ok(RefundRequest {
        key: refund.provider_key(),
        intent: refund.intent().to_owned(),
        amount: refund.amount,
        note: reason_words(refund.reason, mail::locale(order.customer()?.as_ref())).to_owned(),
    })
}

impl App {
    /// Whether nothing of a refund is left to do: it failed, or it went, has its credit note, and the customer was told.
    pub(crate) async fn is_done(&self, order: &Order, refund: &Refund) -> Result<bool, ReadError> {
        Ok(match refund.status {
            RefundStatus::Pending => false,
            RefundStatus::Failed => true,
            RefundStatus::Succeeded => {
                let mail = (order.id, Notice::Refunded.number(refund.number));
                let address = order.customer()?.and_then(|customer| customer.email);
                refund.int("credit_note").is_some()
                    && (address.is_none() || self.store.get(&MAILS, &mail.into()).await?.is_some())
            }
        })
    }

    /// What became of a halted refund whose request was perhaps never answered; `None` if nothing of it is known.
    ///
    /// The provider tells how much of the payment went back. Where that is more than all other refunds explain, and enough
    /// for this one, it went: then the same request is made again, which has no second effect and names the refund. Otherwise
    /// nothing is asked for: whether it is tried again is a person's to say.
    pub(super) async fn find_halted(&self, refund: &Refund) -> Result<Option<provider::Refund>, HaltedError> {
        let order = Order::load(&*self.store, refund.order_id).await.map_err(StoreError::from)?;
        let payment = Payment::load(&*self.store, refund.order_id).await.map_err(StoreError::from)?;
        let (Some(order), Some(payment)) = (order, payment) else { return Ok(None) };
        let provider = self.provider_of(refund.text("provider").unwrap_or_default())?;
        let intent = provider.retrieve(refund.intent()).await?;
        let all = all(&*self.store, &payment).await.map_err(StoreError::from)?;
        let others = all.iter().filter(|other| other.number != refund.number && other.intent() == refund.intent());
        let known = others.filter(|other| other.text("provider_refund").is_some_and(|id| !id.is_empty()));
        let unexplained = intent.refunded.saturating_sub(known.map(|other| other.amount).sum());
        if unexplained < refund.amount {
            return Ok(None);
        }
        let request = request(&order, refund).map_err(StoreError::from)?;
        Ok(Some(provider.refund(&request).await?))
    }
}

/// Why nothing could be found out.
#[derive(Debug, thiserror::Error)]
pub(super) enum HaltedError {
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Store(#[from] StoreError),
}
