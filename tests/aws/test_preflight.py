"""What preflight takes for granted about AWS's lists: the names of quotas, the attributes of the Price List, the image's registry."""

from __future__ import annotations

import pytest

from preflight.account import Account
from preflight.needs import Use
from preflight.offers import prices
from preflight.service_quotas import find_quota


@pytest.fixture(scope="session")
def account(project):
    return Account(project.region)


@pytest.mark.parametrize("use", Use)
def test_a_common_type_has_a_quota_and_a_price_for_each_use(account, use):
    assert find_quota(account, "sagemaker", use.quota("ml.m5.xlarge")) is not None
    assert find_quota(account, "sagemaker", use.total_quota) is not None
    assert prices(account, use)["ml.m5.xlarge"] > 0


@pytest.mark.parametrize(
    ("service", "name"), [("codebuild", "Concurrently running builds for Linux/Small environment"), ("vpc", "VPCs per Region")]
)
def test_quotas_of_other_services_have_these_names(account, service, name):
    assert find_quota(account, service, name) is not None


def test_the_image_may_be_asked_for_at_its_registry(account):
    from sagemaker.core import image_uris

    from pipelines.tabular.target import XGBOOST_VERSION

    registry, _, rest = image_uris.retrieve("xgboost", account.region, version=XGBOOST_VERSION).partition("/")
    repository, _, tag = rest.partition(":")
    request = {"registryId": registry.split(".")[0], "repositoryName": repository, "imageIds": [{"imageTag": tag}]}
    assert account.find("ecr", "batch_get_image", **request)["images"]
