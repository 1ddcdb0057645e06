"""Every condition key in the project's policies, and in the CDK's own, is one that the local account can answer.

A key that it did not know would never match: an Allow would refuse and, worse, a Deny would let pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_account.api.members import LISTS, coverage
from local_account.authorization.context_keys import is_known

BOOTSTRAP = Path(__file__).parents[2] / "node_modules" / "aws-cdk" / "lib" / "api" / "bootstrap" / "bootstrap-template.yaml"
#: A service's key -> botocore's models whose requests may have it.
MODELS = {"sagemaker": ("sagemaker", "sagemaker-runtime")}
#: Registries of images, Kubernetes clusters: services that the local account does not have, so nobody asks for them.
NOT_HERE = ("ecr:", "eks:", "emr-serverless:")


class _Loader(yaml.SafeLoader):
    """CloudFormation's short forms (`!Ref`) are read as their contents."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def condition_keys(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "Effect" in part and isinstance(part.get("Condition"), dict):
            yield from _keys(part["Condition"])
        for value in part.values():
            yield from condition_keys(value)
    elif isinstance(part, list):
        for item in part:
            yield from condition_keys(item)


def _keys(condition: dict[str, Any]) -> Iterator[str]:
    for name, value in condition.items():
        if name.startswith("Fn::If"):
            yield from (key for branch in value if isinstance(branch, dict) for key in _keys(branch))
        elif name != "Ref" and isinstance(value, dict):
            yield from value


def is_answered(key: str) -> bool:
    service = key.partition(":")[0].lower()
    models = MODELS.get(service, (service,)) if service != "aws" else ("s3",)
    known = [path.stem for path in LISTS.glob("*.yaml")]
    return any(is_known(key, model, tuple(name for name in coverage(model).acted if "." not in name)) for model in models if model in known)


def test_the_projects_condition_keys_are_answered(case: Any) -> None:
    _, (_, templates) = case
    used = {key for template in templates.values() for key in condition_keys(template)}
    assert "aws:SecureTransport" in used, "the search for conditions finds none"
    assert [key for key in sorted(used) if not is_answered(key)] == []


def test_the_cdks_condition_keys_are_answered() -> None:
    used = set(condition_keys(yaml.load(BOOTSTRAP.read_text(encoding="utf-8"), Loader=_Loader)))  # noqa: S506 - a loader of texts only
    assert "kms:ViaService" in used
    assert [key for key in sorted(used) if not is_answered(key) and not key.startswith(NOT_HERE)] == []


@pytest.mark.parametrize("key", ["InstanceTypes", "NetworkIsolation", "VolumeKmsKeyArn", "ModelApprovalStatus"])
def test_keys_of_sagemaker_are_answered(key: str) -> None:
    assert is_answered(f"sagemaker:{key}")


def test_a_key_that_nobody_has_is_not_called_known() -> None:
    assert not is_answered("sagemaker:NoSuchThing")
