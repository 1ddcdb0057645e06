"""What every check is given: the settings, one account and region, what was synthesized for it and what the pipelines would run there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from deploy_scripts.preflight.account import Account
from deploy_scripts.preflight.assembly import Place, Stack
from deploy_scripts.preflight.finding import Finding, NotSeenError
from deploy_scripts.preflight.job_needs import job_needs, together
from deploy_scripts.preflight.needs import Need, Use, batch_needs, endpoint_needs
from settings_schema import Batch, Endpoint, Prices, Project

#: Looks at one thing. What it cannot see it says by raising NotSeenError, which ends it but not the checks after it.
Check = Callable[["Situation"], Iterator[Finding]]


@dataclass(frozen=True, kw_only=True)
class Situation:
    """One account and region. `stages`: of every model in every environment, by the stack's name; `here`: the names of those in this place.

    `identity` is what GetCallerIdentity answered; `region_of_the_environment` what the terminal names; `define` builds the definitions of
    the project's own place, where the build and the training are (`is_own`). `trusted`: another account, which deploys into this one.
    """

    project: Project
    stages: Mapping[str, Endpoint | Batch]
    here: frozenset[str]
    models: Sequence[str]
    prices: Prices
    account: Account
    identity: Mapping[str, Any]
    region_of_the_environment: str
    stacks: Sequence[Stack]
    define: Callable[[], Sequence[Mapping[str, Any]]]
    root: Path
    trusted: str | None = None
    is_own: bool = True

    @property
    def region(self) -> str:
        return self.account.region

    @property
    def place(self) -> Place:
        return Place(str(self.identity["Account"]), self.region)

    @cached_property
    def definitions(self) -> Sequence[Mapping[str, Any]]:
        """Of the SageMaker pipelines. Raises NotSeenError where the SDK cannot define them, as for a region without the image."""
        try:
            return self.define()
        except (ValueError, KeyError) as error:
            raise NotSeenError(f"the pipelines cannot be defined: {' '.join(str(error).split())}") from error

    @property
    def endpoints(self) -> dict[str, Endpoint]:
        """By their names, those of this place."""
        return {name: item for name, item in self.stages.items() if isinstance(item, Endpoint) and name in self.here}

    @property
    def batches(self) -> dict[str, Batch]:
        return {name: item for name, item in self.stages.items() if isinstance(item, Batch) and name in self.here}

    @property
    def endpoint_needs(self) -> list[Need]:
        return endpoint_needs(self.endpoints)

    @property
    def job_needs(self) -> list[Need]:
        return together([*(need for item in self.definitions for need in job_needs(item)), *batch_needs(self.batches)])

    def resources(self, *types: str) -> Iterator[tuple[Stack, str, dict[str, Any]]]:
        """Stack, logical id and properties of every resource of these types."""
        for stack in self.stacks:
            for name, properties in stack.resources(*types).items():
                yield stack, name, properties

    def needs_of(self, use: Use) -> list[Need]:
        return [need for need in (self.endpoint_needs if use is Use.ENDPOINT else self.job_needs) if need.use is use]
