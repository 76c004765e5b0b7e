//! Payouts in transit: a deposit that equals one of them is its arrival, and no income.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Bound;

use domain::Currency;
use domain::bookkeeping::{IN_TRANSIT, payout_key};
use domain::ledger::{AccountKind, Entry, reversal_key};
use store::{Query, Value};

use super::{Arrival, ImportError, Ledger, Month};
use crate::ledger::accept::Prefix;
use crate::ledger::calendar::month_name;
use crate::ledger::{entry, posted};
use crate::records::reconciliation::{MOVEMENTS, movement_of};

/// How long before the day of its deposit a payout may have left the provider.
const LEFT_BEFORE_MS: i64 = 10 * 86_400_000;
/// How long after the beginning of that day: a statement's day has no hour, and may be another zone's.
const LEFT_AFTER_MS: i64 = 2 * 86_400_000;
/// The most payouts of the time of one file.
const MAX_PAYOUTS: usize = 20_000;

/// A payout that may be a deposit of the file.
struct Payout {
    id: String,
    at: i64,
    month: String,
}

impl Ledger {
    /// Books the deposits among new lines that are payouts in transit against [`IN_TRANSIT`]. Each takes the oldest payout of
    /// its amount that left some days before at most. Answers what arrived, and the rows that remember it: they belong into
    /// the commit of the entries, so that a payout arrives once.
    pub(super) async fn recognise(
        &self,
        entries: &mut [Entry],
        numbers: &[u64],
        currency: Currency,
    ) -> Result<(Vec<Arrival>, BTreeMap<String, Month>), ImportError> {
        let mut candidates = self.payouts(entries, currency).await?;
        let mut months: BTreeMap<String, Month> = BTreeMap::new();
        let mut arrivals = Vec::new();
        for (entry, line) in entries.iter_mut().zip(numbers) {
            let Some(amount) = deposit(entry) else { continue };
            let Some(payouts) = candidates.get_mut(&amount) else { continue };
            let left = entry.effective_at - LEFT_BEFORE_MS..=entry.effective_at + LEFT_AFTER_MS;
            // Lines of a file may be in any order, so one that does not fit here is kept for the others.
            let mut later = VecDeque::new();
            while let Some(payout) = payouts.pop_front() {
                if !left.contains(&payout.at) {
                    later.push_back(payout);
                    continue;
                }
                if !months.contains_key(&payout.month) {
                    months.extend(self.months(std::iter::once(payout.month.as_str())).await?);
                }
                let Some(month) = months.get_mut(&payout.month) else { continue };
                // Arrived before, or never left: nothing for any line.
                if month.lines.contains(&payout.id) || !self.is_in_transit(&payout.id, amount, currency).await? {
                    continue;
                }
                month.lines.insert(payout.id.clone());
                *entry = self.arrival(entry, &payout.id)?;
                arrivals.push(Arrival { line: *line, payout: payout.id, amount });
                break;
            }
            later.append(payouts);
            *payouts = later;
        }
        months.retain(|_, month| arrivals.iter().any(|arrival| month.lines.contains(&arrival.payout)));
        Ok((arrivals, months))
    }

    /// The payouts that left in the time of the deposits, by their amounts, oldest first.
    async fn payouts(
        &self,
        entries: &[Entry],
        currency: Currency,
    ) -> Result<HashMap<i64, VecDeque<Payout>>, ImportError> {
        let deposits = || entries.iter().filter(|entry| deposit(entry).is_some()).map(|entry| entry.effective_at);
        let mut found: HashMap<i64, VecDeque<Payout>> = HashMap::new();
        let (Some(first), Some(last)) = (deposits().min(), deposits().max()) else { return Ok(found) };
        let wanted: HashSet<i64> = entries.iter().filter_map(deposit).collect();
        // The index shows what is durable.
        self.store.flush().await.map_err(crate::error::StoreError::from).map_err(crate::ledger::PostError::from)?;
        let from = Bound::Included(Value::Int(first - LEFT_BEFORE_MS));
        let to = Bound::Included(Value::Int(last + LEFT_AFTER_MS));
        let query = Query::index(&MOVEMENTS, "by_kind", "payout").range(from, to).limit(store::MAX_PAGE);
        let (mut cursor, mut read) = (None, 0);
        loop {
            let page = self.store.query(query.clone().after(cursor)).await?;
            read += page.rows.len();
            if read > MAX_PAYOUTS {
                let problem = format!("there are more than {MAX_PAYOUTS} payouts in the time of the file; split it");
                return Err(ImportError::File(problem));
            }
            for line in page.rows.iter().filter_map(movement_of) {
                if line.currency == currency.code() && wanted.contains(&-line.amount) {
                    let month = self.calendar.month_of(self.calendar.day_of(line.at));
                    let payout = Payout {
                        id: line.source.unwrap_or(line.id),
                        at: line.at,
                        month: format!("payouts/{}", month_name(month)),
                    };
                    found.entry(-line.amount).or_default().push_back(payout);
                }
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(found);
            }
        }
    }

    /// Whether a payout stands in [`IN_TRANSIT`] with this amount: it was posted there, and did not come back.
    async fn is_in_transit(&self, payout: &str, amount: i64, currency: Currency) -> Result<bool, ImportError> {
        let key = payout_key(payout);
        let Some(id) = posted(&*self.store, &key).await? else { return Ok(false) };
        if posted(&*self.store, &reversal_key(&key)).await?.is_some() {
            return Ok(false);
        }
        let stands = |posting: &domain::ledger::Posting| {
            posting.account == IN_TRANSIT && posting.amount == amount && posting.currency == currency
        };
        let recorded = entry(&*self.store, id).await?;
        Ok(recorded.is_some_and(|recorded| recorded.entry.postings.iter().any(stands)))
    }

    /// The entry of a line with [`IN_TRANSIT`] on its other side.
    fn arrival(&self, line: &Entry, payout: &str) -> Result<Entry, ImportError> {
        let mut draft = line.clone().into_draft().metadata("payout", payout);
        for posting in draft.postings.iter_mut().skip(1) {
            posting.account = IN_TRANSIT.into();
        }
        Ok(self.checked(draft, Prefix::Whole)?)
    }
}

/// What a line brings to an account of ours; `None` if it takes, or if the statement is of the transit itself.
fn deposit(entry: &Entry) -> Option<i64> {
    let own = entry.postings.first()?;
    let ours = AccountKind::of_code(&own.account) == Some(AccountKind::Asset) && own.account != IN_TRANSIT;
    (ours && own.amount > 0).then_some(own.amount)
}
