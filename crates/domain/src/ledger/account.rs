//! Accounts: named by codes that hledger reads as they are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The most characters of an account's code.
pub const MAX_CODE: usize = 100;

/// What an account is: it says on which side it grows and where reports show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountKind {
    /// What we own or are owed; grows by debits.
    Asset,
    /// What we owe; grows by credits.
    Liability,
    /// What we earn; grows by credits.
    Income,
    /// What we spend; grows by debits.
    Expense,
    /// What is the owner's; grows by credits.
    Equity,
}

impl AccountKind {
    /// Every kind, in the order of reports.
    pub const ALL: [AccountKind; 5] =
        [AccountKind::Asset, AccountKind::Liability, AccountKind::Equity, AccountKind::Income, AccountKind::Expense];

    /// The first segment of the codes of its accounts.
    #[must_use]
    pub fn root(self) -> &'static str {
        match self {
            AccountKind::Asset => "assets",
            AccountKind::Liability => "liabilities",
            AccountKind::Income => "income",
            AccountKind::Expense => "expenses",
            AccountKind::Equity => "equity",
        }
    }

    /// The kind of an account of that code; `None` if its first segment is none of the five.
    #[must_use]
    pub fn of_code(code: &str) -> Option<AccountKind> {
        let root = code.split(':').next().unwrap_or_default();
        AccountKind::ALL.into_iter().find(|kind| kind.root() == root)
    }
}

/// Whether a text may be an account's code: one of the five roots and one or more segments after it, as
/// `assets:provider:stripe`; segments of lower-case letters, digits, `-`, `_` and `.`; at most [`MAX_CODE`].
#[must_use]
pub fn is_account_code(code: &str) -> bool {
    let segment = |segment: &str| {
        !segment.is_empty()
            && segment.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.'))
    };
    code.len() <= MAX_CODE && code.contains(':') && AccountKind::of_code(code).is_some() && code.split(':').all(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_name_their_kind() {
        #[track_caller]
        fn check(code: &str, kind: Option<AccountKind>) {
            let found = is_account_code(code).then(|| AccountKind::of_code(code)).flatten();
            assert_eq!(found, kind, "{code}");
        }
        check("assets:bank", Some(AccountKind::Asset));
        check("assets:provider:stripe-2.eu_x", Some(AccountKind::Asset));
        check("liabilities:tips", Some(AccountKind::Liability));
        check("income:sales", Some(AccountKind::Income));
        check("expenses:provider-fees", Some(AccountKind::Expense));
        check("equity:opening", Some(AccountKind::Equity));
        for wrong in ["assets", "assets:", ":bank", "assets::bank", "Assets:bank", "assets:my bank", "bank:x", ""] {
            check(wrong, None);
        }
        check(&format!("assets:{}", "a".repeat(93)), Some(AccountKind::Asset));
        check(&format!("assets:{}", "a".repeat(94)), None);
    }
}
