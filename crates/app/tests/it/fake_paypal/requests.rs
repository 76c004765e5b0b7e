//! The requests of the fake: those that change something, and those that look.

use axum::http::Method;
use serde_json::{Value as Json, json};

use super::books::{Books, FakeOrder, FakeRefund, Funding};

fn missing() -> (u16, Json) {
    let details = json!([{ "issue": "INVALID_RESOURCE_ID", "description": "Specified resource ID does not exist." }]);
    (
        404,
        json!({ "name": "RESOURCE_NOT_FOUND", "message": "The specified resource does not exist.", "details": details }),
    )
}

fn unprocessable(issue: &str) -> (u16, Json) {
    let details = json!([{ "issue": issue, "description": "Not as it stands." }]);
    (
        422,
        json!({ "name": "UNPROCESSABLE_ENTITY", "message": "The requested action could not be performed.", "details": details }),
    )
}

fn cents(money: &Json) -> Option<i64> {
    let (whole, part) = money["value"].as_str()?.split_once('.')?;
    (part.len() == 2).then(|| format!("{whole}{part}").parse().ok())?
}

pub(super) fn change(books: &mut Books, method: &Method, path: &str, sent: &Json) -> (u16, Json) {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method.as_str(), parts.as_slice()) {
        ("POST", ["v2", "checkout", "orders"]) => create(books, sent),
        ("PATCH", ["v2", "checkout", "orders", id]) => patch(books, id, sent),
        ("POST", ["v2", "checkout", "orders", id, verb @ ("authorize" | "capture")]) => complete(books, id, verb),
        ("POST", ["v2", "payments", "authorizations", id, verb @ ("capture" | "void")]) => {
            let order =
                books.orders.iter().find(|order| order.authorization.as_ref().is_some_and(|(own, _)| own == id));
            match order.map(|order| order.id.clone()) {
                Some(order) => hold(books, &order, verb, sent),
                None => missing(),
            }
        }
        ("POST", ["v2", "payments", "captures", id, "refund"]) => {
            let order = books.orders.iter().find(|order| order.capture.as_ref().is_some_and(|(own, _)| own == id));
            match order.map(|order| order.id.clone()) {
                Some(order) => refund(books, &order, sent),
                None => missing(),
            }
        }
        _ => missing(),
    }
}

fn create(books: &mut Books, sent: &Json) -> (u16, Json) {
    let unit = &sent["purchase_units"][0];
    let Some(amount) = cents(&unit["amount"]).filter(|amount| *amount > 0) else {
        return unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE");
    };
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let id = books.id("5O");
    books.orders.push(FakeOrder {
        id: id.clone(),
        intent: text(&sent["intent"]),
        custom_id: text(&unit["custom_id"]),
        amount,
        currency: text(&unit["amount"]["currency_code"]),
        status: "PAYER_ACTION_REQUIRED",
        funding: Funding::Good,
        return_url: text(&sent["payment_source"]["paypal"]["experience_context"]["return_url"]),
        created: store::clock::now_ms(),
        authorization: None,
        capture: None,
        refunds: Vec::new(),
    });
    (200, books.order_json(&id))
}

fn patch(books: &mut Books, id: &str, sent: &Json) -> (u16, Json) {
    let Some(order) = books.order(id) else { return missing() };
    if order.status == "COMPLETED" {
        return unprocessable("ORDER_ALREADY_COMPLETED");
    }
    assert_eq!(sent[0]["path"], "/purchase_units/@reference_id=='default'/custom_id");
    let value = sent[0]["value"].as_str().unwrap().to_owned();
    books.order_mut(id).custom_id = value;
    (204, Json::Null)
}

fn complete(books: &mut Books, id: &str, verb: &str) -> (u16, Json) {
    let Some(order) = books.order(id).cloned() else { return missing() };
    match (verb, order.intent.as_str(), order.status, order.funding) {
        ("authorize", _, "COMPLETED", _) => return unprocessable("ORDER_ALREADY_AUTHORIZED"),
        (_, _, "COMPLETED", _) => return unprocessable("ORDER_ALREADY_CAPTURED"),
        ("authorize", "CAPTURE", ..) | ("capture", "AUTHORIZE", ..) => {
            return unprocessable("ACTION_DOES_NOT_MATCH_INTENT");
        }
        (_, _, "APPROVED", Funding::Declined) => return unprocessable("INSTRUMENT_DECLINED"),
        (_, _, "APPROVED", _) => {}
        _ => return unprocessable("ORDER_NOT_APPROVED"),
    }
    if verb == "capture" {
        books.take(id);
    } else {
        let authorization = books.id("0A");
        let order = books.order_mut(id);
        order.status = "COMPLETED";
        order.authorization = Some((authorization, "CREATED"));
        let resource = books.payment_json(id, false);
        books.event("PAYMENT.AUTHORIZATION.CREATED", resource);
    }
    (201, books.order_json(id))
}

