//! A ledger, what is posted to it, and books of the test's own to compare it with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use app::Instant;
use app::ledger::views::{OpenAccount, PostBatch, PostEntry, PostingLine};
use app::ledger::{Calendar, Ledger};
use domain::Currency;
use jiff::tz::TimeZone;
use store::Store;

/// Numbers that a seed repeats.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// From 0 to below `n`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
    }
}

pub(super) async fn open(store: Arc<dyn Store>, zone: &str, cut_off: u16) -> Arc<Ledger> {
    let calendar = Calendar::new(TimeZone::get(zone).unwrap(), zone, cut_off);
    let opened = Ledger::open(store, store::clock::now_ms, Currency::BRL, calendar, &["simulator"], "alone").await;
    Arc::new(opened.unwrap())
}

/// One of several processes that share a store.
pub(super) async fn open_as(store: Arc<dyn Store>, holder: &str, clock: fn() -> i64) -> Ledger {
    let calendar = Calendar::new(TimeZone::UTC, "UTC", 0);
    Ledger::open(store, clock, Currency::BRL, calendar, &["simulator"], holder).await.unwrap()
}

/// Opens `count` accounts that the random entries use.
pub(super) async fn accounts(ledger: &Ledger, count: u64) -> Vec<String> {
    let mut codes = Vec::new();
    for at in 0..count {
        let root = ["assets", "income", "expenses", "liabilities", "equity"][at as usize % 5];
        let code = format!("{root}:a{at}");
        let command = OpenAccount { code: code.clone(), name: format!("account {at}"), currency: None };
        ledger.open_account(command).await.unwrap();
        codes.push(code);
    }
    codes
}

pub(super) fn transfer(from: &str, to: &str, amount: i64, currency: Currency, at: i64) -> PostEntry {
    let line = |account: &str, amount| PostingLine { account: account.into(), amount, currency: Some(currency) };
    PostEntry {
        description: "a transfer".into(),
        effective_at: Some(Instant(at)),
        postings: vec![line(to, amount), line(from, -amount)],
        metadata: BTreeMap::new(),
    }
}

/// A transfer between two of the accounts within some days before now.
pub(super) fn random(dice: &mut Dice, codes: &[String], days: u64, until: i64) -> PostEntry {
    let from = dice.below(codes.len() as u64) as usize;
    let to = (from + 1 + dice.below(codes.len() as u64 - 1) as usize) % codes.len();
    let at = until - dice.below(days * 86_400_000) as i64;
    let currency = if dice.below(4) == 0 { Currency::USD } else { Currency::BRL };
    transfer(&codes[from], &codes[to], 1 + dice.below(100_000) as i64, currency, at)
}

/// What was posted, as plain lines.
#[derive(Default, Clone)]
pub(super) struct Books {
    /// Account, currency, effective time, amount.
    pub(super) lines: Vec<(String, Currency, i64, i64)>,
    pub(super) entries: u64,
}

impl Books {
    pub(super) fn add(&mut self, entry: &PostEntry) {
        self.entries += 1;
        for line in &entry.postings {
            let at = entry.effective_at.unwrap().0;
            self.lines.push((line.account.clone(), line.currency.unwrap(), at, line.amount));
        }
    }

    pub(super) async fn post(&mut self, ledger: &Ledger, entry: PostEntry) {
        self.add(&entry);
        ledger.post(entry, None).await.unwrap();
    }

    pub(super) async fn post_batch(&mut self, ledger: &Ledger, entries: Vec<PostEntry>) {
        entries.iter().for_each(|entry| self.add(entry));
        ledger.post_batch(PostBatch { entries }, None).await.unwrap();
    }

    /// The lines of one account in one currency alone.
    pub(super) fn of(&self, code: &str, currency: Currency) -> Books {
        let lines = self.lines.iter().filter(|(c, cur, ..)| c == code && *cur == currency);
        Books { lines: lines.cloned().collect(), entries: self.entries }
    }

    /// Debits less credits of an account over what `counts` says of the effective time.
    pub(super) fn balance(&self, code: &str, currency: Currency, counts: impl Fn(i64) -> bool) -> i64 {
        let lines = self.lines.iter().filter(|(c, cur, at, _)| c == code && *cur == currency && counts(*at));
        lines.map(|(.., amount)| amount).sum()
    }

    pub(super) fn accounts(&self) -> BTreeSet<(String, &'static str)> {
        self.lines.iter().map(|(code, currency, ..)| (code.clone(), currency.code())).collect()
    }
}
