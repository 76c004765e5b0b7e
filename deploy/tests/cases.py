"""The cases that every installation must show: each takes a shop and answers what is to be equal everywhere."""

from shop import Unexpected, card, normal

GOOD = card("4242424242424242")
PAID = ["received", "payment-confirmed"]
KITCHEN = ["in-preparation", "ready", "delivered"]


def outcome(placed, mails, **more):
    """How an order ended: everything that does not name an instant or an id. `mails`: the events that the customer is told of."""
    ended = placed.ended()
    placed.shop.until(f"the mails {mails}", lambda: [mail["event"] for mail in placed.mails()] == sorted(mails))
    told = {
        "order": placed.show(),
        "payment": placed.shop.get(f"/v1/payments/{placed.id}", staff=True),
        "refunds": placed.shop.get(f"/v1/payments/{placed.id}/refunds", staff=True)["items"],
        "mails": placed.mails(),
        "books": placed.books(),
        "states": placed.shop.visited(placed.id),
    }
    told["order"]["timeline"], told["order"]["notes"] = apart(told["order"]["timeline"])
    return {**normal(told), "flows": ended, **more}


def apart(timeline):
    """The changes of the status, and apart from them, in no order, the notes: a refund's flow writes its own while the order's
    goes on."""
    before = [None, *(step["status"] for step in timeline)]
    changes = [step for step, status in zip(timeline, before) if step["status"] != status]
    return changes, sorted(step.get("detail", "") for step in timeline if step not in changes)


def delivered(shop):
    """Payment accepted by webhook, receipt by its link, kitchen, courier, delivered."""
    shop.product("case-delivered", 5)
    placed = shop.placed("case-delivered", GOOD, quantity=2, courier=True, key="case-delivered")
    again = shop.placed("case-delivered", GOOD, quantity=2, courier=True, key="case-delivered")
    if again.id != placed.id:
        raise Unexpected("the same key made a second order")
    placed.until("RECEIVED")
    link = shop.get(f"/v1/orders/{placed.id}/receipt?t={placed.token}")
    shop.download(link)
    forged = link["url"].replace("ignature=", "ignature=0")
    if shop.call("GET", forged)[0] == 200:
        raise Unexpected("a forged link was answered")
    placed.kitchen("start", "ready")
    placed.until("COMPLETED")
    return outcome(placed, PAID + KITCHEN + ["out-for-delivery"], left=shop.available("case-delivered"))


def refused(shop):
    """The first card is refused, the second is taken; the customer fetches the order."""
    shop.product("case-refused", 5)
    placed = shop.placed("case-refused", card("4000000000000002"))
    # Not sooner: the order notes the reason of the refusal only while no other try is under way.
    shop.until("the refusal", lambda: any(mail["event"] == "payment-refused" for mail in placed.mails()))
    placed.pay(GOOD)
    placed.until("RECEIVED")
    placed.kitchen("start", "ready", "handover")
    placed.until("COMPLETED")
    return outcome(placed, PAID + KITCHEN + ["payment-refused"], left=shop.available("case-refused"))


def out_of_stock(shop):
    """More than there is: rejected before anything is paid, and nothing is left behind."""
    shop.product("case-short", 1)
    placed = shop.placed("case-short", GOOD, quantity=2)
    placed.until("REJECTED")
    return outcome(placed, ["rejected"], left=shop.available("case-short"))


def stock_gone(shop):
    """While the webhook is on its way, the reservation is given back and the stock leaves: the hold is voided."""
    shop.product("case-gone", 1)
    placed = shop.placed("case-gone", card("4000000000100018"))
    shop.until("the reservation", lambda: shop.visited(placed.id).get("order.RequestPayment"))
    shop.run_function("ReleaseStock", {"orderId": placed.id, "step": f"{placed.id}/by hand"})
    shop.adjust("case-gone", -1)
    placed.until("REJECTED")
    return outcome(placed, ["received", "rejected"], left=shop.available("case-gone"))


def capture_refused(shop):
    """The provider holds the money and then refuses to take it: everything is undone."""
    shop.product("case-capture", 3)
    placed = shop.placed("case-capture", card("4000000000100059"))
    placed.until("REJECTED")
    return outcome(placed, ["received", "rejected"], left=shop.available("case-capture"))


