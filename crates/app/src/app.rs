//! The application: its ports, and what its use cases share.

use std::sync::Arc;

use object_store::ObjectStore;
use parking_lot::RwLock;
use store::{OpenError, Store};
use tokio::sync::broadcast;

use crate::provider::{PaymentProvider, Simulator};
use crate::views::{OrderChange, Stats};
use crate::{CallbackSender, Consumer, Function, HttpSender, Mailer, Secrets, Settings};

/// What the application stands on.
pub struct Ports {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Where receipts are kept.
    pub objects: Arc<dyn ObjectStore>,
    /// Who takes the money.
    pub provider: Arc<dyn PaymentProvider>,
    /// Who carries mails; `None` keeps them in the mailbox only.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// How the simulators reach our endpoints.
    pub sender: Arc<dyn CallbackSender>,
    /// The time, in milliseconds since the epoch.
    pub clock: fn() -> i64,
}

impl Ports {
    /// The embedded defaults: the payment simulator over the same store, and the mailbox.
    #[must_use]
    pub fn embedded(store: Arc<dyn Store>, objects: Arc<dyn ObjectStore>, settings: &Settings) -> Ports {
        let clock = store::clock::now_ms;
        let provider = Arc::new(Simulator::new(store.clone(), settings.simulator.clone(), clock));
        Ports {
            store,
            objects,
            provider,
            mailer: None,
            sender: Arc::new(HttpSender::default()),
            clock,
        }
    }
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
}

impl App {
    /// Opens the application over its ports: seeds counters and starts the periodic work. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`] if the store cannot be read.
    pub async fn open(ports: Ports, secrets: Secrets, settings: Settings) -> Result<App, OpenError> {
        todo!()
    }

    /// The store that a runtime must use: it sees every commit, so that followers hear of it.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        todo!()
    }

    /// The functions of the flows.
    #[must_use]
    pub fn functions(&self) -> Vec<Arc<dyn Function>> {
        todo!()
    }

    /// The consumers of the queues.
    #[must_use]
    pub fn consumers(&self) -> Vec<Arc<dyn Consumer>> {
        todo!()
    }

    /// Tells the simulators where our endpoints are, as `http://127.0.0.1:8080`. Until then their messages wait.
    pub fn set_callback_base(&self, url: &str) {
        todo!()
    }

    /// Follows the changes of all orders, each after it is durable. A slow follower loses the oldest.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<OrderChange> {
        todo!()
    }

    /// Counts since start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        todo!()
    }
}
