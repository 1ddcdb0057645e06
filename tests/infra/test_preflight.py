"""Preflight knows what the templates hold: every name that they give, every service-linked role, every source of code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from deploy_scripts.preflight import names, network, service_roles
from deploy_scripts.preflight.assembly import Stack
from deploy_scripts.preflight.quotas import check_builds
from settings import PRODUCTION, PROJECT, STAGING, Autoscaling
from tests.infra.conftest import Templates
from tests.unit.preflight_account import REGION, Aws, found, only, quota, quotas, signs, situation


@pytest.fixture
def stacks(templates: Templates) -> list[Stack]:
    return [Stack(name, template) for name, template in templates.items()]


def test_every_name_that_a_template_gives_is_looked_for(stacks: list[Stack]) -> None:
    """A resource whose `Name`, `...Name` is a text with the project's name in it would clash with an earlier one."""
    named = {
        (resource["Type"], key)
        for stack in stacks
        for resource in stack.template["Resources"].values()
        for key, value in resource.get("Properties", {}).items()
        if key.endswith("Name") and isinstance(value, str) and PROJECT.name in value
    }
    known = {(kind, entry.property) for kind, entry in names.KINDS.items()}
    assert {(kind, key) for kind, key in named if kind not in names.WITHIN_ANOTHER} <= known


def test_the_deployment_role_may_make_the_scaling_role(variant: Callable[..., Templates]) -> None:
    scaling = replace(PRODUCTION, initial_instance_count=2, autoscaling=Autoscaling(min_capacity=2, max_capacity=3))
    stacks = [Stack(name, template) for name, template in variant(production=scaling).items()]
    assert signs(found(service_roles.check_service_roles, situation(stacks=stacks))) == "✓"


def test_the_builds_of_the_templates_have_a_quota_that_is_known(stacks: list[Stack]) -> None:
    name = "Concurrently running builds for Linux/Small environment"
    limit = {"service-quotas:ListServiceQuotas": quotas(quota(name, 0, service="codebuild"))}
    assert only(check_builds, situation(Aws(limit), stacks=stacks)).sign == "✗"


def test_the_private_network_of_the_templates_asks_for_its_endpoints(variant: Callable[..., Templates]) -> None:
    templates = variant(project=replace(PROJECT, in_vpc=True), staging=STAGING)
    stacks = [Stack(name, template) for name, template in templates.items()]
    offered = {
        "ec2:DescribeVpcEndpointServices": {"ServiceDetails": []},
        "ec2:DescribeAvailabilityZones": {"AvailabilityZones": [{"ZoneName": f"{REGION}{letter}"} for letter in "abc"]},
    }
    line = only(network.check_endpoint_services, situation(Aws(offered), stacks=stacks))
    for service in ("sagemaker.api", "sagemaker.runtime", "ecr.dkr", "logs", "sts", "s3"):
        assert f"com.amazonaws.{REGION}.{service} is not offered" in line.found
    assert signs(found(network.check_private_dns, situation(stacks=stacks))) == "✓"
