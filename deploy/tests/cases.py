"""The cases that every installation must show: each takes a shop and answers what is to be equal everywhere."""

import hashlib
import time

from shop import Unexpected, card

GOOD = card("4242424242424242")


def outcome(placed, **more):
    """How an order ended: state, money, messages, states of its flows."""
    ended = placed.ended()
    order = placed.show()
    payment = order["payment"]
    wanted = more.pop("mails", None)
    if wanted is not None:
        placed.shop.until(f"{wanted} mails", lambda: len(placed.mails()) >= wanted)
    return {
        "status": order["status"],
        "timeline": [step["status"] for step in order["timeline"]],
        "payment": {field: payment[field] for field in ("status", "method", "attempts", "amount", "captured", "refunded")},
        "delivery": order["delivery"]["status"],
        "receipt": "receipt" in order,
        "needsAttention": bool(order.get("needsAttention")),
        "mails": placed.mails(),
        "flows": ended,
        "states": placed.shop.visited(placed.id),
        **more,
    }


def delivered(shop):
    """Payment accepted by webhook, receipt by its link, kitchen, courier, delivered."""
    shop.product("case-delivered", 5)
    placed = shop.placed("case-delivered", GOOD, quantity=2, courier=True, key="case-delivered")
    again = shop.placed("case-delivered", GOOD, quantity=2, courier=True, key="case-delivered")
    if again.id != placed.id:
        raise Unexpected("the same key made a second order")
    placed.until("RECEIVED")
    link = shop.get(f"/v1/orders/{placed.id}/receipt?t={placed.token}")
    status, body = shop.call("GET", link["url"])
    if status != 200 or not body.startswith(b"%PDF") or hashlib.sha256(body).hexdigest() != link["sha256"]:
        raise Unexpected(f"the receipt's link answered {status}, not the receipt")
    forged = link["url"].replace("ignature=", "ignature=0")
    if shop.call("GET", forged)[0] == 200:
        raise Unexpected("a forged link was answered")
    placed.kitchen("start", "ready")
    placed.until("COMPLETED")
    return outcome(placed, mails=6, left=shop.available("case-delivered"))


def refused(shop):
    """The first card is refused, the second is taken; the customer fetches the order."""
    shop.product("case-refused", 5)
    placed = shop.placed("case-refused", card("4000000000000002"))
    # Not sooner: an emulator may lose the answer to a token that comes while the step that waits for it is still called.
    shop.until("the refusal", lambda: shop.visited(placed.id).get("order.AwaitPayment"))
    time.sleep(3)
    placed.pay(GOOD)
    placed.until("RECEIVED")
    placed.kitchen("start", "ready", "handover")
    placed.until("COMPLETED")
    return outcome(placed, mails=5, left=shop.available("case-refused"))


def out_of_stock(shop):
    """More than there is: rejected before anything is paid, and nothing is left behind."""
    shop.product("case-short", 1)
    placed = shop.placed("case-short", GOOD, quantity=2)
    placed.until("REJECTED")
    return outcome(placed, mails=1, left=shop.available("case-short"))


def stock_gone(shop):
    """While the webhook is on its way, the reservation is given back and the stock leaves: the hold is voided."""
    shop.product("case-gone", 1)
    placed = shop.placed("case-gone", card("4000000000100018"))
    shop.until("the reservation", lambda: shop.visited(placed.id).get("order.RequestPayment"))
    shop.run_function("ReleaseStock", {"orderId": placed.id, "step": f"{placed.id}/by hand"})
    shop.adjust("case-gone", -1)
    placed.until("REJECTED")
    return outcome(placed, left=shop.available("case-gone"))


def capture_refused(shop):
    """The provider holds the money and then refuses to take it: everything is undone."""
    shop.product("case-capture", 3)
    placed = shop.placed("case-capture", card("4000000000100059"))
    placed.until("REJECTED")
    return outcome(placed, left=shop.available("case-capture"))


def webhook_never_comes(shop):
    """Polling finds what the provider did not say."""
    shop.product("case-silent", 3)
    placed = shop.placed("case-silent", card("4000000000100034"))
    placed.until("RECEIVED", patience=max(shop.patience, 120))
    placed.kitchen("start", "ready", "handover")
    placed.until("COMPLETED")
    return outcome(placed, left=shop.available("case-silent"))


def money_is_kept(shop):
    """The provider gives nothing back, however often it is asked: a dead letter, and a person is called."""
    shop.product("case-kept", 3)
    placed = shop.placed("case-kept", card("4000000000100067"))
    placed.until("RECEIVED")
    placed.act(f"/v1/orders/{placed.id}/cancel?t={placed.token}", {"reason": "changed my mind"}, staff=False)
    placed.until("CANCELLED", patience=max(shop.patience, 180))
    return outcome(placed, left=shop.available("case-kept"))


CASES = [delivered, refused, out_of_stock, stock_gone, capture_refused, webhook_never_comes, money_is_kept]
