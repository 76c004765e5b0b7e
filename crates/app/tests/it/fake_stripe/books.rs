//! What the fake keeps: intents, refunds, disputes, the balance, events; and what customers and banks do.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// What a test payment method does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Card {
    Good,
    Declined(&'static str, Option<&'static str>),
    Authenticate,
    PendingRefund,
    FailingRefund,
    Disputed,
    Pix,
}

impl Card {
    pub(super) fn of(method: &str) -> Option<Card> {
        Some(match method {
            "pm_card_visa" | "pm_card_mastercard" | "tok_visa" => Card::Good,
            "pm_card_visa_chargeDeclined" | "tok_chargeDeclined" => {
                Card::Declined("card_declined", Some("generic_decline"))
            }
            "pm_card_visa_chargeDeclinedInsufficientFunds" => {
                Card::Declined("card_declined", Some("insufficient_funds"))
            }
            "pm_card_visa_chargeDeclinedLostCard" => Card::Declined("card_declined", Some("lost_card")),
            "pm_card_chargeDeclinedExpiredCard" => Card::Declined("expired_card", None),
            "pm_card_chargeDeclinedIncorrectCvc" => Card::Declined("incorrect_cvc", None),
            "pm_card_chargeDeclinedProcessingError" => Card::Declined("processing_error", None),
            "pm_card_authenticationRequired" | "pm_card_threeDSecure2Required" => Card::Authenticate,
            "pm_card_pendingRefund" => Card::PendingRefund,
            "pm_card_refundFail" => Card::FailingRefund,
            "pm_card_createDispute" => Card::Disputed,
            "pix" => Card::Pix,
            _ => return None,
        })
    }
}

#[derive(Debug, Clone)]
pub(crate) struct FakeIntent {
    pub(crate) id: String,
    pub(super) card: Card,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(crate) status: &'static str,
    pub(super) received: i64,
    pub(crate) refunded: i64,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) error: Option<Json>,
    pub(super) return_url: String,
    pub(super) created: i64,
    /// The line of its capture in the balance.
    pub(super) transaction: Option<String>,
}

impl FakeIntent {
    /// What was taken.
    pub(crate) fn received(&self) -> i64 {
        self.received
    }
}

#[derive(Debug, Clone)]
pub(crate) struct FakeRefund {
    pub(super) id: String,
    pub(super) intent: String,
    pub(super) amount: i64,
    pub(super) status: &'static str,
    pub(super) metadata: BTreeMap<String, String>,
}

#[derive(Default)]
pub(crate) struct Books {
    pub(super) url: String,
    next: u64,
    /// The time, in seconds since the epoch, moved on for tests.
    pub(crate) intents: Vec<FakeIntent>,
    pub(super) refunds: Vec<FakeRefund>,
    /// Intent -> status of its dispute.
    pub(super) disputes: BTreeMap<String, &'static str>,
    pub(super) transactions: Vec<Json>,
    pub(crate) events: Vec<Json>,
    /// The currency in which the account is settled, if not that of the payments.
    pub(crate) settles_in: Option<&'static str>,
    /// Whether the fee of a payment is not told until [`Books::tell_fees`].
    pub(crate) hides_fees: bool,
}

fn now() -> i64 {
    store::clock::now_ms() / 1000
}

