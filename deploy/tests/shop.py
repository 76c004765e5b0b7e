"""A running Comanda, wherever it runs: its HTTP interface and its Step Functions API.

The embedded server and AWS speak the same two protocols, so the cases in cases.py know no difference.
"""

import hashlib
import json
import re
import time
import urllib.error
import urllib.request
from collections import Counter

import boto3
from botocore.config import Config

ADDRESS = {"street": "Rua da Praia", "number": "100", "district": "Centro", "city": "Porto Alegre", "state": "RS", "postalCode": "90010-000"}
CUSTOMER = {"name": "Ana", "email": "ana@example.com"}
QUEUES = ["start-flow", "task-result", "mail", "ended-flows", "simulator-webhooks", "simulator-timers", "simulator-courier"]
POLL_SECONDS = 0.1
CALL_SECONDS = 35


# What differs from run to run, by the name of a field: instants, ids, numbers that are given in turn; the courier, whose name
# hangs on the order's id; and `revision`, since a step that is repeated after a conflict may write once more. And ids and
# numbers inside texts.
UNEQUAL = re.compile(r"(At|Before|Id|^at|^key|^number|^creditNote|^sha256|^revision|^intent|^providerRefund|^courier)$")
NAMES = re.compile(r"\b(ord|pay|pi|rfd|re|crn|ent)_[0-9a-z]{13}|\b([Pp]edido|[Oo]rder|n\.º|No\.) \d+")


def normal(value):
    """A value without what differs from run to run; that it is there stays."""
    if isinstance(value, dict):
        return {name: "…" if UNEQUAL.search(name) else normal(member) for name, member in value.items()}
    if isinstance(value, list):
        return [normal(member) for member in value]
    return NAMES.sub(lambda found: (found[1] or found[2]) + "…", value) if isinstance(value, str) else value


class Unexpected(AssertionError):
    """Something that the cases do not allow."""


def card(number):
    """A payment by card."""
    return {"type": "card", "number": number, "expMonth": 12, "expYear": 2034, "cvc": "123"}


