"""Checks of the Step Functions API with boto3 and the AWS CLI, both unmodified.

    states_api.py --endpoint URL [--access-key ID --secret-key SECRET] [--cli]

With keys, the server must be one that knows them, and what is signed otherwise must be refused. With --cli, the AWS CLI of
this Python's environment is used too.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import boto3
import botocore
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/test"
STAMP = f"{time.time_ns():x}"
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def flow(**states):
    return json.dumps({"StartAt": next(iter(states)), "States": states})


def ended(sfn, arn):
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        execution = sfn.describe_execution(executionArn=arn)
        if execution["status"] != "RUNNING":
            return execution
        time.sleep(0.02)
    raise AssertionError(f"{arn} does not end")


def machine(sfn, name, definition, **more):
    return sfn.create_state_machine(name=f"{name}-{STAMP}", definition=definition, roleArn=ROLE, **more)["stateMachineArn"]


def refused(call, **params):
    try:
        call(**params)
    except Exception as error:  # the name of boto3's class is what counts
        return type(error).__name__
    return None


@check
def an_execution_runs_and_tells_its_history(sfn):
    arn = machine(sfn, "hello", flow(Hello={"Type": "Pass", "Result": {"x": 1}, "End": True}))
    run = sfn.start_execution(stateMachineArn=arn, input='{"y": 2}')["executionArn"]
    assert json.loads(ended(sfn, run)["output"]) == {"x": 1}
    kinds = [e["type"] for p in sfn.get_paginator("get_execution_history").paginate(
        executionArn=run, PaginationConfig={"PageSize": 2}) for e in p["events"]]
    assert kinds == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"], kinds
    bare = sfn.get_execution_history(executionArn=run, includeExecutionData=False)["events"]
    assert "input" not in bare[0]["executionStartedEventDetails"]


@check
def a_name_is_given_once(sfn):
    arn = machine(sfn, "names", flow(Wait={"Type": "Wait", "Seconds": 600, "End": True}))
    first = sfn.start_execution(stateMachineArn=arn, name="one", input='{"a": 1}')
    again = sfn.start_execution(stateMachineArn=arn, name="one", input='{"a":1}')
    assert first["executionArn"] == again["executionArn"] and first["startDate"] == again["startDate"]
    assert refused(sfn.start_execution, stateMachineArn=arn, name="one", input="{}") == "ExecutionAlreadyExists"
    sfn.stop_execution(executionArn=first["executionArn"], error="Enough", cause="of it")
    stopped = sfn.describe_execution(executionArn=first["executionArn"])
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Enough", "of it"), stopped
    assert refused(sfn.start_execution, stateMachineArn=arn, name="one", input='{"a":1}') == "ExecutionAlreadyExists"
    assert refused(sfn.start_execution, stateMachineArn=arn, name="a b") == "InvalidName"


@check
def a_worker_fetches_its_task_and_beats(sfn):
    activity = sfn.create_activity(name=f"act-{STAMP}")["activityArn"]
    arn = machine(sfn, "work", flow(Work={"Type": "Task", "Resource": activity, "HeartbeatSeconds": 30, "End": True}))
    fetched = []
    worker = threading.Thread(target=lambda: fetched.append(sfn.get_activity_task(activityArn=activity, workerName="w")))
    worker.start()
    run = sfn.start_execution(stateMachineArn=arn, input='{"job": 7}')["executionArn"]
    worker.join(20)
    assert json.loads(fetched[0]["input"]) == {"job": 7}
    token = fetched[0]["taskToken"]
    sfn.send_task_heartbeat(taskToken=token)
    sfn.send_task_success(taskToken=token, output='"done"')
    assert ended(sfn, run)["output"] == '"done"'
    assert refused(sfn.send_task_success, taskToken=token, output="1") == "TaskTimedOut"
    assert refused(sfn.send_task_failure, taskToken="no token") == "InvalidToken"
    events = sfn.get_execution_history(executionArn=run)["events"]
    started = next(e for e in events if e["type"] == "ActivityStarted")
    assert started["activityStartedEventDetails"]["workerName"] == "w"


@check
def an_execution_keeps_its_definition(sfn):
    arn = machine(sfn, "pinned", flow(Wait={"Type": "Wait", "Seconds": 1, "Next": "A"}, A={"Type": "Pass", "Result": 1, "End": True}))
    run = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    sfn.update_state_machine(stateMachineArn=arn, definition=flow(A={"Type": "Pass", "Result": 2, "End": True}))
    later = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    assert (ended(sfn, run)["output"], ended(sfn, later)["output"]) == ("1", "2")
    pinned = sfn.describe_state_machine_for_execution(executionArn=run)["definition"]
    assert "Wait" in json.loads(pinned)["States"]


@check
def an_alias_routes_by_weight(sfn):
    def version(n):
        return flow(A={"Type": "Pass", "Result": n, "End": True})
    made = sfn.create_state_machine(name=f"alias-{STAMP}", definition=version(1), roleArn=ROLE, publish=True)
    second = sfn.update_state_machine(stateMachineArn=made["stateMachineArn"], definition=version(2), publish=True)
    routes = [{"stateMachineVersionArn": made["stateMachineVersionArn"], "weight": 50},
              {"stateMachineVersionArn": second["stateMachineVersionArn"], "weight": 50}]
    alias = sfn.create_state_machine_alias(name="half", routingConfiguration=routes)["stateMachineAliasArn"]
    runs = [sfn.start_execution(stateMachineArn=alias)["executionArn"] for _ in range(40)]
    assert {ended(sfn, run)["output"] for run in runs} == {"1", "2"}
    assert len(sfn.list_executions(stateMachineArn=alias)["executions"]) == 40
    of_first = sfn.list_executions(stateMachineArn=made["stateMachineVersionArn"])["executions"]
    assert 0 < len(of_first) < 40
    assert refused(sfn.delete_state_machine_version, stateMachineVersionArn=made["stateMachineVersionArn"]) == "ConflictException"


@check
def express_runs_while_the_caller_waits(sfn):
    definition = flow(Wait={"Type": "Wait", "Seconds": 1, "Next": "A"}, A={"Type": "Pass", "Result": 3, "End": True})
    arn = machine(sfn, "express", definition, type="EXPRESS")
    run = sfn.start_sync_execution(stateMachineArn=arn, name="now", input="{}")
    assert (run["status"], run["output"]) == ("SUCCEEDED", "3"), run
    assert run["stopDate"] > run["startDate"] and ":express:" in run["executionArn"]
    later = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    assert refused(sfn.describe_execution, executionArn=later) == "StateMachineTypeNotSupported"
    assert refused(sfn.list_executions, stateMachineArn=arn) == "StateMachineTypeNotSupported"
    standard = machine(sfn, "standard", definition)
    assert refused(sfn.start_sync_execution, stateMachineArn=standard) == "StateMachineTypeNotSupported"


@check
def a_failed_execution_goes_on_from_where_it_failed(sfn):
    activity = sfn.create_activity(name=f"redo-{STAMP}")["activityArn"]
    work = {"Type": "Task", "Resource": activity, "TimeoutSeconds": 60}
    arn = machine(sfn, "redrive", flow(First={**work, "Next": "Second"}, Second={**work, "End": True}))
    run = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    assert refused(sfn.redrive_execution, executionArn=run) == "ExecutionNotRedrivable"
    sfn.send_task_success(taskToken=sfn.get_activity_task(activityArn=activity)["taskToken"], output='"once"')
    sfn.send_task_failure(taskToken=sfn.get_activity_task(activityArn=activity)["taskToken"], error="Bad")
    assert ended(sfn, run)["redriveStatus"] == "REDRIVABLE"
    redriven = sfn.redrive_execution(executionArn=run, clientToken="once")
    assert sfn.redrive_execution(executionArn=run, clientToken="once")["redriveDate"] == redriven["redriveDate"]
    assert refused(sfn.redrive_execution, executionArn=run) == "ExecutionNotRedrivable"
    again = sfn.describe_execution(executionArn=run)
    assert (again["status"], again["redriveCount"]) == ("RUNNING", 1), again
    task = sfn.get_activity_task(activityArn=activity)
    assert task["input"] == '"once"'
    sfn.send_task_success(taskToken=task["taskToken"], output='"twice"')
    done = ended(sfn, run)
    assert (done["status"], done["output"], done["redriveStatus"]) == ("SUCCEEDED", '"twice"', "NOT_REDRIVABLE"), done
    kinds = [e["type"] for e in sfn.get_execution_history(executionArn=run)["events"]]
    assert kinds.count("ExecutionFailed") == kinds.count("ExecutionRedriven") == kinds.count("ExecutionSucceeded") == 1
    listed = sfn.list_executions(stateMachineArn=arn)["executions"][0]
    assert listed["redriveCount"] == 1 and listed["redriveDate"] == done["redriveDate"]


@check
def a_deleted_machine_stops_its_executions(sfn):
    definition = flow(Wait={"Type": "Wait", "Seconds": 600, "End": True})
    arn = machine(sfn, "gone", definition)
    sfn.start_execution(stateMachineArn=arn)
    sfn.delete_state_machine(stateMachineArn=arn)
    assert refused(sfn.describe_state_machine, stateMachineArn=arn) == "StateMachineDoesNotExist"
    assert machine(sfn, "gone", definition) == arn
    assert sfn.list_executions(stateMachineArn=arn)["executions"] == []


@check
def the_order_flow_is_a_state_machine(sfn):
    names = {m["name"] for p in sfn.get_paginator("list_state_machines").paginate() for m in p["stateMachines"]}
    assert "order" in names, names
    arn = next(m["stateMachineArn"] for m in sfn.list_state_machines()["stateMachines"] if m["name"] == "order")
    definition = json.loads(sfn.describe_state_machine(stateMachineArn=arn)["definition"])
    assert definition["StartAt"] in definition["States"]
    assert refused(sfn.delete_state_machine, stateMachineArn=arn) == "ValidationException"


@check
def tags_are_set_shown_and_taken_away(sfn):
    arn = machine(sfn, "tagged", flow(A={"Type": "Succeed"}), tags=[{"key": "team", "value": "kitchen"}])
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "stage", "value": "test"}])
    sfn.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "stage", "value": "test"}]
    assert refused(sfn.list_tags_for_resource, resourceArn=arn + "x") == "ResourceNotFound"


@check
def a_task_token_is_answered(sfn):
    work = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True,
            "Parameters": {"QueueUrl": f"https://sqs.us-east-1.amazonaws.com/1/callbacks-{STAMP}", "MessageBody.$": "$$.Task.Token"}}
    run = sfn.start_execution(stateMachineArn=machine(sfn, "token", flow(Ask=work)))["executionArn"]
    limit = time.monotonic() + 20
    while not (messages := received(sfn, f"callbacks-{STAMP}")):
        assert time.monotonic() < limit, "no message comes"
        time.sleep(0.02)
    token = messages[0]["body"]
    sfn.send_task_heartbeat(taskToken=token)
    sfn.send_task_success(taskToken=token, output='{"paid": true}')
    assert json.loads(ended(sfn, run)["output"]) == {"paid": True}


def received(sfn, queue):
    """Messages of a queue, through the server's own interface."""
    with urllib.request.urlopen(f"{sfn.meta.endpoint_url}/v1/queues/{queue}/messages", timeout=20) as answer:
        return json.load(answer)["items"]


