//! A lease: one process at a time does a work of several commits.
//!
//! The row holds a token that grows with every holder. Invariant: each commit of the work has the token as a condition, so
//! one that was paused beyond its time and comes back changes nothing any more; the time only says when another may begin,
//! and no clock decides what is right.

use store::{Batch, Column, CommitError, KeyShape, ReadError, Row, Store, Table, Value};

use crate::error::StoreError;
use crate::records::damaged;

/// The leases.
pub(crate) static LEASES: Table = Table {
    name: "leases",
    key: KeyShape::Text("name"),
    columns: &[Column::int("token"), Column::text("holder").null(), Column::int("until").null()],
    indexes: &[],
};

/// For how long a holder may be silent; each of its commits begins that time anew.
pub(crate) const LEASE_MS: i64 = 60_000;

/// A lease as it was read, or as it is held.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    name: &'static str,
    token: i64,
    holder: Option<String>,
    until: i64,
}

impl Lease {
    /// Makes the row, if there is none.
    pub(crate) async fn make(store: &dyn Store, name: &'static str) -> Result<(), StoreError> {
        if store.get(&LEASES, &name.into()).await?.is_some() {
            return Ok(());
        }
        let mut batch = Batch::new();
        batch.insert(Row::new(&LEASES, name, vec![Value::Int(0), Value::Null, Value::Null]));
        match store.commit(batch).await {
            // Another process made it.
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// As it stands. Read it before what the work begins from.
    pub(crate) async fn read(store: &dyn Store, name: &'static str) -> Result<Lease, ReadError> {
        let missing = || ReadError::Unavailable(format!("`leases[{name}]` is missing").into());
        let row = store.get(&LEASES, &name.into()).await?.ok_or_else(missing)?;
        Ok(Lease {
            name,
            token: row.int("token").ok_or_else(|| damaged(&row, "token"))?,
            holder: row.text("holder").map(str::to_owned),
            until: row.int("until").unwrap_or(0),
        })
    }

    /// Whether somebody else is at work.
    pub(crate) fn is_held(&self, me: &str, now: i64) -> bool {
        now < self.until && self.holder.as_deref().is_some_and(|holder| holder != me)
    }

    /// Whether nobody has held it or worked under it since.
    pub(crate) fn is_same(&self, other: &Lease) -> bool {
        self.token == other.token
    }

    /// Takes it in this commit, which fails if anybody took it since it was read. The work goes on under what it answers.
    pub(crate) fn take(&self, batch: &mut Batch, me: &str, now: i64) -> Lease {
        if let Some(before) = self.holder.as_deref().filter(|before| *before != me) {
            tracing::warn!(lease = self.name, before, "the work of a process that is silent is taken over");
        }
        let taken = Lease { token: self.token + 1, holder: Some(me.to_owned()), until: now + LEASE_MS, ..*self };
        let set =
            vec![("token", Value::Int(taken.token)), ("holder", Value::from(me)), ("until", Value::Int(taken.until))];
        batch.update(&LEASES, self.name, set, Some(("token", Value::Int(self.token))));
        taken
    }

    /// Makes this commit fail if anybody has taken it since, and begins its time anew.
    pub(crate) fn keep(&self, batch: &mut Batch, now: i64) {
        let set = vec![("until", Value::Int(now + LEASE_MS))];
        batch.update(&LEASES, self.name, set, Some(("token", Value::Int(self.token))));
    }

    /// Makes this commit fail if anybody has taken it since, and lets go of it. Also for work of one commit, which need not
    /// hold it: whoever begins at the same time sees the token change.
    pub(crate) fn pass(&self, batch: &mut Batch) {
        let set = vec![("token", Value::Int(self.token + 1)), ("holder", Value::Null), ("until", Value::Null)];
        batch.update(&LEASES, self.name, set, Some(("token", Value::Int(self.token))));
    }
}

#[cfg(test)]
mod tests {
    use store::memory::MemoryStore;

    use super::*;

    async fn read(store: &MemoryStore) -> Lease {
        Lease::read(store, "work").await.unwrap()
    }

    async fn commits(store: &MemoryStore, change: impl FnOnce(&mut Batch)) -> bool {
        let mut batch = Batch::new();
        change(&mut batch);
        store.commit(batch).await.is_ok()
    }

    #[tokio::test]
    async fn who_was_silent_too_long_changes_nothing() {
        let store = MemoryStore::new();
        Lease::make(&store, "work").await.unwrap();
        Lease::make(&store, "work").await.unwrap();
        let free = read(&store).await;
        assert!(!free.is_held("a", 0));
        let mut batch = Batch::new();
        let a = free.take(&mut batch, "a", 1_000);
        store.commit(batch).await.unwrap();
        // Of two that saw it free one gets it.
        assert!(!commits(&store, |batch| drop(free.take(batch, "b", 1_000))).await);
        assert!(!commits(&store, |batch| free.pass(batch)).await);
        assert!(commits(&store, |batch| a.keep(batch, 2_000)).await);
        let seen = read(&store).await;
        assert!(seen.is_held("b", 2_000 + LEASE_MS - 1) && !seen.is_held("a", 2_000));
        assert!(!seen.is_held("b", 2_000 + LEASE_MS));
        let mut batch = Batch::new();
        let b = seen.take(&mut batch, "b", 70_000);
        store.commit(batch).await.unwrap();
        assert!(!commits(&store, |batch| a.keep(batch, 70_000)).await);
        assert!(!commits(&store, |batch| a.pass(batch)).await);
        assert!(commits(&store, |batch| b.pass(batch)).await);
        assert!(!read(&store).await.is_held("c", 70_001));
    }
}
