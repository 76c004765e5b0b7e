//! PayPal's lists, and what they name: the events of webhooks, the transactions report.

use serde::Deserialize;
use serde_json::Value;

use super::amount::WireMoney;
use super::objects::{WireDispute, WirePayment, WireRefund, instant};
use super::{PayPal, segment};
use crate::provider::{Event, Movement, MovementKind, Movements, Page, ProviderError, Subject, http};

const EVENTS: &str = "/v1/notifications/webhooks-events";
/// Events of one page.
const EVENTS_PAGE: &str = "100";
/// Lines of one page of the report.
const LINES_PAGE: &str = "100";
/// The longest id of an event.
const MAX_EVENT_ID: usize = 128;
/// How long a transaction may take to stand in the report, with a margin over the three hours that PayPal gives itself.
const REPORT_LAG_MS: i64 = 4 * 3_600_000;
/// The longest time that one request may ask for: PayPal gives 31 days.
const WINDOW_MS: i64 = 30 * 86_400_000;

/// An event, `WH-...`, as it comes by webhook and stands in the list.
#[derive(Debug, Deserialize)]
pub(super) struct WireEvent {
    id: String,
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    create_time: String,
    #[serde(default)]
    resource: Value,
}

impl WireEvent {
    /// The event as we speak of it; it names what it is about. `None` if it has no good id.
    pub(super) fn event(self) -> Option<Event> {
        if self.id.is_empty() || self.id.len() > MAX_EVENT_ID {
            return None;
        }
        let text = |pointer: &str| self.resource.pointer(pointer).and_then(Value::as_str);
        let named = |kind: &str, id: Option<&str>| {
            let id = id.filter(|id| segment(id).is_ok());
            id.map_or(Subject::Other, |id| Subject::Named(format!("{kind}/{id}")))
        };
        let of_order = text("/supplementary_data/related_ids/order_id");
        let subject = match self.event_type.as_str() {
            // Their resource is the refund.
            "PAYMENT.CAPTURE.REFUNDED" | "PAYMENT.CAPTURE.REVERSED" => named("refunds", text("/id")),
            kind if kind.starts_with("PAYMENT.REFUND.") => named("refunds", text("/id")),
            kind if kind.starts_with("CHECKOUT.ORDER.") => named("orders", text("/id")),
            kind if kind.starts_with("CHECKOUT.PAYMENT-APPROVAL.") => named("orders", text("/order_id")),
            kind if kind.starts_with("PAYMENT.AUTHORIZATION.") && of_order.is_none() => {
                named("authorizations", text("/id"))
            }
            kind if kind.starts_with("PAYMENT.CAPTURE.") && of_order.is_none() => named("captures", text("/id")),
            kind if kind.starts_with("PAYMENT.AUTHORIZATION.") || kind.starts_with("PAYMENT.CAPTURE.") => {
                named("orders", of_order)
            }
            kind if kind.starts_with("CUSTOMER.DISPUTE.") => named("disputes", text("/dispute_id")),
            _ => Subject::Other,
        };
        Some(Event { at: instant(&self.create_time).unwrap_or(0), id: self.id, subject })
    }
}

#[derive(Deserialize)]
struct EventList {
    #[serde(default)]
    events: Vec<WireEvent>,
    #[serde(default)]
    links: Vec<Link>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    href: String,
    #[serde(default)]
    rel: String,
}

#[derive(Deserialize)]
struct Report {
    #[serde(default)]
    transaction_details: Vec<Details>,
    #[serde(default)]
    total_pages: i64,
}

#[derive(Deserialize)]
struct Details {
    transaction_info: Line,
}

/// A line of the report.
#[derive(Deserialize)]
struct Line {
    transaction_id: String,
    #[serde(default)]
    paypal_reference_id: Option<String>,
    #[serde(default)]
    transaction_event_code: String,
    #[serde(default)]
    transaction_initiation_date: String,
    #[serde(default)]
    transaction_amount: WireMoney,
    #[serde(default)]
    fee_amount: Option<WireMoney>,
    #[serde(default)]
    transaction_status: String,
    #[serde(default)]
    custom_field: String,
}

#[derive(Deserialize)]
struct DisputeList {
    #[serde(default)]
    items: Vec<WireDispute>,
}

/// What a code of the report means; `None` for what moves nothing for good
/// (<https://developer.paypal.com/docs/transaction-search/transaction-event-codes/>).
fn kind_of(code: &str, amount: i64) -> Option<MovementKind> {
    Some(match code {
        "T1107" => MovementKind::Refund,
        "T1101" => MovementKind::PayoutFailure,
        "T1106" | "T1201" | "T1207" => MovementKind::Dispute,
        "T1202" | "T1205" | "T1208" => MovementKind::DisputeReversal,
        "T1108" | "T1109" => MovementKind::Fee,
        // The hold of a disputed amount and its end: what is decided has a line of its own.
        "T1110" | "T1111" => return None,
        code if code.starts_with("T00") && amount > 0 => MovementKind::Capture,
        code if code.starts_with("T01") => MovementKind::Fee,
        code if code.starts_with("T04") => MovementKind::Payout,
        // Authorizations.
        code if code.starts_with("T13") => return None,
        _ => MovementKind::Other,
    })
}

