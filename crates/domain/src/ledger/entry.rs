//! Entries: balanced postings with the time at which they count.

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::{MAX_CODE, is_account_code};
use crate::Currency;

/// The most postings of one entry.
pub const MAX_POSTINGS: usize = 100;
/// The largest amount of one posting in minor units: ten thousand million in whole units.
pub const MAX_POSTING: i64 = 1_000_000_000_000;
/// The most characters of a description or a reason.
pub const MAX_DESCRIPTION: usize = 280;
/// The most bytes of an entry's key.
pub const MAX_ENTRY_KEY: usize = 300;
/// The most pairs of metadata.
pub const MAX_METADATA: usize = 20;
/// The most characters of the name of a pair.
pub const MAX_METADATA_KEY: usize = 40;
/// The most characters of the value of a pair.
pub const MAX_METADATA_VALUE: usize = 280;
/// The earliest effective time: 1970-01-02.
pub const MIN_EFFECTIVE_AT: i64 = 86_400_000;
/// The latest effective time: the end of 2199.
pub const MAX_EFFECTIVE_AT: i64 = 7_258_118_399_999;

/// What made an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A person, through the API or the command line.
    Manual,
    /// A line of a bank statement.
    Import,
    /// The undoing of another entry.
    Reversal,
    /// Money of an order was taken.
    Capture,
    /// Money went back to a customer.
    Refund,
    /// The provider kept its fee.
    Fee,
    /// The provider paid out.
    Payout,
    /// A customer disputed a payment, or the dispute ended.
    Dispute,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: [EntryKind; 8] = [
        EntryKind::Manual,
        EntryKind::Import,
        EntryKind::Reversal,
        EntryKind::Capture,
        EntryKind::Refund,
        EntryKind::Fee,
        EntryKind::Payout,
        EntryKind::Dispute,
    ];

    /// Its name in the API, in the store and in exports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::Manual => "manual",
            EntryKind::Import => "import",
            EntryKind::Reversal => "reversal",
            EntryKind::Capture => "capture",
            EntryKind::Refund => "refund",
            EntryKind::Fee => "fee",
            EntryKind::Payout => "payout",
            EntryKind::Dispute => "dispute",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<EntryKind> {
        EntryKind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One side of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Posting {
    /// The code of the account, as `assets:bank`.
    pub account: String,
    /// Minor units: a debit is above zero, a credit below.
    pub amount: i64,
    /// Of the amount.
    pub currency: Currency,
}

/// An entry before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What makes it unique: a second entry of the same key is refused. `None` for one that may come twice.
    pub key: Option<String>,
    /// When it counts, in milliseconds since the epoch. When it was recorded is in its id.
    pub effective_at: i64,
    /// What people read.
    pub description: String,
    /// What made it.
    pub kind: EntryKind,
    /// Its sides.
    pub postings: Vec<Posting>,
    /// What it undoes: the key of that entry, or its id if it has none.
    pub reverses: Option<String>,
    /// Why it undoes it.
    pub reason: Option<String>,
    /// Whatever the caller wants to find again.
    pub metadata: BTreeMap<String, String>,
}

/// A checked entry: at least two postings, none of zero, that sum to zero in every currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry(Draft);

/// The key under which the undoing of an entry is posted: so it happens once, whoever tries.
#[must_use]
pub fn reversal_key(reference: &str) -> String {
    format!("reversal/{reference}")
}

impl Draft {
    /// A draft without postings.
    #[must_use]
    pub fn new(kind: EntryKind, effective_at: i64, description: impl Into<String>) -> Draft {
        Draft {
            key: None,
            effective_at,
            description: description.into(),
            kind,
            postings: Vec::new(),
            reverses: None,
            reason: None,
            metadata: BTreeMap::new(),
        }
    }

    /// The undoing of an entry: the same postings with their signs turned. `reference` is the entry's key, or its id if it
    /// has none; the draft's own key follows from it, so that an entry is undone at most once.
    #[must_use]
    pub fn reversal(reference: &str, postings: &[Posting], effective_at: i64, reason: impl Into<String>) -> Draft {
        let reason = reason.into();
        let turned = postings.iter().map(|posting| Posting { amount: -posting.amount, ..posting.clone() });
        Draft {
            key: Some(reversal_key(reference)),
            postings: turned.collect(),
            reverses: Some(reference.to_owned()),
            reason: Some(reason.clone()),
            ..Draft::new(EntryKind::Reversal, effective_at, reason)
        }
    }

