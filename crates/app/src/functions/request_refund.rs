//! Asks the provider to give an amount back, and waits for its word: at once, by webhook or by poll.

use async_trait::async_trait;
use domain::refund::RefundStatus;
use serde_json::json;
use store::{Batch, Value};

use super::{changed, load_refund, task_token};
use crate::provider::{self, ProviderError};
use crate::refunds::{self, CARRIED_ON, REFUND_FAILED};
use crate::{Answer, App, Call, Function, FunctionError};

/// See the module.
pub(super) struct RequestRefund(pub(super) App);

#[async_trait]
impl Function for RequestRefund {
    fn name(&self) -> &'static str {
        "request-refund"
    }

    fn reaches_out(&self) -> bool {
        true
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let around = load_refund(app, &call).await?;
        let token = task_token(&call)?;
        let refund = &around.refund;
        let mut batch = Batch::new();
        match refund.status {
            RefundStatus::Pending => {}
            // The webhook was faster than this step.
            RefundStatus::Succeeded => {
                batch.task_succeeded(token, json!({}));
                return changed(json!({}), batch);
            }
            RefundStatus::Failed => {
                return Err(FunctionError::new(REFUND_FAILED, refund.text("failure").unwrap_or_default()));
            }
        }
        let request = refunds::request(&around.order, refund)?;
        // Another provider knows nothing of this money: what it answers would be no word about the refund.
        let provider = app.provider_of(refund.text("provider").unwrap_or_default())?;
        let news = match (provider.refund(&request).await, refund.text("provider_refund")) {
            (Ok(news), _) => news,
            // The provider took it once: it can answer about nothing but that refund.
            (Err(error @ ProviderError::Unavailable), _) | (Err(error), Some(_)) => return Err(error.into()),
            // It refuses for good: nothing will go back under this key.
            (Err(error), None) => provider::Refund {
                id: String::new(),
                intent: request.intent,
                key: Some(request.key),
                status: provider::RefundStatus::Failed,
                amount: refund.amount,
                currency: refund.currency().to_owned(),
                failure: Some(error.to_string()),
            },
        };
        let status = app.settle_refund(&around, &news, Some(token), call.now_ms, &mut batch).await?;
        if status == RefundStatus::Pending {
            let mut set = vec![
                ("provider_refund", Value::from(news.id.as_str())),
                ("wait_token", Value::from(token)),
                ("waiting", Value::Int(1)),
                ("ask_at", Value::Int(call.now_ms + app.settings.poll_after_ms)),
            ];
            set.extend(CARRIED_ON);
            refund.update(set, &mut batch);
        }
        changed(json!({}), batch)
    }
}
