"""What `make deploy` and `make undeploy` do around CloudFormation. scripts/deploy calls it in an environment with boto3.

usage: stack.py account | region CONFIG SECTION | architecture CONFIG SECTION | pages STACK FOLDER | seed STACK [--sample] | show STACK
       | delete STACK
"""

import json
import mimetypes
import sys
import time
import tomllib
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

# What stays when the stack goes, by the kind of resource, and how to look at it.
KEPT = {
    "AWS::DynamoDB::Table": "table",
    "AWS::S3::Bucket": "bucket",
    "AWS::KMS::Key": "key",
    "AWS::SecretsManager::Secret": "secret",
    "AWS::Cognito::UserPool": "user pool",
    "AWS::SQS::Queue": "queue of dead letters",
}
DELETED_AT_ONCE = 1000  # objects in one request, the limit of S3
PATIENCE_SECONDS = 3600


class Problem(Exception):
    """Something that the person has to change; the text says what."""


def account():
    """Says who we are to AWS, or what is missing."""
    try:
        who = boto3.client("sts").get_caller_identity()
    except NoCredentialsError:
        raise Problem("there are no AWS credentials; set AWS_PROFILE, or run `aws configure` or `aws sso login`") from None
    except (ClientError, BotoCoreError) as error:
        raise Problem(f"AWS does not accept the credentials: {error}") from None
    print(f"account {who['Account']} as {who['Arn'].rsplit(':', 1)[-1]}")


def settings(config, section):
    """The section of a samconfig.toml."""
    try:
        parsed = tomllib.loads(Path(config).read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Problem(f"cannot read `{config}`: {error}") from None
    found = parsed.get(section, {}).get("deploy", {}).get("parameters")
    if found is None:
        raise Problem(f"`{config}` has no section [{section}.deploy.parameters]; deploy/samconfig.toml.example shows one")
    return found


def region(config, section):
    """The region of a section."""
    found = settings(config, section).get("region")
    if not found:
        raise Problem(f"[{section}.deploy.parameters] in `{config}` has no `region`")
    print(found)


def architecture(config, section):
    """What to build the zip for."""
    overrides = settings(config, section).get("parameter_overrides", [])
    pairs = dict(pair.split("=", 1) for pair in overrides if "=" in pair)
    print(pairs.get("Architecture", "arm64").strip("'\""))


def outputs(stack):
    """The stack's outputs by name."""
    found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}


def pages(stack, folder):
    """Uploads the pages: first the files that never change, then the ones that name them."""
    about = outputs(stack)
    s3, root = boto3.client("s3"), Path(folder)
    files = sorted((path for path in root.rglob("*") if path.is_file()), key=lambda path: (path.suffix == ".html", str(path)))
    for path in files:
        name = path.relative_to(root).as_posix()
        cache = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        s3.put_object(Bucket=about["PageFilesBucket"], Key=name, Body=path.read_bytes(), ContentType=kind, CacheControl=cache)
    batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": str(time.time_ns())}
    boto3.client("cloudfront").create_invalidation(DistributionId=about["PagesDistribution"], InvalidationBatch=batch)
    print(f"{len(files)} files")


def seed(stack, *options):
    """Makes what the functions need to begin with, and fills an empty catalogue with the sample if it is wanted."""
    wanted = json.dumps({"sample": "--sample" in options})
    answer = boto3.client("lambda").invoke(FunctionName=outputs(stack)["SeedFunction"], Payload=wanted)
    body = answer["Payload"].read().decode()
    if "FunctionError" in answer:
        raise Problem(f"the table could not be prepared: {body}")
    print(f"prepared, products of the sample: {json.loads(body)['products']}")


def show(stack):
    """Where everything is, and what is left to a person."""
    about = outputs(stack)
    for name in ("Address", "ApiAddress", "SignInAddress", "TableName", "ReceiptsBucket", "UserPool"):
        print(f"{name:16} {about[name]}")
    print(f"""
What is left to you, once:
  the first administrator   aws cognito-idp admin-create-user --user-pool-id {about['UserPool']} --username YOU@EXAMPLE.COM
                            aws cognito-idp admin-add-user-to-group --user-pool-id {about['UserPool']} --username YOU@EXAMPLE.COM --group-name admin
  the mail domain           aws sesv2 get-email-identity --email-identity YOUR-DOMAIN      shows its DNS records
  leave the mail sandbox    aws sesv2 put-account-details    until then SES sends only to addresses it has proved
  your own domain           a CNAME of it to {about['PagesDomain']}""")


def empty(bucket):
    """Deletes every version of every object, so that CloudFormation can delete the bucket."""
    s3 = boto3.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [{"Key": o["Key"], "VersionId": o["VersionId"]} for o in page.get("Versions", []) + page.get("DeleteMarkers", [])]
        for start in range(0, len(found), DELETED_AT_ONCE):
            s3.delete_objects(Bucket=bucket, Delete={"Objects": found[start : start + DELETED_AT_ONCE], "Quiet": True})


def delete(stack):
    """Deletes the stack and lists what stays."""
    cloudformation = boto3.client("cloudformation")
    try:
        about = outputs(stack)
    except ClientError as error:
        raise Problem(f"there is no stack `{stack}`: {error}") from None
    resources = [r for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack) for r in page["StackResourceSummaries"]]
    if "PageFilesBucket" in about:
        empty(about["PageFilesBucket"])
    cloudformation.delete_stack(StackName=stack)
    deadline = time.monotonic() + PATIENCE_SECONDS
    identifier = resources[0]["StackId"] if resources and "StackId" in resources[0] else stack
    while (status := status_of(cloudformation, identifier)) not in (None, "DELETE_COMPLETE"):
        if status == "DELETE_FAILED":
            raise Problem(f"`{stack}` could not be deleted; `aws cloudformation describe-stack-events --stack-name {stack}` says why")
        if time.monotonic() > deadline:
            raise Problem(f"`{stack}` is still being deleted; look again later")
        time.sleep(1)
    print(f"{stack} is deleted. What holds money or data stays, and costs, until you delete it yourself:")
    gone = {"PageFiles"} | {r["LogicalResourceId"] for r in resources if r["LogicalResourceId"].endswith("Queue")}
    for resource in resources:
        kind = KEPT.get(resource["ResourceType"])
        if kind and resource["LogicalResourceId"] not in gone | {"ProviderSecrets"}:
            print(f"  {kind:22} {resource.get('PhysicalResourceId', '?')}")


def status_of(cloudformation, stack):
    """The stack's status; `None` once it is not known any more."""
    try:
        return cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
    except ClientError:
        return None


COMMANDS = {f.__name__: f for f in (account, region, architecture, pages, seed, show, delete)}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except Problem as problem:
        sys.exit(f"deploy: {problem}")
    except (ClientError, BotoCoreError) as error:
        sys.exit(f"deploy: AWS says: {error}")


if __name__ == "__main__":
    main()
