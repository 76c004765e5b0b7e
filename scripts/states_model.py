"""Writes what AWS's model of the Step Functions API says about requests: types, lengths, ranges, words.

    .tools/aws/bin/python3 scripts/states_model.py > crates/gateway/src/states/model.json
"""

import json

import botocore.session

# The order in which AWS's own messages list these words, where a recording shows it.
WORDS = {"ExecutionStatus": ["SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"]}
KINDS = {"long": "integer", "double": "float"}


def described(shape):
    out = {"type": KINDS.get(shape.type_name, shape.type_name)}
    out |= {key: shape.metadata[key] for key in ("min", "max", "pattern", "sensitive") if key in shape.metadata}
    if "enum" in shape.metadata:
        out["words"] = WORDS.get(shape.name, list(shape.metadata["enum"]))
    if shape.type_name == "structure":
        out |= {"name": shape.name, "fields": fields(shape)}
    if shape.type_name == "list":
        out["of"] = described(shape.member)
    return out


def fields(shape):
    found = {name: described(member) for name, member in shape.members.items()}
    for name in shape.required_members:
        found[name]["required"] = True
    return found


service = botocore.session.get_session().get_service_model("stepfunctions")
operations = [service.operation_model(name) for name in service.operation_names]
lines = [f"  {json.dumps(o.name)}: {json.dumps(fields(o.input_shape))}" for o in operations]
print("{\n" + ",\n".join(lines) + "\n}")
