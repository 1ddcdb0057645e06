"""Preflight knows what the templates hold: every name that they give, every service-linked role, every source of code."""

from __future__ import annotations

from typing import Any

import pytest

from packages.preflight.tests.aws_account import REGION, Aws, found, only, quota, quotas, signs, situation
from preflight import names, network, service_roles
from preflight.assembly import Stack
from preflight.needs import Use
from preflight.quotas import check_builds
from tests.example_models import PROJECT
from tests.infra.cases import THREE
from tests.infra.grants import Templates, text


@pytest.fixture
def stacks(templates: Templates) -> list[Stack]:
    return [Stack(name, template) for name, template in templates.items()]


def test_every_name_that_a_template_gives_is_looked_for(stacks: list[Stack]) -> None:
    """A resource whose `Name`, `...Name` has the project's name in it would clash with an earlier one."""
    templates = Templates({stack.name: stack.template for stack in stacks}, {})
    named = {
        (resource["Type"], key)
        for stack in stacks
        for resource in stack.template["Resources"].values()
        for key, value in resource.get("Properties", {}).items()
        if key.endswith("Name") and not str(value).startswith("{'Fn::ImportValue") and "Fn::GetAtt" not in str(value) and "Ref" not in value
        if PROJECT.name in text(value, stack.name, templates)
    }
    known = {(kind, entry.property) for kind, entry in names.KINDS.items()}
    assert {(kind, key) for kind, key in named if kind not in names.WITHIN_ANOTHER} <= known


def test_the_deployment_role_may_make_the_scaling_role(stacks: list[Stack]) -> None:
    assert signs(found(service_roles.check_service_roles, situation(stacks=stacks))) == "✓"


def test_the_builds_of_the_templates_have_a_quota_that_is_known(stacks: list[Stack]) -> None:
    name = "Concurrently running builds for Linux/Small environment"
    limit = {"service-quotas:ListServiceQuotas": quotas(quota(name, 0, service="codebuild"))}
    assert only(check_builds, situation(Aws(limit), stacks=stacks)).sign == "✗"


def test_the_quota_of_jobs_counts_the_watch_of_each_model_and_environment(stacks: list[Stack]) -> None:
    """Their schedules meet."""
    (need,) = situation(stacks=stacks).needs_of(Use.PROCESSING)
    watched = [stack for stack in stacks if stack.resources("AWS::SageMaker::Pipeline")]
    assert need.count == len(watched) > 1
    assert f"{len(watched)} of Monitor 1" in need.why


def test_the_private_network_of_the_templates_asks_for_its_endpoints(synthesized: Any) -> None:
    _, templates = synthesized(THREE)
    stacks = [Stack("shop--foundation", templates["shop--foundation"])]
    offered = {
        "ec2:DescribeVpcEndpointServices": {"ServiceDetails": []},
        "ec2:DescribeAvailabilityZones": {"AvailabilityZones": [{"ZoneName": f"{REGION}{letter}"} for letter in "abc"]},
    }
    line = only(network.check_endpoint_services, situation(Aws(offered), stacks=stacks))
    for service in ("sagemaker.api", "sagemaker.runtime", "ecr.dkr", "logs", "sts", "s3"):
        assert f"com.amazonaws.{REGION}.{service} is not offered" in line.found
    assert signs(found(network.check_private_dns, situation(stacks=stacks))) == "✓"
