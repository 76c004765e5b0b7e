//! The ledger: what payments and refunds posted is there, as they say it, and nothing of theirs is there besides.

use domain::bookkeeping::{self, capture_key, fee_key, refund_key};
use domain::ledger::{Entry, Posting, reversal_key};
use domain::refund::RefundStatus;
use store::{ReadError, Store};

use super::{Pages, Run, difference};
use crate::Instant;
use crate::ledger;
use crate::postings::{captured_at, of};
use crate::provider::MovementKind;
use crate::records::ledger::ENTRIES;
use crate::records::reconciliation::{MATCHES, MOVEMENTS, kind_name, movement_key, movement_of};
use crate::records::refund::Refund;
use crate::records::{Payment, order, refund};
use crate::refunds;
use crate::views::Difference;

/// After how long the fee of a capture has to be known: by then its line stands in the provider's account.
const FEE_DUE_MS: i64 = 24 * 3_600_000;

/// The capture and the fee of a payment.
pub(super) async fn check_payment(
    view: &dyn Store,
    payment: &Payment,
    now: i64,
    found: &mut Vec<Difference>,
) -> Result<(), ReadError> {
    if payment.captured == 0 {
        return Ok(());
    }
    let id = order::public_id(payment.order_id);
    let entry = bookkeeping::capture(of(payment, &id, store::clock::now_ms()), &payment.totals());
    compare(view, &id, &capture_key(&id, payment.attempts), entry.ok().as_ref(), found).await?;
    if let Some(fee) = payment.fee().filter(|fee| *fee != 0) {
        let entry = bookkeeping::fee(of(payment, &id, store::clock::now_ms()), fee).ok().flatten();
        compare(view, &id, &fee_key(&id, payment.attempts), entry.as_ref(), found).await?;
    }
    let captured_at = captured_at(view, payment).await?;
    if let (None, Some(at)) = (payment.fee(), captured_at.filter(|at| *at < now - FEE_DUE_MS)) {
        let detail =
            format!("what the provider kept of {} is not known, since {}", payment.captured, Instant(at).to_rfc3339());
        found.push(difference("fee-unknown", id, detail));
    }
    Ok(())
}

/// The entry of a refund that went; of one that came back also its reversal.
pub(super) async fn check_refund(
    view: &dyn Store,
    payment: &Payment,
    refund: &Refund,
    found: &mut Vec<Difference>,
) -> Result<(), ReadError> {
    let id = refund.public_id();
    let key = refund_key(&id, refund.attempt);
    let reversal = reversal_key(&key);
    if refund.status == RefundStatus::Succeeded {
        let entry = refunds::entry(payment, refund, store::clock::now_ms()).ok();
        compare(view, &id, &key, entry.as_ref(), found).await?;
        if ledger::posted(view, &reversal).await?.is_some() {
            found.push(difference("entry-reversed", id, "the refund went, and its entry is reversed"));
        }
    } else if ledger::posted(view, &key).await?.is_some() && ledger::posted(view, &reversal).await?.is_none() {
        let detail = format!("the refund is {}, and its entry stands", refund.status.as_str());
        found.push(difference("entry-of-no-refund", id, detail));
    }
    Ok(())
}

/// Whether the entry under a key is there and posts what it should.
async fn compare(
    view: &dyn Store,
    subject: &str,
    key: &str,
    expected: Option<&Entry>,
    found: &mut Vec<Difference>,
) -> Result<(), ReadError> {
    let recorded = match ledger::posted(view, key).await? {
        // One that cannot be read is named by the walk over the entries.
        Some(id) => match ledger::entry(view, id).await {
            Ok(recorded) => recorded,
            Err(_) => return Ok(()),
        },
        None => None,
    };
    let Some(recorded) = recorded else {
        found.push(difference("not-in-ledger", subject, format!("there is no entry `{key}`")));
        return Ok(());
    };
    let wanted = expected.map(|entry| sorted(&entry.postings));
    if recorded.entry.key.as_deref() != Some(key) || wanted != Some(sorted(&recorded.entry.postings)) {
        let detail = format!("the entry `{key}` posts {}", described(&recorded.entry.postings));
        found.push(difference("ledger-against-record", subject, detail));
    }
    Ok(())
}

fn sorted(postings: &[Posting]) -> Vec<(&str, i64)> {
    let mut all: Vec<_> = postings.iter().map(|posting| (posting.account.as_str(), posting.amount)).collect();
    all.sort_unstable();
    all
}

fn described(postings: &[Posting]) -> String {
    let parts = postings.iter().map(|posting| format!("{} {}", posting.account, posting.amount));
    parts.collect::<Vec<_>>().join(", ")
}

