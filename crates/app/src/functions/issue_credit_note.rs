//! Issues the credit note of a refund: its number, its document, its hash.

use async_trait::async_trait;
use domain::refund::RefundStatus;
use serde_json::json;
use store::Batch;

use super::{changed, load_refund, not_succeeded};
use crate::records::credit_note::{self, CREDIT_NOTES};
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct IssueCreditNote(pub(super) App);

#[async_trait]
impl Function for IssueCreditNote {
    fn name(&self) -> &'static str {
        "issue-credit-note"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let around = load_refund(app, &call).await?;
        let (order, payment, refund) = (&around.order, &around.payment, &around.refund);
        // It came back while the flow was on its way here: there is nothing to certify. The row's revision is a condition of
        // what follows, so one that comes back in this moment is seen in the next try.
        if refund.status != RefundStatus::Succeeded {
            return Err(not_succeeded(refund));
        }
        // One that came back and went again has its note already.
        if let Some(number) = refund.int("credit_note") {
            return changed(json!({ "number": number }), Batch::new());
        }
        let holder = (order.id, refund.number);
        let mut number = app.credit_note_numbers.take(holder, call.now_ms).await?;
        if app.store.get(&CREDIT_NOTES, &number.into()).await?.is_some() {
            app.credit_note_numbers.forget(holder);
            number = app.credit_note_numbers.take(holder, call.now_ms).await?;
        }
        let (record, document) = app.issue_credit_note(order, payment, refund, number, call.now_ms).await?;
        // Written beside the commit, not within it: a file that does not match the record is never served.
        app.files.put(&credit_note::public_id(order.id, refund.number), document).await;
        let mut batch = Batch::new();
        batch.insert(record.row());
        app.credit_note_numbers.claim(number, &mut batch);
        refund.update(vec![("credit_note", number.into())], &mut batch);
        changed(json!({ "number": number }), batch)
    }
}
