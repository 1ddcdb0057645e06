"""Claims about states of stacks and endpoints: what stands in the way of a change, and the one command that mends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import boto3
import pytest

from preflight.obstacle import REPLACED_ON_FAILURE, STUCK_AFTER, in_progress, of_endpoint, of_stack

NOW = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
CLOUDFORMATION = boto3.client("cloudformation", region_name="eu-west-1").meta.service_model
STATUSES = CLOUDFORMATION.shape_for("StackStatus").enum
#: "Stack status codes": from these an update can begin.
STEADY = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}


def stack(status, *, protected=False, reason=""):
    described = {"StackName": "fish", "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/fish/1", "StackStatus": status}
    return {**described, "EnableTerminationProtection": protected, **({"StackStatusReason": reason} if reason else {})}


def endpoint(status, *, age=timedelta(0), **described):
    return {"EndpointName": "fish", "EndpointStatus": status, "LastModifiedTime": NOW - age, **described}


def command(obstacle):
    return obstacle.command.replace(" --stack-name fish --region eu-west-1", "").replace("aws cloudformation ", "")


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_of_cloudformation_is_updatable_gone_passing_or_named_with_a_command(status):
    stands, passes = of_stack(stack(status)), in_progress(stack(status))
    if status in STEADY | {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}:
        assert (stands, passes) == (None, None)
    elif status.endswith("_IN_PROGRESS"):
        assert (stands, command(passes).split()[0]) == (None, "wait")
    else:
        assert (passes, status in stands.found) == (None, True)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("ROLLBACK_COMPLETE", "delete-stack"),
        ("ROLLBACK_FAILED", "delete-stack"),
        ("CREATE_FAILED", "delete-stack"),
        ("DELETE_FAILED", "delete-stack"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("UPDATE_FAILED", "rollback-stack"),
    ],
)
def test_a_stack_that_needs_a_person_names_the_command(status, expected):
    assert command(of_stack(stack(status))) == expected


def test_a_protected_stack_is_deleted_after_its_protection_is_off():
    first, second = of_stack(stack("ROLLBACK_COMPLETE", protected=True)).command.split(" && ")
    assert "update-termination-protection --no-enable-termination-protection --stack-name fish" in first
    assert "delete-stack --stack-name fish" in second


@pytest.mark.parametrize("status", REPLACED_ON_FAILURE)
def test_what_the_deployer_replaces_is_no_obstacle_unless_it_is_protected(status):
    assert of_stack(stack(status), REPLACED_ON_FAILURE) is None
    assert of_stack(stack(status, protected=True), REPLACED_ON_FAILURE) is not None


def test_the_line_names_place_state_reason_and_command():
    line = str(of_stack(stack("UPDATE_ROLLBACK_FAILED", reason="The following resource(s) failed to update: [Endpoint]. ")))
    assert line.startswith("fish (111122223333, eu-west-1) is UPDATE_ROLLBACK_FAILED: The following resource(s) failed")
    assert line.endswith("`aws cloudformation continue-update-rollback --stack-name fish --region eu-west-1`")


def test_no_stack_and_no_endpoint_is_no_obstacle():
    assert of_stack(None) is None
    assert of_endpoint(None, None, NOW) is None


def test_a_failed_endpoint_goes_with_its_stack_or_alone_where_there_is_none():
    failed = endpoint("Failed", FailureReason="no capacity")
    assert command(of_endpoint(failed, stack("UPDATE_COMPLETE"), NOW)) == "delete-stack"
    assert of_endpoint(failed, None, NOW).command == "aws sagemaker delete-endpoint --endpoint-name fish"
    assert "no capacity" in of_endpoint(failed, None, NOW).found


def test_a_failed_component_is_deleted_and_never_the_endpoint_that_it_shares_with_others():
    failed = {**endpoint("Failed", FailureReason="no room"), "InferenceComponentName": "carp"}
    stands = of_endpoint(failed, None, NOW)
    assert stands.command == "aws sagemaker delete-inference-component --inference-component-name carp"
    assert stands.found == "inference component carp is Failed: no room"
    stuck = {**endpoint("Updating", age=2 * STUCK_AFTER), "InferenceComponentName": "carp"}
    assert of_endpoint(stuck, None, NOW).command == "aws sagemaker describe-inference-component --inference-component-name carp"


@pytest.mark.parametrize("status", ["InService", "UpdateRollbackFailed", "OutOfService", "SystemUpdating"])
def test_an_endpoint_that_serves_or_that_an_update_may_repair_is_none(status):
    assert of_endpoint(endpoint(status, age=2 * STUCK_AFTER), stack("UPDATE_COMPLETE"), NOW) is None


def test_an_endpoint_is_stuck_once_it_changes_longer_than_any_update_takes():
    busy = stack("UPDATE_IN_PROGRESS")
    assert of_endpoint(endpoint("Updating", age=STUCK_AFTER - timedelta(minutes=1)), busy, NOW) is None
    stuck = endpoint("Updating", age=STUCK_AFTER)
    assert command(of_endpoint(stuck, busy, NOW)) == "cancel-update-stack"
    assert "describe-endpoint" in of_endpoint(stuck, stack("UPDATE_COMPLETE"), NOW).command


def test_an_update_counts_from_its_own_start():
    updating = endpoint("Updating", age=timedelta(days=9), PendingDeploymentSummary={"StartTime": NOW - timedelta(minutes=5)})
    assert of_endpoint(updating, stack("UPDATE_IN_PROGRESS"), NOW) is None
