"""Compares what differs from the recordings with the list of what is known to, and why.

    conformance_known.py executions|api RESULTS

RESULTS has a JSON object a line: of run_cases.py --out or of conformance_api.py --out. A difference that is not in the list,
and an entry of the list without a difference, is a failure.
"""

import json
import os
import re
import sys


def differences(rows):
    """The name of each differing case and the first level on which it differs."""
    for row in rows:
        if isinstance(row["agree"], dict):
            bad = [level for level, agrees in row["agree"].items() if not agrees]
            if bad:
                yield row["name"], bad[0]
        elif not row["agree"]:
            yield row["test"], row["operation"]


def main():
    where, results = sys.argv[1:]
    with open(os.path.join(os.path.dirname(__file__), "conformance_known.json"), encoding="utf-8") as file:
        known = [entry for entry in json.load(file) if entry["where"] == where]
    with open(results, encoding="utf-8") as lines:
        different = list(differences(map(json.loads, lines)))
    patterns = {(entry["level"], case): [] for entry in known for case in entry["cases"]}
    new = []
    for name, level in different:
        found = [key for key in patterns if key[0] == level and re.search(key[1], name)]
        for key in found:
            patterns[key].append(name)
        if not found:
            new.append(f"{name} ({level})")
    for entry in known:
        count = sum(len(patterns[entry["level"], case]) for case in entry["cases"])
        print(f"{count:>5} known to differ: {entry['reason']}")
    stale = [f"{case} ({level})" for (level, case), names in patterns.items() if not names]
    for title, names in (("differ and are not in the list", new), ("are in the list and agree", stale)):
        if names:
            print(f"{len(names)} {title}:", *names, sep="\n    ")
    sys.exit(1 if new or stale else 0)


if __name__ == "__main__":
    main()