def webhook_never_comes(shop):
    """Polling finds what the provider did not say."""
    shop.product("case-silent", 3)
    placed = shop.placed("case-silent", card("4000000000100034"))
    placed.until("RECEIVED", patience=max(shop.patience, 120))
    placed.kitchen("start", "ready", "handover")
    placed.until("COMPLETED")
    return outcome(placed, PAID + KITCHEN, left=shop.available("case-silent"))


def money_is_kept(shop):
    """The provider gives nothing back, however often it is asked: a dead letter, and a person is called."""
    shop.product("case-kept", 3)
    placed = shop.placed("case-kept", card("4000000000100067"))
    placed.until("RECEIVED")
    placed.act(f"/v1/orders/{placed.id}/cancel?t={placed.token}", {"reason": "changed my mind"}, staff=False)
    placed.until("CANCELLED", patience=max(shop.patience, 180))
    return outcome(placed, PAID + ["cancelled"], left=shop.available("case-kept"))


def answers_are_lost(shop):
    """The provider does what it is asked and its first answer to each call is lost: every call is repeated, and takes effect
    once. Then the customer cancels, and the money goes back in the same way."""
    shop.product("case-lost", 3)
    placed = shop.placed("case-lost", card("4000000000100075"))
    placed.until("RECEIVED")
    placed.act(f"/v1/orders/{placed.id}/cancel?t={placed.token}", {"reason": "changed my mind"}, staff=False)
    placed.until("CANCELLED")
    placed.refunded(1)
    return outcome(placed, PAID + ["cancelled", "refunded"], left=shop.available("case-lost"))


def refunded_in_part(shop):
    """The staff gives a part back after the customer has fetched the order: a credit note and a mail tell of it."""
    shop.product("case-refund", 3)
    placed = shop.placed("case-refund", GOOD, quantity=2)
    placed.until("RECEIVED")
    placed.kitchen("start", "ready", "handover")
    placed.until("COMPLETED")
    placed.refund(700)
    (refund,) = placed.refunded(1)
    told = outcome(placed, PAID + KITCHEN + ["refunded"], left=shop.available("case-refund"))
    shop.download(shop.get(f"/v1/orders/{placed.id}/refunds/{refund['refundId']}/credit-note?t={placed.token}"))
    return told


def stopped_by_hand(shop):
    """Somebody stops the order's execution: the order goes before a person, who cancels it, and everything is undone."""
    shop.product("case-stopped", 3)
    placed = shop.placed("case-stopped", GOOD)
    placed.until("RECEIVED")
    shop.until("the kitchen's turn", lambda: shop.visited(placed.id).get("order.AwaitPreparation"))
    placed.stop("order")
    shop.until("the order to need a person", lambda: shop.get(f"/v1/orders/{placed.id}", staff=True).get("needsAttention"))
    placed.act(f"/v1/orders/{placed.id}/cancel", {"reason": "cannot go on"})
    placed.until("CANCELLED")
    placed.refunded(1)
    return outcome(placed, PAID + ["cancelled", "refunded"], left=shop.available("case-stopped"))


def dead_letter(shop, breaking, mending):
    """A consumer that can do nothing right: its message is dead after three receives. It is mended, and a person puts the message
    back. `breaking` and `mending` are done to the consumer of the provider's webhooks."""
    shop.product("case-dead", 1)
    breaking()
    placed = shop.placed("case-dead", GOOD)
    shop.until("the dead letter", lambda: shop.dead().get("simulator-webhooks"))
    mending()
    status, body = shop.call("POST", "/v1/queues/simulator-webhooks/redrive", staff=True)
    if status != 200:
        raise Unexpected(f"the messages were not put back: {status} {body}")
    shop.until("no dead letter", lambda: not shop.dead())
    placed.until("RECEIVED")


CASES = [delivered, refused, out_of_stock, stock_gone, capture_refused, webhook_never_comes, money_is_kept, answers_are_lost,
         refunded_in_part, stopped_by_hand]
