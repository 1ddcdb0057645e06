"""The local account is an account: someone else's CDK app bootstraps, deploys, runs, updates and destroys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local_account.account import Account

from .cdk_command import run_cdk

#: What the app's stack needs of IAM besides roles themselves. Everything else is allowed.
LACKING = "iam:PutRolePolicy"
APP = Path(__file__).parent / "foreign_app" / "app.py"


@pytest.fixture(scope="module")
def outputs(account: Account) -> dict[str, str]:
    settings = account.settings
    run_cdk(account, APP, "bootstrap", f"aws://{settings.account_id}/{settings.region}")
    run_cdk(account, APP, "deploy", "--all", "--require-approval", "never")
    return stack_outputs(account)


def stack_outputs(account: Account) -> dict[str, str]:
    stack = account.client("cloudformation").describe_stacks(StackName="announcements")["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def invoke(account: Account, outputs: dict[str, str], name: str) -> dict[str, str]:
    answer = account.client("lambda").invoke(FunctionName=outputs["Function"], Payload=json.dumps({"name": name}).encode())
    payload = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return dict(payload)


def test_its_function_really_runs(account: Account, outputs: dict[str, str]) -> None:
    assert invoke(account, outputs, "Ada") == {"said": "hello, Ada"}

    stored = account.client("s3").get_object(Bucket=outputs["Bucket"], Key="greeting.txt")["Body"].read()
    messages = account.client("sqs").receive_message(QueueUrl=outputs["InboxUrl"], WaitTimeSeconds=5)["Messages"]
    assert stored == b"hello, Ada"
    assert [message["Body"] for message in messages] == ["hello, Ada"]


def test_a_changed_value_is_updated_in_place(account: Account, outputs: dict[str, str]) -> None:
    run_cdk(account, APP, "deploy", "--all", "--require-approval", "never", "--context", "greeting=good morning")

    assert stack_outputs(account) == outputs
    assert invoke(account, outputs, "Bob") == {"said": "good morning, Bob"}


def test_destroying_it_leaves_nothing(account: Account, outputs: dict[str, str]) -> None:
    run_cdk(account, APP, "destroy", "--all", "--force")

    assert account.client("lambda").list_functions()["Functions"] == []
    buckets = [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]]
    assert outputs["Bucket"] not in buckets


def test_it_is_not_deployed_by_a_role_that_may_not_give_its_roles_their_policies(account: Account) -> None:
    """`cdk bootstrap --cloudformation-execution-policies`: what CloudFormation may do is what that policy says, action by action."""
    iam, settings = account.client("iam"), account.settings
    statements = [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": LACKING, "Resource": "*"}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    arn = iam.create_policy(PolicyName=LACKING.replace(":", "-"), PolicyDocument=policy)["Policy"]["Arn"]
    place = f"aws://{settings.account_id}/{settings.region}"
    run_cdk(account, APP, "bootstrap", place, "--cloudformation-execution-policies", arn)
    with pytest.raises(AssertionError, match=LACKING):
        run_cdk(account, APP, "deploy", "--all", "--require-approval", "never")
    events = account.client("cloudformation").describe_stack_events(StackName="announcements")["StackEvents"]
    assert any(LACKING in event.get("ResourceStatusReason", "") for event in events)
    run_cdk(account, APP, "destroy", "--all", "--force")
