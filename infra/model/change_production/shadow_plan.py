"""May a version go into production's shadow now, and does the one that is there have to leave: pure. Next: shadow.py, which does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .production import APPROVED, AT_ONCE, UPDATE

#: Parameters of the stack (infra/serving/shadow_variant.py).
PACKAGE, VERSION, INSTANCES = "ShadowPackageArn", "ShadowVersion", "ShadowInstances"


@dataclass(frozen=True)
class Production:
    """`status`, `parameters`: of its stack; empty without one. `live`: ARN of its version; `instances`: as many as the endpoint wants."""

    status: str = ""
    parameters: Mapping[str, str] | None = None
    live: str = ""
    instances: int = 0

    @property
    def shadow(self) -> str:
        """ARN of the version in the shadow, where it serves; empty without one."""
        return (self.parameters or {}).get(PACKAGE, "")

    @property
    def is_changing(self) -> bool:
        return self.status.endswith("_IN_PROGRESS")


@dataclass(frozen=True)
class Pipelines:
    """`compares`: a deployment is in its action Shadow. `deploys`: one is on its way into production, forth or back."""

    compares: bool
    deploys: bool


def why_not_in(production: Production, pipelines: Pipelines, wanted: str, approval: str, live_approval: str) -> str:
    """Empty if the version may go into the shadow. `wanted`: its ARN; `approval`: what people said of it and of the live one."""
    if approval != APPROVED:
        return f"{_version(wanted)} is {approval}; only an approved version of this model gets copies of requests"
    if not production.live or not production.instances:
        return "nothing serves yet whose requests could be copied"
    if PACKAGE not in (production.parameters or {}):
        return "production's template has no place for a shadow yet; this release brings it, so the next version is the first one compared"
    if wanted == production.live:
        return f"{_version(wanted)} serves already: there is nothing to compare it with"
    if live_approval != APPROVED:
        return f"{_version(production.live)}, which serves, is {live_approval}: what comes next is the way back"
    if pipelines.deploys:
        return "a deployment to production is on its way"
    if production.is_changing or "FAILED" in production.status or production.status == "ROLLBACK_COMPLETE":
        return f"production's stack is {production.status}"
    return f"{_version(production.shadow)} is in the shadow" if production.shadow else ""


def why_not_out(production: Production, pipelines: Pipelines, *, asked: bool) -> str:
    """Empty if there is a version in the shadow that has to leave. `asked`: by the comparison itself, which is over.

    Whatever deploys to production takes it out as well, and must not be met by a change of the stack.
    """
    if not production.shadow:
        return "nothing is in the shadow"
    if pipelines.deploys:
        return "a deployment to production is on its way, which takes it out"
    if production.is_changing:
        return f"production's stack is {production.status}; looked at again"
    return "it is being compared" if pipelines.compares and not asked else ""


def changes(*, package: str = "", version: str = "0", instances: int = 1) -> dict[str, str]:
    """Of the stack's parameters. All at once: the version in production stays the same, so nothing is to be watched."""
    return {PACKAGE: package, VERSION: version, INSTANCES: str(instances), UPDATE: AT_ONCE}


def _version(arn: str) -> str:
    return f"version {arn.rsplit('/', 1)[-1]}"
