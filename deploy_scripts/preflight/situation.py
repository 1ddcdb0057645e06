"""What every check is given: the settings, the account, what was synthesized and what the pipelines would run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from deploy_scripts.preflight.account import Account
from deploy_scripts.preflight.assembly import Place, Stack
from deploy_scripts.preflight.finding import Finding, NotSeenError
from deploy_scripts.preflight.job_needs import job_needs, merged
from deploy_scripts.preflight.needs import Need, Use, endpoint_needs
from settings import Environment, Prices, Project

#: Looks at one thing. What it cannot see it says by raising NotSeenError, which ends it but not the checks after it.
Check = Callable[["Situation"], Iterator[Finding]]


@dataclass(frozen=True, kw_only=True)
class Situation:
    """`identity` is what GetCallerIdentity answered; `region_of_the_environment` what the terminal names; `define` builds definitions."""

    project: Project
    environments: Sequence[Environment]
    prices: Prices
    account: Account
    identity: Mapping[str, Any]
    region_of_the_environment: str
    stacks: Sequence[Stack]
    define: Callable[[], Sequence[Mapping[str, Any]]]
    root: Path

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
    def endpoint_needs(self) -> list[Need]:
        return endpoint_needs(self.environments)

    @property
    def job_needs(self) -> list[Need]:
        return merged([need for definition in self.definitions for need in job_needs(definition)])

    def resources(self, *types: str) -> Iterator[tuple[Stack, str, dict[str, Any]]]:
        """Stack, logical id and properties of every resource of these types."""
        for stack in self.stacks:
            for name, properties in stack.resources(*types).items():
                yield stack, name, properties

    def needs_of(self, use: Use) -> list[Need]:
        return [need for need in (self.endpoint_needs if use is Use.ENDPOINT else self.job_needs) if need.use is use]
