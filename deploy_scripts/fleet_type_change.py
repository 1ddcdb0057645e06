"""Another instance type under a multi-model fleet that scales: several deployments of its stack, which a person makes.

SageMaker refuses another type for a variant that is a scalable target, and CloudFormation takes a target away only after it has updated the
endpoint. Nor can an update change the type and retain the number of instances, as one of a fleet that scales does. So the fleet stops
scaling, changes its type, and scales again. Sources: SageMaker guide, "Update endpoints that use auto scaling"; RetainAllVariantProperties
of UpdateEndpoint. A model's own endpoint: type_change.py. Used by preflight.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.live_capacity import Fleet, live_fleet
from settings_schema import MemberInstances, MultiModelFleet
from settings_schema.reading import Settings


def announced(project: ProjectEnvironment, settings: Settings) -> Iterator[str]:
    """A line for each fleet and environment whose next deployment SageMaker would refuse."""
    fleets = [fleet for fleet in settings.fleets.values() if isinstance(fleet, MultiModelFleet)]
    wanted = [
        (fleet, place, fleet.instances[place.name]) for fleet in fleets for place in settings.environments if place.name in fleet.instances
    ]
    for fleet, environment, instances in wanted:
        names = fleet.names(settings.project, environment.name)
        live = live_fleet(EnvironmentPlace(project, environment, Role.LOOKUP), names)
        if live and (steps := steps_to(instances, live)):
            refused = f"{live.instance_type} to {instances.instance_type}, which SageMaker refuses in one update of what scales"
            numbered = "; ".join(f"{number}. {step}, `npx cdk deploy -e {names.stack}`" for number, step in enumerate(steps, start=1))
            yield f"fleet {fleet.name} in {environment.name} gets another instance type, {refused}. In settings.py: {numbered}"


def steps_to(instances: MemberInstances, live: Fleet) -> list[str]:
    """What to set, one deployment each; nothing where one does it."""
    scales = instances.min_count < instances.max_count
    if live.instance_type == instances.instance_type or not (live.scales or scales):
        return []
    fixed = f"min_count = max_count = {live.instances or 1}, or what the load needs"
    before = [f"{live.instance_type} with min_count = max_count = {live.instances or 1}"] if live.scales else []
    after = [f"min_count={instances.min_count}, max_count={instances.max_count}"] if scales else []
    return [*before, f"{instances.instance_type} with {fixed}", *after]
