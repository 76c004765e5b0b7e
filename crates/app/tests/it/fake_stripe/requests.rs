//! The requests of the fake: those that change something, and those that look.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::books::{Books, Card, FakeIntent, FakeRefund};

type Fields = [(String, String)];

fn field<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn metadata(fields: &Fields) -> BTreeMap<String, String> {
    let pairs = fields.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("metadata[")?.strip_suffix(']')?;
        Some((name.to_owned(), value.clone()))
    });
    pairs.collect()
}

fn wrong(status: u16, code: &str, param: Option<&str>, message: &str) -> (u16, Json) {
    (status, json!({ "error": { "type": "invalid_request_error", "code": code, "param": param, "message": message } }))
}

fn missing(what: &str) -> (u16, Json) {
    wrong(404, "resource_missing", Some("intent"), &format!("No such {what}"))
}

pub(super) fn post(books: &mut Books, path: &str, fields: &Fields) -> (u16, Json) {
    let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    match parts.as_slice() {
        ["payment_intents"] => create(books, fields),
        ["payment_intents", id, verb] => {
            if books.intent(id).is_none() {
                return missing("payment_intent");
            }
            match *verb {
                "confirm" => confirm(books, id, fields),
                "capture" => capture(books, id),
                "cancel" => cancel(books, id),
                _ => missing("path"),
            }
        }
        ["refunds"] => refund(books, fields),
        _ => missing("path"),
    }
}

fn create(books: &mut Books, fields: &Fields) -> (u16, Json) {
    let amount: i64 = field(fields, "amount").and_then(|text| text.parse().ok()).unwrap_or(0);
    if amount < 1 {
        return wrong(
            400,
            "parameter_invalid_integer",
            Some("amount"),
            "This value must be greater than or equal to 1.",
        );
    }
    let kind = field(fields, "payment_method_types[]").unwrap_or_default();
    let expires: Option<i64> =
        field(fields, "payment_method_options[pix][expires_at]").and_then(|text| text.parse().ok());
    if kind == "pix" && expires.is_none_or(|at| at < store::clock::now_ms() / 1000) {
        return wrong(400, "", Some("payment_method_options[pix][expires_at]"), "must be in the future");
    }
    let method = match kind {
        "pix" => "pix",
        _ => field(fields, "payment_method").or(field(fields, "payment_method_data[card][token]")).unwrap_or_default(),
    };
    let hosted = metadata(fields).contains_key("hosted") && method.is_empty();
    let Some(card) = Card::of(if hosted { "pm_card_visa" } else { method }) else {
        return wrong(400, "resource_missing", Some("payment_method"), "No such PaymentMethod");
    };
    let id = books.id("pi");
    books.intents.push(FakeIntent {
        id: id.clone(),
        card,
        amount,
        currency: field(fields, "currency").unwrap_or_default().to_owned(),
        // Without a payment method the browser goes on, in Stripe's form.
        status: if hosted { "requires_payment_method" } else { "requires_confirmation" },
        received: 0,
        refunded: 0,
        metadata: metadata(fields),
        error: None,
        return_url: String::new(),
        created: store::clock::now_ms() / 1000,
        transaction: None,
    });
    let mut made = books.intent_json(&id, false);
    made["client_secret"] = format!("{id}_secret_fake").into();
    (200, made)
}

fn unexpected(books: &Books, id: &str) -> (u16, Json) {
    let status = books.intent(id).unwrap().status;
    let message = format!("This PaymentIntent could not be changed because it has a status of {status}.");
    wrong(400, "payment_intent_unexpected_state", None, &message)
}

fn confirm(books: &mut Books, id: &str, fields: &Fields) -> (u16, Json) {
    let intent = books.intent(id).unwrap().clone();
    if intent.status != "requires_confirmation" {
        return unexpected(books, id);
    }
    let return_url = field(fields, "return_url").unwrap_or_default().to_owned();
    match intent.card {
        Card::Declined(code, decline) => {
            books.refuse(id, code, decline);
            let error = json!({
                "type": "card_error", "code": code, "decline_code": decline, "message": "Your card was declined.",
                "payment_intent": books.intent_json(id, false),
            });
            return (402, json!({ "error": error }));
        }
        Card::Authenticate | Card::Pix => books.update(id, Some("payment_intent.requires_action"), |intent| {
            intent.status = "requires_action";
            intent.return_url = return_url;
        }),
        _ => books
            .update(id, Some("payment_intent.amount_capturable_updated"), |intent| intent.status = "requires_capture"),
    }
    (200, books.intent_json(id, true))
}

fn capture(books: &mut Books, id: &str) -> (u16, Json) {
    if books.intent(id).unwrap().status != "requires_capture" {
        return unexpected(books, id);
    }
    books.take(id);
    (200, books.intent_json(id, true))
}

