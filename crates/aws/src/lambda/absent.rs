//! The payment provider in a function that has no key to it: it has the provider's name, which records and accounts carry,
//! and refuses every call.

use app::provider::{
    Authorise, Card, Checkout, Event, Intent, Movement, Movements, Page, PaymentProvider, ProviderError, ReceiveError,
    Refund, RefundRequest, Token, Webhook,
};
use async_trait::async_trait;

/// A provider's name, and nothing else of it.
pub(super) struct Absent(pub(super) &'static str);

impl Absent {
    /// What no function without the right to the key should come to; the flow's Retry and Catch see it.
    fn refuse<T>(&self, call: &'static str) -> Result<T, ProviderError> {
        tracing::error!(
            provider = self.0,
            call,
            "this function has no key to the payment provider; see deploy/functions.mjs"
        );
        Err(ProviderError::Unavailable)
    }
}

#[async_trait]
impl PaymentProvider for Absent {
    fn name(&self) -> &'static str {
        self.0
    }

    fn checkout(&self) -> Checkout {
        Checkout { card: false, token: false, pix: false, hosted: None }
    }

    async fn tokenise(&self, _: Card) -> Result<Token, ProviderError> {
        self.refuse("tokenise")
    }

    async fn authorise(&self, _: &Authorise) -> Result<Intent, ProviderError> {
        self.refuse("authorise")
    }

    async fn find(&self, _: &Authorise) -> Result<Option<Intent>, ProviderError> {
        self.refuse("find")
    }

    async fn retrieve(&self, _: &str) -> Result<Intent, ProviderError> {
        self.refuse("retrieve")
    }

    async fn capture(&self, _: &str, _: &str) -> Result<Intent, ProviderError> {
        self.refuse("capture")
    }

    async fn void(&self, _: &str, _: &str) -> Result<Intent, ProviderError> {
        self.refuse("void")
    }

    async fn refund(&self, _: &RefundRequest) -> Result<Refund, ProviderError> {
        self.refuse("refund")
    }

    async fn retrieve_refund(&self, _: &str) -> Result<Refund, ProviderError> {
        self.refuse("retrieve_refund")
    }

    async fn receive(&self, _: Webhook<'_>) -> Result<Event, ReceiveError> {
        Err(ReceiveError::Unavailable)
    }

    async fn events(&self, _: i64, _: Option<String>) -> Result<Option<Page<Event>>, ProviderError> {
        self.refuse("events")
    }

    async fn books(&self, _: Option<String>) -> Result<Option<Page<Intent>>, ProviderError> {
        self.refuse("books")
    }

    async fn movements(&self, _: &Movements, _: Option<String>) -> Result<Page<Movement>, ProviderError> {
        self.refuse("movements")
    }
}
