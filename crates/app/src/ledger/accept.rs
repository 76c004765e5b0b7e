//! Accepting entries from people: one, a batch, the undoing of one.

use domain::ledger::{Draft, Entry, EntryKind, Posting, reversal_key};
use sha2::{Digest, Sha256};
use store::{Batch, CommitError, ReadError};

use super::entries::{Recorded, public_id};
use super::error::PostError;
use super::post::{key_row, write_row};
use super::views::{BatchView, EntryView, PostBatch, PostEntry, ReverseEntry};
use super::{Ledger, entry};
use crate::Instant;
use crate::error::StoreError;
use crate::records::json;
use crate::records::ledger::KEYS;
use crate::signature;

/// The most entries of one batch.
pub const MAX_BATCH_ENTRIES: usize = 10_000;
/// The most bytes that one batch may take in the store: a commit takes 4 MiB.
pub const MAX_STORED_BYTES: usize = 3_500_000;
/// The most entries of one row.
pub(super) const ROW_ENTRIES: usize = 500;
/// About the most bytes of one row: an item of DynamoDB takes 400 KB.
const ROW_BYTES: usize = 200_000;
/// The longest idempotency key, in characters.
const MAX_KEY: usize = 255;

/// An answer, and whether the same request was answered before.
#[derive(Debug, Clone)]
pub struct Accepted<T> {
    /// The answer.
    pub answer: T,
    /// Whether it was given before.
    pub replayed: bool,
}

/// What a key was used for.
struct Used {
    first: i64,
    entries: i64,
    fingerprint: Option<String>,
}

