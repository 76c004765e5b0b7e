"""The cases of flows/*.cases.json on a second interpreter of the States Language: moto's, in this process.

The flow files are played as they are but for time: pauses of retries become a second, and who never answers is given up after
some seconds, because moto runs in real time. Cases that need more are listed, not played.

usage: flows.py FOLDER
"""

import json
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer
from moto.stepfunctions.parser.asl.utils import boto_client

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
GIVE_UP_SECONDS = 6
PATIENCE_SECONDS = 90
PLAYERS = 12
CALL_ERRORS = ("Lambda.", "Store", "ProviderUnavailable", "Sandbox.")
# moto gives other answers here than AWS does; each was looked at.
GAPS = {}


class Case:
    """One case while it is played: answers tasks by its mocks, and counts them."""

    def __init__(self, flow, name, told, mocks):
        self.flow, self.name, self.told = flow, name, told
        self.mocks = {**mocks, **told.get("mocks", {})}
        self.calls, self.lock = Counter(), threading.Lock()

    def answer(self, state):
        """The mock's answer to this call of a state."""
        mock = self.mocks.get(state, self.mocks.get("*"))
        with self.lock:
            call = self.calls[state]
            self.calls[state] += 1
        if not isinstance(mock, list):
            return mock
        for answer in mock:
            if call < answer.get("times", 1):
                return answer
            call -= answer.get("times", 1)
        return {"error": "Case.NoAnswer", "cause": f"no answer is left for {state}"}

    def unplayable(self):
        """Why moto cannot play it in real time, if so."""
        answers = [a for mock in self.told.get("mocks", {}).values() for a in (mock if isinstance(mock, list) else [mock])]
        if any("after" in a or "heartbeats" in a for a in answers):
            return "answers that come later"
        if any(a.get("times", 1) > 20 for a in answers):
            return "hundreds of retries"
        for field in ("stopAfter", "startAt", "variables", "context"):
            if field in self.told:
                return field
        return None


def definition(flow, case):
    """The flow with each task's function named by its state and case, and its time shortened."""
    number = f"{case.flow}-{abs(hash(case.name))}"

    def walk(states):
        for name, state in states.items():
            for branch in state.get("Branches", []):
                walk(branch["States"])
            for retry in state.get("Retry", []):
                if retry.get("MaxAttempts") != 0:
                    retry.update({"IntervalSeconds": 1, "BackoffRate": 1})
                    retry.pop("MaxDelaySeconds", None)
                    retry.pop("JitterStrategy", None)
            if state["Type"] != "Task":
                continue
            function = f"{ARN}{number}__{name}"
            if "FunctionName" in state.get("Parameters", {}):
                state["Parameters"]["FunctionName"] = function
            else:
                state["Resource"] = function
            mock = case.mocks.get(name, {})
            if any(a.get("never") for a in (mock if isinstance(mock, list) else [mock])):
                state.pop("TimeoutSecondsPath", None)
                state["TimeoutSeconds"] = GIVE_UP_SECONDS
    played = json.loads(flow)
    walk(played["States"])
    return number, json.dumps(played)


