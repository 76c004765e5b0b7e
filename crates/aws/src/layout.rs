//! Where a row lies: keys of the table and of its indexes, and how they sort. See docs/aws-store.md.

use store::{Key, KeyShape, Schema, Table, Value};

/// The indexes of the DynamoDB table: the first lists whole tables, the others are the declared indexes of each.
pub const GSIS: usize = 6;
/// The attributes that are not columns, besides those of the indexes.
pub const PK: &str = "pk";
/// The sort key.
pub const SK: &str = "sk";
/// When DynamoDB may delete the item, in seconds since the epoch.
pub const TTL: &str = "ttl";
/// The sort key of items that are alone under their partition key.
const ALONE: &str = ".";
/// The most bytes of a partition key.
pub const MAX_PARTITION_BYTES: usize = 2_048;
/// The most bytes of a sort key.
pub const MAX_SORT_BYTES: usize = 1_024;

/// Over how many partitions a listing is spread if it is not in [`SHARDS`].
const LISTING_SHARDS: u32 = 16;
/// How many partitions listings (`None`) and indexes have: one suffices where rows are few or one process writes them, and each
/// more is a request more; many where they take more than 1,000 writes a second. An index that is not here has one for each
/// value.
///
/// Invariant: part of the layout; what is stored was put under these numbers.
const SHARDS: &[(&str, Option<&str>, u32)] = &[
    ("messages", None, 128),
    ("messages", Some("by_queue"), 64),
    ("mails", None, 64),
    ("ledger_entries", None, 64),
    ("orders", Some("open"), 16),
    ("orders", Some("inbox"), 16),
    ("payments", Some("waiting"), 16),
    ("idempotency_keys", Some("by_day"), 16),
    ("received_events", Some("by_day"), 16),
    ("products", None, 1),
    ("ledger_accounts", None, 1),
    ("ledger_totals", None, 1),
    ("ledger_pages", None, 1),
    ("ledger_days", None, 1),
];

/// Queues that hold little: what is dead, and those of the simulators and of flows that failed. A look at each costs a request
/// for each shard, and the ticker looks at every queue every minute.
const SMALL_QUEUE_SHARDS: u32 = 4;
const SMALL_QUEUES: &[&str] = &["ended-flows", "simulator-courier", "simulator-timers", "simulator-webhooks"];
/// What ends the name of a queue of dead messages.
const DEAD: &str = ".dead";

/// Tables that nobody lists, so that their rows stand in no listing: a write unit less for each row, and no limit to their
/// number a second.
const UNLISTED: &[&str] = &["steps", "data_keys", "idempotency_keys", "received_events"];

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// How many characters an integer has.
const INT_CHARS: usize = 13;

/// Rows that DynamoDB deletes after their time.
#[derive(Debug, Clone, Copy)]
pub struct Expiry {
    /// The table.
    pub table: &'static str,
    /// The integer column that says when.
    pub column: &'static str,
    /// How many milliseconds its unit has.
    pub unit_ms: i64,
    /// How long a row is kept from then on, in milliseconds.
    pub keep_ms: i64,
}