fn cancel(books: &mut Books, id: &str) -> (u16, Json) {
    if matches!(books.intent(id).unwrap().status, "succeeded" | "canceled") {
        return unexpected(books, id);
    }
    books.update(id, Some("payment_intent.canceled"), |intent| intent.status = "canceled");
    (200, books.intent_json(id, true))
}

fn refund(books: &mut Books, fields: &Fields) -> (u16, Json) {
    let intent = field(fields, "payment_intent").unwrap_or_default().to_owned();
    let Some(found) = books.intent(&intent).cloned() else { return missing("payment_intent") };
    let amount: i64 = field(fields, "amount").and_then(|text| text.parse().ok()).unwrap_or(0);
    if found.status != "succeeded" {
        return wrong(
            400,
            "charge_not_refundable",
            None,
            "This PaymentIntent does not have a successful charge to refund.",
        );
    }
    if matches!(books.disputes.get(&intent), Some(&("needs_response" | "lost"))) {
        return wrong(400, "charge_disputed", None, "This charge has been charged back.");
    }
    if amount < 1 || amount > found.received - found.refunded {
        return wrong(400, "", Some("amount"), "Refund amount is greater than unrefunded amount on charge");
    }
    let refund = FakeRefund {
        id: books.id("re"),
        intent: intent.clone(),
        amount,
        status: if found.card == Card::PendingRefund { "pending" } else { "succeeded" },
        metadata: metadata(fields),
    };
    let source = json!({ "id": refund.id, "object": "refund", "payment_intent": intent, "metadata": refund.metadata });
    books.transaction("refund", "refund", -amount, 0, source);
    books.update(&intent, None, |intent| intent.refunded += amount);
    let object = books.refund_json(&refund);
    books.refunds.push(refund);
    books.event("refund.created", object.clone());
    (200, object)
}

pub(super) fn get(books: &Books, path: &str, query: &Fields) -> (u16, Json) {
    let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    match parts.as_slice() {
        ["payment_intents"] => {
            let all = books.intents.iter().map(|intent| books.intent_json(&intent.id, true));
            list(all.collect(), query)
        }
        ["payment_intents", "search"] => {
            let wanted = field(query, "query").unwrap_or_default();
            let matches = |key: &String| wanted == format!("metadata['key']:'{key}'");
            let found = books.intents.iter().filter(|intent| intent.metadata.get("key").is_some_and(matches));
            list(found.map(|intent| books.intent_json(&intent.id, true)).collect(), &[])
        }
        ["payment_intents", id] => match books.intent(id) {
            Some(_) => (200, books.intent_json(id, true)),
            None => missing("payment_intent"),
        },
        ["refunds"] => {
            let intent = field(query, "payment_intent").unwrap_or_default();
            let of_intent = books.refunds.iter().filter(|refund| refund.intent == intent);
            list(of_intent.map(|refund| books.refund_json(refund)).collect(), query)
        }
        ["refunds", id] => match books.refunds.iter().find(|refund| refund.id == *id) {
            Some(refund) => (200, books.refund_json(refund)),
            None => missing("refund"),
        },
        ["events"] => {
            let kinds: Vec<&str> =
                query.iter().filter(|(name, _)| name == "types[]").map(|(_, kind)| kind.as_str()).collect();
            let wanted = |event: &&Json| kinds.is_empty() || kinds.contains(&event["type"].as_str().unwrap());
            list(books.events.iter().filter(wanted).cloned().collect(), query)
        }
        ["balance_transactions"] => {
            let payout = field(query, "payout");
            let wanted = |line: &&Json| payout.is_none_or(|payout| line["payout"].as_str() == Some(payout));
            list(books.transactions.iter().filter(wanted).cloned().collect(), query)
        }
        _ => missing("path"),
    }
}

/// A page, newest first.
fn list(mut all: Vec<Json>, query: &Fields) -> (u16, Json) {
    all.reverse();
    let since: i64 = field(query, "created[gte]").and_then(|text| text.parse().ok()).unwrap_or(0);
    all.retain(|object| object["created"].as_i64().is_none_or(|created| created >= since));
    let from = match field(query, "starting_after") {
        Some(after) => match all.iter().position(|object| object["id"] == after) {
            Some(at) => at + 1,
            None => return missing("cursor"),
        },
        None => 0,
    };
    let limit: usize = field(query, "limit").and_then(|text| text.parse().ok()).unwrap_or(10);
    let rest = all.split_off(from.min(all.len()));
    let has_more = rest.len() > limit;
    (
        200,
        json!({ "object": "list", "data": rest.into_iter().take(limit).collect::<Vec<Json>>(), "has_more": has_more }),
    )
}