/// A line as we speak of it. As long as it was not traced, its payment is the capture that it refers to.
fn movement(line: Line) -> Option<Movement> {
    let amount = line.transaction_amount.minor()?;
    // Neither what is pending nor what was denied moved anything.
    let kind = kind_of(&line.transaction_event_code, amount)
        .filter(|_| matches!(line.transaction_status.as_str(), "S" | "V" | ""))?;
    let fee = line.fee_amount.as_ref().and_then(WireMoney::minor).unwrap_or(0);
    Some(Movement {
        // One transaction can stand in the report more than once, as different things.
        id: format!("{}-{}", line.transaction_id, line.transaction_event_code),
        kind,
        amount,
        fee: -fee,
        currency: line.transaction_amount.currency_code,
        intent: match kind {
            MovementKind::Dispute | MovementKind::DisputeReversal => line.paypal_reference_id,
            _ => None,
        },
        source: Some(line.transaction_id),
        // Our reference in the order comes with its capture.
        order_id: line.custom_field.split('/').next().filter(|_| kind == MovementKind::Capture).map(str::to_owned),
        at: instant(&line.transaction_initiation_date).unwrap_or(0),
    })
}

/// A time as PayPal reads it.
fn time(at: i64) -> String {
    let at = jiff::Timestamp::from_second(at.div_euclid(1000)).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl PayPal {
    pub(super) async fn list_events(&self, since: i64, after: Option<String>) -> Result<Page<Event>, ProviderError> {
        let query = match after {
            Some(query) => query,
            None => {
                let (from, to) = (time(since), time((self.clock)()));
                http::encode([("page_size", EVENTS_PAGE), ("start_time", &from), ("end_time", &to)])
            }
        };
        let list: EventList = self.client.get(&format!("{EVENTS}?{query}")).await?;
        let next = list.links.iter().find(|link| link.rel == "next");
        // Only the query: whatever host a link names, the token goes to the one that was configured.
        let next = next.and_then(|link| link.href.split_once('?')).map(|(_, query)| query.to_owned());
        let next = next.filter(|_| !list.events.is_empty());
        Ok(Page { items: list.events.into_iter().filter_map(WireEvent::event).collect(), next })
    }

    /// The lines of the account. What a withdrawal is made of PayPal does not say.
    pub(super) async fn list_movements(
        &self,
        which: &Movements,
        after: Option<String>,
    ) -> Result<Page<Movement>, ProviderError> {
        let Movements::Since(since) = which else { return Ok(Page { items: Vec::new(), next: None }) };
        let now = (self.clock)();
        // Of an account of which nothing is known yet, the last window is read.
        let first = if *since == 0 { now - WINDOW_MS } else { since - REPORT_LAG_MS };
        let (from, page) = match after.as_deref().and_then(|cursor| cursor.split_once('/')) {
            Some((from, page)) => (from.parse().unwrap_or(first), page.parse().unwrap_or(1)),
            None => (first, 1_i64),
        };
        let until = now.min(from + WINDOW_MS);
        let query = http::encode([
            ("start_date", time(from).as_str()),
            ("end_date", &time(until)),
            ("fields", "transaction_info"),
            ("balance_affecting_records_only", "Y"),
            ("page_size", LINES_PAGE),
            ("page", &page.to_string()),
        ]);
        let report: Report = self.client.get(&format!("/v1/reporting/transactions?{query}")).await?;
        let next = if page < report.total_pages {
            Some(format!("{from}/{}", page + 1))
        } else {
            (until < now).then(|| format!("{until}/1"))
        };
        let lines = report.transaction_details.into_iter().filter_map(|details| movement(details.transaction_info));
        Ok(Page { items: lines.collect(), next })
    }

    /// What an event names.
    pub(super) async fn named(&self, name: &str) -> Result<Subject, ProviderError> {
        let unknown = || ProviderError::Invalid("that is no name of PayPal's".into());
        let (kind, id) = name.split_once('/').ok_or_else(unknown)?;
        let id = segment(id)?;
        match kind {
            "orders" => Ok(Subject::Intent(self.order(id).await?.intent())),
            "captures" | "authorizations" => {
                let payment: WirePayment = self.client.get(&format!("/v2/payments/{kind}/{id}")).await?;
                match payment.order_id() {
                    Some(order) => Ok(Subject::Intent(self.order(segment(order)?).await?.intent())),
                    // Of another way to pay than orders: none of ours.
                    None => Ok(Subject::Other),
                }
            }
            "refunds" => {
                let refund: WireRefund = self.client.get(&format!("/v2/payments/refunds/{id}")).await?;
                let order = self.order_of_capture(refund.capture_id()).await?;
                Ok(order.map_or(Subject::Other, |order| Subject::Refund(refund.refund(&order))))
            }
            "disputes" => {
                let dispute: WireDispute = self.client.get(&format!("/v1/customer/disputes/{id}")).await?;
                let order = self.order_of_capture(dispute.capture_id()).await?;
                Ok(order.map_or(Subject::Other, |order| Subject::Dispute(dispute.dispute(&order))))
            }
            _ => Err(unknown()),
        }
    }

    /// The order that a capture belongs to; `None` if it is none of an order.
    pub(super) async fn order_of_capture(&self, capture: Option<&str>) -> Result<Option<String>, ProviderError> {
        let Some(id) = capture else { return Ok(None) };
        let capture: WirePayment = self.client.get(&format!("/v2/payments/captures/{}", segment(id)?)).await?;
        Ok(capture.order_id().map(str::to_owned))
    }

    /// A line with its payment and, if it is about one, its dispute.
    pub(super) async fn traced(&self, mut line: Movement) -> Result<Movement, ProviderError> {
        let found = match (line.kind, line.source.as_deref(), line.intent.take()) {
            (MovementKind::Capture, source, _) => self.order_of_capture(source).await,
            (MovementKind::Refund, Some(source), _) => match self.named(&format!("refunds/{source}")).await {
                Ok(Subject::Refund(refund)) => Ok(Some(refund.intent)),
                Ok(_) => Ok(None),
                Err(error) => Err(error),
            },
            (MovementKind::Dispute | MovementKind::DisputeReversal, _, Some(capture)) => {
                let query = http::encode([("disputed_transaction_id", capture.as_str())]);
                let list: DisputeList = self.client.get(&format!("/v1/customer/disputes?{query}")).await?;
                line.source = list.items.first().map(|dispute| dispute.dispute_id.clone());
                self.order_of_capture(Some(&capture)).await
            }
            _ => return Ok(line),
        };
        line.intent = match found {
            // What PayPal does not know by that id was not paid through an order.
            Err(ProviderError::Invalid(_)) => None,
            found => found?,
        };
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_report_are_known() {
        #[track_caller]
        fn check(code: &str, amount: i64, expected: Option<MovementKind>) {
            assert_eq!(kind_of(code, amount), expected, "{code}");
        }
        check("T0006", 100, Some(MovementKind::Capture));
        check("T0006", -100, Some(MovementKind::Other));
        check("T0106", -1_500, Some(MovementKind::Fee));
        check("T0403", -100, Some(MovementKind::Payout));
        check("T1101", 100, Some(MovementKind::PayoutFailure));
        check("T1107", -100, Some(MovementKind::Refund));
        check("T1201", -100, Some(MovementKind::Dispute));
        check("T1202", 100, Some(MovementKind::DisputeReversal));
        check("T1110", -100, None);
        check("T0200", 100, Some(MovementKind::Other));
    }

    #[test]
    fn events_name_what_they_are_about() {
        #[track_caller]
        fn check(kind: &str, resource: Value, expected: Option<&str>) {
            let event = WireEvent {
                id: "WH-1".into(),
                event_type: kind.into(),
                create_time: "2026-01-02T03:04:05.678Z".into(),
                resource,
            };
            let event = event.event().unwrap();
            let expected = expected.map_or(Subject::Other, |name| Subject::Named(name.into()));
            assert_eq!((event.at, event.subject), (1_767_323_045_678, expected), "{kind}");
        }
        let related = serde_json::json!({ "id": "3C", "supplementary_data": { "related_ids": { "order_id": "5O" } } });
        check("CHECKOUT.ORDER.APPROVED", serde_json::json!({ "id": "5O" }), Some("orders/5O"));
        check("PAYMENT.AUTHORIZATION.VOIDED", related.clone(), Some("orders/5O"));
        check("PAYMENT.CAPTURE.COMPLETED", related.clone(), Some("orders/5O"));
        check("PAYMENT.CAPTURE.DENIED", serde_json::json!({ "id": "3C" }), Some("captures/3C"));
        check("PAYMENT.CAPTURE.REFUNDED", related, Some("refunds/3C"));
        check("CUSTOMER.DISPUTE.CREATED", serde_json::json!({ "dispute_id": "PP-D-1" }), Some("disputes/PP-D-1"));
        check("CHECKOUT.ORDER.APPROVED", serde_json::json!({ "id": "../1" }), None);
        check("BILLING.PLAN.CREATED", serde_json::json!({ "id": "P-1" }), None);
    }

    #[test]
    fn times_are_read_as_the_report_writes_them() {
        assert_eq!(instant("2014-07-11T04:03:52+0000"), instant("2014-07-11T04:03:52Z"));
        assert_eq!(time(1_405_051_432_999), "2014-07-11T04:03:52Z");
    }
}