    /// With a key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Draft {
        self.key = Some(key.into());
        self
    }

    /// With a debit. One of zero is left out.
    #[must_use]
    pub fn debit(self, account: impl Into<String>, amount: i64, currency: Currency) -> Draft {
        self.posting(account, amount, currency)
    }

    /// With a credit of a positive amount. One of zero is left out.
    #[must_use]
    pub fn credit(self, account: impl Into<String>, amount: i64, currency: Currency) -> Draft {
        self.posting(account, amount.saturating_neg(), currency)
    }

    fn posting(mut self, account: impl Into<String>, amount: i64, currency: Currency) -> Draft {
        if amount != 0 {
            self.postings.push(Posting { account: account.into(), amount, currency });
        }
        self
    }

    /// With a pair of metadata.
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Draft {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Checks every rule of an entry. Whether its accounts are open is the caller's to ask.
    ///
    /// # Errors
    /// [`EntryError`]: the first rule it breaks.
    pub fn check(self) -> Result<Entry, EntryError> {
        check_postings(&self.postings)?;
        if !(MIN_EFFECTIVE_AT..=MAX_EFFECTIVE_AT).contains(&self.effective_at) {
            return Err(EntryError::EffectiveAt);
        }
        if !is_text(&self.description, MAX_DESCRIPTION) {
            return Err(EntryError::Description);
        }
        if self.reason.as_ref().is_some_and(|reason| !is_text(reason, MAX_DESCRIPTION)) {
            return Err(EntryError::Reason);
        }
        if self.reverses.is_some() != self.reason.is_some() {
            return Err(EntryError::Reversal);
        }
        let fits = |key: &String| !key.is_empty() && key.len() <= MAX_ENTRY_KEY && key.bytes().all(is_visible);
        if !self.key.iter().chain(&self.reverses).all(fits) {
            return Err(EntryError::Key);
        }
        check_metadata(&self.metadata)?;
        Ok(Entry(self))
    }
}

impl Deref for Entry {
    type Target = Draft;

    fn deref(&self) -> &Draft {
        &self.0
    }
}

impl Entry {
    /// The draft it was made of.
    #[must_use]
    pub fn into_draft(self) -> Draft {
        self.0
    }
}

fn is_visible(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte == b' '
}

fn is_text(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

fn check_postings(postings: &[Posting]) -> Result<(), EntryError> {
    if !(2..=MAX_POSTINGS).contains(&postings.len()) {
        return Err(EntryError::Count(postings.len()));
    }
    // At most 100 amounts of at most 10^12: far from the end of 64 bits.
    let mut sums: Vec<(Currency, i64)> = Vec::with_capacity(2);
    for (at, posting) in postings.iter().enumerate() {
        if !is_account_code(&posting.account) {
            let code = posting.account.chars().take(MAX_CODE).collect();
            return Err(EntryError::Account { at, code });
        }
        if posting.amount == 0 || posting.amount.unsigned_abs() > MAX_POSTING.unsigned_abs() {
            return Err(EntryError::Amount { at });
        }
        match sums.iter_mut().find(|(currency, _)| *currency == posting.currency) {
            Some((_, sum)) => *sum += posting.amount,
            None => sums.push((posting.currency, posting.amount)),
        }
    }
    match sums.into_iter().find(|(_, sum)| *sum != 0) {
        Some((currency, difference)) => Err(EntryError::Unbalanced { currency, difference }),
        None => Ok(()),
    }
}

fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<(), EntryError> {
    let fits = |(name, value): (&String, &String)| {
        is_text(name, MAX_METADATA_KEY)
            && value.chars().count() <= MAX_METADATA_VALUE
            && !value.chars().any(char::is_control)
    };
    if metadata.len() > MAX_METADATA || !metadata.iter().all(fits) { Err(EntryError::Metadata) } else { Ok(()) }
}

/// The first rule that a draft breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Fewer than two or more than [`MAX_POSTINGS`].
    #[error("an entry has 2 to {MAX_POSTINGS} postings, not {0}")]
    Count(usize),
    /// No code of an account.
    #[error("`{code}` is no account code; write one as `assets:bank`")]
    Account {
        /// Which posting, from 0.
        at: usize,
        /// What stands there, cut.
        code: String,
    },
    /// Zero or too large.
    #[error("an amount is in minor units, not 0, and at most {MAX_POSTING} either way")]
    Amount {
        /// Which posting, from 0.
        at: usize,
    },
    /// Debits and credits differ.
    #[error("the postings in {currency} sum to {difference}, not 0; debits are positive, credits negative")]
    Unbalanced {
        /// In this currency.
        currency: Currency,
        /// Debits less credits, in minor units.
        difference: i64,
    },
    /// Outside 1970-01-02 to 2199-12-31.
    #[error("the effective time must be between 1970-01-02 and 2199-12-31")]
    EffectiveAt,
    /// Empty, too long, or with control characters.
    #[error("the description must have 1 to {MAX_DESCRIPTION} characters, none of them a control character")]
    Description,
    /// Empty, too long, or with control characters.
    #[error("the reason must have 1 to {MAX_DESCRIPTION} characters, none of them a control character")]
    Reason,
    /// One without the other.
    #[error("a reversal names the entry it undoes and gives a reason")]
    Reversal,
    /// Empty, too long, or not visible ASCII.
    #[error("a key must have 1 to {MAX_ENTRY_KEY} visible ASCII characters")]
    Key,
    /// Too much of it.
    #[error(
        "metadata takes {MAX_METADATA} pairs of texts, names up to {MAX_METADATA_KEY} and values up to \
         {MAX_METADATA_VALUE} characters"
    )]
    Metadata,
}