class Functions(BaseHTTPRequestHandler):
    """Lambda's Invoke, for functions that are mocks."""

    cases = {}
    states = None

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        number, state = unquote(self.path).split("/functions/")[1].split("/")[0].rsplit(":", 1)[-1].split("__")
        answer = self.cases[number].answer(state)
        token = body.get("taskToken") if isinstance(body, dict) else None
        if answer.get("never"):
            if not token:
                time.sleep(GIVE_UP_SECONDS + 1)
            return self.reply({})
        # What goes wrong in the call itself is the call's answer; what the world says comes with the token.
        if token and not answer.get("error", "").startswith(CALL_ERRORS):
            threading.Thread(target=self.report, args=(token, answer), daemon=True).start()
            return self.reply({})
        if "error" in answer:
            return self.reply({"errorType": answer["error"], "errorMessage": answer.get("cause", "")}, failed=True)
        return self.reply(answer.get("payload", answer.get("result")))

    def report(self, token, answer):
        time.sleep(0.2)
        if "error" in answer:
            self.states.send_task_failure(taskToken=token, error=answer["error"], cause=answer.get("cause", ""))
        else:
            self.states.send_task_success(taskToken=token, output=json.dumps(answer.get("result")))

    def reply(self, value, failed=False):
        data = json.dumps(value).encode()
        self.send_response(200)
        if failed:
            self.send_header("X-Amz-Function-Error", "Unhandled")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def play(states, flow, case):
    """Plays a case; what it did not show as expected, or nothing."""
    number, text = definition(flow, case)
    Functions.cases[number] = case
    machine = states.create_state_machine(name=number, definition=text, roleArn="arn:aws:iam::123456789012:role/flow")["stateMachineArn"]
    arn = states.start_execution(stateMachineArn=machine, input=json.dumps(case.told.get("input", {})))["executionArn"]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (told := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            return [f"still runs after {PATIENCE_SECONDS} s"]
        time.sleep(0.1)
    pages = states.get_paginator("get_execution_history").paginate(executionArn=arn)
    entered = [e["stateEnteredEventDetails"]["name"] for page in pages for e in page["events"] if "stateEnteredEventDetails" in e]
    return judge(case, told, entered)


def judge(case, told, entered):
    """What differs from the case's expectations."""
    expect, wrong = case.told.get("expect", {}), []
    status = expect.get("status", "SUCCEEDED")
    if told["status"] != status:
        wrong.append(f"ended {told['status']} ({told.get('error')}), not {status}")
    if "error" in expect and told.get("error") != expect["error"]:
        wrong.append(f"failed with {told.get('error')}, not {expect['error']}")
    left = iter(entered)
    if not all(name in left for name in expect.get("visits", [])):
        wrong.append(f"went {' '.join(entered)}")
    wrong += [f"visited {name}" for name in expect.get("avoids", []) if name in entered]
    wrong += [f"called {name} {case.calls[name]} times, not {times}" for name, times in expect.get("calls", {}).items() if case.calls[name] != times]
    if "output" in expect and not within(expect["output"], json.loads(told.get("output", "null"))):
        wrong.append(f"answered {told.get('output')}")
    return wrong


def within(part, whole):
    """Whether everything in `part` is in `whole`."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and within(value, whole[key]) for key, value in part.items())
    return part == whole


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    functions = ThreadingHTTPServer(("127.0.0.1", 0), Functions)
    threading.Thread(target=functions.serve_forever, daemon=True).start()
    # moto's tasks call Lambda where this says; everything else of moto goes on.
    boto_client.moto_server_port = lambda: functions.server_address[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    config = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
    urlopen(Request(f"{endpoint}/moto-api/config", data=config, headers={"Content-Type": "application/json"})).close()
    states = boto3.client("stepfunctions", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    Functions.states = states
    cases, skipped = [], []
    for file in sorted(Path(sys.argv[1]).glob("*.cases.json")):
        told = json.loads(file.read_text())
        flow = file.with_name(file.name.replace(".cases.json", ".asl.json")).read_text()
        for name, case in told["cases"].items():
            case = Case(file.name.split(".")[0], name, case, told.get("mocks", {}))
            why = case.unplayable()
            if why:
                skipped.append((case, why))
            else:
                cases.append((flow, case))
    with ThreadPoolExecutor(PLAYERS) as pool:
        results = list(pool.map(lambda one: (one[1], play(states, *one)), cases))
    failed = 0
    for case, wrong in results:
        gap = GAPS.get((case.flow, case.name))
        if wrong and not gap:
            failed += 1
        if wrong:
            print(f"{'GAP   ' if gap else 'FAILED'} {case.flow}: {case.name}: {gap or '; '.join(wrong)}")
        elif gap:
            failed += 1
            print(f"FAILED {case.flow}: {case.name}: listed as a gap of moto, and it agrees: take it off the list")
    print(f"{sum(not wrong for _, wrong in results)} of {len(results)} cases agree; not played: "
          + ", ".join(f"{count} with {why}" for why, count in Counter(why for _, why in skipped).items()))
    server.stop()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
