"""What every check is given: one account and region, what was synthesized for it, and what only the app's project knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from preflight.account import Account
from preflight.application import App
from preflight.assembly import Place, Stack
from preflight.endpoints import Fleet, endpoint_needs, fleets_of
from preflight.finding import Finding, NotSeenError
from preflight.job_needs import job_needs
from preflight.needs import Need, Use, together

#: Looks at one thing. What it cannot see it says by raising NotSeenError, which ends it but not the checks after it.
Check = Callable[["Situation"], Iterator[Finding]]


@dataclass(frozen=True, kw_only=True)
class Situation:
    """`identity` is what GetCallerIdentity answered. `stacks`: those of this place; `everywhere`: all of the assembly.

    `is_own`: where the project's own stacks are. `trusted`: the project's account, if it is another one that deploys into this one.
    """

    app: App
    account: Account
    identity: Mapping[str, Any]
    stacks: Sequence[Stack]
    everywhere: Sequence[Stack]
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
        """Of the SageMaker pipelines, in templates and not. Raises NotSeenError where the app's project cannot define them."""
        try:
            defined = self.app.define() if self.is_own else []
        except (ValueError, KeyError) as error:
            raise NotSeenError(f"the pipelines cannot be defined: {' '.join(str(error).split())}") from error
        return [*defined, *(self._in_template(properties) for _, _, properties in self.resources("AWS::SageMaker::Pipeline"))]

    def _in_template(self, pipeline: Mapping[str, Any]) -> Mapping[str, Any]:
        """A definition with references that a deployment resolves is read as far as it goes."""
        body = pipeline.get("PipelineDefinition", {}).get("PipelineDefinitionBody")
        try:
            return dict(json.loads(self.place.loosely(body)))
        except ValueError as error:
            raise NotSeenError("the definition of a SageMaker pipeline in the templates is known only once it is deployed") from error

    @cached_property
    def fleets(self) -> list[Fleet]:
        """Of the endpoints in this place."""
        return fleets_of(self.stacks, self.place)

    @property
    def endpoint_needs(self) -> list[Need]:
        return endpoint_needs(self.fleets)

    @property
    def job_needs(self) -> list[Need]:
        started = [need for stack in self.stacks for need in self.app.jobs.get(stack.name, ())]
        return together([*(need for item in self.definitions for need in job_needs(item)), *started])

    def resources(self, *types: str) -> Iterator[tuple[Stack, str, dict[str, Any]]]:
        """Stack, logical id and properties of every resource of these types."""
        for stack in self.stacks:
            for name, properties in stack.resources(*types).items():
                yield stack, name, properties

    def needs_of(self, use: Use) -> list[Need]:
        return [need for need in (self.endpoint_needs if use is Use.ENDPOINT else self.job_needs) if need.use is use]
