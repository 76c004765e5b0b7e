"""The stack on an emulator of AWS (ministack): what the cases need of it, and what stands in for the emulator's gaps.

Gaps, each bridged here and nowhere else (what the emulator gets wrong is put right in emulate.py):
- it speaks plain HTTP, which the policy of the bucket refuses: the policy is taken away;
- its address of the API is known only after the deployment: the functions are told it afterwards;
- schedules run once a minute at most: a thread calls the ticker more often, so that the cases need not wait;
- who fails is tried again after the visibility time-out: it is set to some seconds.
"""

import json
import os
import subprocess
import threading
import urllib.request
from collections import Counter

import boto3

from shop import Shop, Unexpected

REGION = "us-east-1"
BEAT_SECONDS = 5
VISIBILITY_SECONDS = 10
PASSWORD = "Kitchen-and-counter-1"

class Stack:
    """A deployed stack: its outputs, its resources, and clients of the emulator."""

    def __init__(self, endpoint, name):
        self.endpoint, self.name = endpoint, name
        self.account = self.client("sts").get_caller_identity()["Account"]
        described = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
        self.url = f"{endpoint}/_aws/execute-api/{self.outputs['ApiId']}/$default"

    def client(self, service):
        """A client of the emulator."""
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test")

    def resources(self, kind):
        """Physical ids of a kind of resource, by logical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.name)
        found = [r for page in pages for r in page["StackResourceSummaries"]]
        return {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in found if r["ResourceType"] == kind}

    def prepare(self):
        """Bridges what the emulator cannot know by itself."""
        for name in self.resources("AWS::Lambda::Function").values():
            self.configure(name.removeprefix(f"{self.name}-"), COMANDA_PUBLIC_URL=self.url)
        self.client("s3").delete_bucket_policy(Bucket=self.outputs["ReceiptsBucket"])
        queues = self.client("sqs")
        for name, url in self.resources("AWS::SQS::Queue").items():
            if name.endswith("Queue"):
                queues.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)})

    def token(self):
        """Makes an administrator and signs in."""
        users = self.client("cognito-idp")
        pool, client = self.outputs["UserPool"], self.outputs["UserPoolClient"]
        name = "admin@example.com"
        users.admin_create_user(UserPoolId=pool, Username=name, MessageAction="SUPPRESS", TemporaryPassword=PASSWORD, UserAttributes=[{"Name": "email", "Value": name}])
        users.admin_set_user_password(UserPoolId=pool, Username=name, Password=PASSWORD, Permanent=True)
        users.admin_add_user_to_group(UserPoolId=pool, Username=name, GroupName="admin")
        answer = users.admin_initiate_auth(UserPoolId=pool, ClientId=client, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
                                           AuthParameters={"USERNAME": name, "PASSWORD": PASSWORD})
        return answer["AuthenticationResult"]["IdToken"]

    def shop(self):
        """The shop of the cases."""
        role = self.client("stepfunctions").describe_state_machine(stateMachineArn=self.outputs["OrderStateMachine"])["roleArn"]
        return Shop(self.url, self.endpoint, lambda name: f"arn:aws:lambda:{REGION}:{self.account}:function:{self.name}-{name}",
                    role, token=self.token(), prefix=f"{self.name}-", patience=120)

    def configure(self, function, **variables):
        """Sets variables of a function."""
        functions, name = self.client("lambda"), f"{self.name}-{function}"
        now = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": {**now, **variables}})

    def poison(self, logical_id, body):
        """Puts something into a queue that is no message of ours."""
        self.client("sqs").send_message(QueueUrl=self.resources("AWS::SQS::Queue")[logical_id], MessageBody=body)

    def audit(self, program):
        """What `comanda audit` finds from a laptop: the codes of its differences."""
        table = self.outputs["TableName"]
        environment = {**os.environ, "AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        done = subprocess.run([program, "--json", "audit", "--store", f"dynamodb:{table}"], env=environment, capture_output=True, text=True)
        try:
            return sorted(difference["code"] for difference in json.loads(done.stdout)["differences"])
        except ValueError:
            raise Unexpected(f"`comanda audit` said: {done.stdout}{done.stderr}") from None

    def dead_letters(self):
        """How many there are, by queue."""
        queues = self.client("sqs")
        counts = {}
        for name, url in self.resources("AWS::SQS::Queue").items():
            if name.endswith("Dead") or name == "Undelivered":
                told = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
                counts[name] = int(told["Attributes"]["ApproximateNumberOfMessages"])
        return {name: count for name, count in counts.items() if count}

    def mails_kept(self, shop):
        """What the shop told customers: recipient and subject, counted. Waits until the consumer of mails is through."""
        def look():
            found = shop.get("/v1/mailbox?limit=200", staff=True)["items"]
            return all(mail["status"] == "sent" for mail in found) and found
        found = shop.until("every mail to be sent", look)
        return Counter((mail["to"], mail["subject"]) for mail in found)

    def mails_sent(self):
        """What SES has sent: recipient and subject, counted."""
        with urllib.request.urlopen(f"{self.endpoint}/_ministack/ses/messages") as answer:
            accounts = json.load(answer)["messages"]
        return Counter((mail["To"][0], mail["Subject"]) for mails in accounts.values() for mail in mails)


class Clock:
    """Calls the ticker, as the schedule does, but more often."""

    def __init__(self, stack):
        self.stack, self.stopped = stack, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.failed = []

    def run(self):
        functions = self.stack.client("lambda")
        while not self.stopped.wait(BEAT_SECONDS):
            answer = functions.invoke(FunctionName=f"{self.stack.name}-Ticker", Payload=json.dumps({"beat": "minute"}))
            if "FunctionError" in answer:
                self.failed.append(answer["Payload"].read().decode())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()
