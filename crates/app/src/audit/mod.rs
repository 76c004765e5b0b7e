//! The audit: orders, payments, refunds, disputes, the ledger, stock, receipts, credit notes, mails and the provider's books and
//! account agree, to the cent and to the unit.
//!
//! It reads one snapshot of the store in pages, so what moves meanwhile makes no false difference and memory does not grow with
//! the orders. Only the provider's books are not part of a snapshot, and some states last a moment (a refund whose credit note
//! comes with the next step): an order with a difference is looked at again, in later snapshots, before it is reported.

mod account;
mod books;
mod disputes;
mod documents;
mod entries;
mod mails;
mod order;
mod stock;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use store::sqlite::SqliteSnapshot;
use store::{Query, ReadError, Row, Store, Table};

use crate::provider::{PaymentProvider, ProviderError};
use crate::records::Order;
use crate::views::{AuditReport, Difference};
use crate::{App, FindError, Settings};

/// How many differences a report names.
const MAX_DIFFERENCES: usize = 1_000;
/// Rows of one page.
const PAGE: usize = 500;
/// The pauses before an order with a difference is looked at again.
const AGAIN: [Duration; 3] = [Duration::from_millis(200), Duration::from_millis(1_000), Duration::from_millis(3_000)];

/// What an audit reads.
#[derive(Clone)]
pub enum Source {
    /// A store in use.
    Live(Arc<dyn Store>),
    /// The file of a store, which a server may be using.
    File(PathBuf),
}

impl Source {
    /// The durable state of this moment.
    async fn snapshot(&self) -> Result<Arc<dyn Store>, ReadError> {
        match self {
            Source::Live(store) => {
                store.flush().await.map_err(|error| ReadError::Unavailable(error.into()))?;
                store.snapshot().await
            }
            Source::File(path) => Ok(Arc::new(SqliteSnapshot::take(path)?)),
        }
    }
}

/// Makes the provider whose books are compared, out of a snapshot: a simulator keeps its books there.
type ProviderOf = Box<dyn Fn(Arc<dyn Store>) -> Arc<dyn PaymentProvider> + Send + Sync>;

/// How far an audit is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What it reads.
    pub what: &'static str,
    /// How much of all it has done, 0 to 1.
    pub part: f64,
}

/// The steps and how much of the work each is, in hundredths.
const STEPS: [(&str, u32); 12] = [
    ("orders", 52),
    ("disputes", 1),
    ("payments", 3),
    ("reservations", 3),
    ("refunds", 2),
    ("receipts", 14),
    ("credit-notes", 2),
    ("mails", 3),
    ("entries", 10),
    ("stock", 2),
    ("provider-account", 1),
    ("provider-payments", 7),
];

/// Carries an audit out.
pub struct Auditor {
    source: Source,
    provider: ProviderOf,
    again: [Duration; 3],
    due_after_ms: i64,
}

/// One audit under way.
struct Run<'a> {
    view: Arc<dyn Store>,
    provider: Arc<dyn PaymentProvider>,
    now: i64,
    progress: &'a (dyn Fn(Progress) + Sync),
    report: AuditReport,
    /// After how long what the provider's account and our records say of each other has to agree.
    due_after_ms: i64,
    /// What the banks have of each order's payment, and what each dispute posted.
    disputes: disputes::Sums,
    /// Provider -> payments with money, and what they took, if payments go through another provider now.
    elsewhere: BTreeMap<String, (u64, i64)>,
    /// SKU -> units held, units sold, by the reservations.
    reserved: BTreeMap<String, (i64, i64)>,
    /// Orders to look at again, with the provider's payments that seemed different.
    suspects: Suspects,
}

/// Orders by id, and the provider's payments of each.
type Suspects = BTreeMap<i64, BTreeSet<String>>;

impl Auditor {
    /// An auditor of a store, and of the books that its provider keeps.
    pub fn new(
        source: Source,
        provider: impl Fn(Arc<dyn Store>) -> Arc<dyn PaymentProvider> + Send + Sync + 'static,
    ) -> Auditor {
        let due_after_ms = Settings::default().reconcile_after_ms;
        Auditor { source, provider: Box::new(provider), again: AGAIN, due_after_ms }
    }

    /// With other pauses before an order with a difference is looked at again.
    #[must_use]
    pub fn again_after(mut self, pauses: [Duration; 3]) -> Auditor {
        self.again = pauses;
        self
    }

    /// With another time after which what the provider's account and our records say of each other has to agree.
    #[must_use]
    pub fn due_after(mut self, due_after_ms: i64) -> Auditor {
        self.due_after_ms = due_after_ms;
        self
    }

    /// Reads everything and names every difference, those of orders that a person looks at included.
    ///
    /// # Errors
    /// [`FindError::Store`] if store or provider cannot be read.
    pub async fn run(&self, progress: &(dyn Fn(Progress) + Sync)) -> Result<AuditReport, FindError> {
        let view = self.source.snapshot().await?;
        let mut run = Run {
            provider: (self.provider)(view.clone()),
            view,
            now: store::clock::now_ms(),
            progress,
            report: AuditReport::default(),
            due_after_ms: self.due_after_ms,
            disputes: disputes::Sums::default(),
            elsewhere: BTreeMap::new(),
            reserved: BTreeMap::new(),
            suspects: Suspects::new(),
        };
        run.orders().await?;
        run.disputes().await?;
        run.payments().await?;
        run.reservations().await?;
        run.refunds().await?;
        run.receipts().await?;
        run.credit_notes().await?;
        run.mails().await?;
        run.entries().await?;
        run.stock().await?;
        run.account().await?;
        run.books().await?;
        let Run { mut report, suspects, .. } = run;
        // The first snapshot is let go: the store need not keep what it shows any longer.
        for difference in self.look_again(suspects).await? {
            differ(&mut report, difference);
        }
        progress(Progress { what: "done", part: 1.0 });
        Ok(report)
    }

