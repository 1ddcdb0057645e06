"""Least privilege: what cdk-nag and cfn-lint check, and what they cannot see."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import cfnlint.api
import pytest
from cdk_nag import AwsSolutionsChecks
from cfnlint import ManualArgs

from tests.infra.acceptances import LINT, NAG, STAR_RESOURCES
from tests.infra.conftest import ENDPOINTS


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(templates: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every allowing statement of a policy attached to an identity, with where it is."""
    for stack, template in templates.items():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
                documents = [resource["Properties"]["PolicyDocument"]]
            elif resource["Type"] == "AWS::IAM::Role":
                documents = [policy["PolicyDocument"] for policy in resource["Properties"].get("Policies", [])]
            else:
                continue
            for document in documents:
                yield from ((f"{stack}/{logical_id}", item) for item in document["Statement"] if item["Effect"] == "Allow")


def test_cdk_nag_finds_nothing_that_has_no_reason(app, templates):
    report = AwsSolutionsChecks(app).validate_scope(app)
    found = {violation.rule_name for violation in report.violations}
    assert {rule for rule in found if not any(re.search(pattern, rule) for pattern in NAG)} == set()
    assert {pattern for pattern in NAG if not any(re.search(pattern, rule) for rule in found)} == set(), "accepted, but no longer found"


def test_the_cdk_validates_its_own_rules(app, templates):
    assert app.node.try_get_context("@aws-cdk/core:validateAgainstDefaultRules") is True


def test_cfn_lint_finds_nothing_that_has_no_reason(templates):
    found = [
        f"{stack}: {match}"
        for stack, template in templates.items()
        for match in cfnlint.api.lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"], ignore_checks=list(LINT)))
    ]
    assert found == []


def test_no_action_is_a_star(templates):
    for where, statement in statements(templates):
        for action in as_list(statement["Action"]):
            assert not re.fullmatch(r"\*|[a-z0-9-]+:\*", action), f"{where} allows {action}"


def test_every_star_resource_has_a_reason(templates):
    on_star = {
        action for _, statement in statements(templates) if "*" in as_list(statement["Resource"]) for action in as_list(statement["Action"])
    }
    assert on_star == set(STAR_RESOURCES)


def test_a_role_is_passed_to_one_service_and_is_named(templates):
    passing = [
        (where, statement)
        for where, statement in statements(templates)
        if any("PassRole" in action for action in as_list(statement["Action"]))
    ]
    assert passing
    for where, statement in passing:
        assert as_list(statement["Action"]) == ["iam:PassRole"], where
        (resource,) = as_list(statement["Resource"])
        assert isinstance(resource, dict), f"{where} passes {resource}"
        assert list(statement["Condition"]["StringEquals"]) == ["iam:PassedToService"], where


def test_no_role_has_a_managed_policy(resources):
    assert [name for name, role in resources("AWS::IAM::Role").items() if role.get("ManagedPolicyArns")] == []


def test_no_bucket_policy_or_key_policy_opens_to_everyone(templates):
    for stack, template in templates.items():
        for logical_id, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            document = properties.get("KeyPolicy") or (properties.get("PolicyDocument") if "Bucket" in properties else None)
            for statement in (document or {}).get("Statement", []):
                if statement["Effect"] == "Allow":
                    assert statement["Principal"] != "*" and statement["Principal"].get("AWS") != "*", f"{stack}/{logical_id}"


@pytest.mark.parametrize("stack", ENDPOINTS)
def test_an_endpoint_stack_needs_no_capability(templates, stack):
    assert [name for name, item in templates[stack]["Resources"].items() if item["Type"].startswith("AWS::IAM::")] == []


@pytest.mark.parametrize("stack", ENDPOINTS)
def test_an_endpoint_stack_needs_no_asset_and_no_bootstrap(templates, stack):
    text = json.dumps(templates[stack])
    assert "cdk-hnb659fds" not in text
    assert list(templates[stack]["Parameters"]) == ["ModelPackageArn"]


def test_the_deploying_role_covers_every_type_of_the_endpoint_stacks(templates):
    """A new resource type in the endpoint stack fails here, not in the deploy pipeline."""
    services = {
        "AWS::SageMaker::Model": "sagemaker:CreateModel",
        "AWS::SageMaker::EndpointConfig": "sagemaker:CreateEndpointConfig",
        "AWS::SageMaker::Endpoint": "sagemaker:UpdateEndpoint",
        "AWS::ApplicationAutoScaling::ScalableTarget": "application-autoscaling:RegisterScalableTarget",
        "AWS::ApplicationAutoScaling::ScalingPolicy": "application-autoscaling:PutScalingPolicy",
        "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm",
        "AWS::Logs::LogGroup": "logs:PutRetentionPolicy",
    }
    needed = {services[item["Type"]] for stack in ENDPOINTS for item in templates[stack]["Resources"].values()}
    allowed = {
        action
        for where, statement in statements(templates)
        if where.startswith("mlops-model-deploy/DeployCloudFormation")
        for action in as_list(statement["Action"])
    }
    assert needed <= allowed