/// A declaration that this layout cannot hold.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("table `{table}` cannot lie in DynamoDB: {problem}")]
pub struct LayoutError {
    /// The table.
    pub table: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// Checks that every table can be laid out.
///
/// # Errors
/// A table with more indexes than there are, or a column with the name of an attribute of ours.
pub fn check(schema: &Schema) -> Result<(), LayoutError> {
    for table in &schema.tables {
        if table.indexes.len() >= GSIS {
            let problem = format!("it has {} indexes, there are {}", table.indexes.len(), GSIS - 1);
            return Err(LayoutError { table: table.name, problem });
        }
        let ours = |name: &str| {
            matches!(name, PK | SK | TTL)
                || (1..=GSIS).any(|n| name == partition_attribute(n) || name == sort_attribute(n))
        };
        if let Some(column) = table.columns.iter().find(|column| ours(column.name)) {
            return Err(LayoutError {
                table: table.name,
                problem: format!("`{}` is an attribute of ours", column.name),
            });
        }
    }
    Ok(())
}

/// `g1pk`, ...
#[must_use]
pub fn partition_attribute(gsi: usize) -> String {
    format!("g{gsi}pk")
}

/// `g1sk`, ...
#[must_use]
pub fn sort_attribute(gsi: usize) -> String {
    format!("g{gsi}sk")
}

/// The name of an index of the DynamoDB table.
#[must_use]
pub fn gsi_name(gsi: usize) -> String {
    format!("gsi{gsi}")
}

/// The integer as 13 characters that sort as the numbers do.
#[must_use]
pub fn int(n: i64) -> String {
    let bits = n.cast_unsigned() ^ (1 << 63);
    let digit = |at: usize| ALPHABET.get((bits >> (at * 5) & 31) as usize).map_or('0', |b| char::from(*b));
    (0..INT_CHARS).rev().map(digit).collect()
}

fn parse_int(text: &str) -> Option<i64> {
    if text.len() != INT_CHARS {
        return None;
    }
    let bits = text.bytes().try_fold(0u64, |bits, byte| {
        let digit = ALPHABET.iter().position(|b| *b == byte)?;
        bits.checked_mul(32)?.checked_add(digit as u64)
    })?;
    Some((bits ^ (1 << 63)).cast_signed())
}

/// A value in a sort key: values of one column sort as the port orders them, whatever follows.
#[must_use]
pub fn value(value: &Value) -> String {
    match value {
        Value::Null => "0".into(),
        Value::Int(n) => format!("1{}", int(*n)),
        Value::Text(text) => {
            let mut out = String::with_capacity(text.len() + 3);
            out.push('2');
            for letter in text.chars() {
                match letter {
                    '\u{0}' => out.push_str("\u{1}\u{2}"),
                    '\u{1}' => out.push_str("\u{1}\u{3}"),
                    other => out.push(other),
                }
            }
            out.push_str("\u{1}\u{1}");
            out
        }
    }
}

/// A key at the end of a sort key.
#[must_use]
pub fn key(key: &Key) -> String {
    match key {
        Key::Int(n) => int(*n),
        Key::Pair(first, second) => int(*first) + &int(*second),
        Key::Text(text) => format!(".{text}"),
    }
}

/// The key of a row's item.
#[must_use]
pub fn item_key(table: &Table, key: &Key) -> (String, String) {
    match key {
        Key::Int(n) => (format!("{}#{}", table.name, int(*n)), ALONE.into()),
        Key::Pair(first, second) => (pair_partition(table, *first), int(*second)),
        Key::Text(text) => (format!("{}#{text}", table.name), ALONE.into()),
    }
}

/// The partition key of the rows of a pair table that share their first part.
#[must_use]
pub fn pair_partition(table: &Table, first: i64) -> String {
    format!("{}#{}", table.name, int(first))
}

/// The key of the row in an item of this table.
#[must_use]
pub fn parse_item_key(table: &Table, pk: &str, sk: &str) -> Option<Key> {
    let own = pk.strip_prefix(table.name)?.strip_prefix('#')?;
    Some(match table.key {
        KeyShape::Int(_) => Key::Int(parse_int(own)?),
        KeyShape::Pair(..) => Key::Pair(parse_int(own)?, parse_int(sk)?),
        KeyShape::Text(_) => Key::from(own),
    })
}

/// The name of the table in the partition key of an item.
#[must_use]
pub fn table_name(pk: &str) -> &str {
    pk.split_once('#').map_or(pk, |(name, _)| name)
}

/// Over how many partitions one value of an index is spread.
#[must_use]
pub fn index_shards(table: &Table, index: &str, partition: &Value) -> u32 {
    let queue = partition.as_text().filter(|_| (table.name, index) == ("messages", "by_queue"));
    match queue.is_some_and(|queue| queue.ends_with(DEAD) || SMALL_QUEUES.contains(&queue)) {
        true => SMALL_QUEUE_SHARDS,
        false => shards(table, Some(index)),
    }
}

/// Over how many partitions the listing of a table is spread; 0 if it has none.
#[must_use]
pub fn listing_shards(table: &Table) -> u32 {
    if UNLISTED.contains(&table.name) { 0 } else { shards(table, None) }
}

fn shards(table: &Table, index: Option<&str>) -> u32 {
    let named = SHARDS.iter().find(|(name, of, _)| *name == table.name && *of == index);
    named.map_or(if index.is_none() { LISTING_SHARDS } else { 1 }, |(_, _, shards)| *shards)
}

/// The shard of a row: FNV-1a of its key, which must never change.
fn shard(shards: u32, text: &str) -> u32 {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash ^ (hash >> 16)) % shards.max(1)
}

/// The partition key of a listing's shard.
#[must_use]
pub fn listing_partition(table: &Table, shard: u32) -> String {
    format!("{}#{shard}", table.name)
}

/// The partition key of a shard of one value of an index.
#[must_use]
pub fn index_partition(table: &Table, index: &str, shard: u32, partition: &Value) -> String {
    let text = match partition {
        Value::Null => String::new(),
        Value::Int(n) => int(*n),
        Value::Text(text) => text.to_string(),
    };
    format!("{}.{index}#{shard}#{text}", table.name)
}

/// The listing attributes of a row: partition and sort key of `g1`; `None` if its table is not listed.
#[must_use]
pub fn listing(table: &Table, row_key: &Key) -> Option<(String, String)> {
    let shards = listing_shards(table);
    let sort = key(row_key);
    (shards > 0).then(|| (listing_partition(table, shard(shards, &sort)), sort))
}

/// The partition key of a row in an index: `None` while the column is null, so that the row is not in it.
#[must_use]
pub fn row_partition(table: &Table, index: &str, row_key: &Key, partition: &Value) -> Option<String> {
    if *partition == Value::Null {
        return None;
    }
    let shard = shard(index_shards(table, index, partition), &key(row_key));
    Some(index_partition(table, index, shard, partition))
}

/// The sort key of a row in an index.
#[must_use]
pub fn row_sort(row_key: &Key, order: &Value) -> String {
    value(order) + &key(row_key)
}