impl EntryError {
    /// The field it is about, as a JSON pointer into the entry.
    #[must_use]
    pub fn pointer(&self) -> String {
        match self {
            EntryError::Count(_) | EntryError::Unbalanced { .. } => "/postings".into(),
            EntryError::Account { at, .. } => format!("/postings/{at}/account"),
            EntryError::Amount { at } => format!("/postings/{at}/amount"),
            EntryError::EffectiveAt => "/effectiveAt".into(),
            EntryError::Description => "/description".into(),
            EntryError::Reason | EntryError::Reversal => "/reason".into(),
            EntryError::Key => "/key".into(),
            EntryError::Metadata => "/metadata".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: i64 = 1_760_000_000_000;

    fn sale() -> Draft {
        Draft::new(EntryKind::Capture, AT, "a sale")
            .debit("assets:provider:simulator", 3_000, Currency::BRL)
            .credit("income:sales", 2_500, Currency::BRL)
            .credit("liabilities:tips", 500, Currency::BRL)
    }

    #[test]
    fn the_rules_of_an_entry() {
        #[track_caller]
        fn check(draft: Draft, expected: Result<(), &str>) {
            let found = draft.check().map(drop).map_err(|error| format!("{} {error}", error.pointer()));
            match expected {
                Ok(()) => assert_eq!(found, Ok(())),
                Err(text) => assert!(found.clone().is_err_and(|error| error.contains(text)), "{found:?} lacks {text}"),
            }
        }
        check(sale(), Ok(()));
        check(sale().key("payment/1/capture/1").metadata("order", "ord_1"), Ok(()));
        check(sale().debit("assets:bank", 0, Currency::BRL), Ok(()));
        check(sale().debit("assets:bank", 1, Currency::BRL), Err("/postings the postings in BRL sum to 1"));
        check(sale().debit("assets:bank", 5, Currency::USD), Err("in USD sum to 5"));
        let two = sale().debit("assets:bank", 5, Currency::USD).credit("equity:exchange", 5, Currency::USD);
        check(two, Ok(()));
        check(Draft::new(EntryKind::Manual, AT, "none"), Err("2 to 100 postings, not 0"));
        check(sale().debit("bank", 1, Currency::BRL), Err("/postings/3/account `bank` is no account code"));
        check(sale().debit("assets:bank", MAX_POSTING + 1, Currency::BRL), Err("/postings/3/amount"));
        check(sale().debit("assets:bank", i64::MIN, Currency::BRL), Err("/postings/3/amount"));
        let mut zero = sale();
        zero.postings.push(Posting { account: "assets:bank".into(), amount: 0, currency: Currency::BRL });
        check(zero, Err("/postings/3/amount"));
        check(Draft { effective_at: 0, ..sale() }, Err("/effectiveAt"));
        check(Draft { effective_at: i64::MAX, ..sale() }, Err("/effectiveAt"));
        check(Draft { description: " ".into(), ..sale() }, Err("/description"));
        check(Draft { description: "a\nb".into(), ..sale() }, Err("/description"));
        check(Draft { reverses: Some("x".into()), ..sale() }, Err("/reason"));
        check(sale().key(""), Err("/key"));
        check(sale().key("é"), Err("/key"));
        check(sale().metadata("", "x"), Err("/metadata"));
    }

    #[test]
    fn a_reversal_turns_every_sign_and_names_its_original() {
        let entry = sale().key("payment/1/capture/1").check().unwrap();
        let undone = Draft::reversal("payment/1/capture/1", &entry.postings, AT + 1, "taken twice").check().unwrap();
        assert_eq!(undone.key.as_deref(), Some("reversal/payment/1/capture/1"));
        assert_eq!(undone.reverses.as_deref(), Some("payment/1/capture/1"));
        let both = entry.postings.iter().zip(&undone.postings);
        assert!(both.clone().all(|(a, b)| a.account == b.account && a.amount == -b.amount));
    }
}
