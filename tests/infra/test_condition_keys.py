"""Every condition key in the project's policies, and in the CDK's own, is one that the local account can answer.

A key that it did not know would never match: an Allow would refuse and, worse, a Deny would let pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_account.api.members import coverage
from local_account.api.reading import LISTS, input_shape
from local_account.authorization.context_keys import members_of

BOOTSTRAP = Path(__file__).parents[2] / "node_modules" / "aws-cdk" / "lib" / "api" / "bootstrap" / "bootstrap-template.yaml"
#: A service's key -> botocore's models whose requests may have it.
MODELS = {"sagemaker": ("sagemaker", "sagemaker-runtime")}
#: Registries of images, Kubernetes clusters: services that the local account does not have, so nobody asks for them.
NOT_HERE = ("ecr:", "eks:", "emr-serverless:")
#: What the account knows of a request, its caller and its resource besides the members, in lower case.
KNOWN = {
    "aws": "principalarn principalaccount principaltype principalisawsservice principalservicename userid username currenttime epochtime "
    "tokenissuetime requestedregion securetransport sourceip sourcearn sourceaccount tagkeys resourceaccount viaawsservice calledvia "
    "calledviafirst calledvialast",
    "s3": "resourceaccount tlsversion signatureversion authtype",
    "kms": "calleraccount viaservice grantisforawsresource requestalias resourcealiases",
    "iam": "passedtoservice associatedresourcearn",
    "sts": "externalid rolesessionname",
    "codeconnections": "branchname fullrepositoryid ownerid passedtoservice provideraction providerpermissionsrequired repositoryname",
}
KNOWN["codestar-connections"] = KNOWN["codeconnections"]
TAGS = ("aws:requesttag/", "aws:principaltag/")


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
    key = key.lower()
    service, _, name = key.partition(":")
    if name in KNOWN.get(service, "").split() or key.startswith(TAGS) or name.startswith("resourcetag/"):
        return True
    known = [path.stem for path in LISTS.glob("*.yaml")]
    return any(has_member(model, members_of(key)) for model in MODELS.get(service, (service,)) if model in known)


def has_member(model: str, names: tuple[str, ...]) -> bool:
    """Whether a request for one of the operations that the account has may have a member of one of these names."""
    return any(_has_member(input_shape(model, operation), names, ()) for operation in coverage(model).acted if "." not in operation)


def _has_member(shape: Any, names: tuple[str, ...], inside: tuple[str, ...]) -> bool:
    if shape is None or shape.name in inside:
        return False
    below = (*inside, shape.name)
    if shape.type_name == "structure":
        return any(name.lower() in names or _has_member(member, names, below) for name, member in shape.members.items())
    return _has_member(shape.member, names, below) if shape.type_name == "list" else False


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
