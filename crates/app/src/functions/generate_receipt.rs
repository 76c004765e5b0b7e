//! Issues the receipt: its number, its document, its hash.

use async_trait::async_trait;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, load_payment, refuse_cancelled};
use crate::records::receipt::{self, RECEIPTS, ReceiptRecord};
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct GenerateReceipt(pub(super) App);

#[async_trait]
impl Function for GenerateReceipt {
    fn name(&self) -> &'static str {
        "generate-receipt"
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let payment = load_payment(app, &order).await?;
        if app.settings.shared
            && let Some(record) = ReceiptRecord::of_order(&*app.store, order.id).await?
        {
            return changed(json!({ "number": record.number }), Batch::new());
        }
        let mut number = app.receipt_numbers.take((order.id, 0), call.now_ms).await?;
        if let Some(row) = app.store.get(&RECEIPTS, &number.into()).await? {
            if row.int("order_id") == Some(order.id) {
                return changed(json!({ "number": number }), Batch::new());
            }
            app.receipt_numbers.forget((order.id, 0));
            number = app.receipt_numbers.take((order.id, 0), call.now_ms).await?;
        }
        let (record, document) = app.issue(&order, &payment, number, call.now_ms)?;
        // Written beside the commit, not within it: if the step runs again the file is written again, and a file that does
        // not match the record is never served.
        app.files.put(&receipt::public_id(order.id), document).await;
        let mut batch = Batch::new();
        batch.insert(record.row());
        app.receipt_numbers.claim(number, &mut batch);
        changed(json!({ "number": number }), batch)
    }
}
