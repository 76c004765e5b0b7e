//! Disputes: what the banks have taken is what the payments say and what the ledger says, with the provider's fees. A dispute, its
//! payment and its entries change in one commit, so one snapshot shows them in agreement.

use std::collections::BTreeMap;

use domain::bookkeeping::{LOST_DISPUTES, OPEN_DISPUTES, PROVIDER_FEES};
use domain::dispute::DisputeStatus;
use domain::ledger::Posting;
use store::ReadError;

use super::{Pages, Run, difference};
use crate::records::dispute::{DISPUTES, DisputeRecord};
use crate::records::{Payment, order};

/// What a dispute moved, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Moved {
    /// Until it is decided.
    open: i64,
    /// For good.
    lost: i64,
    /// The provider's.
    fees: i64,
}

/// What disputes say and what they posted. Few payments are disputed, so these are kept in memory.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// Order -> what the banks have of its payment.
    by_order: BTreeMap<i64, i64>,
    /// Dispute -> what it has moved, and what it posted.
    by_dispute: BTreeMap<String, (Moved, Moved)>,
}

impl Sums {
    /// Adds an entry, if it is one of a dispute.
    pub(super) fn add(&mut self, key: &str, postings: &[Posting]) {
        let key = key.strip_prefix("reversal/").unwrap_or(key);
        let Some(id) = key.strip_prefix("dispute/").and_then(|rest| rest.split('/').next()) else { return };
        let (_, posted) = self.by_dispute.entry(id.to_owned()).or_default();
        for posting in postings {
            let sum = match posting.account.as_str() {
                OPEN_DISPUTES => &mut posted.open,
                LOST_DISPUTES => &mut posted.lost,
                PROVIDER_FEES => &mut posted.fees,
                _ => continue,
            };
            *sum = sum.saturating_add(posting.amount);
        }
    }
}

impl Run<'_> {
    pub(super) async fn disputes(&mut self) -> Result<(), ReadError> {
        let mut pages = Pages::open(&*self.view, &DISPUTES).await?;
        while let Some(row) = pages.next(self, "disputes").await? {
            self.count("disputes");
            let Ok(dispute) = DisputeRecord::from_row(&row) else {
                self.differ(difference("unreadable-dispute", row.key().to_string(), "its row cannot be read"));
                continue;
            };
            let Some(payment) = Payment::load(&*self.view, dispute.order_id).await.ok().flatten() else {
                let detail = format!("there is no payment of `{}`", order::public_id(dispute.order_id));
                self.differ(difference("dispute-without-payment", dispute.id, detail));
                continue;
            };
            if payment.intent() == Some(dispute.intent.as_str()) {
                *self.disputes.by_order.entry(dispute.order_id).or_default() += dispute.withdrawn();
            }
            let moved = Moved {
                open: if dispute.status == DisputeStatus::Open { dispute.amount } else { 0 },
                lost: if dispute.status == DisputeStatus::Lost { dispute.amount } else { 0 },
                fees: dispute.fee,
            };
            self.disputes.by_dispute.entry(dispute.id).or_default().0 = moved;
        }
        Ok(())
    }

    /// Compares a payment with its disputes.
    pub(super) fn disputed(&mut self, payment: &Payment) {
        let disputed = self.disputes.by_order.get(&payment.order_id).copied().unwrap_or(0);
        if disputed != payment.disputed {
            let detail = format!("its disputes sum to {disputed}, the payment says {}", payment.disputed);
            self.differ(difference("disputed-against-payment", order::public_id(payment.order_id), detail));
        }
    }

    /// Compares each dispute with what it posted, once all entries were read.
    pub(super) fn disputes_posted(&mut self) {
        for (id, (moved, posted)) in std::mem::take(&mut self.disputes.by_dispute) {
            if moved != posted {
                let detail = format!(
                    "it has {} open, {} lost and {} of fees, its entries {}, {} and {}",
                    moved.open, moved.lost, moved.fees, posted.open, posted.lost, posted.fees
                );
                self.differ(difference("dispute-against-ledger", id, detail));
            }
        }
    }
}
