//! Paying again after a refusal, and the simulator's customer side.

use domain::order::OrderStatus;
use domain::payment::PaymentStatus;
use serde_json::json;
use store::{Batch, CommitError, Value};

use crate::app::MAX_TRIES;
use crate::commands::PayOrder;
use crate::error::StoreError;
use crate::orders::payment_view;
use crate::provider::ProviderError;
use crate::records::{Order, Payment, order};
use crate::views::PaymentView;
use crate::{App, Kind, Problem};

/// How long the customer's page waits between two questions to the provider about one payment, in milliseconds.
const CHECK_PAUSE_MS: i64 = 2_000;

/// Why a payment was not taken up.
#[derive(Debug, thiserror::Error)]
pub enum PayError {
    /// There is no such order.
    #[error("there is no order `{0}`")]
    NotFound(String),
    /// It is not waiting for another try.
    #[error("the payment is `{0}`; only a refused payment of an unpaid order can be tried again")]
    NotPayable(&'static str),
    /// Too many tries.
    #[error("the payment was tried `{0}` times; place a new order")]
    TooManyAttempts(i64),
    /// Too late.
    #[error("the time to pay is over; place a new order")]
    Expired,
    /// Something about the card.
    #[error("{problem}")]
    Card {
        /// The field of the method.
        field: &'static str,
        /// What is wrong and what to do.
        problem: &'static str,
    },
    /// The provider cannot be reached.
    #[error("the payment provider is unavailable; try again")]
    Provider,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Problem for PayError {
    fn kind(&self) -> Kind {
        match self {
            PayError::NotFound(_) => Kind::NotFound,
            PayError::NotPayable(_) | PayError::TooManyAttempts(_) | PayError::Expired => Kind::Conflict,
            PayError::Card { .. } => Kind::Invalid,
            PayError::Provider => Kind::Unavailable,
            PayError::Store(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            PayError::NotFound(_) => "not-found",
            PayError::NotPayable(_) => "not-payable",
            PayError::TooManyAttempts(_) => "too-many-attempts",
            PayError::Expired => "payment-expired",
            PayError::Card { .. } => "invalid-card",
            PayError::Provider => "provider-unavailable",
            PayError::Store(error) => error.code(),
        }
    }

    fn pointer(&self) -> Option<String> {
        match self {
            PayError::Card { field, .. } => Some(format!("/method/{field}")),
            _ => None,
        }
    }
}

impl From<ProviderError> for PayError {
    fn from(error: ProviderError) -> PayError {
        match error {
            ProviderError::Card { field, problem } => PayError::Card { field, problem },
            ProviderError::Unavailable | ProviderError::Invalid(_) | ProviderError::Elsewhere { .. } => {
                PayError::Provider
            }
        }
    }
}

impl App {
    /// Pays an order again after a refusal. Returns once the try is durable; its outcome comes through the order.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn pay(&self, order_id: &str, command: PayOrder) -> Result<PaymentView, PayError> {
        let not_found = || PayError::NotFound(order_id.chars().take(64).collect());
        let id = order::private_id(order_id).ok_or_else(not_found)?;
        let payment = self.payable(id).await?.ok_or_else(not_found)?;
        let (method, card, token) = self.tokenise(command.method).await?;
        let mut payment = Some(payment);
        for _ in 0..MAX_TRIES {
            let loaded = match payment.take() {
                Some(payment) => payment,
                None => self.payable(id).await?.ok_or_else(not_found)?,
            };
            let mut batch = Batch::new();
            let update = loaded.update().status(PaymentStatus::Pending).map_err(StoreError::from)?.settled();
            let update = update
                .set("attempts", loaded.attempts + 1)
                .set("provider", self.provider.name())
                .set("method", method)
                .set("card", card.clone())
                .set("token", token.clone())
                .set("intent", Value::Null)
                .set("failure_code", Value::Null)
                .set("failure_message", Value::Null);
            update.write(&mut batch);
            // Without a token the flow is still on its way to wait; it will see that the payment is pending again.
            if let Some(token) = loaded.wait_token() {
                batch.task_succeeded(token, json!({ "secondsLeft": loaded.seconds_left(self.now()) }));
            }
            match self.commit(batch).await {
                Ok(()) => {
                    let paid = Payment::load(&*self.store, id).await.map_err(StoreError::from)?;
                    return Ok(payment_view(&paid.ok_or_else(not_found)?));
                }
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(StoreError::from(error).into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    /// Asks the provider about a payment whose customer comes back from paying elsewhere, and applies the answer as a
    /// webhook's: the webhook may take a while. Asked too soon after the last time, it answers with what is known.
    ///
    /// # Errors
    /// [`PayError`].
    pub async fn check_payment(&self, order_id: &str) -> Result<PaymentView, PayError> {
        let not_found = || PayError::NotFound(order_id.chars().take(64).collect());
        let id = order::private_id(order_id).ok_or_else(not_found)?;
        let payment = Payment::load(&*self.store, id).await.map_err(StoreError::from)?.ok_or_else(not_found)?;
        let now = self.now();
        let pace = self.ask_again(&payment, None, 0).unwrap_or(0);
        let asked_at = payment.ask_at().map(|ask_at| ask_at.saturating_sub(pace));
        let waits = payment.is_waiting() && !payment.is_over() && payment.intent().is_some();
        if !waits || asked_at.is_some_and(|at| at.saturating_add(CHECK_PAUSE_MS) > now) {
            return Ok(payment_view(&payment));
        }
        // Noted first: of a crowd of requests one asks.
        self.ask_again_later(id, now).await?;
        if !self.poll_payment(&payment).await? {
            return Err(PayError::Provider);
        }
        let payment = Payment::load(&*self.store, id).await.map_err(StoreError::from)?.ok_or_else(not_found)?;
        Ok(payment_view(&payment))
    }

    /// The payment of an order, if it can be tried again now.
    async fn payable(&self, id: i64) -> Result<Option<Payment>, PayError> {
        let order = Order::load(&*self.store, id).await.map_err(StoreError::from)?;
        let payment = Payment::load(&*self.store, id).await.map_err(StoreError::from)?;
        let (Some(order), Some(payment)) = (order, payment) else {
            return Ok(None);
        };
        let waits = order.status == OrderStatus::PaymentPending && order.cancel_reason().is_none();
        if !waits || payment.status != PaymentStatus::Rejected {
            return Err(PayError::NotPayable(payment.status.as_str()));
        }
        if self.now() >= payment.expires_at {
            return Err(PayError::Expired);
        }
        if payment.attempts >= self.settings.max_payment_attempts {
            return Err(PayError::TooManyAttempts(payment.attempts));
        }
        Ok(Some(payment))
    }

    /// The simulator's customer authenticates a card payment with the bank, or refuses to. `None` without a simulator.
    ///
    /// # Errors
    /// [`ProviderError`] if that intent does not wait for it.
    pub async fn simulate_authentication(&self, intent: &str, approve: bool) -> Result<Option<()>, ProviderError> {
        let Some(simulator) = &self.simulator else { return Ok(None) };
        simulator.authenticate(intent, approve).await?;
        Ok(Some(()))
    }

    /// The simulator's customer pays a Pix, in time or late. `None` without a simulator.
    ///
    /// # Errors
    /// [`ProviderError`] if that intent does not wait for it.
    pub async fn simulate_pix(&self, intent: &str) -> Result<Option<()>, ProviderError> {
        let Some(simulator) = &self.simulator else { return Ok(None) };
        simulator.pay_pix(intent).await?;
        Ok(Some(()))
    }
}
