"""What earlier deployments left goes, and nothing that serves, may serve again, or is not the project's."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.environment.remove_unused import handler as remove_unused
from infra.environment.remove_unused.handler import Deployment, Made, deployment, plan

CONFIGURATIONS = [Made("old", "production", ("model-old",)), Made("new", "production", ("model-new",))]
MODELS = [Made("model-old", "production"), Made("model-new", "production")]


def using(*names: str) -> dict[str, Deployment]:
    return {"production": Deployment(settled=True, in_use=frozenset(names))}


def test_what_no_endpoint_uses_goes():
    decision = plan(CONFIGURATIONS, MODELS, using("new", "model-new"))
    assert (decision.configurations, decision.models, decision.waiting) == (["old"], ["model-old"], [])


def test_what_sagemaker_went_back_to_stays_and_so_does_what_the_stack_believes_in():
    """The endpoint serves the old one, the stack has the new one: both are needed."""
    decision = plan(CONFIGURATIONS, MODELS, using("old", "new", "model-new"))
    assert (decision.configurations, decision.models) == ([], [])


def test_nothing_goes_while_a_deployment_is_in_progress():
    decision = plan(CONFIGURATIONS, MODELS, {"production": Deployment(settled=False)})
    assert (decision.configurations, decision.models, decision.waiting) == ([], [], ["production"])


def test_a_model_stays_as_long_as_a_configuration_names_it():
    both = [*CONFIGURATIONS, Made("again", "production", ("model-old",))]
    decision = plan(both, MODELS, using("again", "new"))
    assert (decision.configurations, decision.models) == (["old"], [])


def test_what_was_made_for_another_endpoint_stays():
    assert plan([Made("theirs", "other-production")], [Made("model", "other-production")], using()).configurations == []


def test_everything_goes_once_endpoint_and_stack_are_gone():
    decision = plan(CONFIGURATIONS, MODELS, using())
    assert (decision.configurations, decision.models) == (["old", "new"], ["model-old", "model-new"])


def missing(*_: Any, **__: Any) -> Any:
    raise ClientError({"Error": {"Code": "ValidationException", "Message": 'Could not find endpoint "production".'}}, "DescribeEndpoint")


class CloudFormation:
    def __init__(self, status: str = "UPDATE_COMPLETE") -> None:
        self.status = status

    def describe_stacks(self, **_: str) -> Any:
        return {"Stacks": [{"StackStatus": self.status}]}

    def describe_stack_resources(self, **_: str) -> Any:
        return {"StackResources": [{"PhysicalResourceId": "arn:aws:sagemaker:us-east-1:111122223333:endpoint-config/new"}]}


class SageMaker:
    def __init__(self, status: str = "InService") -> None:
        self.status = status
        self.deleted: list[str] = []

    def describe_endpoint(self, **_: str) -> Any:
        return {"EndpointStatus": self.status, "EndpointConfigName": "old"}

    def describe_inference_component(self, **_: str) -> Any:
        missing()

    def describe_endpoint_config(self, EndpointConfigName: str) -> Any:  # noqa: N803 - boto3 spells them so
        return {"ProductionVariants": [{"ModelName": f"model-{EndpointConfigName}"}]}

    def get_paginator(self, operation: str) -> Any:
        names = ("old", "older", "new", "theirs")
        configurations = [{"EndpointConfigName": name, "EndpointConfigArn": f"config/{name}"} for name in names]
        models = [{"ModelName": f"model-{name}", "ModelArn": f"model/{name}"} for name in names]
        page = {"list_endpoint_configs": {"EndpointConfigs": configurations}, "list_models": {"Models": models}}[operation]
        return type("Pages", (), {"paginate": lambda _: iter([page])})()

    def list_tags(self, ResourceArn: str) -> Any:  # noqa: N803
        return {"Tags": [] if ResourceArn.endswith("theirs") else [{"Key": "made-for", "Value": "production"}]}

    def delete_endpoint_config(self, EndpointConfigName: str) -> None:  # noqa: N803
        self.deleted.append(EndpointConfigName)

    def delete_model(self, ModelName: str) -> None:  # noqa: N803
        self.deleted.append(ModelName)


@pytest.mark.parametrize(
    ("stack", "endpoint", "settled"),
    [
        ("UPDATE_COMPLETE", "InService", True),
        ("UPDATE_ROLLBACK_COMPLETE", "InService", True),
        ("UPDATE_IN_PROGRESS", "InService", False),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "InService", False),
        ("UPDATE_ROLLBACK_FAILED", "InService", False),  # repairing it may need the configuration from before
        ("UPDATE_COMPLETE", "Updating", False),
    ],
)
def test_a_deployment_is_over_when_stack_and_endpoint_say_so(stack, endpoint, settled):
    assert deployment(SageMaker(endpoint), CloudFormation(stack), "production").settled is settled


def test_an_endpoint_that_is_gone_uses_nothing():
    sagemaker = SageMaker()
    sagemaker.describe_endpoint = missing
    assert deployment(sagemaker, CloudFormation(), "production").in_use == {"new"}


def test_the_model_of_a_component_is_in_use_and_nothing_goes_while_it_is_updated():
    sagemaker, described = SageMaker(), {"InferenceComponentStatus": "InService", "Specification": {"ModelName": "model-old"}}
    sagemaker.describe_endpoint = missing
    sagemaker.describe_inference_component = lambda **_: described
    assert deployment(sagemaker, CloudFormation(), "production").in_use == {"new", "model-old"}
    described["InferenceComponentStatus"] = "Updating"
    assert not deployment(sagemaker, CloudFormation(), "production").settled


def test_an_answer_that_is_no_absence_is_an_error_that_reaches_the_dead_letter_queue():
    def refused(**_: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "DescribeEndpoint")

    sagemaker = SageMaker()
    sagemaker.describe_endpoint = refused
    with pytest.raises(ClientError):
        deployment(sagemaker, CloudFormation(), "production")


def test_runs_of_a_watch_that_is_to_go_are_ended_and_others_left(monkeypatch):
    """Those that are ending already are waited for; a pipeline that is gone has none."""

    class Runs:
        def __init__(self) -> None:
            self.stopped: list[str] = []

        def list_pipeline_executions(self, *, PipelineName: str, **_: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells it so
            if PipelineName == "gone":
                message = "Pipeline 'gone' does not exist."
                raise ClientError({"Error": {"Code": "ResourceNotFound", "Message": message}}, "ListPipelineExecutions")
            found = {"new": "Executing", "ending": "Stopping", "old": "Succeeded"}
            return {
                "PipelineExecutionSummaries": [
                    {"PipelineExecutionArn": arn, "PipelineExecutionStatus": status} for arn, status in found.items()
                ]
            }

        def stop_pipeline_execution(self, *, PipelineExecutionArn: str) -> None:  # noqa: N803
            self.stopped.append(PipelineExecutionArn)

    runs = Runs()
    monkeypatch.setattr(boto3, "client", {"sagemaker": runs}.__getitem__)
    assert remove_unused.handler({"stop": ["watch", "gone"]}, None) == {"running": ["new", "ending"]}
    assert runs.stopped == ["new"]


def test_the_function_deletes_what_it_planned(monkeypatch):
    clients = {"sagemaker": SageMaker(), "cloudformation": CloudFormation()}
    monkeypatch.setattr(boto3, "client", clients.__getitem__)
    monkeypatch.setenv("DEPLOYMENTS", "production")
    monkeypatch.setenv("MADE_FOR_TAG", "made-for")
    assert remove_unused.handler({}, None) == {"deleted": ["older", "model-older"], "waiting": []}
    assert clients["sagemaker"].deleted == ["older", "model-older"]
