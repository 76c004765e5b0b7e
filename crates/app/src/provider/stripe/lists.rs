//! Stripe's lists: events, payments, the lines of the balance. All are newest first.

use serde::Deserialize;
use serde_json::Value;

use super::Stripe;
use super::client::{Fields, fields};
use crate::provider::objects::{ORDER_ID, WireEvent, WireIntent, WireTransaction};
use crate::provider::{Event, Intent, Movement, MovementKind, Movements, Page, ProviderError, Subject};

/// Objects of one page: the most that Stripe gives.
const PAGE: &str = "100";
/// The kinds of events that are polled: those that a webhook would have brought.
const KINDS: &[&str] = &[
    "payment_intent.amount_capturable_updated",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    // A refund of the dashboard that succeeds at once is told by nothing else.
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
];

/// A page of objects, each with its id for the cursor.
#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    #[serde(default)]
    has_more: bool,
}

impl<T> List<T> {
    pub(super) fn page<U>(self, id: impl Fn(&T) -> &str, read: impl Fn(T) -> U) -> Page<U> {
        let next = self.data.last().filter(|_| self.has_more).map(|last| id(last).to_owned());
        Page { items: self.data.into_iter().map(read).collect(), next }
    }
}

fn query(after: Option<String>) -> Fields {
    let after = after.map(|after| ("starting_after".to_owned(), after));
    fields([("limit", PAGE)]).into_iter().chain(after).collect()
}

impl Stripe {
    pub(super) async fn list_events(&self, since: i64, after: Option<String>) -> Result<Page<Event>, ProviderError> {
        let mut query = query(after);
        query.push(("created[gte]".into(), (since / 1000).to_string()));
        query.extend(KINDS.iter().map(|kind| ("types[]".to_owned(), (*kind).to_owned())));
        let list: List<WireEvent> = self.client.get("/v1/events", &query).await?;
        Ok(list.page(
            |event| &event.id,
            |event| {
                let (id, at) = (event.id.clone(), event.created.saturating_mul(1000));
                // One that cannot be read stops nobody: it is of a kind that we do not follow.
                event.event().unwrap_or(Event { id, at, subject: Subject::Other })
            },
        ))
    }

    pub(super) async fn list_intents(&self, after: Option<String>) -> Result<Page<Intent>, ProviderError> {
        let mut query = query(after);
        query.push(("expand[]".into(), "data.latest_charge".into()));
        let list: List<WireIntent> = self.client.get("/v1/payment_intents", &query).await?;
        Ok(list.page(|intent| &intent.id, WireIntent::intent))
    }

    pub(super) async fn list_movements(
        &self,
        which: &Movements,
        after: Option<String>,
    ) -> Result<Page<Movement>, ProviderError> {
        let mut query = query(after);
        query.push(("expand[]".into(), "data.source".into()));
        query.push(match which {
            Movements::Since(at) => ("created[gte]".into(), (at / 1000).to_string()),
            Movements::Payout(payout) => ("payout".into(), payout.clone()),
        });
        let list: List<WireTransaction> = self.client.get("/v1/balance_transactions", &query).await?;
        let in_payout = matches!(which, Movements::Payout(_));
        let mut page = list.page(|line| &line.id, movement);
        // The payout's own line is among those it is made of.
        page.items.retain(|line| !in_payout || line.kind != MovementKind::Payout);
        Ok(page)
    }
}

/// A line of the balance (<https://docs.stripe.com/reports/balance-transaction-types>).
fn movement(line: WireTransaction) -> Movement {
    let kind = match (line.kind.as_str(), line.reporting_category.as_str()) {
        ("charge" | "payment", _) => MovementKind::Capture,
        ("refund" | "payment_refund", _) => MovementKind::Refund,
        ("refund_failure" | "payment_failure_refund", _) => MovementKind::RefundFailure,
        (_, "dispute") => MovementKind::Dispute,
        (_, "dispute_reversal") => MovementKind::DisputeReversal,
        ("stripe_fee" | "stripe_fx_fee" | "tax_fee" | "network_cost", _) => MovementKind::Fee,
        ("payout", _) => MovementKind::Payout,
        ("payout_failure" | "payout_cancel", _) => MovementKind::PayoutFailure,
        _ => MovementKind::Other,
    };
    let source = line.source.unwrap_or_default();
    let text = |pointer: &str| source.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    Movement {
        id: line.id,
        kind,
        amount: line.amount,
        fee: line.fee,
        currency: line.currency.to_ascii_uppercase(),
        intent: text("/payment_intent"),
        order_id: text(&format!("/metadata/{ORDER_ID}")),
        // Not expanded, it is the id itself.
        source: text("/id").or_else(|| source.as_str().map(str::to_owned)),
        at: line.created.saturating_mul(1000),
    }
}
