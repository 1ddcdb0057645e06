"""Names by which stacks that are deployed apart from the app (infra/endpoint) import what the foundation stack exports.

A file of its own, so that synthesizing an endpoint does not import the whole foundation.
"""

from __future__ import annotations

from settings import Project


def export_name(project: Project, output: str) -> str:
    """CloudFormation export of one output of the foundation stack, for `Fn::ImportValue`."""
    return f"{project.name}-foundation-{output}"