@check
def a_state_is_tested_on_its_own(sfn):
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f", "Payload.$": "$.a"},
             "ResultSelector": {"b.$": "$.Payload"}, "Next": "After",
             "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Undo"}], "Retry": [{"ErrorEquals": ["Busy"]}]}

    def tested(**more):
        return sfn.test_state(definition=json.dumps(state), input='{"a": 1}', **more)

    good = tested(mock={"result": '{"Payload": 2}'}, inspectionLevel="DEBUG")
    assert (good["status"], good["nextState"], good["output"]) == ("SUCCEEDED", "After", '{"b":2}'), good
    assert json.loads(good["inspectionData"]["afterParameters"]) == {"FunctionName": "f", "Payload": 1}
    assert "inspectionData" not in tested(mock={"result": "{}"}, inspectionLevel="INFO")
    caught = tested(mock={"errorOutput": {"error": "Bad", "cause": "c"}}, inspectionLevel="TRACE")
    assert (caught["status"], caught["nextState"], caught["error"]) == ("CAUGHT_ERROR", "Undo", "Bad"), caught
    assert tested(mock={"errorOutput": {"error": "Busy"}})["status"] == "RETRIABLE"
    spent = tested(mock={"errorOutput": {"error": "Busy"}}, stateConfiguration={"retrierRetryCount": 3})
    assert spent["status"] == "CAUGHT_ERROR", spent
    assert refused(tested) == "ValidationException"
    lone = sfn.test_state(definition='{"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $x + 1 %}", "End": true}',
                          variables='{"x": 41}')
    assert lone["output"] == "42", lone