class Shop:
    """`url`: of the HTTP interface. `token`: of a member of the staff, or None where there is no sign-in. `states`: the endpoint of
    Step Functions. `function`: from a placeholder's name to the ARN of its function. `prefix`: of the names of state machines.
    `patience`: seconds."""

    def __init__(self, url, states, function, role, token=None, prefix="", patience=60):
        self.url, self.function, self.role = url.rstrip("/"), function, role
        self.token, self.patience = token, patience
        config = Config(retries={"max_attempts": 3}, read_timeout=CALL_SECONDS, inject_host_prefix=False)
        self.states = boto3.client("stepfunctions", endpoint_url=states, region_name="us-east-1", aws_access_key_id="test",
                                   aws_secret_access_key="test", config=config)
        found = [m for page in self.states.get_paginator("list_state_machines").paginate() for m in page["stateMachines"]]
        self.machines = {m["name"].removeprefix(prefix): m["stateMachineArn"] for m in found if m["name"].startswith(prefix)}

    def call(self, method, path, body=None, staff=False, headers=None):
        """Status and JSON (or bytes) of an answer. `path` may be a whole address."""
        url = path if path.startswith("http") else self.url + path
        headers = {"Content-Type": "application/json", **(headers or {})}
        if staff and self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
                return answer.status, parsed(answer)
        except urllib.error.HTTPError as error:
            return error.code, parsed(error)

    def get(self, path, staff=False):
        """What a GET that must succeed answers."""
        status, body = self.call("GET", path, staff=staff)
        if status != 200:
            raise Unexpected(f"GET {path} answered {status}: {body}")
        return body

    def until(self, what, look, patience=None):
        """Waits for `look` to answer something, and answers it."""
        deadline = time.monotonic() + (patience or self.patience)
        while time.monotonic() < deadline:
            if found := look():
                return found
            time.sleep(POLL_SECONDS)
        raise Unexpected(f"waited in vain for {what}")

    def product(self, sku, stock):
        """Makes a product of its own for a case."""
        product = {"sku": sku, "name": sku, "description": "for a test", "category": "drink", "price": 1000, "options": [], "extras": [], "active": True}
        status, body = self.call("PUT", f"/v1/catalogue/products/{sku}", product, staff=True, headers={"If-None-Match": "*"})
        if status not in (200, 412):
            raise Unexpected(f"the product was not made: {status} {body}")
        if stock:
            self.adjust(sku, stock)

    def adjust(self, sku, delta):
        """Adds to the stock."""
        status, body = self.call("POST", f"/v1/catalogue/products/{sku}/stock", {"delta": delta, "reason": "test"}, staff=True)
        if status != 200:
            raise Unexpected(f"the stock was not changed: {status} {body}")

    def available(self, sku):
        """Units that can be sold."""
        return self.get(f"/v1/catalogue/products/{sku}")["stock"]["available"]

    def place(self, sku, payment, quantity=1, courier=False, key=None):
        """Places an order: status and answer."""
        body = {"customer": CUSTOMER, "lines": [{"sku": sku, "quantity": quantity}], "payment": payment}
        if courier:
            body["delivery"] = {"type": "courier", "address": ADDRESS}
        return self.call("POST", "/place-order", body, headers={"Idempotency-Key": key} if key else None)

    def placed(self, *args, **kwargs):
        """Places an order that must be taken."""
        # A new product is known everywhere within seconds only: each function keeps the catalogue for a moment.
        def look():
            status, body = self.place(*args, **kwargs)
            return None if body.get("code") == "unknown-product" else (status, body)
        status, body = self.until("the product to be known", look)
        if status != 201:
            raise Unexpected(f"the order was not taken: {status} {body}")
        return Placed(self, body["orderId"], body["trackingToken"])

    def download(self, link):
        """Follows a presigned link and checks what comes."""
        status, body = self.call("GET", link["url"])
        if status != 200 or not body.startswith(b"%PDF") or hashlib.sha256(body).hexdigest() != link["sha256"]:
            raise Unexpected(f"the link answered {status}, not the document")

    def entries(self):
        """Every entry of the ledger."""
        found, cursor = [], ""
        while True:
            page = self.get(f"/v1/ledger/entries?limit=200{cursor}", staff=True)
            found += page["items"]
            if not page.get("next"):
                return found
            cursor = f"&cursor={page['next']}"

    def executions(self, order_id):
        """The executions about an order: flow, ARN, status."""
        found = []
        for flow, machine in self.machines.items():
            for page in self.states.get_paginator("list_executions").paginate(stateMachineArn=machine):
                for execution in page["executions"]:
                    told = self.states.describe_execution(executionArn=execution["executionArn"])
                    if json.loads(told["input"]).get("orderId") == order_id:
                        found.append((flow, execution["executionArn"], told["status"]))
        return found

    def visited(self, order_id):
        """How often each state was entered, by the flow and the state; branches run at once, so there is no order."""
        states = Counter()
        for flow, arn, _ in self.executions(order_id):
            for page in self.states.get_paginator("get_execution_history").paginate(executionArn=arn):
                for event in page["events"]:
                    if entered := event.get("stateEnteredEventDetails"):
                        states[f"{flow}.{entered['name']}"] += 1
        return dict(sorted(states.items()))

    def dead(self):
        """How many messages each queue's consumer gave up."""
        counts = {queue: len(self.get(f"/v1/queues/{queue}/dead", staff=True)["items"]) for queue in QUEUES}
        return {queue: count for queue, count in counts.items() if count}

    def run_function(self, name, payload):
        """Calls a function of the flows as an operator would: by a flow of one step, which tries again."""
        again = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 5, "BackoffRate": 1}]
        step = {"Type": "Task", "Resource": self.function(name), "Retry": again, "End": True}
        definition = {"StartAt": "Step", "States": {"Step": step}}
        machine = self.states.create_state_machine(name=f"once-{time.time_ns()}", definition=json.dumps(definition), roleArn=self.role)
        started = self.states.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(payload))
        ended = self.until(f"{name} to end", lambda: (told := self.states.describe_execution(executionArn=started["executionArn"]))["status"] != "RUNNING" and told)
        if ended["status"] != "SUCCEEDED":
            raise Unexpected(f"{name} ended {ended['status']}: {ended.get('error')} {ended.get('cause')}")


