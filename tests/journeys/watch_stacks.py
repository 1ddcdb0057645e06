"""Deploys what watches a model, and nothing else of its stacks: of the environment's what the watch needs, of the serving one the watch.

The templates are those of the app. For test_watch.py and test_watch_permissions.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from app import build_app
from local_account.account import Account
from settings_schema import ServingNames
from settings_schema.reading import Settings

#: What a watch needs of its environment's stack.
EXPORTED = ("KeyArn", "BucketName", "AlertTopicArn", "DeadLettersArn")


def deploy_watch(account: Account, settings: Settings, names: ServingNames, parameters: Mapping[str, str]) -> None:
    """`parameters`: of the serving stack, as render.py gives them."""
    stacks = {stack.stack_name: stack.template for stack in build_app(settings).synth().stacks_recursively}
    environment_stack = f"{settings.project.name}--environment--{names.environment}"
    environment, serving = stacks[environment_stack], stacks[names.stack]
    exports = [output["Value"] for name, output in environment["Outputs"].items() if name in EXPORTED or "Monitoring" in name]
    wanted = {name for value in exports for name in referred(value)}
    policies = {name: item for name, item in environment["Resources"].items() if item["Type"] == "AWS::SNS::TopicPolicy"}
    wanted |= {name for name, item in policies.items() if referred(item) & wanted}  # in place of one that lets in everybody of the account
    watch = {name for name in serving["Resources"] if name.startswith("Watch")}
    deploy(account, environment_stack, part(environment, wanted, parameters=False), {})
    deploy(account, names.stack, part(serving, watch, parameters=True), parameters)


def part(template: Mapping[str, Any], wanted: set[str], parameters: bool) -> str:
    """The template with these resources and whatever they refer to, and the outputs that are of those alone."""
    resources, found, todo = template["Resources"], set[str](), set(wanted)
    while todo:
        name = todo.pop()
        found.add(name)
        todo |= referred(resources[name]) & set(resources) - found
    outputs = {name: output for name, output in template.get("Outputs", {}).items() if referred(output) <= found}
    kept = {"Resources": {name: resources[name] for name in found}, "Outputs": outputs}
    return json.dumps({**kept, **({"Parameters": template["Parameters"]} if parameters else {})})


def referred(value: Any) -> set[str]:
    """Logical ids; those in texts of Fn::Sub are of parameters here."""
    text = json.dumps(value)
    names = re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"|"DependsOn": \[([^\]]*)\]', text)
    return {name for groups in names for group in groups for name in re.findall(r"\w+", group)}


def deploy(account: Account, stack: str, template: str, parameters: Mapping[str, str]) -> None:
    cloudformation = account.client("cloudformation")
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    cloudformation.create_stack(StackName=stack, TemplateBody=template, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"])
    cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def subscribed(account: Account, environment_stack: str) -> Callable[..., list[dict[str, Any]]]:
    """What whoever subscribed to the environment's alerts has got since it was last asked, waiting for `seconds`."""
    outputs = account.client("cloudformation").describe_stacks(StackName=environment_stack)["Stacks"][0]["Outputs"]
    topic = next(item["OutputValue"] for item in outputs if item["OutputKey"] == "AlertTopicArn")
    sqs = account.client("sqs")
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    url = sqs.create_queue(QueueName="person", Attributes={"Policy": policy})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    account.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def receive(seconds: int = 2) -> list[dict[str, Any]]:
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=seconds, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    return receive
