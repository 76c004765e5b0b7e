//! The ledger: accepting entries, and what is read from them.
//!
//! Commands and queries are apart. Accepting writes a row of entries and the note that it is not consolidated
//! ([`post()`]); the daily consolidation ([`projection`]) counts what is noted, in its own time. It may stop, lag, crash or
//! be built anew, and entries are accepted as before.

mod accept;
mod balance;
mod body;
mod book;
mod calendar;
mod chart;
mod close;
mod entries;
mod error;
mod export;
pub mod import;
mod page;
mod post;
mod projection;
mod rebuild;
mod scan;
mod state;
mod statement;
mod verify;
pub mod views;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use domain::Currency;
use parking_lot::Mutex;
use store::Store;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::error::StoreError;
use views::{AccountView, ChartView, OpenAccount};

pub use accept::{Accepted, MAX_BATCH_ENTRIES, MAX_STORED_BYTES};
pub use calendar::Calendar;
pub use chart::{MAX_ACCOUNTS, provider_account};
pub use close::MAX_CLOSE_DAYS;
pub use entries::{ListEntries, Recorded, entry};
pub(crate) use entries::{private_id as entry_id, read_row};
pub use error::{AccountError, PostError, ReportError};
pub use export::{Export, ExportFormat};
pub use post::{post, posted};
pub(crate) use state::State;
pub use statement::MAX_STATEMENT_DAYS;

/// The ledger of one store.
pub struct Ledger {
    store: Arc<dyn Store>,
    clock: fn() -> i64,
    currency: Currency,
    calendar: Calendar,
    chart: chart::Chart,
    /// Whoever changes the projection: a run, a rebuild, a day's close. Other processes are kept off by the lease.
    turn: tokio::sync::Mutex<()>,
    /// Who this is among those that share the store.
    holder: String,
    /// Whether the end of a run may not be durable yet.
    unsettled: AtomicBool,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Tells the consolidation that there is something to do.
    wake: Arc<Notify>,
    /// Why the last run failed; `None` once one did not.
    problem: Mutex<Option<String>>,
}

/// The name of a process that shares its store with no other.
pub(crate) const ALONE: &str = "alone";

impl Ledger {
    /// Opens the ledger: adds the default chart, and brings a run that a crash cut off to its end. `holder` names this process
    /// among those that share the store.
    ///
    /// # Errors
    /// [`OpenLedgerError`].
    pub async fn open(
        store: Arc<dyn Store>,
        clock: fn() -> i64,
        currency: Currency,
        calendar: Calendar,
        providers: &[&str],
        holder: &str,
    ) -> Result<Ledger, OpenLedgerError> {
        let ledger = Ledger::attach(store, clock, currency, calendar, providers, holder).await?;
        ledger.recover().await?;
        Ok(ledger)
    }

    /// The same for one of many processes that share the store: what was cut off is left to whoever calls
    /// [`Ledger::recover`] from time to time, so that no process waits for it when it starts.
    ///
    /// # Errors
    /// See [`Ledger::open`].
    pub async fn attach(
        store: Arc<dyn Store>,
        clock: fn() -> i64,
        currency: Currency,
        calendar: Calendar,
        providers: &[&str],
        holder: &str,
    ) -> Result<Ledger, OpenLedgerError> {
        let chart = chart::Chart::open(&*store, providers, clock()).await?;
        let ledger = Ledger {
            store,
            clock,
            currency,
            calendar,
            chart,
            turn: tokio::sync::Mutex::new(()),
            holder: holder.to_owned(),
            unsettled: AtomicBool::new(false),
            task: Mutex::new(None),
            wake: Arc::default(),
            problem: Mutex::new(None),
        };
        ledger.prepare().await?;
        Ok(ledger)
    }

    /// With what tells it that entries were recorded. Without it the consolidation looks every second.
    #[must_use]
    pub(crate) fn woken_by(self, wake: Arc<Notify>) -> Ledger {
        Ledger { wake, ..self }
    }

    /// The merchant's calendar.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The chart of accounts.
    #[must_use]
    pub fn accounts(&self) -> ChartView {
        ChartView { accounts: self.chart.list() }
    }

    /// One account.
    ///
    /// # Errors
    /// [`AccountError::NotFound`].
    pub fn account(&self, code: &str) -> Result<AccountView, AccountError> {
        self.chart.get(code).ok_or_else(|| AccountError::NotFound(code.chars().take(64).collect()))
    }

    /// Opens an account.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn open_account(&self, command: OpenAccount) -> Result<AccountView, AccountError> {
        self.chart.add(&*self.store, command, self.now()).await
    }

    /// Closes an account, or opens a closed one again. Its entries stay.
    ///
    /// # Errors
    /// [`AccountError`].
    pub async fn close_account(&self, code: &str, closed: bool) -> Result<AccountView, AccountError> {
        self.chart.close(&*self.store, code, closed.then(|| self.now())).await
    }

    /// Whether other processes write the store, too.
    fn is_shared(&self) -> bool {
        self.holder != ALONE
    }

    fn now(&self) -> i64 {
        (self.clock)()
    }
}

/// Why the ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenLedgerError {
    /// Sealed days cannot be cut anew.
    #[error("days were sealed with the zone and cut-off `{sealed}`; set them back, `{now}` would cut them differently")]
    Calendar {
        /// What the days were sealed with.
        sealed: String,
        /// What the settings say.
        now: String,
    },
    /// The projection cannot be brought up.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