/// The least text that is greater than every text with this prefix, whose last character is one of ASCII.
#[must_use]
pub fn after_prefix(prefix: &str) -> String {
    let mut letters: Vec<char> = prefix.chars().collect();
    if let Some(last) = letters.last_mut() {
        *last = char::from_u32(u32::from(*last) + 1).unwrap_or(char::MAX);
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use store::{Column, Index};

    use super::*;

    static PAIRS: Table = Table { name: "pairs", key: KeyShape::Pair("a", "b"), columns: &[], indexes: &[] };
    static TEXTS: Table = Table { name: "texts", key: KeyShape::Text("k"), columns: &[], indexes: &[] };

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Int),
            "[\u{0}-\u{3}a-c\u{fe}-\u{100}\u{10fffe}-\u{10ffff}]{0,4}".prop_map(Value::from),
        ]
    }

    fn keys() -> impl Strategy<Value = Key> {
        prop_oneof![
            (any::<i64>(), any::<i64>()).prop_map(Key::from),
            any::<i64>().prop_map(Key::Int),
            "[\u{0}-\u{3}#a-c\u{10ffff}]{0,4}".prop_map(|text| Key::from(text.as_str())),
        ]
    }

    proptest! {
        /// Sort keys of one index order rows as the port does.
        #[test]
        fn sort_keys_sort(a in values(), b in values(), k in keys(), l in keys()) {
            if std::mem::discriminant(&k) == std::mem::discriminant(&l) {
                prop_assert_eq!(row_sort(&k, &a).cmp(&row_sort(&l, &b)), (&a, &k).cmp(&(&b, &l)));
            }
        }

        /// A bound after a value lies between the rows with it and those after it.
        #[test]
        fn bounds_cut_between_values(a in values(), b in values(), k in keys()) {
            let bound = after_prefix(&value(&a));
            prop_assert_eq!(row_sort(&k, &b) < bound, b <= a);
        }

        #[test]
        fn item_keys_come_back(n in any::<i64>(), m in any::<i64>(), text in ".{0,8}") {
            let (pk, sk) = item_key(&PAIRS, &(n, m).into());
            prop_assert_eq!(parse_item_key(&PAIRS, &pk, &sk), Some(Key::Pair(n, m)));
            let (pk, sk) = item_key(&TEXTS, &text.as_str().into());
            prop_assert_eq!(parse_item_key(&TEXTS, &pk, &sk), Some(Key::from(text.as_str())));
            prop_assert_eq!(parse_item_key(&PAIRS, &pk, &sk), None);
        }
    }

    #[test]
    fn a_table_that_does_not_fit_is_refused() {
        const INDEX: Index = Index { name: "i", columns: &["a"] };
        static MANY: Table = Table {
            name: "many",
            key: KeyShape::Int("id"),
            columns: &[Column::int("a")],
            indexes: &[INDEX, INDEX, INDEX, INDEX, INDEX, INDEX],
        };
        static OURS: Table =
            Table { name: "ours", key: KeyShape::Int("id"), columns: &[Column::int("g2sk")], indexes: &[] };
        let check = |table| check(&Schema::new(1, vec![table]).unwrap()).is_ok();
        assert!(check(&PAIRS));
        assert!(!check(&MANY));
        assert!(!check(&OURS));
    }

    #[test]
    fn shards_are_even() {
        let mut rows = [0; 16];
        for n in 0..16_000 {
            rows[shard(16, &key(&Key::Int((1 << 60) + n * 4_194_304))) as usize] += 1;
        }
        assert!(rows.iter().all(|rows| (700..1_300).contains(rows)), "{rows:?}");
    }

    /// What the ticker reads of an installation in which nothing happens, in read units: half of one for each shard. As
    /// deploy/cost.json says, with the queues of deploy/functions.mjs.
    #[test]
    fn a_look_at_every_queue_costs_little() {
        let queues = ["start-flow", "task-result", "mail"].iter().chain(SMALL_QUEUES);
        let shards = |queue: &str| index_shards(&store::message::MESSAGES, "by_queue", &Value::from(queue));
        let looked: u32 = queues.map(|queue| shards(queue) + shards(&format!("{queue}{DEAD}"))).sum();
        assert_eq!(looked / 2, 118);
    }

    #[test]
    fn what_nobody_lists_is_in_no_listing() {
        static STEPS: Table = Table { name: "steps", ..TEXTS };
        assert_eq!(listing(&STEPS, &"a".into()), None);
        assert_eq!(listing_shards(&STEPS), 0);
    }

    #[test]
    fn the_layout_of_what_is_stored_stays() {
        assert_eq!((int(0).as_str(), int(-1).as_str()), ("8000000000000", "7zzzzzzzzzzzz"));
        assert_eq!(item_key(&PAIRS, &(1, 2).into()), ("pairs#8000000000001".into(), "8000000000002".into()));
        assert_eq!(listing(&TEXTS, &"tea".into()), Some(("texts#10".into(), ".tea".into())));
        assert_eq!(row_sort(&7.into(), &"a".into()), "2a\u{1}\u{1}8000000000007");
    }
}
