"""The function that puts a version into production's shadow: what it refuses, what it takes out, and what it changes of a stack."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.model.change_production import shadow as change_shadow
from infra.model.change_production.production import request
from infra.model.change_production.shadow_plan import Pipelines, Production, changes, why_not_in, why_not_out

GROUP = "arn:aws:sagemaker:us-east-1:111122223333:model-package/shop--abalone"
NEW, LIVE = f"{GROUP}/3", f"{GROUP}/2"
IDLE, COMPARES, DEPLOYS = Pipelines(False, False), Pipelines(True, False), Pipelines(False, True)
PARAMETERS = {"ModelPackageArn": LIVE, "ShadowPackageArn": "", "ShadowVersion": "0", "ShadowInstances": "2", "Update": "guarded"}
READY = Production("UPDATE_COMPLETE", PARAMETERS, LIVE, 2)
SHADOWED = replace(READY, parameters={**PARAMETERS, "ShadowPackageArn": NEW})


def test_an_approved_version_goes_in_beside_an_approved_one() -> None:
    assert why_not_in(READY, COMPARES, NEW, "Approved", "Approved") == ""


@pytest.mark.parametrize(
    ("production", "pipelines", "wanted", "approval", "live", "reason"),
    [
        (READY, COMPARES, NEW, "Rejected", "Approved", "version 3 is Rejected"),
        (READY, COMPARES, NEW, "no version of this model", "Approved", "only an approved version of this model"),
        (Production(), COMPARES, NEW, "Approved", "", "nothing serves yet"),
        (READY, COMPARES, LIVE, "Approved", "Approved", "version 2 serves already"),
        (READY, COMPARES, NEW, "Approved", "Rejected", "version 2, which serves, is Rejected: what comes next is the way back"),
        (
            replace(READY, parameters={"Update": "guarded"}),
            COMPARES,
            NEW,
            "Approved",
            "Approved",
            "so the next version is the first one compared",
        ),
        (replace(READY, parameters={}), COMPARES, LIVE, "Approved", "Approved", "has no place for a shadow yet"),  # settings that bring it
        (READY, Pipelines(True, True), NEW, "Approved", "Approved", "a deployment to production is on its way"),
        (replace(READY, status="UPDATE_IN_PROGRESS"), COMPARES, NEW, "Approved", "Approved", "is UPDATE_IN_PROGRESS"),
        (replace(READY, status="UPDATE_ROLLBACK_FAILED"), COMPARES, NEW, "Approved", "Approved", "is UPDATE_ROLLBACK_FAILED"),
        (SHADOWED, COMPARES, f"{GROUP}/4", "Approved", "Approved", "version 3 is in the shadow"),
    ],
)
def test_nothing_else_goes_in(production: Production, pipelines: Pipelines, wanted: str, approval: str, live: str, reason: str) -> None:
    assert reason in why_not_in(production, pipelines, wanted, approval, live)


def test_a_stack_that_was_rolled_back_can_be_changed() -> None:
    assert why_not_in(replace(READY, status="UPDATE_ROLLBACK_COMPLETE"), COMPARES, NEW, "Approved", "Approved") == ""


def test_what_no_deployment_compares_any_more_leaves_by_itself() -> None:
    """It was stopped, rejected, or its build died."""
    assert why_not_out(SHADOWED, IDLE, asked=False) == ""
    assert why_not_out(SHADOWED, COMPARES, asked=False) == "it is being compared"
    assert why_not_out(SHADOWED, COMPARES, asked=True) == ""


def test_a_deployment_to_production_is_not_met_by_a_change_of_its_stack() -> None:
    """Nor is a way back, which takes the shadow out anyway."""
    assert "which takes it out" in why_not_out(SHADOWED, DEPLOYS, asked=False)
    assert "which takes it out" in why_not_out(SHADOWED, Pipelines(True, True), asked=True)
    assert "is UPDATE_IN_PROGRESS" in why_not_out(replace(SHADOWED, status="UPDATE_IN_PROGRESS"), IDLE, asked=True)


def test_all_that_is_not_the_shadow_s_stays_as_it_is() -> None:
    asked = request(PARAMETERS, changes(package=NEW, version="3", instances=4))
    kept = [item["ParameterKey"] for item in asked if item.get("UsePreviousValue")]
    assert kept == ["ModelPackageArn"]
    given = {str(item["ParameterKey"]): item["ParameterValue"] for item in asked if "ParameterValue" in item}
    assert given == {"ShadowPackageArn": NEW, "ShadowVersion": "3", "ShadowInstances": "4", "Update": "at-once"}


def test_what_scales_stays_on_as_many_instances_as_there_are_after_another_type_too() -> None:
    """The deployment of another instance type has left how many there were to be then."""
    typed = {**PARAMETERS, "Capacity": "given", "InstanceCount": "5"}
    asked = request(typed, changes(package=NEW, version="3", instances=4))
    assert {"ParameterKey": "Capacity", "ParameterValue": "kept"} in asked
    assert {"ParameterKey": "InstanceCount", "UsePreviousValue": True} in asked
    assert len(asked) == len(typed)


# ---------------------------------------------------------------------------------------------------------- as a function


class Aws:
    """Version 2 serves on three instances; the deployment of version 3 is in its action Shadow."""

    def __init__(self) -> None:
        self.parameters, self.approval = dict(PARAMETERS), {2: "Approved", 3: "Approved"}
        self.updates: list[dict[str, Any]] = []
        self.stages = {"Staging": "InProgress", "Production": "Succeeded"}
        self.returns = "Succeeded"
        self.meta = type("Meta", (), {"region_name": "us-east-1"})

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()]
        outputs = [{"OutputKey": "DeployedModelPackageArn", "OutputValue": LIVE}]
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Parameters": parameters, "Outputs": outputs}]}

    def describe_endpoint(self, **_: str) -> dict[str, Any]:
        return {"ProductionVariants": [{"DesiredInstanceCount": 3}]}

    def describe_model_package(self, *, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        number = int(ModelPackageName.rsplit("/", 1)[-1])
        if number not in self.approval:
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "ModelPackage does not exist."}}, "Describe")
        return {"ModelApprovalStatus": self.approval[number]}

    def get_pipeline_state(self, **_: str) -> dict[str, Any]:
        shadow = {"actionName": "Shadow", "latestExecution": {"status": self.stages["Staging"]}}
        staging = {"stageName": "Staging", "actionStates": [shadow]}
        return {"stageStates": [staging, {"stageName": "Production", "latestExecution": {"status": self.stages["Production"]}}]}

    def list_pipeline_executions(self, **_: str) -> dict[str, Any]:
        return {"pipelineExecutionSummaries": [{"status": self.returns}]}

    def update_stack(self, **request: Any) -> None:
        self.updates.append(request)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    monkeypatch.setattr(boto3, "client", lambda service, **place: made)
    variables = {
        "MODEL_PACKAGE_GROUP": "shop--abalone",
        "STACK_NAME": "shop--abalone--live",
        "ENDPOINT_NAME": "shop--abalone--live",
        "REGION": "us-east-1",
        "ROLE_ARN": "",
        "DEPLOY_PIPELINE_NAME": "deploy",
        "RETURN_PIPELINE_NAME": "return",
        "SHADOW_ACTION_NAME": "Shadow",
        "PRODUCTION_STAGE_NAME": "Production",
        "SHADOW_PERCENT": "50",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return made


def test_a_version_gets_its_share_of_production_s_instances_with_production_s_own_template(aws: Aws) -> None:
    answer = change_shadow.handler({"package": NEW}, None)
    (update,) = aws.updates
    assert answer == {"changed": True, "reason": "version 3 goes into the shadow on 2 instances"}
    assert update["UsePreviousTemplate"] is True and "TemplateBody" not in update and "RoleARN" not in update
    assert {"ParameterKey": "ModelPackageArn", "UsePreviousValue": True} in update["Parameters"]
    assert {"ParameterKey": "ShadowInstances", "ParameterValue": "2"} in update["Parameters"]


@pytest.mark.parametrize("package", [f"{GROUP}/9", "arn:aws:sagemaker:us-east-1:111122223333:model-package/shop--other/1"])
def test_what_is_no_version_of_the_model_changes_nothing(aws: Aws, package: str) -> None:
    assert change_shadow.handler({"package": package}, None)["changed"] is False
    assert aws.updates == []


def test_the_clock_takes_out_what_was_left(aws: Aws) -> None:
    aws.parameters["ShadowPackageArn"] = NEW
    assert change_shadow.handler({"source": "schedule"}, None) == {"changed": False, "reason": "it is being compared"}
    aws.stages["Staging"] = "Failed"
    assert change_shadow.handler({"source": "aws.codepipeline", "detail": {"state": "FAILED"}}, None)["changed"] is True
    assert {"ParameterKey": "ShadowPackageArn", "ParameterValue": ""} in aws.updates[0]["Parameters"]


def test_a_return_on_its_way_is_left_alone(aws: Aws) -> None:
    aws.parameters["ShadowPackageArn"], aws.returns = NEW, "InProgress"
    assert change_shadow.handler({"package": ""}, None)["changed"] is False
    assert aws.updates == []
