"""Does what is to scale scale? Not where a change of its instance type broke off between its two updates (type_change.py).

Input: a stage as status.py looks at it, and what serves there. Output: what status.py shows.
"""

from __future__ import annotations

from typing import Any

from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.attention import ON_CALL, Waiting
from deploy_scripts.function_command import invocation
from deploy_scripts.live_capacity import is_registered
from deploy_scripts.placements import Placement, Stage
from preflight.obstacle import in_progress
from settings_schema import Asynchronous, Component, Endpoint


def unscaled(stage: Stage, placement: Placement, cloudformation: Any, project: ProjectEnvironment) -> list[Waiting]:
    """Nothing while the stack is being changed. `project`: where the versions are."""
    scales = isinstance(stage.serving, Endpoint | Asynchronous | Component) and stage.serving.scales
    stack = stage.deployment.stack if stage.deployment else None
    if not scales or placement.version is None or stack is None or in_progress(stack) or is_registered(cloudformation, stage.names.stack):
        return []
    what = f"{placement.model} in {placement.stage} does not scale: {placement.instances} instances serve, however many requests come"
    versions = project.versions_arn(stage.names.of_model.model_package_group)
    again = invocation(stage.names.of_model.start_deployment_function, {"package": f"{versions}{placement.version}"})
    return [Waiting(f"{what}; models/ says it does, which the next deployment brings", placement.since, again, ON_CALL)]
