"""Runs recorded API scripts against an endpoint and says, per operation, how many of the recorded answers agree.

    conformance_api.py --endpoint URL --data FOLDER [--area PREFIX] [--name TEXT] [--show N] [--all-needs] [--out FILE]

A script is a list of calls and awaits, and of answers to match. Scripts that need more than the engine are left out
unless --all-needs is given. Names are changed, so that scripts do not meet on one server, and in the answers changed back.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import re
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# The account of the recordings and of the server.
ACCOUNTS = ("111111111111", "000000000000")
WILD = {"datetime", "date", "timestamp", "creation-date"}
REFERENCE = re.compile(r"@@\{([^{}]+)\}@@")
AWAIT_LIMIT_S = 40
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def short(number, length):
    return "".join(DIGITS[number // 36**at % 36] for at in range(length))


# Names of one run do not meet those of another on the same server.
RUN = short(int(time.time()), 2)


class Script:
    def __init__(self, case, number, client, cases):
        self.case, self.client, self.cases = case, client, cases
        self.number, self.names = number, {}
        self.answers, self.operations = {}, {}

    def renamed(self, match):
        """Another name of the same length, as some are as long as a name may be."""
        name = f"x{RUN}{short(self.number, 2)}{short(int(match.group(1)), 2)}"
        self.names[name] = match.group(0)
        return name

    def outgoing(self, text):
        return re.sub(r"uid(\d{4})", self.renamed, text).replace(*ACCOUNTS)

    def incoming(self, text):
        return re.sub(rf"x{RUN}\w{{4}}", lambda m: self.names.get(m.group(0), m.group(0)), text).replace(*ACCOUNTS[::-1])

    def resolve(self, value):
        if isinstance(value, dict):
            return {k: self.resolve(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.resolve(v) for v in value]
        if not isinstance(value, str):
            return value
        whole = REFERENCE.fullmatch(value)
        if whole:
            return self.look_up(whole.group(1))
        return self.outgoing(REFERENCE.sub(lambda m: str(self.look_up(m.group(1))), value))

    def look_up(self, path):
        path, _, query = path.partition("|$")
        path, _, cut = path.partition("|slice")
        at = None
        for part in re.findall(r"\|json|[^.\[\]|]+|\[\d+\]", path):
            if at is None:
                at = self.answers[part]
            elif part == "|json":
                at = json.loads(at)
            elif part.startswith("["):
                at = at[int(part[1:-1])]
            elif isinstance(at, dict):
                at = at[part]
            elif part == "response":
                at = at.response
            elif part == "typename":
                at = type(at).__name__
            else:
                raise KeyError(path)
        if cut:
            bounds = [int(bound) if bound != "None" else None for bound in cut.strip("()").split(",")]
            at = at[slice(*bounds)]
        if query:
            found = values_at([at], query)
            at = found[0] if len(found) == 1 else found
        return str(at) if isinstance(at, Exception) else at

    def call(self, step):
        service, operation = step["call"].split(".")
        if service != "states":
            raise LookupError(f"it calls {step['call']}")
        self.operations[step["id"]] = operation
        method = re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower()
        try:
            self.answers[step["id"]] = getattr(self.client, method)(**self.resolve(step["params"]))
        except (ClientError, BotoCoreError) as error:
            self.answers[step["id"]] = {"error": error}

    def wait(self, step):
        arn = self.resolve(step.get("executionArn") or step.get("execution_arn") or "")
        if not arn or step["await"] == "execution_started":
            return
        limit = time.monotonic() + AWAIT_LIMIT_S
        while self.client.describe_execution(executionArn=arn)["status"] == "RUNNING" and time.monotonic() < limit:
            time.sleep(0.02)

    def run(self):
        rows = []
        try:
            for step in self.case["steps"]:
                if "call" in step:
                    self.call(step)
                elif "await" in step:
                    self.wait(step)
                elif "match" not in step:
                    raise LookupError("it has a step that is no call")
            problem = None
        except (LookupError, ClientError, TypeError, AttributeError) as error:
            problem = f"{type(error).__name__}: {error}"
        for match in self.case["matches"]:
            rows.append(self.compare(match, problem))
        return rows

    def compare(self, match, problem):
        source = REFERENCE.search(json.dumps(match["value"]))
        step = re.split(r"[.\[|]", source.group(1))[0] if source else "?"
        row = {"test": self.case["test"], "area": self.case["area"], "key": match["key"],
               "operation": self.operations.get(step, "not run"), "agree": False}
        try:
            got = self.replaced(json.dumps(self.cases.plain(self.resolve(match["value"]))))
            got = trimmed(json.loads(self.cases.normal(self.incoming(got), self.case)))
            want = match["expected"]
            if self.case.get("unordered_parallel"):
                want, got = without_order(want), without_order(got)
        except (LookupError, AttributeError, TypeError, ValueError) as error:
            row["got"] = problem or f"{type(error).__name__}: {error}"
            return row
        wild = WILD | set(self.case.get("wild", ()))
        wild |= {t["replacement"] for t in self.case["transformers"] if t["kind"] == "jsonpath"}
        row["agree"] = agrees(want, got, wild, self.cases)
        if not row["agree"]:
            row["want"], row["got"] = want, got
        return row

    def replaced(self, text):
        """The text with those parts of answers replaced that the recording names by a reference."""
        for t in self.case["transformers"]:
            if t["kind"] == "regex" and "@@{" in t["regex"]:
                try:
                    text = text.replace(self.resolve(t["regex"]), t["replacement"])
                except LookupError:
                    pass
        return text


def without_order(answer):
    """An answer whose events between the start of a Parallel and its exit are sorted and have no ids."""
    if not isinstance(answer, dict) or not isinstance(answer.get("events"), list):
        return answer
    out, inside = [], None
    for event in answer["events"]:
        if event["type"] in ("ParallelStateSucceeded", "ParallelStateFailed"):
            continue
        if event["type"] == "ParallelStateStarted" and inside is None:
            out.append(event)
            inside = []
        elif inside is None:
            out.append(event)
        elif event["type"] == "ParallelStateExited":
            out += sorted(inside, key=lambda e: (e["type"], json.dumps(e, sort_keys=True))) + [event]
            inside = None
        else:
            inside.append({**event, "id": [0], "previousEventId": 0})
    return {**answer, "events": out}


def values_at(values, query):
    """What a path of names, positions and [*] finds."""
    for part in re.findall(r"\[\*\]|\[\d+\]|[^.\[\]]+", query):
        if part == "[*]":
            values = [item for value in values for item in (value if isinstance(value, list) else [])]
        elif part.startswith("["):
            values = [value[int(part[1:-1])] for value in values]
        else:
            values = [value[part] for value in values if isinstance(value, dict) and part in value]
    return values


def trimmed(answer):
    """An answer as the recordings keep it: of the metadata only the status."""
    if isinstance(answer, dict):
        answer = {k: trimmed(v) for k, v in answer.items()}
        if isinstance(answer.get("ResponseMetadata"), dict):
            answer["ResponseMetadata"] = {"HTTPHeaders": {},
                                          "HTTPStatusCode": answer["ResponseMetadata"].get("HTTPStatusCode")}
    return [trimmed(a) for a in answer] if isinstance(answer, list) else answer


def agrees(want, got, wild, cases):
    if isinstance(want, (dict, list)) and isinstance(got, str):
        got = cases.parsed(got)
    if isinstance(want, dict) and isinstance(got, dict):
        # Recordings from before 2024-07 do not have this field, which AWS has shown since.
        got = {k: v for k, v in got.items() if k in want or k != "encryptionConfiguration"}
        return want.keys() == got.keys() and all(agrees(want[k], got[k], wild, cases) for k in want)
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(agrees(a, b, wild, cases) for a, b in zip(want, got))
    return cases.same(want, got, wild)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--endpoint", required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--clients", type=int, default=4)
    p.add_argument("--area", default="")
    p.add_argument("--name", default="")
    p.add_argument("--show", type=int, default=0, help="print this many disagreeing answers")
    p.add_argument("--all-needs", action="store_true")
    p.add_argument("--out", help="write a JSON object an answer to this file")
    a = p.parse_args()
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.abspath(a.data))
    import run_cases  # noqa: E402  (from the data)

    with open(os.path.join(a.data, "scripts.jsonl"), encoding="utf-8") as lines:
        scripts = [json.loads(line) for line in lines]
    scripts = [s for s in scripts if s["area"].startswith(a.area) and a.name in s["test"] and (a.all_needs or not s["needs"])]
    client = boto3.client("stepfunctions", endpoint_url=a.endpoint, region_name="us-east-1", aws_access_key_id="test",
                          aws_secret_access_key="test",
                          config=Config(max_pool_connections=32, retries={"max_attempts": 1}, read_timeout=90,
                                        inject_host_prefix=False))
    with concurrent.futures.ThreadPoolExecutor(a.clients) as pool:
        runs = list(pool.map(lambda n: Script(scripts[n], n, client, run_cases).run(), range(len(scripts))))
    rows = [row for run in runs for row in run]
    if a.out:
        with open(a.out, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row["operation"]].append(row)
    print(f"{'operation':34} {'agree':>11}")
    for label in sorted(groups):
        print(f"{label:34} {sum(r['agree'] for r in groups[label]):>5}/{len(groups[label])}")
    print(f"{'all answers':34} {sum(r['agree'] for r in rows):>5}/{len(rows)}")
    print(f"{'scripts, every answer':34} {sum(all(r['agree'] for r in run) for run in runs):>5}/{len(runs)}")
    for row in [r for r in rows if not r["agree"]][: a.show]:
        print(json.dumps(row, indent=1))
    sys.exit(0 if all(r["agree"] for r in rows) else 1)


if __name__ == "__main__":
    main()
