"""Conditions by which a role keeps to what is its own, where SageMaker or CloudFormation choose the names.

The tags say whose a resource is: the project's and, below it, the model's and the environment's (settings_schema/names.py).
Source: "Controlling access to AWS resources using tags" of the IAM user guide; its `IfExists` is met by what has no such tag.
"""

from __future__ import annotations

from collections.abc import Mapping

from settings_schema import ModelNames, ServingNames

Condition = dict[str, object]
Owner = ModelNames | ServingNames
#: Studio may give a project another id than ours.
_NOT_OURS_TO_SAY = "sagemaker:project-id"


def makes_as_ours(owner: Owner) -> Condition:
    """What is made gets the owner's tags. What has another's keeps them: nobody takes a thing over by tagging it."""
    return {"StringEquals": _tags("RequestTag", owner), **not_another_s(owner)}


def is_ours(owner: Owner) -> Condition:
    return {"StringEquals": _tags("ResourceTag", owner)}


def not_another_s(owner: Owner) -> Condition:
    """Ours, or what has no such tags: also what is gone, so that the answer is that it is gone."""
    return {"StringEqualsIfExists": _tags("ResourceTag", owner)}


def _tags(key: str, owner: Owner) -> Mapping[str, str]:
    return {f"aws:{key}/{name}": value for name, value in owner.tags.items() if name != _NOT_OURS_TO_SAY}
