//! Counters that processes share.

use store::{Batch, Column, CommitError, KeyShape, ReadError, Row, Store, Table, Value};

use crate::app::MAX_TRIES;
use crate::error::StoreError;

/// The counters: each row is the highest number that was given out.
pub(crate) static COUNTERS: Table =
    Table { name: "counters", key: KeyShape::Text("name"), columns: &[Column::int("value")], indexes: &[] };

/// The highest number that was given out.
pub(crate) async fn value(store: &dyn Store, name: &str) -> Result<i64, ReadError> {
    let row = store.get(&COUNTERS, &name.into()).await?;
    Ok(row.and_then(|row| row.int("value")).unwrap_or(0))
}

/// Sets a counter in this batch, if it still stands at `from`.
pub(crate) fn advance(name: &str, from: i64, to: i64, batch: &mut Batch) {
    match from {
        0 => batch.insert(Row::new(&COUNTERS, name, vec![Value::Int(to)])),
        _ => batch.update(&COUNTERS, name, vec![("value", to.into())], Some(("value", from.into()))),
    };
}

/// Takes the next `many` numbers: the first of them.
pub(crate) async fn take(store: &dyn Store, name: &str, many: i64) -> Result<i64, StoreError> {
    for _ in 0..MAX_TRIES {
        let last = value(store, name).await?;
        let mut batch = Batch::new();
        advance(name, last, last + many, &mut batch);
        match store.commit(batch).await {
            Ok(_) => return Ok(last + 1),
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Busy)
}

#[cfg(test)]
mod tests {
    use store::memory::MemoryStore;

    use super::*;

    #[tokio::test]
    async fn numbers_are_taken_in_blocks() {
        let store = MemoryStore::new();
        assert_eq!(take(&store, "n", 10).await.unwrap(), 1);
        assert_eq!(take(&store, "n", 1).await.unwrap(), 11);
        assert_eq!(value(&store, "n").await.unwrap(), 11);
    }
}