impl Books {
    pub(super) fn id(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}_fake{:08}", self.next)
    }

    pub(crate) fn intent(&self, id: &str) -> Option<&FakeIntent> {
        self.intents.iter().find(|intent| intent.id == id)
    }

    /// The intent that was made for an order last.
    pub(crate) fn intent_of(&self, order: &str) -> Option<&FakeIntent> {
        self.intents.iter().rev().find(|intent| intent.metadata.get("order_id").map(String::as_str) == Some(order))
    }

    pub(super) fn event(&mut self, kind: &str, object: Json) {
        let id = self.id("evt");
        self.events
            .push(json!({ "id": id, "object": "event", "type": kind, "created": now(), "data": { "object": object } }));
    }

    /// Changes an intent and tells of it.
    pub(super) fn update(&mut self, id: &str, event: Option<&str>, change: impl FnOnce(&mut FakeIntent)) {
        let intent = self.intents.iter_mut().find(|intent| intent.id == id).unwrap();
        change(intent);
        let object = self.intent_json(id, false);
        if let Some(event) = event {
            self.event(event, object);
        }
    }

    pub(super) fn transaction(&mut self, kind: &str, category: &str, amount: i64, fee: i64, source: Json) -> String {
        let id = self.id("txn");
        self.transactions.push(json!({
            "id": id, "object": "balance_transaction", "type": kind, "reporting_category": category, "amount": amount,
            "fee": fee, "net": amount - fee, "currency": self.settles_in.unwrap_or("brl"), "created": now(), "source": source, "payout": null,
        }));
        id
    }

    pub(super) fn take(&mut self, id: &str) {
        let intent = self.intent(id).unwrap().clone();
        let fee = intent.amount * 399 / 10_000 + 39;
        let charge = json!({
            "id": id.replace("pi_", "ch_"), "object": "charge", "payment_intent": id, "metadata": intent.metadata,
        });
        let transaction = self.transaction("charge", "charge", intent.amount, fee, charge);
        self.update(id, Some("payment_intent.succeeded"), |intent| {
            intent.status = "succeeded";
            intent.received = intent.amount;
            intent.transaction = Some(transaction);
        });
        if intent.card == Card::Disputed {
            self.dispute(id);
        }
    }

    /// The customer authenticates with the bank, or does not.
    pub(crate) fn authenticate(&mut self, id: &str, approve: bool) {
        if approve {
            self.update(id, Some("payment_intent.amount_capturable_updated"), |intent| {
                intent.status = "requires_capture"
            });
        } else {
            self.refuse(id, "payment_intent_authentication_failure", None);
        }
    }

    pub(super) fn refuse(&mut self, id: &str, code: &str, decline: Option<&str>) {
        let error = json!({ "type": "card_error", "code": code, "decline_code": decline, "message": "Your card was declined." });
        self.update(id, Some("payment_intent.payment_failed"), |intent| {
            intent.status = "requires_payment_method";
            intent.error = Some(error);
        });
    }

    /// The customer pays in Stripe's form on the page, or is declined there.
    pub(crate) fn pay_in_form(&mut self, id: &str, good: bool) {
        assert_eq!(self.intent(id).unwrap().status, "requires_payment_method");
        if good {
            self.update(id, Some("payment_intent.amount_capturable_updated"), |intent| {
                intent.status = "requires_capture";
                intent.error = None;
            });
        } else {
            self.refuse(id, "card_declined", None);
        }
    }

    /// The customer pays a Pix.
    pub(crate) fn pay_pix(&mut self, id: &str) {
        assert_eq!(self.intent(id).unwrap().status, "requires_action");
        self.take(id);
    }

    /// The hold ends, and nobody took the amount.
    pub(crate) fn expire_hold(&mut self, id: &str) {
        self.update(id, Some("payment_intent.canceled"), |intent| intent.status = "canceled");
    }

    pub(crate) fn is_pix(&self, id: &str) -> bool {
        self.intent(id).is_some_and(|intent| intent.card == Card::Pix)
    }

    /// Whether a dispute waits to be decided.
    pub(crate) fn is_disputed(&self, id: &str) -> bool {
        self.disputes.get(id) == Some(&"needs_response")
    }

    /// What Stripe owes the shop.
    pub(crate) fn balance(&mut self) -> i64 {
        self.transactions.iter().map(|line| line["net"].as_i64().unwrap()).sum()
    }

    pub(crate) fn tell_fees(&mut self) {
        self.hides_fees = false;
    }

    /// Pending refunds succeed; those of the failing card come back.
    pub(crate) fn end_refunds(&mut self) {
        for at in 0..self.refunds.len() {
            let refund = self.refunds[at].clone();
            let card = self.intent(&refund.intent).unwrap().card;
            let (status, kind) = match (refund.status, card) {
                ("pending", _) => ("succeeded", "refund.updated"),
                ("succeeded", Card::FailingRefund) => ("failed", "refund.failed"),
                _ => continue,
            };
            self.refunds[at].status = status;
            if status == "failed" {
                let source = json!({ "id": refund.id, "object": "refund", "payment_intent": refund.intent });
                self.transaction("refund_failure", "refund_failure", refund.amount, 0, source);
                self.update(&refund.intent, None, |intent| intent.refunded -= refund.amount);
            }
            let object = self.refund_json(&self.refunds[at].clone());
            self.event(kind, object);
        }
    }

    /// The customer's bank takes the money back.
    pub(crate) fn dispute(&mut self, id: &str) {
        let amount = self.intent(id).unwrap().amount;
        self.disputes.insert(id.to_owned(), "needs_response");
        self.transaction(
            "adjustment",
            "dispute",
            -amount,
            1_500,
            json!({ "id": id.replace("pi_", "dp_"), "payment_intent": id }),
        );
        let object = self.dispute_json(id);
        self.event("charge.dispute.created", object.clone());
        self.event("charge.dispute.funds_withdrawn", object);
    }

    pub(crate) fn close_dispute(&mut self, id: &str, won: bool) {
        let amount = self.intent(id).unwrap().amount;
        self.disputes.insert(id.to_owned(), if won { "won" } else { "lost" });
        if won {
            let source = json!({ "id": id.replace("pi_", "dp_"), "payment_intent": id });
            self.transaction("adjustment", "dispute_reversal", amount, 0, source);
        }
        let object = self.dispute_json(id);
        self.event("charge.dispute.closed", object);
    }

    /// Somebody gives money back in Stripe's dashboard.
    pub(crate) fn refund_by_hand(&mut self, id: &str, amount: i64) {
        let refund = FakeRefund {
            id: self.id("re"),
            intent: id.to_owned(),
            amount,
            status: "succeeded",
            metadata: BTreeMap::new(),
        };
        self.transaction("refund", "refund", -amount, 0, json!({ "id": refund.id, "payment_intent": id }));
        self.update(id, None, |intent| intent.refunded += amount);
        let object = self.refund_json(&refund);
        self.refunds.push(refund);
        self.event("refund.created", object);
    }

    /// Pays out all there is; answers the payout's id.
    pub(crate) fn pay_out(&mut self) -> String {
        let id = self.id("po");
        let open = self.transactions.iter_mut().filter(|line| line["payout"].is_null() && line["type"] != "payout");
        let mut sum = 0;
        for line in open {
            line["payout"] = id.as_str().into();
            sum += line["net"].as_i64().unwrap();
        }
        self.transaction("payout", "payout", -sum, 0, json!({ "id": id, "object": "payout" }));
        self.transactions.last_mut().unwrap()["payout"] = id.as_str().into();
        id
    }

    pub(super) fn intent_json(&self, id: &str, expand: bool) -> Json {
        let intent = self.intent(id).unwrap();
        let charged = matches!(intent.status, "requires_capture" | "succeeded");
        let charge_id = id.replace("pi_", "ch_");
        let latest_charge = match (charged, expand) {
            (false, _) => Json::Null,
            (true, false) => json!(charge_id),
            (true, true) => {
                let line = self
                    .transactions
                    .iter()
                    .find(|line| Some(line["id"].as_str().unwrap()) == intent.transaction.as_deref());
                json!({
                    "id": charge_id, "object": "charge", "amount_refunded": intent.refunded, "payment_intent": id,
                    "metadata": intent.metadata,
                    "balance_transaction": line.filter(|_| !self.hides_fees),
                    "payment_method_details": {
                        "type": "card",
                        "card": { "brand": "visa", "last4": "4242", "capture_before": intent.created + 7 * 86_400 },
                    },
                })
            }
        };
        let next_action = match (intent.status, intent.card) {
            ("requires_action", Card::Pix) => json!({
                "type": "pix_display_qr_code",
                "pix_display_qr_code": { "data": "00020126580014br.gov.bcb.pix", "hosted_instructions_url": "https://example.com" },
            }),
            ("requires_action", _) => json!({
                "type": "redirect_to_url",
                "redirect_to_url": { "url": format!("{}/3ds/{id}", self.url), "return_url": intent.return_url },
            }),
            _ => Json::Null,
        };
        json!({
            "id": id, "object": "payment_intent", "amount": intent.amount, "amount_received": intent.received,
            "amount_capturable": if intent.status == "requires_capture" { intent.amount } else { 0 },
            "currency": intent.currency, "status": intent.status, "metadata": intent.metadata, "created": intent.created,
            "capture_method": if intent.card == Card::Pix { "automatic" } else { "manual" },
            "last_payment_error": intent.error, "next_action": next_action, "latest_charge": latest_charge,
        })
    }

    pub(super) fn refund_json(&self, refund: &FakeRefund) -> Json {
        json!({
            "id": refund.id, "object": "refund", "amount": refund.amount, "currency": "brl", "status": refund.status,
            "payment_intent": refund.intent, "metadata": refund.metadata,
            "failure_reason": if refund.status == "failed" { json!("expired_or_canceled_card") } else { Json::Null },
        })
    }

    fn dispute_json(&self, id: &str) -> Json {
        let intent = self.intent(id).unwrap();
        let dispute = id.replace("pi_", "dp_");
        let lines: Vec<&Json> =
            self.transactions.iter().filter(|line| line["source"]["id"].as_str() == Some(dispute.as_str())).collect();
        json!({
            "id": dispute, "object": "dispute", "amount": intent.amount, "currency": "brl", "status": self.disputes[id],
            "reason": "fraudulent", "payment_intent": id, "balance_transactions": lines,
            "evidence_details": { "due_by": now() + 7 * 86_400 },
        })
    }
}
