//! The state of one instant, copied.
//!
//! DynamoDB has no snapshots, so the table is read again and again until two readings in a row are equal: what both saw stood
//! so in the moment between them. (A row that was changed and changed back meanwhile is not noticed; a row with a revision never
//! is.) A table that is never quiet for so long cannot be copied like this; restore a point in time into another table and
//! look there.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::try_join_all;
use serde_json::{Value as Json, json};
use store::memory::MemoryStore;
use store::{Batch, Key, ReadError, Row, Store, Table};

use super::DynamoStore;
use crate::item;
use crate::layout::{self, PK};
use crate::seal::Keys;

/// How many parts of the table are read at once.
const SEGMENTS: usize = 4;
/// How often the table is read in the hope that it is quiet.
const MAX_READINGS: usize = 6;
/// The most rows that are copied.
const MAX_ROWS: usize = 2_000_000;

/// All rows, by table and key.
type Rows = BTreeMap<(&'static str, Key), Row>;

impl DynamoStore {
    pub(super) async fn copy(&self) -> Result<Arc<dyn Store>, ReadError> {
        let mut before = self.reading().await?;
        for _ in 1..MAX_READINGS {
            let now = self.reading().await?;
            if now == before {
                return memory(now).await;
            }
            before = now;
        }
        let problem =
            "the table changes all the time; look at a restored point in time instead, or try when it is quiet";
        Err(ReadError::Unavailable(problem.into()))
    }

    async fn reading(&self) -> Result<Rows, ReadError> {
        let segments = try_join_all((0..SEGMENTS).map(|segment| self.segment(segment))).await?;
        Ok(segments.into_iter().flatten().collect())
    }

    async fn segment(&self, segment: usize) -> Result<Rows, ReadError> {
        let mut rows = Rows::new();
        let mut body = json!({
            "TableName": self.0.table, "ConsistentRead": true, "Segment": segment, "TotalSegments": SEGMENTS,
        });
        loop {
            let answer = self.read("Scan", &body).await?;
            for item in answer.get("Items").and_then(Json::as_array).into_iter().flatten() {
                // Rows of a table that this program does not know are not its business.
                if let Some(table) = self.table_of(item) {
                    // A copy is compared with another one, so nothing in it is decrypted.
                    let row = item::to_row(table, item, &Keys::default());
                    let row = row.map_err(|problem| ReadError::Unavailable(problem.into()))?;
                    rows.insert((table.name, row.key().clone()), row);
                }
            }
            if rows.len() > MAX_ROWS / SEGMENTS {
                let problem = format!("more than {MAX_ROWS} rows cannot be copied; restore a point in time instead");
                return Err(ReadError::Unavailable(problem.into()));
            }
            let Some(last) = answer.get("LastEvaluatedKey").filter(|key| key.is_object()) else { return Ok(rows) };
            if let Some(body) = body.as_object_mut() {
                body.insert("ExclusiveStartKey".into(), last.clone());
            }
        }
    }

    fn table_of(&self, item: &Json) -> Option<&'static Table> {
        let pk = item.get(PK)?.get("S")?.as_str()?;
        self.0.tables.iter().find(|table| table.name == layout::table_name(pk)).copied()
    }
}

async fn memory(rows: Rows) -> Result<Arc<dyn Store>, ReadError> {
    let copy = MemoryStore::new();
    for row in rows.into_values() {
        let mut batch = Batch::new();
        batch.put(row);
        copy.commit(batch).await.map_err(|error| ReadError::Unavailable(error.into()))?;
    }
    Ok(Arc::new(copy))
}