@check
def pages_are_walked(sfn):
    arn = machine(sfn, "pages", flow(A={"Type": "Succeed"}))
    runs = [sfn.start_execution(stateMachineArn=arn, name=f"r{n}")["executionArn"] for n in range(5)]
    for run in runs:
        ended(sfn, run)
    pages = sfn.get_paginator("list_executions").paginate(stateMachineArn=arn, PaginationConfig={"PageSize": 2})
    assert [e["name"] for page in pages for e in page["executions"]] == ["r4", "r3", "r2", "r1", "r0"]
    last = sfn.get_execution_history(executionArn=runs[0], reverseOrder=True, maxResults=1)["events"]
    assert [e["type"] for e in last] == ["ExecutionSucceeded"]
    token = sfn.list_executions(stateMachineArn=arn, maxResults=1)["nextToken"]
    assert refused(sfn.list_state_machines, nextToken=token) == "InvalidToken"


@check
def a_distributed_map_has_runs_and_children(sfn):
    item = {"Type": "Pass", "Parameters": {"twice.$": "States.MathAdd($, $)"}, "End": True}
    each = {"Type": "Map", "Label": "Each", "MaxConcurrency": 2, "ToleratedFailureCount": 1, "End": True, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Double", "States": {"Double": item}}}
    parent = sfn.start_execution(stateMachineArn=machine(sfn, "runs", flow(Each=each)), input="[1, 2, 3]")["executionArn"]
    assert json.loads(ended(sfn, parent)["output"]) == [{"twice": 2}, {"twice": 4}, {"twice": 6}]
    [run] = sfn.list_map_runs(executionArn=parent)["mapRuns"]
    assert run["executionArn"] == parent and run["stopDate"] >= run["startDate"]
    started = next(e for e in sfn.get_execution_history(executionArn=parent)["events"] if e["type"] == "MapRunStarted")
    assert started["mapRunStartedEventDetails"]["mapRunArn"] == run["mapRunArn"]
    described = sfn.describe_map_run(mapRunArn=run["mapRunArn"])
    assert (described["status"], described["maxConcurrency"], described["toleratedFailureCount"]) == ("SUCCEEDED", 2, 1)
    assert described["itemCounts"]["succeeded"] == described["executionCounts"]["total"] == 3, described
    pages = sfn.get_paginator("list_executions").paginate(mapRunArn=run["mapRunArn"], PaginationConfig={"PageSize": 2})
    children = [child for page in pages for child in page["executions"]]
    assert len(children) == 3 and all(child["mapRunArn"] == run["mapRunArn"] for child in children)
    child = sfn.describe_execution(executionArn=children[-1]["executionArn"])
    assert (child["input"], child["output"], child["mapRunArn"]) == ("1", '{"twice":2}', run["mapRunArn"]), child
    kinds = [e["type"] for e in sfn.get_execution_history(executionArn=child["executionArn"])["events"]]
    assert kinds == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"], kinds
    pinned = sfn.describe_state_machine_for_execution(executionArn=child["executionArn"])
    assert (pinned["label"], pinned["mapRunArn"]) == ("Each", run["mapRunArn"])
    assert refused(sfn.update_map_run, mapRunArn=run["mapRunArn"], maxConcurrency=5) == "ValidationException"
    assert refused(sfn.describe_map_run, mapRunArn=run["mapRunArn"][:-1] + "z") == "ResourceNotFound"
    assert refused(sfn.list_executions, mapRunArn=parent) == "InvalidArn"


@check
def a_run_is_changed_while_it_runs(sfn):
    activity = sfn.create_activity(name=f"items-{STAMP}")["activityArn"]
    each = {"Type": "Map", "MaxConcurrency": 1, "End": True, "ItemProcessor": {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Work",
        "States": {"Work": {"Type": "Task", "Resource": activity, "End": True}}}}
    parent = sfn.start_execution(stateMachineArn=machine(sfn, "update", flow(Each=each)), input="[1, 2]")["executionArn"]
    first = sfn.get_activity_task(activityArn=activity)
    run = sfn.list_map_runs(executionArn=parent)["mapRuns"][0]["mapRunArn"]
    assert sfn.describe_map_run(mapRunArn=run)["itemCounts"]["running"] == 1
    sfn.update_map_run(mapRunArn=run, maxConcurrency=2, toleratedFailurePercentage=50.0)
    described = sfn.describe_map_run(mapRunArn=run)
    assert (described["maxConcurrency"], described["toleratedFailurePercentage"]) == (2, 50.0), described
    second = sfn.get_activity_task(activityArn=activity)
    sfn.send_task_failure(taskToken=first["taskToken"], error="Bad")
    sfn.send_task_success(taskToken=second["taskToken"], output="2")
    assert ended(sfn, parent)["status"] == "SUCCEEDED"
    counts = sfn.describe_map_run(mapRunArn=run)["itemCounts"]
    assert (counts["succeeded"], counts["failed"]) == (1, 1), counts
    failed = sfn.list_executions(mapRunArn=run, statusFilter="FAILED")["executions"]
    assert len(failed) == 1, failed


def signatures_are_needed(endpoint, access_key, secret_key):
    def list_with(key, secret):
        return refused(client(endpoint, key, secret).list_state_machines)

    assert list_with(access_key, secret_key) is None
    code = error_code(client(endpoint, access_key, secret_key + "x").list_state_machines)
    assert code == "InvalidSignatureException", code
    code = error_code(client(endpoint, "AKIDUNKNOWN", secret_key).list_state_machines)
    assert code == "UnrecognizedClientException", code
    presigned = AWSRequest(method="POST", url=endpoint + "/", headers={"X-Amz-Target": "AWSStepFunctions.ListStateMachines"})
    SigV4QueryAuth(Credentials(access_key, secret_key), "states", "us-east-1", expires=60).add_auth(presigned)
    assert "stateMachines" in posted(presigned.url, presigned.headers)
    assert posted(presigned.url.replace("us-east-1", "us-east-2"), presigned.headers)["__type"] == "InvalidSignatureException"
    unsigned = boto3.client("stepfunctions", endpoint_url=endpoint, region_name="us-east-1",
                            config=Config(signature_version=botocore.UNSIGNED, retries={"max_attempts": 1}))
    code = error_code(unsigned.list_state_machines)
    assert code == "MissingAuthenticationTokenException", code


def posted(url, headers):
    request = urllib.request.Request(url, data=b"", method="POST", headers={k: v for k, v in headers.items() if k != "Host"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def error_code(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def the_aws_command_works(endpoint, access_key, secret_key):
    """Every call is a process of its own, so only what the SDK does not show already."""
    environment = {"AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key, "AWS_DEFAULT_REGION": "us-east-1",
                   "AWS_DISABLE_HOST_PREFIX_INJECTION": "true", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent",
                   "PATH": "/usr/bin:/bin"}
    program = [sys.executable, os.path.join(os.path.dirname(sys.executable), "aws")]

    def aws(command, *options):
        done = subprocess.run([*program, "stepfunctions", command, "--endpoint-url", endpoint, "--output", "json", *options],
                              env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "{}")

    activity = aws("create-activity", "--name", f"cli-{STAMP}")["activityArn"]
    definition = flow(Work={"Type": "Task", "Resource": activity, "Next": "Done"}, Done={"Type": "Succeed"})
    arn = aws("create-state-machine", "--name", f"cli-{STAMP}", "--definition", definition, "--role-arn", ROLE)["stateMachineArn"]
    run = aws("start-execution", "--state-machine-arn", arn, "--input", '{"n": 1}')["executionArn"]
    task = aws("get-activity-task", "--activity-arn", activity)
    assert json.loads(task["input"]) == {"n": 1}
    aws("send-task-success", "--task-token", task["taskToken"], "--task-output", '{"n": 2}')
    kinds = [e["type"] for e in aws("get-execution-history", "--execution-arn", run, "--page-size", "3")["events"]]
    assert kinds[0] == "ExecutionStarted" and "ActivitySucceeded" in kinds, kinds
    described = aws("describe-execution", "--execution-arn", run)
    assert (described["status"], described["output"]) == ("SUCCEEDED", '{"n":2}'), described
    express = aws("create-state-machine", "--name", f"cli-express-{STAMP}", "--type", "EXPRESS", "--role-arn", ROLE,
                  "--definition", flow(A={"Type": "Pass", "Result": 7, "End": True}))["stateMachineArn"]
    assert aws("start-sync-execution", "--state-machine-arn", express)["output"] == "7"
    tested = aws("test-state", "--definition", '{"Type": "Pass", "Result": 1, "End": true}')
    assert tested["status"] == "SUCCEEDED", tested


def client(endpoint, access_key, secret_key):
    config = Config(retries={"max_attempts": 1}, read_timeout=90, inject_host_prefix=False)
    return boto3.client("stepfunctions", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=access_key,
                        aws_secret_access_key=secret_key, config=config)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--endpoint", required=True)
    p.add_argument("--access-key")
    p.add_argument("--secret-key", default="test")
    p.add_argument("--cli", action="store_true")
    a = p.parse_args()
    key = a.access_key or "test"
    sfn = client(a.endpoint, key, a.secret_key)
    checks = [(function, (sfn,)) for function in CHECKS]
    if a.access_key:
        checks.append((signatures_are_needed, (a.endpoint, key, a.secret_key)))
    if a.cli:
        checks.append((the_aws_command_works, (a.endpoint, key, a.secret_key)))
    failed = 0
    for function, arguments in checks:
        start = time.monotonic()
        try:
            function(*arguments)
            told = f"ok, {time.monotonic() - start:.1f} s"
        except Exception as error:  # one failed check does not hide the others
            failed, told = failed + 1, f"FAILED: {type(error).__name__}: {error}"
        print(f"{function.__name__.replace('_', ' '):50} {told}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
