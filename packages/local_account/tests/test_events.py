"""EventBridge: what a rule matches reaches its target, and what cannot be delivered reaches the dead-letter queue."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.events import _at_path

from .roles import open_to_services

NOTHING_SECONDS = 1  # how long a queue is watched to conclude that nothing comes


class Queue:
    """A new queue of the account."""

    def __init__(self, account: Account) -> None:
        self._client = account.client("sqs")
        self.url = self._client.create_queue(QueueName=f"queue-{uuid.uuid4().hex[:8]}", Attributes=open_to_services())["QueueUrl"]
        self.arn = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def receive(self, wait_seconds: int = 10) -> dict[str, Any] | None:
        answer = self._client.receive_message(QueueUrl=self.url, WaitTimeSeconds=wait_seconds, MessageAttributeNames=["All"])
        messages = answer.get("Messages", [])
        return dict(messages[0]) if messages else None


def add_rule(account: Account, pattern: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    name = f"rule-{uuid.uuid4().hex[:8]}"
    events = account.client("events")
    arn = events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    assert events.put_targets(Rule=name, Targets=[{"Id": "target", **target}])["FailedEntryCount"] == 0
    return str(arn)


def package_event(status: str, updated: list[str], group: str = "mlops-models") -> dict[str, Any]:
    return {"ModelPackageGroupName": group, "ModelApprovalStatus": status, "UpdatedModelPackageFields": updated}


APPROVAL_PATTERN = {
    "source": ["aws.sagemaker"],
    "detail": {
        "ModelPackageGroupName": [{"wildcard": "mlops-*"}],
        "ModelApprovalStatus": [{"anything-but": ["PendingManualApproval"]}],
        "$or": [{"UpdatedModelPackageFields": ["ModelApprovalStatus"]}, {"UpdatedModelPackageFields": [{"exists": False}]}],
    },
}


def test_an_event_is_of_the_accounts_time(account: Account) -> None:
    """Not of the machine's: who gets it asks how long ago something was."""
    queue, ahead = Queue(account), account.context.clock.now() + timedelta(days=3)
    add_rule(account, {"source": ["test.time"]}, {"Arn": queue.arn})
    account.context.clock.change(now=ahead)
    account.client("events").put_events(Entries=[{"Source": "test.time", "DetailType": "t", "Detail": "{}"}])
    message = queue.receive()
    assert message is not None
    assert datetime.fromisoformat(json.loads(message["Body"])["time"]) >= ahead.replace(microsecond=0)


@pytest.mark.parametrize(
    ("detail", "reaches"),
    [
        (package_event("Approved", ["ModelApprovalStatus"]), True),
        (package_event("Approved", ["CustomerMetadataProperties"]), False),
        (package_event("PendingManualApproval", ["ModelApprovalStatus"]), False),
        (package_event("Approved", ["ModelApprovalStatus"], group="others"), False),
    ],
)
def test_patterns_with_or_wildcard_and_anything_but_select_events(account: Account, detail: dict[str, Any], reaches: bool) -> None:
    queue = Queue(account)
    add_rule(account, APPROVAL_PATTERN, {"Arn": queue.arn})

    account.context.emit("aws.sagemaker", "SageMaker Model Package State Change", detail)

    message = queue.receive(wait_seconds=10 if reaches else NOTHING_SECONDS)
    assert (message is not None) == reaches
    if message:
        assert json.loads(message["Body"])["detail"] == detail


def test_an_input_transformer_shapes_what_the_target_gets(account: Account) -> None:
    queue = Queue(account)
    transformer = {
        "InputPathsMap": {"who": "$.detail.name"},
        "InputTemplate": '{"greeting": "hello <who>", "rule": <aws.events.rule-name>}',
    }
    arn = add_rule(account, {"source": ["shop"]}, {"Arn": queue.arn, "InputTransformer": transformer})

    account.client("events").put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": json.dumps({"name": "Ada"})}])

    message = queue.receive()
    assert message is not None
    assert json.loads(message["Body"]) == {"greeting": "hello Ada", "rule": arn.rsplit("/", 1)[-1]}


def test_an_object_in_a_bucket_with_notifications_on_is_an_event(account: Account) -> None:
    queue, s3 = Queue(account), account.client("s3")
    bucket = f"raw-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    add_rule(
        account,
        {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"wildcard": "training/*/_SUCCESS"}]}},
        },
        {"Arn": queue.arn},
    )

    s3.put_object(Bucket=bucket, Key="training/abalone/part-0.csv", Body=b"1")
    s3.put_object(Bucket=bucket, Key="training/abalone/_SUCCESS", Body=b"")

    message = queue.receive()
    assert message is not None
    assert json.loads(message["Body"])["detail"]["object"]["key"] == "training/abalone/_SUCCESS"
    assert queue.receive(NOTHING_SECONDS) is None


def test_an_event_whose_target_is_gone_goes_to_the_dead_letter_queue(account: Account) -> None:
    dead = Queue(account)
    missing = account.context.arn("lambda", "function:deleted-yesterday")
    arn = add_rule(account, {"source": ["shop.dead"]}, {"Arn": missing, "DeadLetterConfig": {"Arn": dead.arn}})

    account.client("events").put_events(Entries=[{"Source": "shop.dead", "DetailType": "order", "Detail": '{"number": 7}'}])

    message = dead.receive()
    assert message is not None
    assert json.loads(message["Body"])["detail"] == {"number": 7}
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (attributes["RULE_ARN"], attributes["TARGET_ARN"]) == (arn, missing)
    assert attributes["ERROR_CODE"] == "ResourceNotFoundException"


def test_a_target_that_this_account_cannot_call_is_refused_as_it_is_put(account: Account) -> None:
    with pytest.raises(ClientError, match="does not implement events:PutTargets with a target of batch"):
        add_rule(account, {"source": ["shop.odd"]}, {"Arn": account.context.arn("batch", "job-queue/x")})


def test_clients_cannot_pretend_to_be_an_aws_service(account: Account) -> None:
    answer = account.client("events").put_events(Entries=[{"Source": "aws.sagemaker", "DetailType": "x", "Detail": "{}"}])

    assert answer["FailedEntryCount"] == 1


@pytest.mark.parametrize(
    ("path", "part"),
    [("$.detail.a", {"b": 1}), ("$.detail.a.b", 1), ("$", {"detail": {"a": {"b": 1}}}), ("$.detail.none", {"detail": {"a": {"b": 1}}})],
)
def test_an_input_path_selects_a_part_or_else_the_whole_event(path: str, part: Any) -> None:
    assert _at_path({"detail": {"a": {"b": 1}}}, path) == part


def test_a_stack_that_was_made_is_an_event(account):
    queue, name = Queue(account), f"stack-{uuid.uuid4().hex[:8]}"
    detail = {"stack-id": [{"wildcard": f"arn:aws:cloudformation:*:stack/{name}/*"}], "status-details": {"status": ["CREATE_COMPLETE"]}}
    add_rule(
        account,
        {"source": ["aws.cloudformation"], "detail-type": ["CloudFormation Stack Status Change"], "detail": detail},
        {"Arn": queue.arn},
    )
    template = {"Resources": {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x"}}}}
    stack_id = account.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))["StackId"]
    message = queue.receive()
    assert message is not None
    event = json.loads(message["Body"])
    assert event["resources"] == [stack_id]
    assert event["detail"] == {
        "stack-id": stack_id,
        "status-details": {"status": "CREATE_COMPLETE", "status-reason": ""},
        "client-request-token": "",
    }
