//! The chart of accounts, kept in memory whole: an entry costs no read for its accounts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::Currency;
use domain::ledger::{AccountKind, Posting, is_account_code};
use parking_lot::RwLock;
use store::{Batch, CommitError, Query, ReadError, Row, Store, Value};

use super::error::{AccountError, PostError};
use super::views::{AccountView, OpenAccount};
use crate::Instant;
use crate::error::StoreError;
use crate::records::damaged;
use crate::records::ledger::ACCOUNTS;

/// The most accounts of a chart.
pub const MAX_ACCOUNTS: usize = 10_000;
/// After how long the chart is read again.
const STALE_MS: i64 = 5_000;
/// How many accounts that are not known one request may have looked for.
const MAX_MISSES: usize = 100;
/// The most characters of an account's name.
const MAX_NAME: usize = 120;

/// What every store has from the beginning. Payments post to those that are built in (`true`).
const DEFAULT: &[(&str, &str, bool)] = &[
    ("assets:bank", "Bank account", true),
    ("assets:cash", "Cash", false),
    ("assets:disputes", "Disputed payments", true),
    ("assets:payouts-in-transit", "Payouts on their way to the bank", true),
    ("liabilities:tips", "Tips of the staff", true),
    ("liabilities:taxes", "Taxes collected", true),
    ("liabilities:unapplied-payments", "Payments that no order counts with", true),
    ("income:sales", "Sales", true),
    ("income:delivery", "Delivery fees", true),
    ("income:service-fees", "Service fees", true),
    ("income:refunds", "Refunds (less income)", true),
    ("income:unknown", "Deposits to be classified", true),
    ("expenses:provider-fees", "Fees of payment providers", true),
    ("expenses:disputes", "Lost disputes", true),
    ("expenses:unknown", "Withdrawals to be classified", true),
    ("equity:opening", "Opening balances", false),
    ("equity:exchange", "Currency exchange", false),
];

/// One account.
#[derive(Debug, Clone)]
struct Account {
    kind: AccountKind,
    name: String,
    currency: Option<Currency>,
    built_in: bool,
    opened_at: i64,
    closed_at: Option<i64>,
    revision: i64,
}

type Accounts = HashMap<String, Account>;

/// The accounts in memory.
///
/// Invariant: whoever was told that an account is open or closed finds it so with the next entry: the memory changes after
/// the commit is durable and before the answer. An entry that was under way meanwhile may be judged either way. What another
/// process that shares the store has changed is known [`STALE_MS`] later at most; an account that it has opened, at once.
pub(super) struct Chart {
    accounts: RwLock<Arc<Accounts>>,
    /// When the chart was read last, in milliseconds since the epoch.
    read_at: AtomicI64,
}

