"""What may be done with a stack depends on its status, as in AWS; what may not is refused in AWS's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .stacks import Stack, impossible, parameter, template

TEMPLATE = template({"One": parameter("x")})
#: Statuses in which a stack may be updated. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
STEADY = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE")
PAUSED = ("CREATE_FAILED", "UPDATE_FAILED")
#: Failed for good: to be deleted (or, of a rolled back update, continued).
BROKEN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "UPDATE_ROLLBACK_FAILED", "DELETE_FAILED", "IMPORT_ROLLBACK_FAILED")
BUSY = ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS")
OTHER = ("CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS")


@pytest.fixture(scope="module")
def made(account: Account) -> Stack:
    stack = Stack(account, "made")
    stack.create({"One": parameter("x")})
    return stack


def record(account: Account, stack: Stack) -> dict[str, Any]:
    """The emulator's record of a stack, to bring it into a status that takes an accident to reach."""
    from ministack.core.responses import set_request_account_id, set_request_region
    from ministack.services.cloudformation import _stacks

    set_request_account_id(account.settings.account_id)
    set_request_region(account.settings.region)
    found: dict[str, Any] = _stacks[stack.name]
    return found


@pytest.fixture
def status(account: Account, made: Stack, request: pytest.FixtureRequest) -> Iterator[str]:
    of_stack = record(account, made)
    of_stack["StackStatus"] = request.param
    yield request.param
    of_stack["StackStatus"] = "CREATE_COMPLETE"


def in_every(*statuses: str) -> Any:
    return pytest.mark.parametrize("status", statuses, indirect=True)


# ------------------------------------------------------------------------------------------ by kind of status


@in_every(*BROKEN, *BUSY, *OTHER)
def test_a_stack_that_is_not_steady_is_not_updated(account: Account, made: Stack, status: str) -> None:
    client, words = account.client("cloudformation"), rf"Stack:arn:\S*/made/\S* is in {status} state and can not be updated\."

    with pytest.raises(ClientError, match=rf"ValidationError.*{words}"):
        client.update_stack(StackName="made", TemplateBody=TEMPLATE)
    with pytest.raises(ClientError, match=rf"ValidationError.*{words}"):
        client.create_change_set(StackName="made", ChangeSetName="c", TemplateBody=TEMPLATE)


@in_every(*STEADY)
def test_a_steady_stack_is_updated(account: Account, made: Stack, status: str) -> None:
    client = account.client("cloudformation")

    with pytest.raises(ClientError, match="No updates are to be performed"):
        client.update_stack(StackName="made", TemplateBody=TEMPLATE)
    client.create_change_set(StackName="made", ChangeSetName=f"c{status.replace('_', '')}", TemplateBody=TEMPLATE)


@in_every(*STEADY, *PAUSED, *BROKEN, *BUSY, "CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS")
def test_the_name_of_a_stack_is_taken_whatever_became_of_it(account: Account, made: Stack, status: str) -> None:
    client = account.client("cloudformation")

    with pytest.raises(ClientError, match=r"AlreadyExistsException.*Stack \[made\] already exists"):
        client.create_stack(StackName="made", TemplateBody=TEMPLATE)
    with pytest.raises(ClientError, match=r"Stack \[made\] already exists and cannot be created again with the changeSet \[c\]\."):
        client.create_change_set(StackName="made", ChangeSetName="c", TemplateBody=TEMPLATE, ChangeSetType="CREATE")


@in_every(*BUSY)
def test_a_stack_is_not_deleted_in_the_middle_of_a_change(account: Account, made: Stack, status: str) -> None:
    with pytest.raises(ClientError, match=rf"Stack \[arn:\S*/made/\S*\] cannot be deleted while in status {status}"):
        account.client("cloudformation").delete_stack(StackName="made")


@in_every("CREATE_IN_PROGRESS")
def test_a_creation_is_not_broken_off(account: Account, made: Stack, status: str) -> None:
    with pytest.raises(ClientError, match="once its creation has ended; it is CREATE_IN_PROGRESS"):
        account.client("cloudformation").delete_stack(StackName="made")


@in_every("DELETE_IN_PROGRESS")
def test_a_second_deletion_changes_nothing(account: Account, made: Stack, status: str) -> None:
    from ministack.services.cloudformation import handlers

    record(account, made)
    assert handlers._ACTION_HANDLERS["DeleteStack"]({"StackName": ["made"]})[0] == 200

    assert account.client("ssm").get_parameter(Name=made.physical_id("One"))["Parameter"]["Value"] == "x"


@in_every(*STEADY, *PAUSED, "ROLLBACK_COMPLETE", "DELETE_FAILED")
def test_only_a_failed_rollback_is_continued(account: Account, made: Stack, status: str) -> None:
    with pytest.raises(ClientError, match="ContinueUpdateRollback"):
        account.client("cloudformation").continue_update_rollback(StackName="made")


# -------------------------------------------------------------------------------------------- how it gets there


def test_a_stack_that_rolled_back_is_only_deleted(account: Account) -> None:
    stack, client = Stack(account, "rolled-back"), account.client("cloudformation")
    assert stack.create({"One": parameter("x"), "Two": impossible()}) == "ROLLBACK_COMPLETE"

    with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
        client.create_change_set(StackName=stack.name, ChangeSetName="again", TemplateBody=TEMPLATE)

    stack.delete()
    assert stack.create({"One": parameter("x")}) == "CREATE_COMPLETE"
    stack.delete()


