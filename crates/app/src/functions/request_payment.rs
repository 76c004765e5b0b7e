//! Asks the provider to hold the amount, and waits for its answer: by webhook, by poll, or at once.

use async_trait::async_trait;
use domain::payment::PaymentStatus;
use serde_json::json;
use store::Batch;

use super::{changed, load_order, load_payment, refuse_cancelled, task_token, unchanged};
use crate::provider::ProviderError;
use crate::settle::{REFUSED, settle};
use crate::{Answer, App, Call, Function, FunctionError, WebhookOutcome};

/// The failure of a card that the provider cannot use.
const UNUSABLE: &str = "card_unusable";

/// See the module.
pub(super) struct RequestPayment(pub(super) App);

#[async_trait]
impl Function for RequestPayment {
    fn name(&self) -> &'static str {
        "request-payment"
    }

    fn reaches_out(&self) -> bool {
        true
    }

    async fn call(&self, call: Call) -> Result<Answer, FunctionError> {
        let app = &self.0;
        let order = load_order(app, &call).await?;
        refuse_cancelled(&order)?;
        let token = task_token(&call)?;
        let payment = load_payment(app, &order).await?;
        let mut batch = Batch::new();
        unchanged(&order, &mut batch);
        match payment.status {
            // The webhook was faster than this step.
            PaymentStatus::Authorized | PaymentStatus::Confirmed => {
                batch.task_succeeded(token, json!({}));
                return changed(json!({}), batch);
            }
            PaymentStatus::Pending => {}
            PaymentStatus::Rejected => {
                let code = payment.text("failure_code").unwrap_or_default();
                return Err(FunctionError::new(REFUSED, code));
            }
            PaymentStatus::Voided
            | PaymentStatus::PartiallyRefunded
            | PaymentStatus::Refunded
            | PaymentStatus::Expired
            | PaymentStatus::Disputed => {
                return Err(FunctionError::new("PaymentExpired", "the payment is over"));
            }
        }
        if call.now_ms >= payment.expires_at {
            return Err(FunctionError::new("PaymentExpired", "the time to pay is over"));
        }
        let intent = match app
            .provider_of(payment.provider())?
            .authorise(&payment.authorise_request(app.tracking_url(&order.public_id())))
            .await
        {
            Ok(intent) => intent,
            // A card that the provider cannot use is a refused try; the customer takes another one.
            Err(ProviderError::Card { problem, .. }) => {
                batch.task_failed(token, REFUSED, UNUSABLE);
                let update = payment.update().status(PaymentStatus::Rejected)?.settled();
                update.set("failure_code", UNUSABLE).set("failure_message", problem).write(&mut batch);
                return changed(json!({}), batch);
            }
            Err(error) => return Err(error.into()),
        };
        match settle(&payment, &intent, Some(token), call.now_ms, &mut batch)? {
            WebhookOutcome::Applied => {}
            WebhookOutcome::Mismatch => {
                let cause = format!("the provider answered with {} {}", intent.amount, intent.currency);
                return Err(FunctionError::new("PaymentMismatch", cause));
            }
            WebhookOutcome::Ignored | WebhookOutcome::Duplicate => {
                let ask_at = app.ask_again(&payment, None, call.now_ms);
                let update = payment.update().set("intent", intent.id.as_str());
                let update = update.set("waiting", 1).set("ask_at", ask_at).set("wait_token", token);
                let update = update.set("qr", intent.qr).set("action_url", intent.action_url);
                update.set("client_secret", intent.client_secret).write(&mut batch);
            }
        }
        changed(json!({}), batch)
    }
}
