"""Runs the cases against a shop and writes what came out.

usage: run.py embedded URL OUT.json
"""

import json
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from cases import CASES
from shop import Shop


def kebab(name):
    """ValidateOrder -> validate-order."""
    return "".join(f"-{c.lower()}" if c.isupper() and at else c.lower() for at, c in enumerate(name))


def embedded(url):
    """A server that runs everything itself."""
    machine = "arn:aws:states:us-east-1:000000000000:stateMachine:"
    return Shop(url, url, {flow: machine + flow for flow in ("order", "undo")},
                lambda name: f"arn:aws:lambda:local:000000000000:function:{kebab(name)}", "arn:aws:iam::000000000000:role/operator")


def run(shop, only=None):
    """All cases at once: each has an order and a product of its own. Outcomes by case, and whether all held."""
    def one(case):
        begin = time.monotonic()
        try:
            told, held = case(shop), True
        except Exception as error:  # one failed case does not hide the others
            told, held = {"failed": f"{type(error).__name__}: {error}"}, False
            if not isinstance(error, AssertionError):
                traceback.print_exc()
        print(f"{case.__name__:22} {'ok' if held else 'FAILED'} {time.monotonic() - begin:6.1f} s {'' if held else told['failed']}", flush=True)
        return case.__name__, told, held
    chosen = [case for case in CASES if not only or case.__name__ in only]
    with ThreadPoolExecutor(len(chosen)) as pool:
        results = list(pool.map(one, chosen))
    return {name: told for name, told, _ in results}, all(held for *_, held in results)


def audit(shop):
    """The differences that the audit finds, by code and in no order."""
    report = shop.get("/v1/audit", staff=True)
    return sorted(difference["code"] for difference in report["differences"])


def main():
    kind, *arguments = sys.argv[1:]
    if kind != "embedded" or len(arguments) != 2:
        sys.exit(__doc__)
    url, out = arguments
    shop = embedded(url)
    outcomes, held = run(shop)
    outcomes["audit"] = audit(shop)
    with open(out, "w") as file:
        json.dump(outcomes, file, indent=1, sort_keys=True)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
