//! Takes the amount that is held. A Pix is taken already.

use async_trait::async_trait;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, load_payment, refuse_cancelled};
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct CapturePayment(pub(super) App);

#[async_trait]
impl Function for CapturePayment {
    fn name(&self) -> &'static str {
        "capture-payment"
    }

    fn reaches_out(&self) -> bool {
        true
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let payment = load_payment(app, &order).await?;
        let mut batch = Batch::new();
        app.capture_held(&payment, call.now_ms, &mut batch).await?;
        changed(json!({}), batch)
    }
}
