//! The courier's callbacks.

use domain::delivery::{CourierEvent, DeliveryStatus};
use domain::notification::Notice;
use domain::order::OrderStatus;
use serde_json::json;
use store::{Batch, CommitError, Value};

use crate::app::MAX_TRIES;
use crate::commands::CourierCallback;
use crate::error::StoreError;
use crate::records::key::{RECEIVED_EVENTS, event_key, received_event};
use crate::records::{DeliveryRecord, Order, delivery};
use crate::{App, Kind, Problem, SignatureError, WebhookOutcome, mail, signature};

/// Why a callback was not handled.
#[derive(Debug, thiserror::Error)]
pub enum CallbackError {
    /// The signature is not good.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The body is not a callback.
    #[error("the body must read `id`, `deliveryId` and `event` (`picked_up` or `delivered`)")]
    Malformed,
    /// There is no such delivery.
    #[error("there is no delivery `{0}`")]
    NotFound(String),
    /// The store failed; send it again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for CallbackError {
    fn kind(&self) -> Kind {
        match self {
            CallbackError::Signature(_) => Kind::Unauthenticated,
            CallbackError::Malformed => Kind::Invalid,
            CallbackError::NotFound(_) => Kind::NotFound,
            CallbackError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            CallbackError::Signature(SignatureError::Malformed) => "malformed-signature",
            CallbackError::Signature(SignatureError::Stale) => "stale-signature",
            CallbackError::Signature(SignatureError::Mismatch) => "invalid-signature",
            CallbackError::Malformed => "invalid-body",
            CallbackError::NotFound(_) => "not-found",
            CallbackError::Store(error) => error.code(),
        }
    }
}

impl App {
    /// Handles a courier's callback: signature over the raw bytes, each callback id once, forward only. Returns once that
    /// is durable.
    ///
    /// # Errors
    /// [`CallbackError`].
    pub async fn delivery_callback(&self, signature: &str, body: &[u8]) -> Result<WebhookOutcome, CallbackError> {
        signature::verify(&self.secrets.courier, signature, body, self.now())?;
        let callback: CourierCallback = serde_json::from_slice(body).map_err(|_| CallbackError::Malformed)?;
        let named = (1..=128).contains(&callback.id.len());
        let courier = callback.courier.as_deref().unwrap_or_default();
        if !named || courier.chars().count() > 120 || courier.chars().any(char::is_control) {
            return Err(CallbackError::Malformed);
        }
        for _ in 0..MAX_TRIES {
            let now = self.now();
            let mut batch = Batch::new();
            let key = event_key("courier", &callback.id);
            let seen = self.store.get(&RECEIVED_EVENTS, &key.as_str().into()).await;
            if seen.map_err(StoreError::from)?.is_some() {
                // The courier forgets the report once it is answered: the first one must be durable by then.
                self.store.flush().await.map_err(StoreError::from)?;
                return Ok(WebhookOutcome::Duplicate);
            }
            batch.insert(received_event("courier", &callback.id, now));
            let outcome = self.hear_courier(&callback, now, &mut batch).await?;
            match self.commit(batch).await {
                Ok(()) => return Ok(outcome),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(StoreError::from(error).into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    async fn hear_courier(
        &self,
        callback: &CourierCallback,
        now: i64,
        batch: &mut Batch,
    ) -> Result<WebhookOutcome, CallbackError> {
        let not_found = || CallbackError::NotFound(callback.delivery_id.chars().take(64).collect());
        let order_id = delivery::private_id(&callback.delivery_id).ok_or_else(not_found)?;
        let delivery = DeliveryRecord::load(&*self.store, order_id).await;
        let delivery = delivery.map_err(StoreError::from)?.ok_or_else(not_found)?;
        let order = Order::load(&*self.store, order_id).await;
        let order = order.map_err(StoreError::from)?.ok_or_else(not_found)?;
        // An order that is called off stays with the shop. If the courier has it all the same, only a person can find out.
        if order.cancel_reason().is_some() || order.status == OrderStatus::Cancelled {
            let reason = format!("the courier reports `{}` although the order was called off", callback.event.as_str());
            order.update(now).note(order.status, Some(&reason)).attention(&reason).write(batch);
            return Ok(WebhookOutcome::Ignored);
        }
        let Some(next) = delivery.status.hear(callback.event).filter(|_| !order.status.is_final()) else {
            return Ok(WebhookOutcome::Ignored);
        };
        let mut set = vec![("status", Value::from(next.as_str()))];
        if let Some(courier) = &callback.courier {
            set.push(("courier", Value::from(courier.as_str())));
        }
        if callback.event == CourierEvent::PickedUp || delivery.status < DeliveryStatus::PickedUp {
            set.push(("picked_up_at", Value::Int(now)));
            if let Ok(update) = order.update(now).status(OrderStatus::OutForDelivery, None) {
                update.write(batch);
                let notice = Notice::OutForDelivery;
                let written = mail::write(self, batch, &order, notice, 0, now).await;
                written.map_err(StoreError::from)?;
            }
        }
        if next == DeliveryStatus::Delivered {
            set.push(("delivered_at", Value::Int(now)));
            if let Some(token) = delivery.wait_token() {
                batch.task_succeeded(token, json!({}));
                set.push(("wait_token", Value::Null));
            }
        }
        delivery.update(set, batch);
        Ok(WebhookOutcome::Applied)
    }
}