impl Ledger {
    /// Posts one entry. Returns once it is durable. The same key with the same request answers the first entry.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn post(&self, command: PostEntry, key: Option<&str>) -> Result<Accepted<EntryView>, PostError> {
        let key = client_key("entry", key)?;
        let fingerprint = key.as_ref().map(|_| fingerprint(&command));
        let draft = self.draft(command);
        self.refresh_chart(std::slice::from_ref(&draft)).await?;
        let entry = self.checked(Draft { key, ..draft }, "")?;
        self.post_one(entry, fingerprint.as_deref()).await?.ok_or(PostError::KeyReused)
    }

    /// Undoes an entry, at most once. The same request again answers the first undoing.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn reverse(&self, id: &str, command: ReverseEntry) -> Result<Accepted<EntryView>, PostError> {
        let not_found = || PostError::NotFound(id.chars().take(64).collect());
        let number = super::entries::private_id(id).ok_or_else(not_found)?;
        let Recorded { entry, .. } = entry(&*self.store, number).await?.ok_or_else(not_found)?;
        if !matches!(entry.kind, EntryKind::Manual | EntryKind::Import) {
            return Err(PostError::Automatic(entry.kind.as_str()));
        }
        let reference = entry.key.unwrap_or_else(|| public_id(number));
        let at = command.effective_at.map_or_else(|| self.now(), |at| at.0);
        let fingerprint = fingerprint(&command);
        let draft = Draft::reversal(&reference, &entry.postings, at, command.reason);
        self.refresh_chart(std::slice::from_ref(&draft)).await?;
        let reversal = self.checked(draft, "")?;
        match self.post_one(reversal, Some(&fingerprint)).await? {
            Some(accepted) => Ok(accepted),
            None => {
                let by = super::posted(&*self.store, &reversal_key(&reference)).await?;
                Err(PostError::Reversed(by.map(public_id).unwrap_or_default()))
            }
        }
    }

    /// Posts entries together, all or none. Returns once they are durable.
    ///
    /// # Errors
    /// [`PostError`].
    pub async fn post_batch(&self, command: PostBatch, key: Option<&str>) -> Result<Accepted<BatchView>, PostError> {
        let count = command.entries.len();
        if !(1..=MAX_BATCH_ENTRIES).contains(&count) {
            return Err(PostError::Count { most: MAX_BATCH_ENTRIES, found: count });
        }
        let key = client_key("batch", key)?;
        let fingerprint = key.as_ref().map(|_| fingerprint(&command));
        let drafts: Vec<Draft> = command.entries.into_iter().map(|entry| self.draft(entry)).collect();
        self.refresh_chart(&drafts).await?;
        let entries: Result<Vec<Entry>, PostError> =
            drafts.into_iter().enumerate().map(|(at, draft)| self.checked(draft, Prefix::Entry(at))).collect();
        let mut batch = Batch::new();
        let first = write_rows(&mut batch, &entries?)?;
        if let Some(key) = &key {
            batch.insert(key_row(key, first, count, fingerprint.as_deref()));
        }
        let made = |first: i64, entries: i64| BatchView {
            first: public_id(first),
            last: public_id(first + entries - 1),
            entries: entries.unsigned_abs(),
            recorded_at: Instant(store::id::time_ms(first)),
        };
        match self.commit(batch).await {
            Ok(()) => Ok(Accepted { answer: made(first, i64::try_from(count).unwrap_or(0)), replayed: false }),
            Err(CommitError::Conflict { .. }) => {
                let used = self.used(key.as_deref()).await?;
                if used.fingerprint != fingerprint {
                    return Err(PostError::KeyReused);
                }
                Ok(Accepted { answer: made(used.first, used.entries), replayed: true })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Commits one entry; `None` if its key was used for another request.
    async fn post_one(
        &self,
        entry: Entry,
        fingerprint: Option<&str>,
    ) -> Result<Option<Accepted<EntryView>>, PostError> {
        let mut batch = Batch::new();
        let id = store::id::next();
        if let Some(key) = &entry.key {
            batch.insert(key_row(key, id, 1, fingerprint));
        }
        write_row(&mut batch, id, std::slice::from_ref(&entry));
        match self.commit(batch).await {
            Ok(()) => {
                let answer = EntryView::of(Recorded { id, entry: entry.into_draft() }, None);
                Ok(Some(Accepted { answer, replayed: false }))
            }
            Err(CommitError::Conflict { .. }) => {
                let used = self.used(entry.key.as_deref()).await?;
                if used.fingerprint.as_deref() != fingerprint {
                    return Ok(None);
                }
                let first = super::entry(&*self.store, used.first).await?;
                let first = first.ok_or_else(|| missing(used.first))?;
                Ok(Some(Accepted { answer: EntryView::of(first, None), replayed: true }))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What a key was used for, once that is durable.
    async fn used(&self, key: Option<&str>) -> Result<Used, PostError> {
        let row = match key {
            Some(key) => self.store.get(&KEYS, &key.into()).await?,
            None => None,
        };
        // Keys are never deleted, and ids never given out twice.
        let row = row.ok_or(StoreError::Busy)?;
        self.store.flush().await?;
        Ok(Used {
            first: row.int("entry_id").unwrap_or(0),
            entries: row.int("entries").unwrap_or(0),
            fingerprint: row.text("fingerprint").map(str::to_owned),
        })
    }

    fn draft(&self, command: PostEntry) -> Draft {
        let at = command.effective_at.map_or_else(|| self.now(), |at| at.0);
        let posting = |line: super::views::PostingLine| Posting {
            account: line.account,
            amount: line.amount,
            currency: line.currency.unwrap_or(self.currency),
        };
        Draft {
            postings: command.postings.into_iter().map(posting).collect(),
            metadata: command.metadata,
            ..Draft::new(EntryKind::Manual, at, command.description)
        }
    }

    /// Learns of the accounts that other processes have opened or closed, before entries are checked.
    async fn refresh_chart(&self, drafts: &[Draft]) -> Result<(), PostError> {
        let codes = drafts.iter().flat_map(|draft| &draft.postings).map(|posting| posting.account.as_str());
        Ok(self.chart.refresh(&*self.store, codes, self.now()).await?)
    }

    pub(super) fn checked(&self, draft: Draft, prefix: impl Into<Prefix>) -> Result<Entry, PostError> {
        let prefix = prefix.into();
        let entry = draft.check().map_err(|error| PostError::Invalid { prefix: prefix.to_string(), error })?;
        self.chart.check(&entry.postings, &prefix)?;
        Ok(entry)
    }

    pub(super) async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        self.store.commit(batch).await?.durable().await
    }
}

/// Where an entry stands in a request; made into text only for an error.
#[derive(Debug, Clone, Copy)]
pub(super) enum Prefix {
    /// It is the request.
    Whole,
    /// One of a batch.
    Entry(usize),
}

impl From<&str> for Prefix {
    fn from(_: &str) -> Prefix {
        Prefix::Whole
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Prefix::Whole => Ok(()),
            Prefix::Entry(at) => write!(f, "/entries/{at}"),
        }
    }
}

/// Puts entries into as few rows as they need; answers the id of the first.
pub(super) fn write_rows(batch: &mut Batch, entries: &[Entry]) -> Result<i64, PostError> {
    let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    let first = store::id::next_many(count);
    let mut id = first;
    let mut rest = entries;
    while !rest.is_empty() {
        let (row, after) = rest.split_at(row_length(rest));
        write_row(batch, id, row);
        id += i64::try_from(row.len()).unwrap_or(0);
        rest = after;
    }
    let found: usize = batch.ops().iter().map(store::Op::size_bytes).sum();
    match found > MAX_STORED_BYTES {
        true => Err(PostError::Size { most: MAX_STORED_BYTES, found }),
        false => Ok(first),
    }
}

/// How many of the entries the next row takes: at least one.
fn row_length(entries: &[Entry]) -> usize {
    let mut bytes = 0;
    let fits = |entry: &&Entry| {
        bytes += about_bytes(entry);
        bytes <= ROW_BYTES
    };
    entries.iter().take(ROW_ENTRIES).take_while(fits).count().max(1)
}

/// About what an entry takes in its row; texts may grow when they are quoted.
fn about_bytes(entry: &Entry) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let texts = entry.description.len() + optional(&entry.key) + optional(&entry.reverses) + optional(&entry.reason);
    let metadata: usize = entry.metadata.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
    let postings: usize = entry.postings.iter().map(|posting| posting.account.len() + 24).sum();
    64 + texts + metadata + postings
}

/// A client's key, apart from those that payments and reversals have.
fn client_key(scope: &str, key: Option<&str>) -> Result<Option<String>, PostError> {
    let fits =
        |key: &str| !key.is_empty() && key.len() <= MAX_KEY && key.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    match key {
        Some(key) if fits(key) => Ok(Some(format!("{scope}/{key}"))),
        Some(_) => Err(PostError::Key),
        None => Ok(None),
    }
}

/// Tells two requests under one key apart.
fn fingerprint(command: &impl serde::Serialize) -> String {
    signature::hex(&Sha256::digest(json(command))).chars().take(32).collect()
}

fn missing(id: i64) -> PostError {
    ReadError::Unavailable(format!("the entry {id} of a key is missing").into()).into()
}
