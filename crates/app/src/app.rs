//! The application: its ports, and what its use cases share.

use std::ops::Deref;
use std::sync::Arc;

use jiff::tz::TimeZone;
use object_store::ObjectStore;
use parking_lot::RwLock;
use store::{Batch, CommitError, OpenError, Store};
use tokio::sync::{Notify, broadcast};

use crate::catalogue::Menu;
use crate::error::StoreError;
use crate::feed::{Feed, Observed};
use crate::ledger::{Calendar, Ledger};
use crate::order_numbers::OrderNumbers;
use crate::provider::{PaymentProvider, ProviderError, Simulator};
use crate::receipts::{Files, Links, Numbers};
use crate::records::credit_note::CREDIT_NOTES;
use crate::records::issuer::Issuer;
use crate::records::receipt::RECEIPTS;
use crate::views::{OrderChange, Stats};
use crate::{CallbackSender, Consumer, Function, HttpSender, Mailer, Secrets, Settings, consumers, functions};

/// How often a use case decides again after a conflict.
pub(crate) const MAX_TRIES: usize = 16;

/// What the application stands on.
pub struct Ports {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Where receipts are kept.
    pub objects: Arc<dyn ObjectStore>,
    /// Makes links to what is kept there that work by themselves; without it the server signs and serves links of its own.
    pub links: Option<Arc<dyn Links>>,
    /// Who takes the money.
    pub provider: Arc<dyn PaymentProvider>,
    /// The simulator, if it is the provider or stands beside it: its customer side and its timers.
    pub simulator: Option<Arc<Simulator>>,
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
    pub fn embedded(
        store: Arc<dyn Store>,
        objects: Arc<dyn ObjectStore>,
        secrets: &Secrets,
        settings: &Settings,
    ) -> Ports {
        let clock = store::clock::now_ms;
        let simulator = Simulator::new(store.clone(), settings.simulator.clone(), secrets.webhook_secret(), clock);
        let simulator = Arc::new(simulator);
        Ports {
            store,
            objects,
            links: None,
            provider: simulator.clone(),
            simulator: Some(simulator),
            mailer: None,
            sender: Arc::new(HttpSender::default()),
            clock,
        }
    }
}

/// The application. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What all clones share.
pub struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) provider: Arc<dyn PaymentProvider>,
    pub(crate) simulator: Option<Arc<Simulator>>,
    pub(crate) mailer: Option<Arc<dyn Mailer>>,
    pub(crate) sender: Arc<dyn CallbackSender>,
    pub(crate) secrets: Secrets,
    pub(crate) settings: Settings,
    pub(crate) zone: TimeZone,
    pub(crate) feed: Arc<Feed>,
    pub(crate) menu: Arc<Menu>,
    pub(crate) receipt_numbers: Numbers,
    pub(crate) credit_note_numbers: Numbers,
    /// Who issues receipts now.
    pub(crate) issuer: Issuer,
    pub(crate) files: Files,
    ledger: Arc<Ledger>,
    clock: fn() -> i64,
    pub(crate) order_numbers: OrderNumbers,
    base: RwLock<Option<Arc<str>>>,
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Opens the application over its ports: seeds the counters and starts the periodic work. Needs a Tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`] if the store cannot be read or the time zone is unknown.
    pub async fn open(ports: Ports, secrets: Secrets, settings: Settings) -> Result<App, OpenError> {
        let unusable = |path: &str, problem: String| OpenError::Unusable { path: path.into(), problem };
        let zone = TimeZone::get(&settings.time_zone).map_err(|_| {
            let problem = "is no IANA time zone; write one as `America/Sao_Paulo`".into();
            unusable(&settings.time_zone, problem)
        })?;
        let menu = Arc::new(Menu::new(settings.shared));
        let entries = Arc::new(Notify::new());
        let (observed, feed) = Observed::new(ports.store, menu.clone(), entries.clone());
        let store: Arc<dyn Store> = observed;
        let seeded = async {
            let issuer = Issuer::current(&settings.merchant);
            issuer.write(&*store).await?;
            let order_numbers = match settings.shared {
                true => OrderNumbers::shared(),
                false => OrderNumbers::alone(&*store).await?,
            };
            let receipts = Numbers::open(store.clone(), &RECEIPTS, settings.shared).await?;
            let credit_notes = Numbers::open(store.clone(), &CREDIT_NOTES, settings.shared).await?;
            Ok::<_, StoreError>((order_numbers, receipts, credit_notes, issuer))
        };
        let seeded = seeded.await.map_err(|error| unusable("the store", error.to_string()));
        let (order_numbers, receipt_numbers, credit_note_numbers, issuer) = seeded?;
        let calendar = Calendar::new(zone.clone(), &settings.time_zone, settings.cut_off_minutes);
        let providers = [ports.provider.name()];
        // Whoever is alone takes up at once what it left half done before a crash.
        let holder =
            if settings.shared { store::id::encode(store::id::next()) } else { crate::ledger::ALONE.to_owned() };
        let ledger = Ledger::attach(store.clone(), ports.clock, settings.currency, calendar, &providers, &holder).await;
        let ledger = ledger.map_err(|error| unusable("the ledger", error.to_string()))?;
        let ledger = Arc::new(ledger.woken_by(entries));
        if !settings.shared {
            let recovered = ledger.recover().await;
            recovered.map_err(|error| unusable("the ledger", error.to_string()))?;
        }
        let app = App(Arc::new(Inner {
            provider: ports.provider,
            simulator: ports.simulator,
            mailer: ports.mailer,
            sender: ports.sender,
            menu,
            files: Files::new(ports.objects, ports.links, settings.shared),
            ledger,
            receipt_numbers,
            credit_note_numbers,
            issuer,
            order_numbers,
            base: RwLock::new(None),
            clock: ports.clock,
            store,
            secrets,
            settings,
            zone,
            feed,
        }));
        if !app.settings.shared {
            let started = app.start_tickers().await;
            started.map_err(|error| unusable("the store", error.to_string()))?;
        }
        Ok(app)
    }

    /// The store that a runtime must use: it sees every commit, so that followers hear of it.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.store.clone()
    }

    /// The functions of the flows.
    #[must_use]
    pub fn functions(&self) -> Vec<Arc<dyn Function>> {
        functions::all(self)
    }

    /// The consumers of the queues.
    #[must_use]
    pub fn consumers(&self) -> Vec<Arc<dyn Consumer>> {
        consumers::all(self)
    }

    /// Tells the simulators where our endpoints are, as `http://127.0.0.1:8080`. Until then their messages wait.
    pub fn set_callback_base(&self, url: &str) {
        *self.base.write() = Some(url.trim_end_matches('/').into());
    }

    pub(crate) fn callback_base(&self) -> Option<Arc<str>> {
        self.base.read().clone()
    }

    /// Follows the changes of all orders, each after it is durable. A slow follower loses the oldest.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<OrderChange> {
        self.feed.subscribe()
    }

    /// Counts since start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.feed.stats()
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }

    /// The provider, if it is the one of that name: no other can be asked about the money of its payments.
    ///
    /// # Errors
    /// [`ProviderError::Elsewhere`].
    pub(crate) fn provider_of(&self, name: &str) -> Result<&dyn PaymentProvider, ProviderError> {
        let ours = self.provider.name();
        match name == ours {
            true => Ok(&*self.provider),
            false => Err(ProviderError::Elsewhere { theirs: name.to_owned(), ours }),
        }
    }

    /// Commits, and returns once that is durable.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        self.store.commit(batch).await?.durable().await
    }
}
