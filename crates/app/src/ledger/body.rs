//! The body of a row of entries: JSON that is quick to add up and that `json_each` can take apart.
//!
//! ```json
//! {"accounts": ["assets:bank BRL", "income:sales BRL"],
//!  "entries": [[1760000000000, [0, 2500, 1, -2500], "capture", "a sale", {"key": "payment/1/capture/1"}]]}
//! ```
//!
//! An entry is its effective time, its postings (the place of the account, the amount, and so on in turn), its kind, its
//! description and, if it has any of it, an object with its key, what it reverses, the reason and the metadata.

use std::collections::BTreeMap;

use domain::Currency;
use domain::ledger::{Draft, Entry, EntryKind, Posting};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Body {
    accounts: Vec<String>,
    entries: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
struct Line(i64, Vec<i64>, EntryKind, String, #[serde(default, skip_serializing_if = "Rest::is_empty")] Rest);

#[derive(Default, Serialize, Deserialize)]
struct Rest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reverses: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.key.is_none() && self.reverses.is_none() && self.reason.is_none() && self.metadata.is_empty()
    }
}

/// The places of the accounts of a row.
#[derive(Default)]
struct Accounts<'e> {
    names: Vec<String>,
    places: std::collections::HashMap<(&'e str, Currency), i64>,
}

impl<'e> Accounts<'e> {
    fn place(&mut self, posting: &'e Posting) -> i64 {
        let next = i64::try_from(self.names.len()).unwrap_or(i64::MAX);
        let names = &mut self.names;
        *self.places.entry((&posting.account, posting.currency)).or_insert_with(|| {
            names.push(account_name(&posting.account, posting.currency));
            next
        })
    }
}

/// An account in one currency, as rows and pages name it: `assets:bank BRL`.
pub(super) fn account_name(code: &str, currency: Currency) -> String {
    format!("{code} {}", currency.code())
}

/// The code and the currency of [`account_name`].
pub(super) fn split_name(name: &str) -> Option<(&str, Currency)> {
    let (code, currency) = name.split_once(' ')?;
    Some((code, Currency::from_code(currency)?))
}

/// The body of a row with these entries.
pub(super) fn write(entries: &[Entry]) -> String {
    let mut accounts = Accounts::default();
    let lines = entries.iter().map(|entry| {
        let postings = entry.postings.iter().flat_map(|posting| [accounts.place(posting), posting.amount]).collect();
        let rest = Rest {
            key: entry.key.clone(),
            reverses: entry.reverses.clone(),
            reason: entry.reason.clone(),
            metadata: entry.metadata.clone(),
        };
        Line(entry.effective_at, postings, entry.kind, entry.description.clone(), rest)
    });
    let entries = lines.collect();
    crate::records::json(&Body { accounts: accounts.names, entries })
}

/// The entries of a body; `None` if [`write`] did not write it.
pub(super) fn read(body: &str) -> Option<Vec<Draft>> {
    let body: Body = serde_json::from_str(body).ok()?;
    let accounts: Option<Vec<(&str, Currency)>> = body.accounts.iter().map(|name| split_name(name)).collect();
    let accounts = accounts?;
    let entry = |Line(effective_at, flat, kind, description, rest): Line| {
        let posting = |pair: &[i64]| match *pair {
            [place, amount] => {
                let (code, currency) = accounts.get(usize::try_from(place).ok()?)?;
                Some(Posting { account: (*code).to_owned(), amount, currency: *currency })
            }
            _ => None,
        };
        let postings = flat.chunks(2).map(posting).collect::<Option<Vec<Posting>>>()?;
        let Rest { key, reverses, reason, metadata } = rest;
        Some(Draft { key, effective_at, description, kind, postings, reverses, reason, metadata })
    };
    body.entries.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_reads_as_it_was_written() {
        let sale = Draft::new(EntryKind::Capture, 1_760_000_000_000, "a \"sale\"")
            .debit("assets:bank", 2_500, Currency::BRL)
            .credit("income:sales", 2_500, Currency::BRL);
        let reversal = Draft::reversal("payment/1", &sale.postings, 1_760_000_000_001, "twice").metadata("a", "b");
        let exchange = Draft::new(EntryKind::Manual, 1_760_000_000_002, "dollars")
            .debit("assets:bank", 100, Currency::USD)
            .credit("equity:exchange", 100, Currency::USD);
        let drafts = vec![sale.clone(), reversal, exchange];
        let entries: Vec<Entry> = drafts.iter().map(|draft| draft.clone().check().unwrap()).collect();
        assert_eq!(read(&write(&entries)), Some(drafts));
        let one = write(&[sale.check().unwrap()]);
        let expected = concat!(
            r#"{"accounts":["assets:bank BRL","income:sales BRL"],"#,
            r#""entries":[[1760000000000,[0,2500,1,-2500],"capture","a \"sale\""]]}"#
        );
        assert_eq!(one, expected);
    }
}
