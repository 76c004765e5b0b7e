"""Asks the endpoint what each path of jayway.json finds, as the InputPath of a state that is tested on its own.

    conformance_jayway.py --endpoint URL --data FOLDER
"""

import argparse
import json
import os
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def found(sfn, path, data):
    """What the path finds; None if it is refused or finds nothing."""
    state = {"Type": "Pass", "InputPath": path, "End": True}
    try:
        answer = sfn.test_state(definition=json.dumps(state), input=json.dumps(data))
    except ClientError:
        return None
    return json.loads(answer["output"]) if answer["status"] == "SUCCEEDED" else None


def sorted_list(value):
    """Java's maps have another order than ours, so what `*` lists may be in any."""
    return sorted(json.dumps(item, sort_keys=True) for item in value) if isinstance(value, list) else value


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--endpoint", required=True)
    p.add_argument("--data", required=True)
    a = p.parse_args()
    sfn = boto3.client("stepfunctions", endpoint_url=a.endpoint, region_name="us-east-1", aws_access_key_id="test",
                       aws_secret_access_key="test", config=Config(inject_host_prefix=False))
    with open(os.path.join(a.data, "jayway.json"), encoding="utf-8") as file:
        recorded = json.load(file)
    # The library takes names without `$` too; in a definition they are none, on AWS and here.
    answers = [answer for answer in recorded["answers"] if answer["path"].startswith("$")]
    different = []
    for answer in answers:
        want, got = answer.get("ok"), found(sfn, answer["path"], recorded["data"])
        if "*" in answer["path"] or ".." in answer["path"]:
            want, got = sorted_list(want), sorted_list(got)
        if want != got:
            different.append(f"{answer['path']}: want {want}, got {got}")
    print(f"{'paths':34} {len(answers) - len(different):>5}/{len(answers)}")
    for line in different:
        print("   ", line)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
