//! Refunds that somebody made at the provider: they become refunds like ours, which went already.

use domain::payment::Taken;
use domain::refund::{MAX_REFUNDS, RefundReason, RefundStatus, tip_part};
use store::{Batch, Value};

use super::entries;
use super::open::{all, start};
use crate::error::StoreError;
use crate::provider;
use crate::records::refund::{NewRefund, Refund};
use crate::records::{Order, Payment};
use crate::{App, ledger};

impl App {
    /// Takes over a refund that went and that nobody asked for here, if it is of the money that the order's payment counts
    /// with, and no refund of ours that is undecided can be meant. Answers whether it did.
    ///
    /// In one commit: the row, the amounts of the payment, the ledger's entry, and the start of the flow that issues the credit
    /// note and tells the customer. The provider is asked for nothing: the row says that the money went.
    pub(super) async fn adopt(
        &self,
        order: &Order,
        news: &provider::Refund,
        now: i64,
        batch: &mut Batch,
    ) -> Result<bool, StoreError> {
        let Some(payment) = Payment::load(&*self.store, order.id).await? else { return Ok(false) };
        let taken = payment.taken();
        let counts = payment.intent() == Some(news.intent.as_str()) && payment.provider() == self.provider.name();
        let went = news.status == provider::RefundStatus::Succeeded && payment.status.is_taken();
        let fits = news.currency == payment.currency() && taken.check_refund(news.amount).is_ok();
        let known = all(&*self.store, &payment).await?;
        let open = known.iter().any(|refund| refund.status == RefundStatus::Pending && refund.intent() == news.intent);
        if !counts || !went || !fits || open || payment.refunds() >= MAX_REFUNDS {
            return Ok(false);
        }
        let number = payment.refunds() + 1;
        let refunded = taken.refunded.saturating_add(news.amount);
        let of_tip = tip_part(refunded, 0, taken.captured, payment.totals().tip);
        let tip = of_tip.saturating_sub(payment.refund_tip()).clamp(0, news.amount);
        let new = NewRefund {
            order_id: order.id,
            number,
            amount: news.amount,
            tip,
            currency: payment.currency().to_owned(),
            reason: RefundReason::Other,
            note: Some(format!("made at {}", self.provider.name())),
            lines: Vec::new(),
            stray: false,
            provider: payment.provider().to_owned(),
            intent: news.intent.clone(),
            requested_at: now,
            execution_id: start(order.id, number, 1, batch),
        };
        let row = new.row().with(&[
            ("status", Value::from(RefundStatus::Succeeded.as_str())),
            ("provider_refund", Value::from(news.id.as_str())),
            ("settled_at", Value::Int(now)),
        ]);
        let refund = Refund::from_row(row.clone())?;
        batch.insert(row);
        ledger::post(batch, &entries::refund(&payment, &refund, now)?);
        let next = Taken { refunded, ..taken }.status();
        let update = payment.update().set("refunded", refunded).set("refunds", number);
        let update = update.set("refund_tip", payment.refund_tip().saturating_add(tip));
        let update = if next == payment.status { update } else { update.status(next)? };
        update.write(batch);
        let what = format!("{} {} {}", refund.public_id(), refund.amount, refund.currency());
        let note = format!("a refund was made at {}: {what}", self.provider.name());
        order.update(now).note(order.status, Some(&note)).write(batch);
        Ok(true)
    }
}
