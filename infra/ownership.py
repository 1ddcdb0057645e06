"""Conditions by which a role keeps to what is the project's, where SageMaker or CloudFormation choose the names.

A name that begins like ours is not ours: `mlops-*` also covers what a project `mlops-x` makes. The project's tag says whose a resource is.
Source: "Controlling access to AWS resources using tags" of the IAM user guide; its `IfExists` is met by what has no such tag.
"""

from __future__ import annotations

from settings import Project

Condition = dict[str, object]


def makes_as_ours(project: Project) -> Condition:
    """What is made gets the project's tag. What has another project's keeps it: nobody takes a thing over by tagging it."""
    return {"StringEquals": _tag("RequestTag", project), **not_another_s(project)}


def is_ours(project: Project) -> Condition:
    return {"StringEquals": _tag("ResourceTag", project)}


def not_another_s(project: Project) -> Condition:
    """Ours, or what has no tag of a project: also what is gone, so that the answer is that it is gone."""
    return {"StringEqualsIfExists": _tag("ResourceTag", project)}


def _tag(key: str, project: Project) -> dict[str, str]:
    own = project.tags()[0]
    return {f"aws:{key}/{own['Key']}": own["Value"]}
