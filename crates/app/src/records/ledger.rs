//! The ledger. A row of [`ENTRIES`] holds the entries that were accepted together: one, or some hundreds of a batch.
//!
//! Nothing that is accepted touches a row that another entry touches, so entries never wait for each other.

use store::{Column, Index, KeyShape, Table, View};

/// The entries, append-only. The key is the id of the row's first entry, the others have the ids after it; the time of
/// recording is inside the id. The body is as `app::ledger::body` writes it. A row with an entry that counts at another
/// time than about when it was recorded is `misdated`, and `effective_to` is the last time at which one of its entries
/// counts: whoever looks for the entries of a day finds it by that index, and the others by their ids.
pub(crate) static ENTRIES: Table = Table {
    name: "ledger_entries",
    key: KeyShape::Int("id"),
    columns: &[
        Column::int("entries"),
        Column::int("misdated").null(),
        Column::int("effective_to").null(),
        Column::text("body"),
    ],
    indexes: &[Index { name: "by_misdated", columns: &["misdated", "effective_to"] }],
};

/// What makes an entry or a batch of them unique: the first entry it made, how many, and the fingerprint of the request.
/// Kept for good.
pub(crate) static KEYS: Table = Table {
    name: "ledger_keys",
    key: KeyShape::Text("key"),
    columns: &[Column::int("entry_id"), Column::int("entries"), Column::text("fingerprint").null()],
    indexes: &[],
};

/// The rows of [`ENTRIES`] that the daily consolidation has not counted yet.
///
/// Invariant: a row stands here from the commit that wrote its entries to the commit after the one that counted them. Ids
/// are given out before their commit, so no mark "everything up to this id is counted" could be true.
pub(crate) static PENDING: Table =
    Table { name: "ledger_pending", key: KeyShape::Int("id"), columns: &[], indexes: &[] };

/// The chart of accounts.
pub(crate) static ACCOUNTS: Table = Table {
    name: "ledger_accounts",
    key: KeyShape::Text("code"),
    columns: &[
        Column::text("kind"),
        Column::text("name"),
        Column::text("currency").null(),
        Column::int("built_in"),
        Column::int("opened_at"),
        Column::int("closed_at").null(),
        Column::int("revision"),
    ],
    indexes: &[],
};

/// The daily consolidation, a month of an account a row: `generation/account currency/year-month`. `run` is the last run
/// that added to it, so that a run that is done again adds nothing twice.
pub(crate) static PAGES: Table = Table {
    name: "ledger_pages",
    key: KeyShape::Text("page"),
    columns: &[Column::int("run"), Column::text("body")],
    indexes: &[],
};

/// The sums of every month of an account: `generation/account currency`. So a late entry rewrites one month and this row,
/// not the openings of all months after it.
pub(crate) static TOTALS: Table = Table {
    name: "ledger_totals",
    key: KeyShape::Text("account"),
    columns: &[Column::int("run"), Column::text("body")],
    indexes: &[],
};

/// Where the consolidation stands; one row.
pub(crate) static PROJECTION: Table = Table {
    name: "ledger_projection",
    key: KeyShape::Text("name"),
    columns: &[
        Column::int("generation"),
        Column::int("building").null(),
        Column::int("run"),
        Column::text("applying").null(),
        Column::int("entries"),
        Column::int("stopped"),
        Column::text("calendar"),
        Column::int("first_sealed").null(),
        Column::int("last_sealed").null(),
        Column::text("seal").null(),
        Column::int("close_to").null(),
        Column::int("close_since").null(),
    ],
    indexes: &[],
};

/// Days that were sealed, with the text that was sealed and its hash, which covers the hash of the day before.
pub(crate) static DAYS: Table = Table {
    name: "ledger_days",
    key: KeyShape::Int("day"),
    columns: &[
        Column::text("date"),
        Column::text("hash"),
        Column::text("previous"),
        Column::int("sealed_at"),
        Column::text("body"),
    ],
    indexes: &[],
};

/// Rows of entries that were counted after a day on which they count was sealed: the last day that was sealed then, and
/// the postings that came late.
pub(crate) static RESTATEMENTS: Table = Table {
    name: "ledger_restatements",
    key: KeyShape::Int("entry_id"),
    columns: &[Column::int("last_sealed"), Column::int("first_day"), Column::int("postings"), Column::int("at")],
    indexes: &[],
};

/// Lines of bank statements that were imported, a month of an account a row: `account currency/year-month`.
pub(crate) static IMPORTED: Table = Table {
    name: "ledger_imported",
    key: KeyShape::Text("month"),
    columns: &[Column::int("revision"), Column::text("lines")],
    indexes: &[],
};

/// What a shell or a reporting tool reads of the ledger; docs/ledger.md describes the columns.
pub(crate) const VIEWS: [View; 3] = [
    View { name: "ledger_postings", query: POSTINGS_VIEW },
    View { name: "ledger_daily", query: DAILY_VIEW },
    View { name: "ledger_balances", query: BALANCES_VIEW },
];

/// A posting a line. The time of recording is in the id: milliseconds since 2024 above 22 bits.
const POSTINGS_VIEW: &str = "
SELECT row.id + entry.key AS entry_id,
       strftime('%Y-%m-%dT%H:%M:%fZ', ((row.id >> 22) + 1704067200000) / 1000.0, 'unixepoch') AS recorded_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', json_extract(entry.value, '$[0]') / 1000.0, 'unixepoch') AS effective_at,
       json_extract(entry.value, '$[2]') AS kind,
       json_extract(entry.value, '$[3]') AS description,
       substr(account.value, 1, instr(account.value, ' ') - 1) AS account,
       substr(account.value, instr(account.value, ' ') + 1) AS currency,
       json_extract(entry.value, '$[1][' || (posting.key + 1) || ']') AS amount,
       json_extract(entry.value, '$[4].key') AS key,
       json_extract(entry.value, '$[4].reverses') AS reverses,
       json_extract(entry.value, '$[4].reason') AS reason,
       json_extract(entry.value, '$[4].metadata') AS metadata
FROM ledger_entries AS row
JOIN json_each(row.body, '$.entries') AS entry
JOIN json_each(entry.value, '$[1]') AS posting ON posting.key % 2 = 0
JOIN json_each(row.body, '$.accounts') AS account ON account.key = posting.value";

/// A merchant day of an account a line, with its closing balance.
const DAILY_VIEW: &str = "
SELECT account, currency, day, debits, credits, postings,
       sum(debits - credits) OVER (PARTITION BY account, currency ORDER BY day) AS closing
FROM (SELECT substr(page.page, 8, instr(page.page, ' ') - 8) AS account,
             substr(page.page, instr(page.page, ' ') + 1, 3) AS currency,
             date(day.key * 86400, 'unixepoch') AS day,
             json_extract(day.value, '$[0]') AS debits,
             json_extract(day.value, '$[1]') AS credits,
             json_extract(day.value, '$[2]') AS postings
      FROM ledger_projection AS projection
      JOIN ledger_pages AS page ON page.page >= printf('%06d/', projection.generation)
                               AND page.page < printf('%06d0', projection.generation)
      JOIN json_each(page.body, '$.days') AS day)";

/// The balance of every account that moved, as far as it is consolidated.
const BALANCES_VIEW: &str = "
SELECT account, currency, sum(debits) AS debits, sum(credits) AS credits, sum(debits - credits) AS balance,
       sum(postings) AS postings
FROM ledger_daily GROUP BY account, currency";
