"""Runs the cases against an installation and writes what came out; or compares two such files.

usage: run.py embedded URL OUT.json
       run.py aws ENDPOINT STACK COMANDA OUT.json
       run.py compare ONE.json OTHER.json
"""

import json
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from cases import CASES, dead_letter
from emulator import Clock, Stack
from shop import Shop, Unexpected


def kebab(name):
    """ValidateOrder -> validate-order."""
    return "".join(f"-{c.lower()}" if c.isupper() and at else c.lower() for at, c in enumerate(name))


def embedded(url):
    """A server that runs everything itself."""
    return Shop(url, url, lambda name: f"arn:aws:lambda:local:000000000000:function:{kebab(name)}", "arn:aws:iam::000000000000:role/operator")


def run(shop):
    """All cases at once: each has an order and a product of its own. Outcomes by case, and whether all held."""
    def one(case):
        begin = time.monotonic()
        try:
            told, held = case(shop), True
        except Exception as error:  # one failed case does not hide the others
            told, held = {"failed": f"{type(error).__name__}: {error}"}, False
            if not isinstance(error, Unexpected):
                traceback.print_exc()
        print(f"{case.__name__:22} {'ok' if held else 'FAILED'} {time.monotonic() - begin:6.1f} s {'' if held else told['failed']}", flush=True)
        return case.__name__, told, held
    with ThreadPoolExecutor(len(CASES)) as pool:
        results = list(pool.map(one, CASES))
    outcomes = {name: told for name, told, _ in results}
    outcomes["together"] = together(shop)
    return outcomes, all(held for *_, held in results)


def together(shop):
    """What all cases left: what the audit finds (the money that is kept, and nothing else), the dead letters, and the balances,
    with what the provider has paid out and what it will counted as one."""
    report = shop.get("/v1/audit", staff=True)
    balances = Counter()
    for entry in shop.entries():
        for posting in entry["postings"]:
            account = posting["account"]
            balances["money" if account in ("assets:bank", "assets:provider:simulator") else account] += posting["amount"]
    return {
        "audit": sorted(difference["code"] for difference in report["differences"]),
        "money": report["money"],
        "dead": shop.dead(),
        "balances": {account: amount for account, amount in balances.items() if amount},
    }


def write(outcomes, out):
    """As JSON, in an order that does not change."""
    with open(out, "w") as file:
        json.dump(outcomes, file, indent=1, sort_keys=True)


def on_aws(endpoint, name, program):
    """The cases on the emulator, and what only it can show."""
    stack = Stack(endpoint, name)
    stack.prepare()
    with Clock(stack) as clock:
        shop = stack.shop()
        stack.poison("MailQueue", "none of ours")
        outcomes, held = run(shop)
        dead_letter(shop, lambda: stack.configure("QueueSimulatorWebhooks", COMANDA_PUBLIC_URL=f"{stack.url}/nowhere"),
                    lambda: stack.configure("QueueSimulatorWebhooks", COMANDA_PUBLIC_URL=stack.url))
        shop.until("the poison to be among the dead letters", lambda: stack.dead_letters() == {"MailDead": 1})
        unsent = sorted((stack.mails_kept(shop) - stack.mails_sent()).elements())
    audited = stack.audit(program)
    print(f"mails without a mail of SES {unsent}; `comanda audit` finds {audited}; beats that failed {clock.failed[:1]}")
    return outcomes, held and not unsent and not clock.failed and audited == outcomes["together"]["audit"]


def compare(one, other):
    """What differs between two outcomes, one line each."""
    differences = []

    def walk(path, left, right):
        if isinstance(left, dict) and isinstance(right, dict):
            for key in sorted(left.keys() | right.keys()):
                walk(f"{path}.{key}", left.get(key), right.get(key))
        elif left != right:
            differences.append(f"{path[1:]}: {json.dumps(left)} and {json.dumps(right)}")
    walk("", one, other)
    return differences


def main():
    match sys.argv[1:]:
        case ["embedded", url, out]:
            outcomes, held = run(embedded(url))
            write(outcomes, out)
        case ["aws", endpoint, stack, program, out]:
            outcomes, held = on_aws(endpoint, stack, program)
            write(outcomes, out)
        case ["compare", one, other]:
            with open(one) as left, open(other) as right:
                found = compare(json.load(left), json.load(right))
            print("\n".join(found) or "the outcomes are equal")
            held = not found
        case _:
            sys.exit(__doc__)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
