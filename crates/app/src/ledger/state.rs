//! Where the consolidation stands.

use store::{Batch, ReadError, Row, Store, Value};

use crate::records::damaged;
use crate::records::ledger::PROJECTION;

/// The key of the one row.
const NAME: &str = "daily";

/// The row of [`PROJECTION`].
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The pages that are shown have this number.
    pub(super) generation: i64,
    /// The generation that a rebuild writes.
    pub(super) building: Option<i64>,
    /// The last run that came to its end.
    pub(super) run: i64,
    /// The rows of the run in work, when it takes more than one commit.
    pub(super) applying: Option<Vec<i64>>,
    /// Entries that are consolidated.
    pub(super) entries: i64,
    /// Whether a person has stopped it.
    pub(crate) stopped: bool,
    /// The zone and the cut-off of the pages.
    pub(super) calendar: String,
    /// The days that are sealed, first and last.
    pub(super) sealed: Option<(i32, i32)>,
    /// The hash of the last sealed day.
    pub(super) seal: Option<String>,
    /// The day up to which somebody asked to seal, and when: what was recorded until then is counted first.
    pub(super) closing: Option<(i32, i64)>,
}

impl State {
    /// The row of a ledger without entries.
    pub(super) fn first(calendar: &str) -> Row {
        let values = vec![
            Value::Int(1),
            Value::Null,
            Value::Int(0),
            Value::Null,
            Value::Int(0),
            Value::Int(0),
            Value::from(calendar),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
        ];
        Row::new(&PROJECTION, NAME, values)
    }

    pub(crate) async fn load(store: &dyn Store) -> Result<Option<State>, ReadError> {
        store.get(&PROJECTION, &NAME.into()).await?.as_ref().map(State::from_row).transpose()
    }

    fn from_row(row: &Row) -> Result<State, ReadError> {
        let int = |column: &str| row.int(column).ok_or_else(|| damaged(row, column));
        let day = |column: &str| row.int(column).and_then(|day| i32::try_from(day).ok());
        let ids = |text: &str| serde_json::from_str(text).map_err(|_| damaged(row, "applying"));
        Ok(State {
            generation: int("generation")?,
            building: row.int("building"),
            run: int("run")?,
            applying: row.text("applying").map(ids).transpose()?,
            entries: int("entries")?,
            stopped: int("stopped")? == 1,
            calendar: row.text("calendar").unwrap_or_default().to_owned(),
            sealed: day("first_sealed").zip(day("last_sealed")),
            seal: row.text("seal").map(str::to_owned),
            closing: day("close_to").zip(row.int("close_since")),
        })
    }

    /// Sets columns of the row. But for `stopped`, the lease is a condition of the same commit, so nobody else writes it.
    pub(super) fn set(batch: &mut Batch, set: Vec<(&'static str, Value)>) {
        batch.update(&PROJECTION, NAME, set, None);
    }
}