def test_a_stack_under_review_is_created_or_deleted(account: Account) -> None:
    client = account.client("cloudformation")
    client.create_change_set(StackName="reviewed", ChangeSetName="first", TemplateBody=TEMPLATE, ChangeSetType="CREATE")

    client.delete_stack(StackName="reviewed")

    with pytest.raises(ClientError, match="does not exist"):
        client.describe_stacks(StackName="reviewed")


def test_a_stack_that_failed_without_rollback_is_tried_again(account: Account) -> None:
    stack, client = Stack(account, "paused"), account.client("cloudformation")
    assert stack.create({"One": parameter("x"), "Two": impossible()}, DisableRollback=True) == "CREATE_FAILED"

    with pytest.raises(ClientError, match=r"currently in a non-terminal \[CREATE_FAILED\] state.*use the disable-rollback parameter"):
        stack.update({"One": parameter("y")})
    with pytest.raises(ClientError, match="by a change set only"):
        stack.update({"One": parameter("y")}, DisableRollback=True)
    client.create_change_set(StackName="paused", ChangeSetName="again", TemplateBody=template({"One": parameter("y")}))
    with pytest.raises(ClientError, match="non-terminal"):
        client.execute_change_set(StackName="paused", ChangeSetName="again")
    client.execute_change_set(StackName="paused", ChangeSetName="again", DisableRollback=True)

    assert stack.settle() == "UPDATE_COMPLETE", stack.reasons()
    assert account.client("ssm").get_parameter(Name=stack.physical_id("One"))["Parameter"]["Value"] == "y"
    stack.delete()


def test_a_change_set_without_changes_is_not_executed(account: Account, made: Stack) -> None:
    client = account.client("cloudformation")
    client.create_change_set(StackName="made", ChangeSetName="nothing", TemplateBody=TEMPLATE)

    with pytest.raises(ClientError, match=r"InvalidChangeSetStatus.*cannot be executed in its current status of \[FAILED\]"):
        client.execute_change_set(StackName="made", ChangeSetName="nothing")


def test_an_executed_change_set_is_not_executed_again(account: Account) -> None:
    client = account.client("cloudformation")
    client.create_change_set(StackName="twice", ChangeSetName="first", TemplateBody=TEMPLATE, ChangeSetType="CREATE")
    client.execute_change_set(StackName="twice", ChangeSetName="first")
    stack = Stack(account, "twice")
    stack.settle()

    with pytest.raises(ClientError, match="cannot be executed in its current execution status"):
        client.execute_change_set(StackName="twice", ChangeSetName="first")
    stack.delete()


# ------------------------------------------------------------------------------------------ a bucket that is not empty

BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}}


def test_a_bucket_that_holds_something_stays_and_its_stack_fails_to_delete(account: Account) -> None:
    stack, client, s3 = Stack(account, "with-bucket"), account.client("cloudformation"), account.client("s3")
    stack.create({"Files": {"Type": "AWS::S3::Bucket"}, "One": parameter("x")})
    bucket = stack.physical_id("Files")
    s3.put_object(Bucket=bucket, Key="a.txt", Body=b"a")

    client.delete_stack(StackName=stack.name)

    assert stack.settle() == "DELETE_FAILED"
    assert "The bucket you tried to delete is not empty" in stack.reasons()
    assert s3.get_object(Bucket=bucket, Key="a.txt")["Body"].read() == b"a"
    resources = {
        item["LogicalResourceId"]: item["ResourceStatus"]
        for item in client.list_stack_resources(StackName=stack.name)["StackResourceSummaries"]
    }
    assert resources == {"Files": "DELETE_FAILED"}
    with pytest.raises(ClientError, match="is in DELETE_FAILED state and can not be updated"):  # not "no changes"
        client.create_change_set(StackName=stack.name, ChangeSetName="again", TemplateBody=TEMPLATE)

    s3.delete_object(Bucket=bucket, Key="a.txt")
    stack.delete()
    assert bucket not in [item["Name"] for item in s3.list_buckets()["Buckets"]]


def test_versions_and_delete_markers_count(account: Account) -> None:
    stack, s3 = Stack(account, "with-versions"), account.client("s3")
    stack.create({"Files": BUCKET})
    bucket = stack.physical_id("Files")
    s3.put_object(Bucket=bucket, Key="a.txt", Body=b"a")
    marker = s3.delete_object(Bucket=bucket, Key="a.txt")
    version = s3.list_object_versions(Bucket=bucket)["Versions"][0]["VersionId"]
    for left_over in (version, marker["VersionId"]):
        account.client("cloudformation").delete_stack(StackName=stack.name)
        assert stack.settle() == "DELETE_FAILED"
        s3.delete_object(Bucket=bucket, Key="a.txt", VersionId=left_over)

    stack.delete()


def test_a_bucket_that_an_update_removes_stays_if_it_holds_something(account: Account) -> None:
    stack, s3 = Stack(account, "removing"), account.client("s3")
    stack.create({"Files": BUCKET, "One": parameter("x")})
    bucket = stack.physical_id("Files")
    s3.put_object(Bucket=bucket, Key="a.txt", Body=b"a")

    assert stack.update({"One": parameter("x")}) == "UPDATE_COMPLETE"

    assert "The bucket you tried to delete is not empty" in stack.reasons()
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
