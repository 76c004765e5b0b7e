//! Pages of an index: the shards of the partition are asked at once and merged, then the rows are read by their keys.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use futures::future::try_join_all;
use serde_json::{Map, Value as Json, json};
use store::{Key, KeyShape, Page, Plan, Query, ReadError, Row, Table, Value};

use super::DynamoStore;
use crate::client::MAX_TRIES;
use crate::item::{self, text_attribute};
use crate::layout::{self, PK, SK};

/// The most keys of one `BatchGetItem`.
const MAX_KEYS: usize = 100;
/// The most entries read from one shard at once, and the least.
const MOST_ENTRIES: usize = 1_000;
const LEAST_ENTRIES: usize = 8;
/// Before keys that were left out are asked for again; doubled each time.
const PAUSE: Duration = Duration::from_millis(20);

/// Where a query reads: partitions of the table or of one of its indexes, and the names of their attributes.
struct Source {
    gsi: Option<usize>,
    partition_attribute: String,
    sort_attribute: String,
    partitions: Vec<String>,
}

/// An entry of an index: the sort key, and the key of the row.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
struct Entry {
    sort: String,
    key: Key,
}

/// One partition, read as far as it was needed.
struct Shard {
    partition: String,
    ready: VecDeque<(Entry, Option<Row>)>,
    last: Option<String>,
    ended: bool,
}

impl DynamoStore {
    pub(super) async fn page(&self, query: &Query) -> Result<Page, ReadError> {
        let plan = Plan::new(query)?;
        let Some(source) = Source::of(query) else {
            return self.single(query).await;
        };
        if source.partitions.is_empty() {
            let problem = format!("`{}` is not listed on DynamoDB; see `layout::UNLISTED`", query.table.name);
            return Err(ReadError::Invalid(problem));
        }
        let bounds = bounds(query, &plan);
        let reading = Reading { store: self, query, source, bounds };
        let mut shards: Vec<Shard> = reading.source.partitions.iter().cloned().map(Shard::new).collect();
        let mut rows: Vec<Row> = Vec::new();
        // Entries whose row has moved on are left out, so it may take several rounds to fill the page.
        loop {
            let wanted = query.limit - rows.len();
            let entries = reading.next(&mut shards, wanted).await?;
            let ended = entries.len() < wanted;
            rows.extend(reading.rows(entries).await?);
            if ended {
                return Ok(Page { rows, next: None });
            }
            if rows.len() >= query.limit {
                break;
            }
        }
        let more = !reading.next(&mut shards, 1).await?.is_empty();
        let next = if more { rows.last().and_then(|row| plan.cursor(row)) } else { None };
        Ok(Page { rows, next })
    }

    /// A table of integer keys, and one of them as the partition.
    async fn single(&self, query: &Query) -> Result<Page, ReadError> {
        let key = query.partition.as_ref().and_then(Value::as_int).map(Key::Int);
        let key = key.ok_or_else(|| ReadError::Invalid("the partition is no integer".into()))?;
        let row = store::Store::get(self, query.table, &key).await?;
        let order = key.int().map(Value::Int).unwrap_or(Value::Null);
        Ok(Page { rows: row.filter(|_| within(query, &order)).into_iter().collect(), next: None })
    }
}

/// Whether a value lies in the range of a query.
fn within(query: &Query, order: &Value) -> bool {
    let from = match &query.range.0 {
        Bound::Included(from) => order >= from,
        Bound::Excluded(from) => order > from,
        Bound::Unbounded => true,
    };
    let to = match &query.range.1 {
        Bound::Included(to) => order <= to,
        Bound::Excluded(to) => order < to,
        Bound::Unbounded => true,
    };
    from && to
}

impl Source {
    /// `None` for one row of a table of integer keys.
    fn of(query: &Query) -> Option<Source> {
        let table = query.table;
        let indexed = |gsi: usize, partitions: Vec<String>| Source {
            gsi: Some(gsi),
            partition_attribute: layout::partition_attribute(gsi),
            sort_attribute: layout::sort_attribute(gsi),
            partitions,
        };
        match (query.index, &query.partition) {
            (Some(name), Some(partition)) => {
                let at = table.indexes.iter().position(|index| index.name == name)?;
                let shards = 0..layout::index_shards(table, name, partition);
                let of = |shard| layout::index_partition(table, name, shard, partition);
                Some(indexed(at + 2, shards.map(of).collect()))
            }
            (_, Some(first)) if matches!(table.key, KeyShape::Pair(..)) => Some(Source {
                gsi: None,
                partition_attribute: PK.into(),
                sort_attribute: SK.into(),
                partitions: vec![layout::pair_partition(table, first.as_int()?)],
            }),
            (_, Some(_)) => None,
            (_, None) => {
                let shards = 0..layout::listing_shards(table);
                Some(indexed(1, shards.map(|shard| layout::listing_partition(table, shard)).collect()))
            }
        }
    }
}