impl Chart {
    /// Reads the chart; adds what it lacks of the default one and the accounts of these payment providers. Processes that share
    /// the store may do so at once.
    pub(super) async fn open(store: &dyn Store, providers: &[&str], now: i64) -> Result<Chart, StoreError> {
        let mut accounts = list(store).await?;
        for _ in 0..crate::app::MAX_TRIES {
            let mut batch = Batch::new();
            let mut added = Vec::new();
            for (code, account) in built_in(providers, now) {
                if accounts.contains_key(&code) {
                    continue;
                }
                // A list may be older than what another process has just added.
                match store.get(&ACCOUNTS, &code.as_str().into()).await? {
                    Some(row) => drop(accounts.insert(code, read(&row)?)),
                    None => {
                        batch.insert(write(&code, &account));
                        added.push((code, account));
                    }
                }
            }
            match store.commit(batch).await {
                Ok(receipt) => {
                    receipt.durable().await?;
                    accounts.extend(added);
                    let accounts = RwLock::new(Arc::new(accounts));
                    return Ok(Chart { accounts, read_at: AtomicI64::new(now) });
                }
                // Another process was quicker: what it has added is read.
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Busy)
    }

    /// Learns what other processes have changed: reads the chart anew if that was long ago, and looks for the accounts that are
    /// not known. One caller at a time reads it, the others go on with what is known.
    pub(super) async fn refresh(
        &self,
        store: &dyn Store,
        codes: impl Iterator<Item = &str>,
        now: i64,
    ) -> Result<(), StoreError> {
        let read_at = self.read_at.load(Ordering::Acquire);
        let due = now.saturating_sub(read_at) >= STALE_MS;
        if due && self.read_at.compare_exchange(read_at, now, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            for (code, account) in list(store).await? {
                self.remember(&code, account);
            }
        }
        let known = self.accounts.read().clone();
        let missing: HashSet<&str> = codes.filter(|code| !known.contains_key(*code)).take(MAX_MISSES).collect();
        for code in missing.into_iter().filter(|code| is_account_code(code)) {
            if let Some(row) = store.get(&ACCOUNTS, &code.into()).await? {
                self.remember(code, read(&row)?);
            }
        }
        Ok(())
    }

    /// Whether all of these may be posted to. `prefix` is where the entry stands in the request.
    pub(super) fn check(&self, postings: &[Posting], prefix: &dyn std::fmt::Display) -> Result<(), PostError> {
        let accounts = self.accounts.read().clone();
        for (at, posting) in postings.iter().enumerate() {
            let pointer = || format!("{prefix}/postings/{at}/account");
            let code = || posting.account.chars().take(domain::ledger::MAX_CODE).collect();
            match accounts.get(&posting.account) {
                None => return Err(PostError::UnknownAccount { pointer: pointer(), code: code() }),
                Some(account) if account.closed_at.is_some() => {
                    return Err(PostError::ClosedAccount { pointer: pointer(), code: code() });
                }
                Some(Account { currency: Some(currency), .. }) if *currency != posting.currency => {
                    return Err(PostError::OtherCurrency { pointer: pointer(), code: code(), currency: *currency });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Every account in the order of codes.
    pub(super) fn list(&self) -> Vec<AccountView> {
        let accounts = self.accounts.read().clone();
        let mut list: Vec<AccountView> = accounts.iter().map(|(code, account)| view(code, account)).collect();
        list.sort_by(|a, b| a.code.cmp(&b.code));
        list
    }

    pub(super) fn get(&self, code: &str) -> Option<AccountView> {
        self.accounts.read().get(code).map(|account| view(code, account))
    }

    /// Opens an account. The same request again answers the account as it is.
    pub(super) async fn add(
        &self,
        store: &dyn Store,
        command: OpenAccount,
        now: i64,
    ) -> Result<AccountView, AccountError> {
        let OpenAccount { code, name, currency } = command;
        let kind = AccountKind::of_code(&code).filter(|_| is_account_code(&code));
        let kind = kind.ok_or_else(|| AccountError::Code(code.chars().take(64).collect()))?;
        let name = name.trim().to_owned();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(AccountError::Name);
        }
        if self.accounts.read().len() >= MAX_ACCOUNTS {
            return Err(AccountError::Full(MAX_ACCOUNTS));
        }
        let account = Account { kind, name, currency, built_in: false, opened_at: now, closed_at: None, revision: 1 };
        let mut batch = Batch::new();
        batch.insert(write(&code, &account));
        match commit(store, batch).await {
            Ok(()) => Ok(self.remember(&code, account)),
            Err(CommitError::Conflict { .. }) => {
                store.flush().await.map_err(StoreError::from)?;
                let there = self.reload(store, &code).await?;
                match there.name == account.name && there.currency == account.currency && !there.closed {
                    true => Ok(there),
                    false => Err(AccountError::Exists),
                }
            }
            Err(error) => Err(StoreError::from(error).into()),
        }
    }

    /// Closes an account, or opens it again. Its entries stay.
    pub(super) async fn close(
        &self,
        store: &dyn Store,
        code: &str,
        closed_at: Option<i64>,
    ) -> Result<AccountView, AccountError> {
        for _ in 0..crate::app::MAX_TRIES {
            let not_found = || AccountError::NotFound(code.chars().take(64).collect());
            if !is_account_code(code) {
                return Err(not_found());
            }
            let row = store.get(&ACCOUNTS, &code.into()).await?.ok_or_else(not_found)?;
            let account = read(&row)?;
            if account.built_in && closed_at.is_some() {
                return Err(AccountError::BuiltIn);
            }
            if account.closed_at.is_some() == closed_at.is_some() {
                return Ok(view(code, &account));
            }
            let account = Account { closed_at, revision: account.revision + 1, ..account };
            let mut batch = Batch::new();
            batch.replace(&row, &write(code, &account), "revision");
            match commit(store, batch).await {
                Ok(()) => return Ok(self.remember(code, account)),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(StoreError::from(error).into()),
            }
        }
        Err(StoreError::Busy.into())
    }

    async fn reload(&self, store: &dyn Store, code: &str) -> Result<AccountView, AccountError> {
        let row = store.get(&ACCOUNTS, &code.into()).await?;
        let row = row.ok_or_else(|| AccountError::NotFound(code.to_owned()))?;
        Ok(self.remember(code, read(&row)?))
    }

    /// Keeps an account in memory, unless a newer state is there.
    fn remember(&self, code: &str, account: Account) -> AccountView {
        let shown = view(code, &account);
        let mut accounts = self.accounts.write();
        if accounts.get(code).is_none_or(|known| known.revision < account.revision) {
            Arc::make_mut(&mut accounts).insert(code.to_owned(), account);
        }
        shown
    }
}

/// Where a payment provider's money stands until it is paid out.
#[must_use]
pub fn provider_account(provider: &str) -> String {
    format!("assets:provider:{provider}")
}

/// What is in the store, as far as a list knows.
async fn list(store: &dyn Store) -> Result<Accounts, StoreError> {
    let mut accounts = Accounts::new();
    let mut cursor = None;
    loop {
        let page = store.query(Query::table(&ACCOUNTS).limit(store::MAX_PAGE).after(cursor)).await?;
        for row in &page.rows {
            accounts.insert(row.key().text().unwrap_or_default().to_owned(), read(row)?);
        }
        cursor = page.next;
        if cursor.is_none() || accounts.len() >= MAX_ACCOUNTS {
            return Ok(accounts);
        }
    }
}

/// The accounts that every chart has.
fn built_in(providers: &[&str], now: i64) -> impl Iterator<Item = (String, Account)> {
    let of_providers = providers.iter().map(|name| (provider_account(name), format!("Held by {name}"), true));
    let defaults = DEFAULT.iter().map(|(code, name, built_in)| ((*code).to_owned(), (*name).to_owned(), *built_in));
    let all = defaults.chain(of_providers).filter(|(code, ..)| is_account_code(code));
    all.map(move |(code, name, built_in)| {
        let kind = AccountKind::of_code(&code).unwrap_or(AccountKind::Asset);
        (code, Account { kind, name, currency: None, built_in, opened_at: now, closed_at: None, revision: 1 })
    })
}

async fn commit(store: &dyn Store, batch: Batch) -> Result<(), CommitError> {
    store.commit(batch).await?.durable().await
}

fn view(code: &str, account: &Account) -> AccountView {
    AccountView {
        code: code.to_owned(),
        kind: account.kind,
        name: account.name.clone(),
        currency: account.currency,
        closed: account.closed_at.is_some(),
        built_in: account.built_in,
        opened_at: Instant(account.opened_at),
        closed_at: account.closed_at.map(Instant),
        revision: account.revision,
    }
}

fn write(code: &str, account: &Account) -> Row {
    let values = vec![
        Value::from(account.kind.root()),
        Value::from(account.name.as_str()),
        Value::from(account.currency.map(Currency::code)),
        Value::Int(account.built_in.into()),
        Value::Int(account.opened_at),
        Value::from(account.closed_at),
        Value::Int(account.revision),
    ];
    Row::new(&ACCOUNTS, code, values)
}

fn read(row: &Row) -> Result<Account, ReadError> {
    let int = |column: &str| row.int(column).ok_or_else(|| damaged(row, column));
    let kind = row.key().text().and_then(AccountKind::of_code);
    Ok(Account {
        kind: kind.ok_or_else(|| damaged(row, "code"))?,
        name: row.text("name").unwrap_or_default().to_owned(),
        currency: row.text("currency").and_then(Currency::from_code),
        built_in: int("built_in")? == 1,
        opened_at: int("opened_at")?,
        closed_at: row.int("closed_at"),
        revision: int("revision")?,
    })
}
