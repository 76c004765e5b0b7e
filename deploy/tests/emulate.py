"""Starts ministack with what it gets wrong put right. Each correction says what AWS does.

Every call of a function is judged by the policy of its role (AUTH=true), as on AWS.

FAULTS=1 makes it a bad day: every batch of the table's stream and of a queue is delivered twice at once, every step of a flow
is invoked twice at once, and every so many answers of steps and of the relay are lost, as when Lambda ends a process right
after its commit.
"""

import contextvars
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

os.environ["AUTH"] = "true"
from ministack.app import main  # noqa: E402  it reads the variable
from ministack.core import iam_actions  # noqa: E402
from ministack.services import lambda_svc, stepfunctions  # noqa: E402

LOST_EVERY = 5
# The state machine of each token.
MACHINES = {}
UNKNOWN = {"errorType": "Lambda.Unknown", "errorMessage": "the process ended"}


def callbacks():
    """A function that fails fails the task that waits for its token: Retry and Catch see the error. Ministack waits on. And each
    attempt of such a task has a token of its own."""
    call, invoke, fill = stepfunctions._call_lambda, stepfunctions._invoke_with_callback, stepfunctions._apply_parameters
    here = threading.local()

    def calling(reference, event):
        try:
            return call(reference, event)
        except stepfunctions._ExecutionError as error:
            waiting = stepfunctions._task_tokens.get(getattr(here, "token", None))
            if waiting:
                here.error = error
                waiting["event"].set()
            raise

    def invoking(resource, data, token, state):
        here.error, here.token = None, token
        try:
            result = invoke(resource, data, token, state)
        finally:
            here.token = None
        if here.error:
            raise here.error
        return result

    def filling(state, data, context=None):
        if state.get("Resource", "").endswith(".waitForTaskToken"):
            token = stepfunctions.new_uuid()
            context["Task"] = {"Token": token}
            MACHINES[token] = context["StateMachine"]["Id"]
        return fill(state, data, context)

    stepfunctions._call_lambda, stepfunctions._invoke_with_callback, stepfunctions._apply_parameters = calling, invoking, filling


def rights():
    """The right to answer a token is one on its state machine (as the policy templates of SAM have it), that to send mail one on
    the sender's identity: ministack demands both on "*". And conditions know the encryption context of KMS."""
    extract, describe = iam_actions.extract_resource_arn, iam_actions.request_tag_context

    def extracting(service, method, path, headers, body, query, region, account):
        if service == "states" and b"taskToken" in body:
            return MACHINES.get(json.loads(body)["taskToken"], "*")
        if service == "ses" and path == "/v2/email/outbound-emails":
            domain = json.loads(body)["FromEmailAddress"].rsplit("@", 1)[-1].rstrip(">")
            return f"arn:aws:ses:{region}:{account}:identity/{domain}"
        return extract(service, method, path, headers, body, query, region, account)

    def describing(service, action, body, parameters):
        told = json.loads(body).get("EncryptionContext", {}) if service == "kms" else {}
        return {**describe(service, action, body, parameters), **{f"kms:EncryptionContext:{name}": value for name, value in told.items()}}

    iam_actions.extract_resource_arn, iam_actions.request_tag_context = extracting, describing


def branches():
    """Each branch has its own context, and the history tells which states it entered. Ministack's branches share one, so that
    `$$.State.Name` may be another branch's."""
    run = stepfunctions._run_sub_machine

    def running(states, start, data, execution, context):
        return run(states, start, data, execution, {**context, "branch": execution})

    def telling(execute, kind):
        def executing(state, data, *rest):
            context = rest[-1]
            if execution := context.get("branch"):
                entered = {"name": context["State"]["Name"], "input": json.dumps(data)}
                stepfunctions._add_event(execution, f"{kind}StateEntered", {"stateEnteredEventDetails": entered})
            return execute(state, data, *rest)
        return executing

    stepfunctions._run_sub_machine = running
    for kind in ("Pass", "Task", "Choice", "Wait"):
        name = f"_execute_{kind.lower()}"
        setattr(stepfunctions, name, telling(getattr(stepfunctions, name), kind))


def partial_batches():
    """A batch of a stream comes again from the first record that failed. Ministack goes on."""
    execute = lambda_svc._execute_function

    def executing(function, event):
        result = execute(function, event)
        body = result.get("body")
        records = event.get("Records") if isinstance(event, dict) else None
        if records and "dynamodb" in records[0] and isinstance(body, dict) and body.get("batchItemFailures"):
            return {"error": True, "body": {"errorType": "Partial", "errorMessage": json.dumps(body)}, "log": result.get("log", "")}
        return result

    lambda_svc._execute_function = executing


def faults():
    """See the module."""
    execute, lock, count = lambda_svc._execute_function, threading.Lock(), [0]
    pool = ThreadPoolExecutor(64)

    def executing(function, event):
        handler = (function.get("config") or function).get("Handler", "")
        if not handler.startswith(("fn.", "queue.", "relay")):
            return execute(function, event)
        other = pool.submit(contextvars.copy_context().run, execute, function, event)
        result = execute(function, event)
        other.result()
        with lock:
            count[0] += 1
            # What a queue hands out three times in vain is dead, however often it had its effect.
            lost = count[0] % LOST_EVERY == 0 and not handler.startswith("queue.")
        return {"error": True, "body": UNKNOWN, "log": ""} if lost else result

    lambda_svc._execute_function = executing


if __name__ == "__main__":
    callbacks()
    rights()
    branches()
    partial_batches()
    if os.environ.get("FAULTS"):
        faults()
    main()