/// The sort keys between which a query reads, both ends included.
#[derive(Debug, Clone, Default)]
struct Bounds {
    from: Option<String>,
    to: Option<String>,
    /// Ends that are themselves left out, and the cursor's own entry.
    without: Vec<String>,
}

/// The range and the cursor of a query as sort keys.
fn bounds(query: &Query, plan: &Plan<'_>) -> Bounds {
    let mut bounds = Bounds::default();
    let text_key = query.index.is_none() && matches!(query.table.key, KeyShape::Text(_));
    // Where a value begins, and where it is over.
    let begin = |value: &Value| match (query.index, value) {
        (Some(_), value) => layout::value(value),
        (None, Value::Int(n)) => layout::int(*n),
        (None, value) => layout::key(&Key::from(value.as_text().unwrap_or_default())),
    };
    let end = |value: &Value| match text_key {
        true => begin(value) + "\u{0}",
        false => layout::after_prefix(&begin(value)),
    };
    match &query.range.0 {
        Bound::Included(value) => bounds.from = Some(begin(value)),
        Bound::Excluded(value) => bounds.from = Some(end(value)),
        Bound::Unbounded => {}
    }
    match &query.range.1 {
        Bound::Included(value) => bounds.to = Some(end(value)),
        Bound::Excluded(value) => bounds.to = Some(begin(value)),
        Bound::Unbounded => {}
    }
    bounds.without.extend(bounds.to.clone());
    if let Some((order, key)) = &plan.after {
        let place = place(query, order, key);
        bounds.without.push(place.clone());
        match query.descending {
            true => bounds.to = Some(bounds.to.map_or(place.clone(), |to| to.min(place))),
            false => bounds.from = Some(bounds.from.map_or(place.clone(), |from| from.max(place))),
        }
    }
    bounds
}

/// The sort key of a row in what a query reads.
fn place(query: &Query, order: &Value, key: &Key) -> String {
    match (query.index, &query.partition, key) {
        (Some(_), _, _) => layout::row_sort(key, order),
        (None, Some(_), Key::Pair(_, second)) => layout::int(*second),
        (None, _, key) => layout::key(key),
    }
}

impl Shard {
    fn new(partition: String) -> Shard {
        Shard { partition, ready: VecDeque::new(), last: None, ended: false }
    }
}

struct Reading<'r> {
    store: &'r DynamoStore,
    query: &'r Query,
    source: Source,
    bounds: Bounds,
}

