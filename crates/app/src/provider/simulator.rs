//! The payment simulator.
use std::sync::Arc;

use async_trait::async_trait;
use store::Store;

use super::{Authorise, Card, Event, Intent, PaymentProvider, ProviderError, Token};
use crate::SimulatorSettings;

/// A payment provider that behaves, with its own books and webhooks, and takes no money.
pub struct Simulator {
    store: Arc<dyn Store>,
    settings: SimulatorSettings,
    clock: fn() -> i64,
}

impl Simulator {
    /// A simulator with its books in that store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, settings: SimulatorSettings, clock: fn() -> i64) -> Simulator {
        Simulator { store, settings, clock }
    }
}

#[async_trait]
impl PaymentProvider for Simulator {
    fn name(&self) -> &'static str {
        "simulator"
    }
    async fn tokenise(&self, card: Card) -> Result<Token, ProviderError> {
        todo!()
    }
    async fn authorise(&self, request: Authorise) -> Result<Intent, ProviderError> {
        todo!()
    }
    async fn capture(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        todo!()
    }
    async fn void(&self, intent: &str, key: &str) -> Result<Intent, ProviderError> {
        todo!()
    }
    async fn refund(&self, intent: &str, amount: i64, key: &str) -> Result<Intent, ProviderError> {
        todo!()
    }
    async fn retrieve(&self, intent: &str) -> Result<Intent, ProviderError> {
        todo!()
    }
    async fn books(&self, after: Option<String>) -> Result<Option<(Vec<Intent>, Option<String>)>, ProviderError> {
        todo!()
    }
    fn read_event(&self, body: &[u8]) -> Result<Event, ProviderError> {
        todo!()
    }
}
