"""What production goes back to when the version that it has is rejected: the newest other one that served and is approved still.

`start_deployment` decides it (infra/model/start_deployment/); this says it beforehand, and says why not. Pure, but for `live_version`.
Used by roll_back.py, which rejects, and by approve.py, which says what a decision does.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from build_scripts.command_line import ProblemError
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, number_of
from deploy_scripts.deployments import outputs_of
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.regional_copy import original
from settings_schema import ServingNames

#: In place of an approval.
DELETED = "deleted"
#: Output of what serves (infra/serving/serving_stack.py).
DEPLOYED = "DeployedModelPackageArn"


@dataclass(frozen=True)
class Plan:
    """`rejects`: in the order in which it is done. The live version is the last, so that none of the others is what production gets.

    `live` that was deleted from the registry cannot be rejected: what returns is asked for then. `is_arriving`: it is the one that a
    deployment is taking to production now.
    """

    live: Version
    rejects: tuple[Version, ...]
    returns: Version
    is_arriving: bool = False


def live_version(project: ProjectEnvironment, place: EnvironmentPlace, names: ServingNames) -> str | None:
    """ARN of the version that was deployed last and stayed, by the stack, as start_deployment asks; None if nothing is."""
    stacks = found(place.client("cloudformation").describe_stacks, StackName=names.stack)
    package = outputs_of(stacks["Stacks"][0]).get(DEPLOYED) if stacks else None
    return original(project, package) if package else None


def plan(live: str, known: Sequence[Version], served: Container[str], wanted: int | None = None) -> Plan:
    """`known`: versions of the group, newest first; `served`: ARNs of those that served production; `wanted`: go back to this number.

    Raises ProblemError for what would not end with an earlier version in production.
    """
    now = next((version for version in known if version.arn == live), Version(live, number_of(live) or 0, DELETED))
    returns = _newest(now, known, served) if wanted is None else _wanted(now, known, served, wanted)
    newer = [version for version in known if version.approval == "Approved" and version.number > returns.number and version != now]
    last = () if now.approval == DELETED else (now,)
    return Plan(now, (*(newer if wanted is not None else ()), *last), returns)


def candidates(live: str, known: Sequence[Version], served: Container[str]) -> list[Version]:
    """What production can go back to, the one that it goes back to first."""
    return [version for version in known if version.arn != live and version.approval == "Approved" and version.arn in served]


def _newest(now: Version, known: Sequence[Version], served: Container[str]) -> Version:
    found_ones = candidates(now.arn, known, served)
    if not found_ones:
        raise ProblemError(
            f"there is nothing to go back to: no version but {now.number}, which is live, served production and is approved still; "
            "`python -m deploy_scripts.status` shows what there is"
        )
    return found_ones[0]


def _wanted(now: Version, known: Sequence[Version], served: Container[str], wanted: int) -> Version:
    version = next((version for version in known if version.number == wanted), None)
    others = ", ".join(str(version.number) for version in candidates(now.arn, known, served)) or "none"
    if version is None:
        raise ProblemError(f"--to-version is {wanted}, which does not exist in the registry or was deleted; allowed: {others}")
    if version == now:
        raise ProblemError(f"--to-version is {wanted}, which is live; allowed: {others}")
    if version.arn not in served:
        reason = "which never served production, so it goes through the gates and both approvals"
        raise ProblemError(f"--to-version is {wanted}, {reason}; allowed: {others}")
    if version.approval != "Approved":
        raise ProblemError(f"--to-version is {wanted}, which is {version.approval}; allowed: {others}")
    return version