impl Run<'_> {
    /// Every entry balances, stands under its key, and tells of something that happened.
    pub(super) async fn entries(&mut self) -> Result<(), ReadError> {
        let mut pages = Pages::open(&*self.view, &ENTRIES).await?;
        while let Some(row) = pages.next(self, "entries").await? {
            let Ok(recorded) = ledger::read_row(&row) else {
                let subject = format!("ledger_entries[{}]", row.key());
                self.differ(difference("unreadable-entry", subject, "its body cannot be read"));
                continue;
            };
            for recorded in recorded {
                self.count("entries");
                let key = recorded.entry.key.clone();
                let subject = key.clone().unwrap_or_else(|| store::id::encode(recorded.id));
                let entry = match recorded.entry.check() {
                    Ok(entry) => entry,
                    Err(error) => {
                        self.differ(difference("unbalanced-entry", subject, error.to_string()));
                        continue;
                    }
                };
                let Some(key) = key else { continue };
                self.disputes.add(&key, &entry.postings);
                if ledger::posted(&*self.view, &key).await? != Some(recorded.id) {
                    self.differ(difference("entry-key", subject, "the key stands for another entry, or for none"));
                } else if !self.happened(&key).await? {
                    self.differ(difference("entry-without-record", subject, "nothing happened that it tells of"));
                } else if let Some(problem) = self.against_line(&key, &entry.postings).await? {
                    self.differ(difference("ledger-against-account", subject, problem));
                }
            }
        }
        self.disputes_posted();
        Ok(())
    }

    /// What is wrong with an entry that only a line of the provider's account tells of, a payout or a fee of its own: the line
    /// is there, and says the same amount.
    async fn against_line(&self, key: &str, postings: &[Posting]) -> Result<Option<String>, ReadError> {
        let view = &*self.view;
        let prefix = bookkeeping::provider_account("");
        let held = postings.iter().filter(|posting| posting.account.starts_with(&prefix));
        let provider = held.clone().find_map(|posting| posting.account.strip_prefix(&prefix)).unwrap_or_default();
        let posted: i64 = held.map(|posting| posting.amount).fold(0, i64::saturating_add);
        let matched = async |kind: MovementKind, id: &str| {
            let reference = format!("{}/{id}", kind_name(kind));
            let row = view.get(&MATCHES, &reference.as_str().into()).await?;
            Ok::<_, ReadError>(row.and_then(|row| row.text("movement").map(str::to_owned)))
        };
        let line = match key.split('/').collect::<Vec<_>>().as_slice() {
            ["payout", id] => matched(MovementKind::Payout, id).await?,
            ["reversal", "payout", id] => matched(MovementKind::PayoutFailure, id).await?,
            ["fee", line] => Some(movement_key(provider, line)),
            _ => return Ok(None),
        };
        let line = match line {
            Some(line) => view.get(&MOVEMENTS, &line.as_str().into()).await?.as_ref().and_then(movement_of),
            None => None,
        };
        let Some(line) = line else { return Ok(Some("no line of the provider's account tells of it".into())) };
        let told = match (key.starts_with("fee/"), line.kind) {
            (true, MovementKind::Fee) => line.amount.saturating_sub(line.fee),
            (true, _) => -line.fee,
            (false, _) => line.amount,
        };
        let detail = || format!("it posts {posted} to the provider's account, its line {} says {told}", line.id);
        Ok((posted != told).then(detail))
    }

    /// Whether what the key of an entry names is there. Keys of people's entries are their own.
    async fn happened(&self, key: &str) -> Result<bool, ReadError> {
        let view = &*self.view;
        let parts: Vec<&str> = key.split('/').collect();
        Ok(match parts.as_slice() {
            ["payment", id, what, which] => {
                let Some(order_id) = order::private_id(id) else { return Ok(true) };
                let Some(payment) = Payment::load(view, order_id).await.ok().flatten() else { return Ok(false) };
                let attempt = which.parse().ok() == Some(payment.attempts);
                match *what {
                    "capture" => attempt && payment.captured > 0,
                    "fee" => attempt && payment.fee().is_some(),
                    "stray" | "stray-fee" => {
                        let all = refunds::all(view, &payment).await.unwrap_or_default();
                        all.iter().any(|refund| refund.is_stray() && refund.intent() == *which)
                    }
                    _ => true,
                }
            }
            ["refund", id] | ["refund", id, _] => match refund::private_id(id) {
                Some((order_id, number)) => Refund::load(view, order_id, number).await.ok().flatten().is_some(),
                None => true,
            },
            _ => true,
        })
    }
}