impl Reading<'_> {
    /// The next entries in order over all shards.
    async fn next(&self, shards: &mut [Shard], wanted: usize) -> Result<Vec<(Entry, Option<Row>)>, ReadError> {
        let mut found = Vec::with_capacity(wanted);
        while found.len() < wanted {
            let many = ((wanted - found.len()) / shards.len().max(1) * 2).clamp(LEAST_ENTRIES, MOST_ENTRIES);
            let empty = shards.iter_mut().filter(|shard| shard.ready.is_empty() && !shard.ended);
            try_join_all(empty.map(|shard| self.fill(shard, many))).await?;
            let heads = shards.iter_mut().filter(|shard| !shard.ready.is_empty());
            let sort = |shard: &&mut Shard| shard.ready.front().map(|(entry, _)| entry.sort.clone());
            let first = match self.query.descending {
                true => heads.max_by_key(sort),
                false => heads.min_by_key(sort),
            };
            match first.and_then(|shard| shard.ready.pop_front()) {
                Some(entry) => found.push(entry),
                None => break,
            }
        }
        Ok(found)
    }

    /// Reads on in a shard until it has entries or is over.
    async fn fill(&self, shard: &mut Shard, many: usize) -> Result<(), ReadError> {
        while shard.ready.is_empty() && !shard.ended {
            let Some(body) = self.request(shard, many) else {
                shard.ended = true;
                return Ok(());
            };
            // The request begins with the entry that ended the one before, which was handed out already.
            let before = shard.last.clone();
            let answer = self.store.read("Query", &body).await?;
            shard.ended = answer.get("LastEvaluatedKey").is_none();
            let items = answer.get("Items").and_then(Json::as_array);
            let items: Vec<&Json> = items.into_iter().flatten().collect();
            let rows = match self.source.gsi {
                None => self.store.rows(self.query.table, &items).await?.into_iter().map(Some).collect(),
                Some(_) => vec![None; items.len()],
            };
            for (item, row) in items.into_iter().zip(rows) {
                let entry = self.entry(item)?;
                shard.last = Some(entry.sort.clone());
                if before.as_ref() != Some(&entry.sort) && !self.bounds.without.contains(&entry.sort) {
                    shard.ready.push_back((entry, row));
                }
            }
        }
        Ok(())
    }

    fn entry(&self, item: &Json) -> Result<Entry, ReadError> {
        let text = |name: &str| item.get(name).and_then(|value| value.get("S")).and_then(Json::as_str);
        let table = self.query.table;
        let key = text(PK).zip(text(SK)).and_then(|(pk, sk)| layout::parse_item_key(table, pk, sk));
        let entry = text(&self.source.sort_attribute).zip(key);
        let entry = entry.ok_or_else(|| format!("an entry of an index of `{}` has no key", table.name));
        damaged(entry).map(|(sort, key)| Entry { sort: sort.to_owned(), key })
    }

    /// The request for what follows in a shard; `None` if nothing can.
    fn request(&self, shard: &Shard, many: usize) -> Option<Json> {
        let Bounds { mut from, mut to, .. } = self.bounds.clone();
        let mut without = self.bounds.without.len();
        if let Some(last) = shard.last.clone() {
            without += 1;
            match self.query.descending {
                true => to = Some(last),
                false => from = Some(last),
            }
        }
        let mut values = Map::from_iter([(":p".to_owned(), text_attribute(&shard.partition))]);
        let sort = match (&from, &to) {
            (Some(from), Some(to)) if from > to => return None,
            (Some(_), Some(_)) => " AND #s BETWEEN :f AND :t",
            (Some(_), None) => " AND #s >= :f",
            (None, Some(_)) => " AND #s <= :t",
            (None, None) => "",
        };
        values.extend(from.map(|from| (":f".to_owned(), text_attribute(&from))));
        values.extend(to.map(|to| (":t".to_owned(), text_attribute(&to))));
        let mut names = Map::from_iter([("#p".to_owned(), Json::from(self.source.partition_attribute.as_str()))]);
        if !sort.is_empty() {
            names.insert("#s".into(), self.source.sort_attribute.as_str().into());
        }
        let mut body = json!({
            "TableName": self.store.0.table,
            "KeyConditionExpression": format!("#p = :p{sort}"),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "ScanIndexForward": !self.query.descending,
            "Limit": many + without,
        });
        if let Some(body) = body.as_object_mut() {
            match self.source.gsi {
                Some(gsi) => body.insert("IndexName".into(), layout::gsi_name(gsi).into()),
                None => body.insert("ConsistentRead".into(), true.into()),
            };
        }
        Some(body)
    }

    /// The rows of entries, in order; without those that are not where the index says any more.
    async fn rows(&self, entries: Vec<(Entry, Option<Row>)>) -> Result<Vec<Row>, ReadError> {
        // An index that lags behind may have a row at its old place and at its new one.
        let keys: HashSet<&Key> =
            entries.iter().filter(|(_, row)| row.is_none()).map(|(entry, _)| &entry.key).collect();
        let keys: Vec<&Key> = keys.into_iter().collect();
        let fetched = try_join_all(keys.chunks(MAX_KEYS).map(|keys| self.fetch(keys))).await?;
        let fetched: HashMap<Key, Row> = fetched.into_iter().flatten().map(|row| (row.key().clone(), row)).collect();
        let row = |(entry, row): (Entry, Option<Row>)| {
            row.or_else(|| fetched.get(&entry.key).filter(|row| self.is_at(row, &entry.sort)).cloned())
        };
        Ok(entries.into_iter().filter_map(row).collect())
    }

    /// Whether the row stands there in the index by its values.
    fn is_at(&self, row: &Row, sort: &str) -> bool {
        let Some(index) = self.query.index.and_then(|name| self.query.table.index(name)) else { return true };
        let order = index.columns.get(1).map_or(&Value::Null, |column| row.value(column));
        let partition = index.columns.first().map(|column| row.value(column));
        partition == self.query.partition.as_ref() && layout::row_sort(row.key(), order) == sort
    }

    /// Rows by their keys, in any order; those that are gone are left out.
    async fn fetch(&self, keys: &[&Key]) -> Result<Vec<Row>, ReadError> {
        let table: &'static Table = self.query.table;
        let name = &self.store.0.table;
        let mut asked: Json = keys.iter().map(|key| Json::Object(item::key_of(table, key))).collect();
        let mut rows = Vec::with_capacity(keys.len());
        for tries in 0..MAX_TRIES {
            let answer = self
                .store
                .read("BatchGetItem", &json!({ "RequestItems": { name: { "Keys": asked, "ConsistentRead": true } } }))
                .await?;
            let items = answer.pointer("/Responses").and_then(|tables| tables.get(name)).and_then(Json::as_array);
            let items: Vec<&Json> = items.into_iter().flatten().collect();
            rows.extend(self.store.rows(table, &items).await?);
            let left = answer.get("UnprocessedKeys").and_then(|tables| tables.get(name)).and_then(|of| of.get("Keys"));
            match left.filter(|keys| keys.as_array().is_some_and(|keys| !keys.is_empty())) {
                Some(keys) => asked = keys.clone(),
                None => return Ok(rows),
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(tries)).await;
        }
        Err(ReadError::Unavailable("DynamoDB leaves keys unread again and again".into()))
    }
}

fn damaged<T>(result: Result<T, String>) -> Result<T, ReadError> {
    result.map_err(|problem| ReadError::Unavailable(problem.into()))
}
