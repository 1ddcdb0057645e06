"""Least privilege: what cdk-nag and cfn-lint check, and what they cannot see; with one to three accounts, in one region and in two."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cfnlint.api
import pytest
from cdk_nag import AwsSolutionsChecks
from cfnlint import ManualArgs

from app import build_app
from settings_schema.reading import Settings
from tests.infra.acceptances import LINT, NAG, STAR_RESOURCES
from tests.infra.cases import CASES, ONE, serving_stacks
from tests.infra.conftest import Synthesized
from tests.infra.grants import Templates, as_list, roles, text

#: Of all inline policies of a role together: "IAM and AWS STS quotas" of the IAM user guide.
LONGEST_PERMISSIONS = 10_240


@pytest.fixture(scope="module")
def every(synthesized: Callable[..., Synthesized]) -> dict[str, Synthesized]:
    """Case -> app and templates."""
    return {name: synthesized(settings) for name, settings in CASES.items()}


def statements(templates: Templates) -> Iterator[tuple[str, dict[str, Any]]]:
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


def test_cdk_nag_finds_nothing_that_has_no_reason(every: dict[str, Synthesized]) -> None:
    found = {violation.rule_name for app, _ in every.values() for violation in AwsSolutionsChecks(app).validate_scope(app).violations}
    assert {rule for rule in found if not any(re.search(pattern, rule) for pattern in NAG)} == set()
    assert {pattern for pattern in NAG if not any(re.search(pattern, rule) for rule in found)} == set(), "accepted, but no longer found"


@pytest.mark.parametrize("settings", [CASES["one"], CASES["three"]], ids=["one", "three"])
def test_the_cdk_s_own_validation_finds_nothing(settings: Settings, tmp_path: Path) -> None:
    """As `cdk synth` does it, stages included; other tests leave it out (tests/conftest.py). What it finds, it raises."""
    app = build_app(settings, outdir=str(tmp_path))
    assert app.node.try_get_context("@aws-cdk/core:validateAgainstDefaultRules") is True
    cdk.Validations.of(app).add_plugins(cdk.CloudFormationValidatePlugin())
    app.synth()


def test_cfn_lint_finds_nothing_that_has_no_reason(every: dict[str, Synthesized]) -> None:
    """In one account and in three, which have every kind of stack; those of a second model of a kind differ by its name alone, and what an
    environment has by its place."""
    found = [
        f"{case} {stack}: {match}"
        for case, templates in ((case, every[case][1]) for case in ("one", "three"))
        for stack, template in templates.items()
        if "-large" not in stack and stack != "shop--environment--try"
        for match in cfnlint.api.lint(
            json.dumps(template), config=ManualArgs(regions=[templates.place(stack)[1]], ignore_checks=list(LINT))
        )
    ]
    assert found == []


def test_no_action_is_a_star(case: Any) -> None:
    for where, statement in statements(case[1][1]):
        for action in as_list(statement["Action"]):
            assert not re.fullmatch(r"\*|[a-z0-9-]+:\*", action), f"{where} allows {action}"


def test_every_star_resource_has_a_reason(every: dict[str, Synthesized]) -> None:
    on_star = {
        action
        for _, templates in every.values()
        for _, statement in statements(templates)
        if "*" in as_list(statement["Resource"])
        for action in as_list(statement["Action"])
    }
    assert on_star == set(STAR_RESOURCES)


def test_a_role_is_passed_to_one_service_and_is_the_project_s(case: Any) -> None:
    _, (_, templates) = case
    passing = [
        (where, statement)
        for where, statement in statements(templates)
        if any("PassRole" in action for action in as_list(statement["Action"]))
    ]
    assert passing
    for where, statement in passing:
        assert as_list(statement["Action"]) == ["iam:PassRole"], where
        (resource,) = as_list(statement["Resource"])
        assert re.search(r":role/(shop--|<shop--)", text(resource, where.split("/")[0], templates)), f"{where} passes {resource}"
        assert list(statement["Condition"]["StringEquals"]) == ["iam:PassedToService"], where


def test_no_role_has_a_managed_policy(resources: Any) -> None:
    assert [name for name, role in resources("AWS::IAM::Role").items() if role.get("ManagedPolicyArns")] == []


def test_what_a_role_may_do_is_as_short_as_iam_takes_it(case: Any) -> None:
    _, (_, templates) = case
    for name, role in roles(templates).items():
        assert len(json.dumps([vars(statement) for statement in role.statements])) < LONGEST_PERMISSIONS, name


def policies_of_resources(templates: Templates) -> Iterator[tuple[str, dict[str, Any]]]:
    """Allowing statements of whatever is no identity's policy, with where they are; trust policies as well.

    The policy of a VPC's endpoint names nobody, because it stands behind the network; it has a test of its own.
    """
    for stack, template in templates.items():
        for logical_id, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            given = ("KeyPolicy", "PolicyDocument", "AssumeRolePolicyDocument", "ModelPackageGroupPolicy")
            left_out = resource["Type"] in ("AWS::IAM::Policy", "AWS::EC2::VPCEndpoint")
            documents = [] if left_out else [properties[name] for name in given if name in properties]
            if resource["Type"] == "AWS::Events::EventBusPolicy":
                documents.append({"Statement": [properties["Statement"]]})
            for document in documents:
                yield from ((f"{stack}/{logical_id}", item) for item in document["Statement"] if item["Effect"] == "Allow")


def test_nothing_is_open_to_everyone(case: Any) -> None:
    _, (_, templates) = case
    for where, statement in policies_of_resources(templates):
        assert statement["Principal"] != "*" and statement["Principal"].get("AWS") != "*", where


def test_another_account_is_let_in_only_as_roles_that_are_named(case: Any) -> None:
    _, (_, templates) = case
    for where, statement in policies_of_resources(templates):
        stack = where.split("/")[0]
        for principal in as_list(statement["Principal"].get("AWS", [])):
            account = text(principal, stack, templates).split(":")[4]
            if account != templates.place(stack)[0]:
                (condition,) = [keys["aws:PrincipalArn"] for keys in statement["Condition"].values() if "aws:PrincipalArn" in keys]
                for arn in as_list(condition):
                    assert text(arn, stack, templates).startswith(f"arn:aws:iam::{account}:role/shop--"), where


@pytest.mark.parametrize("stack", serving_stacks(ONE))
def test_a_serving_stack_needs_no_capability(templates: Templates, stack: str) -> None:
    assert [name for name, item in templates[stack]["Resources"].items() if item["Type"].startswith("AWS::IAM::")] == []


@pytest.mark.parametrize("stack", serving_stacks(ONE))
def test_a_serving_stack_needs_no_asset_and_no_bootstrap(templates: Templates, stack: str) -> None:
    content = json.dumps(templates[stack])
    assert "cdk-hnb659fds" not in content
    decided = {"ModelPackageArn", "ModelVersion", "ModelImage", "MonitoringCode"}
    more = {"arrests": set(), "try": {"Update"}, "live": {"Update", "Capacity", "InstanceCount"}}
    shadow = {"ShadowPackageArn", "ShadowVersion", "ShadowInstances"} if stack == "shop--abalone-large--live" else set()
    trial = {"ChallengerPackageArn", "ChallengerVersion", "ChallengerInstances", "ChallengerScaling", "ExperimentBegan"}
    tried = trial if stack == "shop--tried--live" else set()
    assert set(templates[stack]["Parameters"]) == decided | shadow | tried | next(names for part, names in more.items() if part in stack)
