"""Finds the serving stacks' templates in what `python -m infra.serving` synthesized into cdk.out, or kept_templates.py fetched there.

Used by deploy_scripts/render.py and capacity_plan.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError


def template_file(assembly: Path, stack_name: str) -> Path:
    """The stack's template, also inside a nested assembly (a CDK Stage). Raises ProblemError."""
    fetched = assembly / f"{stack_name}.template.json"
    if fetched.is_file():
        return fetched
    for manifest in sorted(assembly.rglob("manifest.json")):
        for artifact_id, artifact in json.loads(manifest.read_text(encoding="utf-8")).get("artifacts", {}).items():
            properties = artifact.get("properties", {})
            if artifact.get("type") == "aws:cloudformation:stack" and properties.get("stackName", artifact_id) == stack_name:
                return manifest.parent / str(properties["templateFile"])
    raise ProblemError(f"{assembly} has no stack {stack_name}; synthesize it first with `python -m infra.serving`")


def template(assembly: Path, stack_name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(template_file(assembly, stack_name).read_text(encoding="utf-8"))
    return content


def resource(content: dict[str, Any], kind: str) -> dict[str, Any]:
    """Properties of the template's only resource of a type; empty if there is none."""
    found = [item.get("Properties", {}) for item in content.get("Resources", {}).values() if item["Type"] == kind]
    return dict(found[0]) if found else {}
