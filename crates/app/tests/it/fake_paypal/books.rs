//! What the fake keeps: orders with their authorization, capture and refunds, disputes, the report, events; and what buyers
//! and banks do.

use serde_json::{Value as Json, json};

/// What a buyer pays with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Funding {
    Good,
    Declined,
    PendingRefund,
    FailingRefund,
}

impl Funding {
    /// The one that stands for a test card of Stripe's.
    pub(crate) fn of(number: &str) -> Funding {
        match number {
            "4000000000000002" => Funding::Declined,
            "4000000000007726" => Funding::PendingRefund,
            "4000000000005126" => Funding::FailingRefund,
            _ => Funding::Good,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct FakeOrder {
    pub(crate) id: String,
    pub(super) intent: String,
    pub(crate) custom_id: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(crate) status: &'static str,
    pub(super) funding: Funding,
    pub(super) return_url: String,
    pub(super) created: i64,
    /// Its id and status.
    pub(crate) authorization: Option<(String, &'static str)>,
    pub(crate) capture: Option<(String, &'static str)>,
    pub(crate) refunds: Vec<FakeRefund>,
}

impl FakeOrder {
    /// Where the buyer comes back to.
    pub(crate) fn return_url(&self) -> &str {
        &self.return_url
    }
}

#[derive(Debug, Clone)]
pub(crate) struct FakeRefund {
    pub(super) id: String,
    pub(crate) amount: i64,
    pub(super) status: &'static str,
    pub(super) custom_id: String,
    pub(crate) note: String,
}

#[derive(Default)]
pub(crate) struct Books {
    pub(super) url: String,
    next: u64,
    pub(crate) orders: Vec<FakeOrder>,
    /// Order, its dispute's status and outcome.
    pub(super) disputes: Vec<(String, &'static str, &'static str)>,
    pub(super) report: Vec<Json>,
    pub(crate) events: Vec<Json>,
}

fn now() -> i64 {
    store::clock::now_ms()
}

/// A time as PayPal writes it.
pub(super) fn time(at_ms: i64) -> String {
    let seconds = at_ms.div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil from days (Howard Hinnant).
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

pub(super) fn money(amount: i64, currency: &str) -> Json {
    let sign = if amount < 0 { "-" } else { "" };
    let amount = amount.abs();
    json!({ "currency_code": currency, "value": format!("{sign}{}.{:02}", amount / 100, amount % 100) })
}

pub(super) fn fee_of(amount: i64) -> i64 {
    amount * 399 / 10_000 + 39
}

impl Books {
    /// An id as PayPal makes them: 17 letters and digits.
    pub(super) fn id(&mut self, begin: &str) -> String {
        self.next += 1;
        format!("{begin}{:0width$}", self.next, width = 17 - begin.len())
    }

    pub(crate) fn order(&self, id: &str) -> Option<&FakeOrder> {
        self.orders.iter().find(|order| order.id == id)
    }

    /// The order that was made for an order of ours last.
    pub(crate) fn order_of(&self, ours: &str) -> Option<&FakeOrder> {
        self.orders.iter().rev().find(|order| order.custom_id.split('/').next() == Some(ours))
    }

    pub(super) fn order_mut(&mut self, id: &str) -> &mut FakeOrder {
        self.orders.iter_mut().find(|order| order.id == id).unwrap()
    }

    pub(super) fn event(&mut self, kind: &str, resource: Json) {
        let id = format!("WH-{}", self.id("5"));
        self.events.push(json!({
            "id": id, "event_version": "1.0", "create_time": time(now()), "event_type": kind, "resource": resource,
        }));
    }

    /// The buyer logs in and agrees to pay with that.
    pub(crate) fn approve(&mut self, id: &str, funding: Funding) {
        let order = self.order_mut(id);
        assert!(matches!(order.status, "CREATED" | "PAYER_ACTION_REQUIRED"), "{}", order.status);
        order.status = "APPROVED";
        order.funding = funding;
        let order = self.order_json(id);
        self.event("CHECKOUT.ORDER.APPROVED", order);
    }

    /// PayPal calls a hold off, as when it ends.
    pub(crate) fn void_hold(&mut self, id: &str) {
        if let Some((_, status)) = &mut self.order_mut(id).authorization {
            *status = "VOIDED";
        }
        let resource = self.payment_json(id, false);
        self.event("PAYMENT.AUTHORIZATION.VOIDED", resource);
    }

    /// Takes the amount of an order.
    pub(super) fn take(&mut self, id: &str) {
        let capture = self.id("3C");
        let order = self.order_mut(id);
        order.status = "COMPLETED";
        order.capture = Some((capture.clone(), "COMPLETED"));
        if let Some((_, status)) = &mut order.authorization {
            *status = "CAPTURED";
        }
        let (amount, custom) = (order.amount, order.custom_id.clone());
        let reference = order.authorization.as_ref().map(|(id, _)| id.clone());
        self.line(&capture, "T0006", amount, -fee_of(amount), reference.as_deref(), &custom);
        let resource = self.payment_json(id, true);
        self.event("PAYMENT.CAPTURE.COMPLETED", resource);
    }

    pub(super) fn line(&mut self, id: &str, code: &str, amount: i64, fee: i64, reference: Option<&str>, custom: &str) {
        let at = time(now()).replace('Z', "+0000");
        self.report.push(json!({ "transaction_info": {
            "transaction_id": id, "paypal_reference_id": reference, "paypal_reference_id_type": "TXN",
            "transaction_event_code": code, "transaction_initiation_date": at, "transaction_updated_date": at,
            "transaction_amount": money(amount, "BRL"), "fee_amount": money(fee, "BRL"), "transaction_status": "S",
            "custom_field": custom,
        }}));
    }

    /// What PayPal owes the shop.
    pub(crate) fn balance(&self) -> i64 {
        let cents = |value: &Json| value["value"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
        let lines = self.report.iter().map(|line| &line["transaction_info"]);
        lines.map(|line| cents(&line["transaction_amount"]) + cents(&line["fee_amount"])).sum()
    }

    /// Pending refunds end, well or badly.
    pub(crate) fn end_refunds(&mut self) {
        for at in 0..self.orders.len() {
            let order = self.orders[at].clone();
            for (place, refund) in order.refunds.iter().enumerate().filter(|(_, refund)| refund.status == "PENDING") {
                let fails = order.funding == Funding::FailingRefund;
                self.orders[at].refunds[place].status = if fails { "FAILED" } else { "COMPLETED" };
                if !fails {
                    let capture = order.capture.as_ref().map(|(id, _)| id.clone());
                    self.line(&refund.id, "T1107", -refund.amount, 0, capture.as_deref(), &refund.custom_id);
                }
                let resource = self.refund_json(&self.orders[at], &self.orders[at].refunds[place].clone());
                self.event(if fails { "PAYMENT.REFUND.FAILED" } else { "PAYMENT.CAPTURE.REFUNDED" }, resource);
            }
        }
    }

    /// The buyer's bank disputes the payment; PayPal sets the amount aside.
    pub(crate) fn dispute(&mut self, id: &str) {
        self.disputes.push((id.to_owned(), "WAITING_FOR_SELLER_RESPONSE", "NONE"));
        let (hold, amount) = (self.id("9H"), self.order(id).unwrap().amount);
        let capture = self.order(id).unwrap().capture.clone().unwrap().0;
        self.line(&hold, "T1110", -amount, 0, Some(&capture), "");
        let resource = self.dispute_json(id);
        self.event("CUSTOMER.DISPUTE.CREATED", resource);
    }

    pub(crate) fn close_dispute(&mut self, id: &str, won: bool) {
        let dispute = self.disputes.iter_mut().find(|dispute| dispute.0 == id).unwrap();
        dispute.1 = "RESOLVED";
        dispute.2 = if won { "RESOLVED_SELLER_FAVOUR" } else { "RESOLVED_BUYER_FAVOUR" };
        let (release, reversal, amount) = (self.id("9R"), self.id("9V"), self.order(id).unwrap().amount);
        let capture = self.order(id).unwrap().capture.clone().unwrap().0;
        self.line(&release, "T1111", amount, 0, Some(&capture), "");
        if !won {
            self.line(&reversal, "T1106", -amount, 0, Some(&capture), "");
        }
        let resource = self.dispute_json(id);
        self.event("CUSTOMER.DISPUTE.RESOLVED", resource);
    }

    /// The shop withdraws what there is to its bank.
    pub(crate) fn withdraw(&mut self) -> String {
        let (id, balance) = (self.id("7W"), self.balance());
        self.line(&id, "T0403", -balance, 0, None, "");
        id
    }

    pub(super) fn order_json(&self, id: &str) -> Json {
        let order = self.order(id).unwrap();
        let mut payments = serde_json::Map::new();
        if order.authorization.is_some() {
            payments.insert("authorizations".into(), json!([self.payment_json(id, false)]));
        }
        if order.capture.is_some() {
            payments.insert("captures".into(), json!([self.payment_json(id, true)]));
        }
        if !order.refunds.is_empty() {
            let refunds: Vec<Json> = order.refunds.iter().map(|refund| self.refund_json(order, refund)).collect();
            payments.insert("refunds".into(), refunds.into());
        }
        let open = matches!(order.status, "CREATED" | "PAYER_ACTION_REQUIRED");
        let link = json!({
            "rel": "payer-action", "method": "GET", "href": format!("{}/checkoutnow?token={id}", self.url),
        });
        let own = json!({ "rel": "self", "method": "GET", "href": format!("{}/v2/checkout/orders/{id}", self.url) });
        json!({
            "id": id, "intent": order.intent, "status": order.status, "create_time": time(order.created),
            "purchase_units": [{
                "reference_id": "default", "custom_id": order.custom_id,
                "amount": money(order.amount, &order.currency), "payments": payments,
            }],
            "links": if open { vec![own, link] } else { vec![own] },
        })
    }

    /// The capture, or the authorization, of an order.
    pub(super) fn payment_json(&self, id: &str, capture: bool) -> Json {
        let order = self.order(id).unwrap();
        let (payment, status) = if capture { &order.capture } else { &order.authorization }.clone().unwrap();
        let given_back: i64 = order.refunds.iter().filter(|r| r.status != "FAILED").map(|refund| refund.amount).sum();
        let status = match (capture, given_back) {
            (true, 1..) if given_back == order.amount => "REFUNDED",
            (true, 1..) => "PARTIALLY_REFUNDED",
            _ => status,
        };
        let amount = money(order.amount, &order.currency);
        let mut json = json!({
            "id": payment, "status": status, "amount": amount, "custom_id": order.custom_id,
            "create_time": time(order.created), "supplementary_data": { "related_ids": { "order_id": id } },
        });
        if capture {
            let fee = fee_of(order.amount);
            json["final_capture"] = true.into();
            json["seller_receivable_breakdown"] = json!({
                "gross_amount": amount, "paypal_fee": money(fee, &order.currency),
                "net_amount": money(order.amount - fee, &order.currency),
            });
        } else {
            json["expiration_time"] = time(order.created + 29 * 86_400_000).into();
        }
        json
    }

    pub(super) fn refund_json(&self, order: &FakeOrder, refund: &FakeRefund) -> Json {
        let capture = order.capture.as_ref().map(|(id, _)| id.as_str()).unwrap_or_default();
        json!({
            "id": refund.id, "status": refund.status, "amount": money(refund.amount, &order.currency),
            "custom_id": refund.custom_id, "note_to_payer": refund.note, "create_time": time(now()),
            "links": [
                { "rel": "self", "method": "GET", "href": format!("{}/v2/payments/refunds/{}", self.url, refund.id) },
                { "rel": "up", "method": "GET", "href": format!("{}/v2/payments/captures/{capture}", self.url) },
            ],
        })
    }

    pub(super) fn dispute_json(&self, id: &str) -> Json {
        let order = self.order(id).unwrap();
        let (_, status, outcome) = self.disputes.iter().find(|dispute| dispute.0 == id).unwrap();
        json!({
            "dispute_id": format!("PP-D-{id}"), "reason": "UNAUTHORISED", "status": status,
            "disputed_transactions": [{ "seller_transaction_id": order.capture.as_ref().map(|(id, _)| id) }],
            "dispute_amount": money(order.amount, &order.currency), "dispute_life_cycle_stage": "CHARGEBACK",
            "dispute_outcome": { "outcome_code": outcome },
            "seller_response_due_date": time(now() + 10 * 86_400_000),
        })
    }

    /// An object as it is now.
    pub(super) fn latest(&self, object: &Json) -> Json {
        let id = object["id"].as_str().unwrap_or_default();
        match self.order(id) {
            Some(_) => self.order_json(id),
            None => object.clone(),
        }
    }
}
