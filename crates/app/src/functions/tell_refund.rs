//! Tells the customer that money goes back.

use async_trait::async_trait;
use domain::notification::Notice;
use domain::refund::RefundStatus;
use serde_json::json;
use store::Batch;

use super::{changed, load_refund, not_succeeded};
use crate::{Answer, App, Call, Function, FunctionError, mail};

/// See the module.
pub(super) struct TellRefund(pub(super) App);

#[async_trait]
impl Function for TellRefund {
    fn name(&self) -> &'static str {
        "tell-refund"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let around = load_refund(app, &call).await?;
        let (order, refund) = (&around.order, &around.refund);
        if refund.status != RefundStatus::Succeeded {
            return Err(not_succeeded(refund));
        }
        app.credit_note_numbers.forget((order.id, refund.number));
        let mut batch = Batch::new();
        refund.unchanged(&mut batch);
        mail::write(app, &mut batch, order, Notice::Refunded, refund.number, call.now_ms).await?;
        changed(json!({}), batch)
    }
}
