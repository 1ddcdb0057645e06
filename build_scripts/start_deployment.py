"""Starts the deploy pipeline when an endpoint's template has changed and a version is approved already.

So a push that changes only endpoint or scaling settings rolls the approved version through the same gates,
without training it again. Input: cdk.out (made by `python -m infra.endpoint`) and the deployed stacks. Next: deploy_scripts/render.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build_scripts.command_line import parser, run
from build_scripts.endpoint_templates import template
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, newest_approved
from settings import ENVIRONMENTS, PROJECT


@dataclass(frozen=True)
class Decision:
    start: bool
    reason: str


def plan(approved: Version | None, wanted: Mapping[str, Any], deployed: Mapping[str, Any]) -> Decision:
    """Compare templates by stack name; a stack that is not deployed is None in `deployed`."""
    if approved is None:
        return Decision(False, "no version is approved yet; approving one deploys it")
    changed = [name for name in wanted if wanted[name] != deployed[name]]
    if not changed:
        return Decision(False, "the endpoint templates are the ones deployed")
    return Decision(True, f"version {approved.number} goes out with a changed {', '.join(changed)}")


def deployed_template(cloudformation: Any, stack_name: str) -> Any:
    answer = found(cloudformation.get_template, StackName=stack_name, TemplateStage="Original")
    if answer is None:
        return None
    body = answer["TemplateBody"]
    return json.loads(body) if isinstance(body, str) else json.loads(json.dumps(body))


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    options.add_argument(
        "--assembly", type=Path, default=Path("cdk.out"), help="what `python -m infra.endpoint` wrote (default: %(default)s)"
    )
    given = options.parse_args(arguments)
    project = ProjectEnvironment()
    stacks = [PROJECT.endpoint_stack(environment) for environment in ENVIRONMENTS]
    wanted = {stack: template(given.assembly, stack) for stack in stacks}
    cloudformation = project.client("cloudformation")
    approved = newest_approved(project.client("sagemaker"), project.model_package_group)
    deployed = {stack: deployed_template(cloudformation, stack) for stack in stacks} if approved else {}
    decision = plan(approved, wanted, deployed)
    if decision.start:
        project.client("codepipeline").start_pipeline_execution(name=project.deploy_pipeline_name)
    print(f"{'started ' + project.deploy_pipeline_name if decision.start else 'nothing to deploy'}: {decision.reason}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
