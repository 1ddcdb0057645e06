"""What of the project is deployed, found by what there is: whatever settings.py and models/ say by now.

A stack's name says what it is of (settings_schema/names.py), so one listing for each account and region is enough. Used by status.py,
retire.py and tear_down.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.environment_place import EnvironmentPlace, Role
from preflight.obstacle import NOT_THERE
from settings_schema import Environment, ProjectNames
from settings_schema.names import FLEET, RESERVED_MODELS, SEPARATOR
from settings_schema.reading import Settings

_OF_ENVIRONMENT = "environment"


@dataclass(frozen=True)
class Deployment:
    """A stack, what it is of, and where it lies: `model` and `environment`, of which a stack of the project's own has neither.

    `fleet`: of an environment's endpoint that models share.
    """

    place: EnvironmentPlace
    stack: Mapping[str, Any]
    model: str | None = None
    environment: str | None = None
    fleet: str | None = None

    @property
    def is_environment(self) -> bool:
        """What an environment itself has, whatever serves there."""
        return self.environment is not None and self.model is None and self.fleet is None

    @property
    def name(self) -> str:
        return str(self.stack["StackName"])

    @property
    def outputs(self) -> dict[str, str]:
        return outputs_of(self.stack)

    @property
    def is_protected(self) -> bool:
        return bool(self.stack.get("EnableTerminationProtection"))

    @property
    def serves(self) -> bool:
        """A model in an environment."""
        return self.model is not None and self.environment is not None


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    return {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}


def deployments(places: Iterable[EnvironmentPlace]) -> list[Deployment]:
    """Of every account and region that `places` name, each asked once."""
    return [deployment for place in {place.where: place for place in places}.values() for deployment in at_place(place)]


def places_of(project: ProjectEnvironment, settings: Settings, role: Role) -> list[EnvironmentPlace]:
    """Those of the environments, in their order, and last the project's own."""
    own = Environment(name="project", account=settings.project.account, region=settings.project.region)
    return [EnvironmentPlace(project, environment, role) for environment in (*settings.environments, own)]


def regions_of(project: ProjectEnvironment, settings: Settings) -> list[str]:
    """Where the project's own account has something: its region first, then those of environments, for which versions are copied."""
    home = settings.project.region or project.region
    return list(dict.fromkeys([home, *(environment.region or home for environment in settings.environments)]))


def at_place(place: EnvironmentPlace) -> list[Deployment]:
    """Of one account and region. What only a change set made is none."""
    names = ProjectNames(project=place.names.project)
    pages = place.client("cloudformation").get_paginator("describe_stacks").paginate()
    stacks = [stack for page in pages for stack in page["Stacks"] if stack["StackStatus"] not in NOT_THERE]
    ours = [stack for stack in stacks if stack["StackName"].startswith(names.prefix)]
    return [Deployment(place, stack, *_owners(stack["StackName"].removeprefix(names.prefix).split(SEPARATOR))) for stack in ours]


def _owners(parts: Sequence[str]) -> tuple[str | None, str | None, str | None]:
    """Model, environment and fleet, by the parts of a stack's name behind the project's."""
    first, second, third = (*parts, None, None)[:3]
    if first == FLEET:
        return None, third, second
    if first == _OF_ENVIRONMENT:
        return None, second, None
    return (None, None, None) if first in RESERVED_MODELS else (first, second, None)
