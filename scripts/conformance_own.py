"""Our own checks of the Step Functions API with boto3, unmodified: what the recordings do not show.

    conformance_own.py --endpoint URL
"""

import argparse
import json
import shutil
import subprocess
import sys
import threading
import time

import boto3
from botocore.config import Config

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
    sfn.redrive_execution(executionArn=run)
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
def the_aws_command_works(sfn):
    aws = shutil.which("aws")
    if aws is None:
        return "skipped: there is no `aws` here"
    environment = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1", "PATH": "/usr/bin:/bin"}
    command = [aws, "stepfunctions", "list-state-machines", "--endpoint-url", sfn.meta.endpoint_url, "--output", "json"]
    try:
        done = subprocess.run(command, env={**environment, "HOME": "/nonexistent"}, capture_output=True, text=True, timeout=60)
    except OSError as error:
        return f"skipped: `aws` cannot be run: {error}"
    if done.returncode == 127:
        return "skipped: `aws` cannot be run"
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stateMachines"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--endpoint", required=True)
    endpoint = p.parse_args().endpoint
    config = Config(retries={"max_attempts": 1}, read_timeout=90, inject_host_prefix=False)
    sfn = boto3.client("stepfunctions", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test",
                       aws_secret_access_key="test", config=config)
    failed = 0
    for function in CHECKS:
        try:
            told = function(sfn) or "ok"
        except Exception as error:  # one failed check does not hide the others
            failed, told = failed + 1, f"FAILED: {type(error).__name__}: {error}"
        print(f"{function.__name__.replace('_', ' '):50} {told}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
