"""The team's own serving image: where it lies, who may push and pull it, what builds it, and that it is there only where it is used."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from settings_schema import Component, ServingImage
from tests.infra.cases import FISH, LEAN, SMALL, THREE, named
from tests.infra.conftest import Synthesized, resources_of
from tests.infra.grants import Templates, roles

PULL = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}


@pytest.fixture(scope="module")
def lean(synthesized: Callable[..., Synthesized]) -> Templates:
    """One model in three accounts and two regions, and one on a fleet there."""
    on_fleet = {name: serving.but(image=ServingImage.LEAN) for name, serving in FISH.serving.items() if isinstance(serving, Component)}
    return synthesized(replace(THREE, models=named(LEAN, FISH.but(serving=on_fleet)), fleets={SMALL.name: SMALL}))[1]


def test_a_repository_is_where_the_image_serves_and_its_images_are_scanned_and_stay_what_they_are(lean: Templates) -> None:
    found = resources_of(lean, "AWS::ECR::Repository")
    assert {name.split("/")[0] for name in found} == {"shop--image", "shop--foundation--eu-central-1"}
    for repository in found.values():
        assert repository["RepositoryName"] == "shop/lean"
        assert repository["ImageTagMutability"] == "IMMUTABLE"
        assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
        assert repository["EncryptionConfiguration"]["EncryptionType"] == "KMS"


def test_another_account_pulls_as_the_roles_of_models_and_of_their_fleets_and_sagemaker_for_it(lean: Templates) -> None:
    """CreateModel asks for the grant to the service, too (aws/deep-learning-containers#5657)."""
    accounts = {}
    for name, repository in resources_of(lean, "AWS::ECR::Repository").items():
        statement, service = repository["RepositoryPolicyText"]["Statement"]
        assert set(statement["Action"]) == set(service["Action"]) == PULL
        assert service["Principal"] == {"Service": "sagemaker.amazonaws.com"}
        (only_for,) = service["Condition"]["StringEqualsIfExists"]["aws:SourceAccount"]
        assert only_for in str(statement["Principal"])
        accounts[name.split("/")[0]] = (str(statement["Principal"]), str(statement["Condition"]))
    assert "222222222222" in accounts["shop--image"][0] and "333333333333" in accounts["shop--foundation--eu-central-1"][0]
    let_in = re.findall(r"role/([\w-]+)", accounts["shop--image"][1])
    assert set(let_in) == {"shop--lean--try--inference", "shop--fish--try--inference", SMALL.names(THREE.project, "try").role("fleet")}


def test_a_model_is_of_the_image_by_its_digest_and_of_the_version_s_archive(lean: Templates) -> None:
    (model,) = resources_of(lean, "AWS::SageMaker::Model", "shop--lean--live").values()
    container = model["PrimaryContainer"]
    assert (container["Image"], container["ModelDataUrl"]) == ({"Ref": "ServingImage"}, {"Ref": "ModelDataUrl"})
    assert "ModelPackageName" not in container
    assert container["Environment"]["SAGEMAKER_PROGRAM"] == "inference.py"
    assert container["Environment"]["MODEL_PACKAGE_ARN"] == {"Ref": "ModelPackageArn"}
    pattern = lean["shop--lean--live"]["Parameters"]["ServingImage"]["AllowedPattern"]
    assert pattern.endswith("@sha256:[0-9a-f]{64}")


def test_who_builds_pushes_and_who_serves_only_pulls(lean: Templates) -> None:
    allowed = {
        name: {
            action for statement in role.statements if "repository/shop/lean" in str(statement.resources) for action in statement.actions
        }
        for name, role in roles(lean).items()
    }
    pushing = {name for name, actions in allowed.items() if "ecr:PutImage" in actions}
    assert len(pushing) == 1
    pulling = [actions for name, actions in allowed.items() if actions & PULL and name not in pushing]
    assert pulling == [PULL] * 6  # two models' roles and the fleet's, twice; a token of the registry they have for AWS's image
    assert sum(actions == {"ecr:DescribeImages"} for actions in allowed.values()) == 2  # render of each model


def test_the_pipeline_starts_every_morning_and_after_a_build_that_succeeded(lean: Templates) -> None:
    rules = resources_of(lean, "AWS::Events::Rule", "shop--image").values()
    assert [rule["ScheduleExpression"] for rule in rules if "ScheduleExpression" in rule] == ["cron(0 5 * * ? *)"]
    patterns: list[dict[str, Any]] = [rule["EventPattern"] for rule in rules if "EventPattern" in rule]
    (built,) = [pattern["detail"] for pattern in patterns if pattern["source"] == ["aws.codepipeline"]]
    assert built == {"pipeline": ["shop--build"], "state": ["SUCCEEDED"]}
    (project,) = resources_of(lean, "AWS::CodeBuild::Project", "shop--image").values()
    assert project["Environment"]["PrivilegedMode"] is True


def test_what_a_scan_found_is_an_alarm_and_starts_the_pipeline(lean: Templates) -> None:
    """EventBridge does not publish to an encrypted topic whose key says for which account: "Key management" of the SNS developer guide."""
    rules = resources_of(lean, "AWS::Events::Rule", "shop--image")
    (name,) = [name for name, rule in rules.items() if rule.get("EventPattern", {}).get("source") == ["aws.ecr"]]
    found = rules[name]["EventPattern"]["detail"]
    assert found["repository-name"] == ["shop/lean"]
    assert [list(each["finding-severity-counts"]) for each in found["$or"]] == [["CRITICAL"], ["HIGH"]]
    assert "pipeline" in str(rules[name]["Targets"]).lower() and "RoleArn" in rules[name]["Targets"][0]
    alarms = resources_of(lean, "AWS::CloudWatch::Alarm", "shop--image").values()
    (alarm,) = [alarm for alarm in alarms if alarm["Namespace"] == "AWS/Events"]
    assert alarm["Dimensions"] == [{"Name": "RuleName", "Value": {"Ref": name.split("/")[-1]}}] and alarm["AlarmActions"]


def test_no_rule_publishes_to_a_topic_itself(lean: Templates) -> None:
    targets = [target for rule in resources_of(lean, "AWS::Events::Rule").values() for target in rule["Targets"]]
    assert targets and not [target for target in targets if ":sns:" in str(target["Arn"]) or "Alerts" in str(target["Arn"])]


def test_without_a_model_that_it_serves_there_is_no_image(variant: Callable[..., Templates]) -> None:
    managed = variant(models={})
    assert "shop--image" not in managed and not resources_of(managed, "AWS::ECR::Repository")