    /// What is still different about some orders in later snapshots.
    async fn look_again(&self, mut suspects: Suspects) -> Result<Vec<Difference>, FindError> {
        let mut found = Vec::new();
        for pause in self.again {
            if suspects.is_empty() {
                break;
            }
            tokio::time::sleep(pause).await;
            found.clear();
            let view = self.source.snapshot().await?;
            let provider = (self.provider)(view.clone());
            let mut left = Suspects::new();
            for (id, intents) in suspects {
                let mut differences = books::check(&*view, &*provider, id, &intents).await?;
                if let Some(order) = Order::load(&*view, id).await? {
                    differences.extend(order::check(&*view, &order, store::clock::now_ms()).await?);
                }
                if !differences.is_empty() {
                    left.insert(id, intents);
                    found.extend(differences);
                }
            }
            suspects = left;
        }
        Ok(found)
    }
}

impl Run<'_> {
    fn differ(&mut self, difference: Difference) {
        differ(&mut self.report, difference);
    }

    fn warn(&mut self, warning: Difference) {
        if self.report.warnings.len() < MAX_DIFFERENCES {
            self.report.warnings.push(warning);
        }
    }

    /// Puts an order among those that are looked at again.
    fn suspect(&mut self, order_id: i64, intent: Option<String>) {
        if self.suspects.len() < MAX_DIFFERENCES || self.suspects.contains_key(&order_id) {
            self.suspects.entry(order_id).or_default().extend(intent);
        } else {
            self.report.more = true;
        }
    }

    fn count(&mut self, what: &str) {
        *self.report.counts.entry(what.into()).or_default() += 1;
    }

    /// Tells how far a step is.
    fn tell(&self, step: &'static str, part: f64) {
        let before: u32 = STEPS.iter().take_while(|(name, _)| *name != step).map(|(_, share)| share).sum();
        let share = STEPS.iter().find(|(name, _)| *name == step).map_or(0, |(_, share)| *share);
        let part = (f64::from(before) + f64::from(share) * part.clamp(0.0, 1.0)) / 100.0;
        (self.progress)(Progress { what: step, part });
    }
}

fn difference(code: &str, subject: impl Into<String>, detail: impl Into<String>) -> Difference {
    Difference { code: code.into(), subject: subject.into(), detail: detail.into() }
}

fn differ(report: &mut AuditReport, difference: Difference) {
    if report.differences.len() < MAX_DIFFERENCES {
        report.differences.push(difference);
    } else {
        report.more = true;
    }
}

fn unavailable(error: ProviderError) -> FindError {
    FindError::Store(ReadError::Unavailable(error.into()))
}

impl App {
    /// Reads the whole store and names every difference.
    ///
    /// # Errors
    /// [`FindError::Store`].
    pub async fn audit(&self) -> Result<AuditReport, FindError> {
        self.audit_with(&|_| {}).await
    }

    /// The same, and tells how far it is.
    ///
    /// # Errors
    /// [`FindError::Store`].
    pub async fn audit_with(&self, progress: &(dyn Fn(Progress) + Sync)) -> Result<AuditReport, FindError> {
        let provider = self.provider.clone();
        let auditor = Auditor::new(Source::Live(self.store.clone()), move |_| provider.clone());
        auditor.due_after(self.settings.reconcile_after_ms).run(progress).await
    }
}

/// A table read in key order, page by page.
struct Pages {
    table: &'static Table,
    page: std::vec::IntoIter<Row>,
    cursor: Option<String>,
    ended: bool,
    /// The first and the last key of a table whose keys are integers.
    span: Option<(i64, i64)>,
}

impl Pages {
    async fn open(view: &dyn Store, table: &'static Table) -> Result<Pages, ReadError> {
        let first = view.query(Query::table(table).limit(1)).await?;
        let last = view.query(Query::table(table).descending().limit(1)).await?;
        let position = |page: &store::Page| page.rows.first().and_then(|row| position(row.key()));
        let span = position(&first).zip(position(&last));
        Ok(Pages { table, page: Vec::new().into_iter(), cursor: None, ended: false, span })
    }

    /// The next row, and at the end of a page how far it is.
    async fn next(&mut self, run: &Run<'_>, step: &'static str) -> Result<Option<Row>, ReadError> {
        loop {
            if let Some(row) = self.page.next() {
                return Ok(Some(row));
            }
            if self.ended {
                run.tell(step, 1.0);
                return Ok(None);
            }
            let query = Query::table(self.table).limit(PAGE).after(self.cursor.take());
            let page = run.view.query(query).await?;
            self.ended = page.next.is_none();
            self.cursor = page.next;
            if let (Some((first, last)), Some(at)) = (self.span, page.rows.first().and_then(|row| position(row.key())))
            {
                run.tell(step, fraction(first, at, last));
            }
            self.page = page.rows.into_iter();
        }
    }
}

fn position(key: &store::Key) -> Option<i64> {
    match key {
        store::Key::Int(n) | store::Key::Pair(n, _) => Some(*n),
        store::Key::Text(_) => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people to see")]
fn fraction(first: i64, at: i64, last: i64) -> f64 {
    if last <= first { 0.0 } else { (at - first) as f64 / (last - first) as f64 }
}
