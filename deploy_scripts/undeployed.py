"""Approved versions that production does not have, and why not; and a version that it has and that is rejected.

Input: the registry's listing, where production stands, and what CodePipeline remembers. Output: what status.py shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from build_scripts.registry import Version
from deploy_scripts.attention import ON_CALL, Waiting
from deploy_scripts.follow_pipeline import actions_of, failure
from deploy_scripts.function_command import invocation
from deploy_scripts.pipeline_states import EXPERIMENT
from deploy_scripts.placements import Placement, at
from deploy_scripts.releases import Execution, History
from settings_schema import ModelNames

_REVIEW = "Approval"  # category of a manual approval's type


def rejected(names: ModelNames, production: Placement, *, returning: bool) -> list[Waiting]:
    """Production has a version that was rejected. `returning`: the way back is under way, so nobody has to do anything."""
    if production.approval != "Rejected" or returning:
        return []
    what = f"version {production.version} of {names.model} serves {production.stage} and is rejected"
    return [Waiting(what, production.since, f'python -m deploy_scripts.roll_back --model {names.model} --reason "…"', ON_CALL)]


def newer(production: Placement, known: Sequence[Version]) -> list[Version]:
    """Approved versions that came after the one that production has."""
    return [version for version in known if version.approval == "Approved" and version.number > (production.version or 0)]


def undeployed(
    names: ModelNames, versions: Sequence[Version], history: History, codepipeline: Any, under_way: Mapping[str, str]
) -> list[Waiting]:
    """Why production has not got each of them.

    `under_way`: ARN -> what its execution waits for, of versions that are on their way; empty where nobody has to do anything.
    """
    found = []
    for version in versions:
        if version.arn in under_way and not under_way[version.arn]:
            continue
        why = under_way.get(version.arn) or _why_not(history.of(version), codepipeline)
        again = invocation(names.start_deployment_function, {"package": version.arn})
        found.append(Waiting(f"version {version.number} of {names.model} is approved and not deployed: {why}", at(version.created), again))
    return found


def _why_not(executions: Sequence[Execution], codepipeline: Any) -> str:
    """Of the newest execution that was started for it."""
    if not executions:
        return "nothing has started it yet; start_deployment looks every 15 minutes"
    last = executions[0]
    if last.status == "Superseded":
        return "a newer one took its place"
    if last.status == "Cancelled":
        return "an update of its pipeline (cdk deploy) ended it; start_deployment begins it anew within 15 minutes"
    if last.status == "Stopped":
        return f"it was stopped: {last.said or 'no reason given'}"
    if last.status == "Succeeded":
        return "it served, and production was taken back to an earlier one"
    failed = [action for action in actions_of(codepipeline, last.pipeline, last.identifier) if action["status"] == "Failed"]
    if any(_is_review(action) for action in failed):
        said = _said(failed[0])
        if said and failed[0]["stageName"] == EXPERIMENT:
            return f"its experiment ended without it: {said}"
        return f"it was declined: {said}" if said else "nobody answered its review in time, or declined it without a word"
    return failure(failed[0]) if failed else f"its execution is {last.status}"


def _is_review(action: Mapping[str, Any]) -> bool:
    return ((action.get("input") or {}).get("actionTypeId") or {}).get("category") == _REVIEW


def _said(action: Mapping[str, Any]) -> str:
    """The words of the person who declined it; empty where its time ran out."""
    return str(((action.get("output") or {}).get("executionResult") or {}).get("externalExecutionSummary") or "")