fn hold(books: &mut Books, id: &str, verb: &str, sent: &Json) -> (u16, Json) {
    let order = books.order(id).unwrap();
    let status = order.authorization.as_ref().map(|(_, status)| *status);
    let amount = order.amount;
    match (verb, status) {
        ("capture", Some("CREATED")) => {
            assert_eq!((cents(&sent["amount"]), &sent["final_capture"]), (Some(amount), &json!(true)));
            books.take(id);
            (201, books.payment_json(id, true))
        }
        ("capture", Some("CAPTURED")) => unprocessable("AUTHORIZATION_ALREADY_CAPTURED"),
        ("capture", _) => unprocessable("AUTHORIZATION_VOIDED"),
        (_, Some("CREATED")) => {
            books.void_hold(id);
            (200, books.payment_json(id, false))
        }
        (_, Some("CAPTURED")) => unprocessable("PREVIOUSLY_CAPTURED"),
        _ => unprocessable("PREVIOUSLY_VOIDED"),
    }
}

fn refund(books: &mut Books, id: &str, sent: &Json) -> (u16, Json) {
    let order = books.order(id).unwrap().clone();
    let gone: i64 = order.refunds.iter().filter(|refund| refund.status != "FAILED").map(|refund| refund.amount).sum();
    let Some(amount) = cents(&sent["amount"]).filter(|amount| *amount > 0) else {
        return unprocessable("CANNOT_BE_ZERO_OR_NEGATIVE");
    };
    if gone == order.amount {
        return unprocessable("CAPTURE_FULLY_REFUNDED");
    }
    if amount > order.amount - gone {
        return unprocessable("REFUND_AMOUNT_EXCEEDED");
    }
    let pending = matches!(order.funding, Funding::PendingRefund | Funding::FailingRefund);
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let refund = FakeRefund {
        id: books.id("1R"),
        amount,
        status: if pending { "PENDING" } else { "COMPLETED" },
        custom_id: text(&sent["custom_id"]),
        note: text(&sent["note_to_payer"]),
    };
    books.order_mut(id).refunds.push(refund.clone());
    let resource = books.refund_json(&order, &refund);
    if !pending {
        let capture = order.capture.as_ref().map(|(id, _)| id.clone());
        books.line(&refund.id, "T1107", -amount, 0, capture.as_deref(), &refund.custom_id);
        books.event("PAYMENT.CAPTURE.REFUNDED", resource.clone());
    }
    (201, resource)
}

pub(super) fn get(books: &Books, path: &str, query: &str) -> (u16, Json) {
    let parsed = reqwest::Url::parse(&format!("http://fake/?{query}")).unwrap();
    let field = |name: &str| parsed.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    let number = |name: &str| field(name).and_then(|text| text.parse::<usize>().ok());
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["v2", "checkout", "orders", id] if books.order(id).is_some() => (200, books.order_json(id)),
        ["v2", "payments", kind @ ("captures" | "authorizations"), id] => {
            let capture = *kind == "captures";
            let own = |order: &&FakeOrder| {
                let payment = if capture { &order.capture } else { &order.authorization };
                payment.as_ref().is_some_and(|(own, _)| own == id)
            };
            books.orders.iter().find(own).map_or_else(missing, |order| (200, books.payment_json(&order.id, capture)))
        }
        ["v2", "payments", "refunds", id] => {
            let all = books.orders.iter().flat_map(|order| order.refunds.iter().map(move |refund| (order, refund)));
            let found = all.into_iter().find(|(_, refund)| refund.id == *id);
            found.map_or_else(missing, |(order, refund)| (200, books.refund_json(order, refund)))
        }
        ["v1", "customer", "disputes"] => {
            let wanted = field("disputed_transaction_id");
            let all = books.disputes.iter().map(|dispute| books.dispute_json(&dispute.0));
            let of = |dispute: &Json| {
                dispute["disputed_transactions"][0]["seller_transaction_id"].as_str() == wanted.as_deref()
            };
            (200, json!({ "items": all.filter(of).collect::<Vec<Json>>() }))
        }
        ["v1", "customer", "disputes", id] => {
            let order = id.trim_start_matches("PP-D-");
            match books.disputes.iter().any(|dispute| dispute.0 == order) {
                true => (200, books.dispute_json(order)),
                false => missing(),
            }
        }
        ["v1", "notifications", "webhooks-events"] => {
            let from = number("from").unwrap_or(0);
            let size = number("page_size").unwrap().min(2);
            let events: Vec<Json> = books.events.iter().rev().skip(from).take(size).cloned().collect();
            let next = format!("{}{path}?page_size=2&from={}", "https://api.paypal.com", from + size);
            let links =
                if from + size < books.events.len() { json!([{ "rel": "next", "href": next }]) } else { json!([]) };
            (200, json!({ "count": events.len(), "events": events, "links": links }))
        }
        ["v1", "reporting", "transactions"] => {
            let (start, end) = (field("start_date").unwrap(), field("end_date").unwrap());
            let within = |line: &&Json| {
                let at =
                    line["transaction_info"]["transaction_initiation_date"].as_str().unwrap().replace("+0000", "Z");
                (start.as_str()..=end.as_str()).contains(&at.as_str())
            };
            let lines: Vec<Json> = books.report.iter().filter(within).cloned().collect();
            let (size, page) = (number("page_size").unwrap().min(2), number("page").unwrap());
            let shown: Vec<Json> = lines.iter().skip((page - 1) * size).take(size).cloned().collect();
            let pages = lines.len().div_ceil(size).max(1);
            (
                200,
                json!({ "transaction_details": shown, "page": page, "total_items": lines.len(), "total_pages": pages }),
            )
        }
        _ => missing(),
    }
}