def parsed(answer):
    """The body: JSON where it says so."""
    body = answer.read()
    return json.loads(body) if "json" in (answer.headers.get("Content-Type") or "") and body else body


class Placed:
    """An order that was taken."""

    def __init__(self, shop, order_id, token):
        self.shop, self.id, self.token = shop, order_id, token

    def show(self):
        """The order as its customer sees it."""
        return self.shop.get(f"/v1/orders/{self.id}?t={self.token}")

    def until(self, status, patience=None):
        """Waits for a status, and answers the order."""
        order = None

        def look():
            nonlocal order
            order = self.show()
            return order["status"] == status and order
        try:
            return self.shop.until(f"{self.id} to be {status}", look, patience)
        except Unexpected as error:
            raise Unexpected(f"{error}; it is {order and order['status']}, payment {order and order['payment']['status']}") from None

    def act(self, path, body=None, staff=True):
        """Does something to the order in its present revision; tries again when the order moved meanwhile."""
        def look():
            headers = {"If-Match": f"\"{self.show()['revision']}\""}
            status, answer = self.shop.call("POST", path, body, staff=staff, headers=headers)
            if status in (200, 202):
                return answer or True
            if status in (409, 412):
                return None
            raise Unexpected(f"POST {path} answered {status}: {answer}")
        return self.shop.until(f"{path} to be done", look)

    def kitchen(self, *steps):
        """start, ready, handover."""
        for step in steps:
            self.act(f"/v1/kitchen/orders/{self.id}/{step}")

    def pay(self, method):
        """Pays again."""
        self.shop.until("the payment to be taken", lambda: self.shop.call("POST", f"/v1/orders/{self.id}/payments?t={self.token}", {"method": method}, headers={"If-Match": f"\"{self.show()['revision']}\""})[0] in (200, 202))

    def stop(self, flow):
        """Stops the execution of a flow, as by hand."""
        for name, arn, status in self.shop.executions(self.id):
            if name == flow and status == "RUNNING":
                self.shop.states.stop_execution(executionArn=arn)

    def ended(self):
        """Waits until every flow of the order has ended, and answers how."""
        def look():
            found = self.shop.executions(self.id)
            return found and all(status != "RUNNING" for _, _, status in found) and sorted((flow, status) for flow, _, status in found)
        return self.shop.until(f"the flow of {self.id} to end", look)

    def mails(self):
        """What the customer was told, by event."""
        found = self.shop.get(f"/v1/mailbox?order={self.id}", staff=True)["items"]
        return sorted(({field: mail[field] for field in ("event", "to", "subject")} for mail in found), key=lambda mail: mail["event"])

    def books(self):
        """The entries of the ledger about it, as kind and postings."""
        mine = [entry for entry in self.shop.entries() if entry.get("metadata", {}).get("order") == self.id]
        return sorted(" ".join([entry["kind"], *sorted(f"{p['account']} {p['amount']}" for p in entry["postings"])]) for entry in mine)

    def refund(self, amount):
        """The staff gives a part back."""
        status, body = self.shop.call("POST", f"/v1/payments/{self.id}/refunds", {"amount": amount, "reason": "quality"}, staff=True,
                                      headers={"If-Match": "*"})
        if status != 201:
            raise Unexpected(f"the refund was not taken: {status} {body}")

    def refunded(self, count):
        """Waits until so many refunds have reached the customer, and answers them."""
        def look():
            found = self.shop.get(f"/v1/payments/{self.id}/refunds", staff=True)["items"]
            return len(found) == count and all(refund["status"] == "SUCCEEDED" for refund in found) and found
        return self.shop.until(f"{count} refunds", look)
