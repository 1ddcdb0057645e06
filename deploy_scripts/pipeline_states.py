"""What a model's pipelines are doing, by GetPipelineState: open reviews, what waits behind them, what failed, what was not verified.

Input: the state, and which version an execution is of. Output: what status.py shows. Pure, but for the questions that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from build_scripts.registry import number_of
from deploy_scripts.attention import ON_CALL, Failure, Waiting
from deploy_scripts.placements import Placement, at

State = Mapping[str, Any]
#: Stages that change production, and their actions (infra/model/).
_PRODUCTION = ("Production", "Return")
_DEPLOY, _CHANGE_TYPE, _VERIFY = "Deploy", "ChangeType", "Verify"
#: The stage whose review is open as long as an experiment is on (experiment.py).
EXPERIMENT = "Experiment"
_OCCUPIED = ("InProgress", "Stopping")


def _latest(action: Mapping[str, Any]) -> Mapping[str, Any]:
    return action.get("latestExecution") or {}


def execution_of(stage: Mapping[str, Any]) -> str:
    """Id of the one that a stage had last; empty if it never had one."""
    return str((stage.get("latestExecution") or {}).get("pipelineExecutionId", ""))


def _actions(state: State) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for stage in state["stageStates"]:
        for action in stage.get("actionStates", []):
            yield stage, action


def reviews(state: State) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Stage and action of each manual approval that is open now."""
    return (
        (stage, action)
        for stage, action in _actions(state)
        if _latest(action).get("status") == "InProgress" and _latest(action).get("token")
    )


def queued(stage: Mapping[str, Any]) -> list[str]:
    """Ids of the executions that wait until the stage is free."""
    return [str(item["pipelineExecutionId"]) for item in stage.get("inboundExecutions") or []]


def running(state: State) -> set[str]:
    """Ids of the executions that have not ended: in a stage, or before one."""
    inside = {execution_of(stage) for stage in state["stageStates"] if (stage.get("latestExecution") or {}).get("status") in _OCCUPIED}
    return inside | {item for stage in state["stageStates"] for item in queued(stage)}


def changing(state: State) -> str:
    """Id of the execution that is in a stage which changes production; empty if there is none."""
    stages = (stage for stage in state["stageStates"] if stage["stageName"] in _PRODUCTION)
    return next((execution_of(stage) for stage in stages if stage.get("latestExecution", {}).get("status") in _OCCUPIED), "")


def waiting_stages(state: State, package: Callable[[str], str], rejections: Container[int] = ()) -> list[Waiting]:
    """Reviews that are open, with what waits behind each. `package`: ARN of the version that an execution is of.

    `rejections`: numbers of versions that were rejected in the registry, whose review nobody can say yes to any more.
    """
    waiting = []
    for stage, action in reviews(state):
        latest = _latest(action)
        command = (
            f"aws codepipeline put-approval-result --pipeline-name {state['pipelineName']} --stage-name {stage['stageName']} "
            f"--action-name {action['actionName']} --token {latest['token']} --result status=Approved,summary=ok"
        )
        what = f"{state['pipelineName']} {stage['stageName']} {action['actionName']}"
        reviewed, behind = number_of(package(execution_of(stage))), [number_of(package(item)) for item in queued(stage)]
        what += f": version {reviewed}" if reviewed else ""
        what += ", which is rejected" if reviewed in rejections else ""
        what += ", to be answered once its experiment is decided" if stage["stageName"] == EXPERIMENT else ""
        what += f"; version {' and '.join(map(str, behind))} waits behind it" if behind else ""
        waiting.append(Waiting(what, at(latest.get("lastStatusChange")), command))
    return waiting


def closed_stages(state: State, package: Callable[[str], str]) -> list[Waiting]:
    """Stages that somebody has closed, where a version waits before one."""
    closed = []
    for stage in state["stageStates"]:
        transition = stage.get("inboundTransitionState") or {}
        if transition.get("enabled", True) or not queued(stage):
            continue
        numbers = " and ".join(str(number_of(package(item))) for item in queued(stage))
        what = f"version {numbers} waits before {state['pipelineName']} {stage['stageName']}, which is closed"
        what += f": {transition['disabledReason']}" if transition.get("disabledReason") else ""
        opens = f"aws codepipeline enable-stage-transition --pipeline-name {state['pipelineName']} --stage-name {stage['stageName']}"
        closed.append(Waiting(what, at(transition.get("lastChangedAt")), f"{opens} --transition-type Inbound", "whoever closed it"))
    return closed


def failed_stages(state: State, said: Callable[[str], str] = lambda build_id: "") -> list[Failure]:
    """Actions that failed in the execution that each stage of a CodePipeline had last. `said(build id)`: the reason in a build's log."""
    failures = []
    for stage, action in _actions(state):
        latest = _latest(action)
        if (stage.get("latestExecution") or {}).get("status") != "Failed" or latest.get("status") != "Failed":
            continue
        reason = (latest.get("errorDetails") or {}).get("message") or latest.get("summary") or "no reason given"
        in_log = said(latest["externalExecutionId"]) if latest.get("externalExecutionId") else ""
        reason = f"{reason} {in_log}" if in_log and in_log not in reason else reason
        what = f"{state['pipelineName']} {stage['stageName']} {action['actionName']}"
        failures.append(Failure(what, at(latest.get("lastStatusChange")), reason, latest.get("externalExecutionUrl") or ""))
    return failures


def cancelled(state: State) -> list[Waiting]:
    """The newest execution, where an update of the pipeline has ended it, after which nothing begins it anew ("Edit a pipeline in
    CodePipeline"). Of a model's pipelines start_deployment does.
    """
    newest = execution_of(state["stageStates"][0])
    ended = [stage for stage in state["stageStates"] if (stage.get("latestExecution") or {}).get("status") == "Cancelled"]
    if not newest or newest not in map(execution_of, ended):
        return []
    what = f"{state['pipelineName']} was updated (cdk deploy) while it ran, which ended what it did with the last push"
    again = f"aws codepipeline start-pipeline-execution --name {state['pipelineName']}"
    return [Waiting(what, at(state.get("updated")), again, "whoever pushed, or deployed")]


def last_verified(state: State) -> str:
    """When production's verification last succeeded; empty if it never did."""
    return max(
        (
            at(_latest(action).get("lastStatusChange"))
            for stage, action in _actions(state)
            if stage["stageName"] in _PRODUCTION and action["actionName"] == _VERIFY and _latest(action).get("status") == "Succeeded"
        ),
        default="",
    )


def unverified(state: State, production: Placement, package: Callable[[str], str]) -> list[Waiting]:
    """Production has a version that was not verified once it was deployed: without an earlier one it serves on."""
    found = []
    for stage in state["stageStates"]:
        latest = {action["actionName"]: _latest(action) for action in stage.get("actionStates", [])}
        why = _why_unverified({name: action.get("status", "") for name, action in latest.items()})
        if stage["stageName"] not in _PRODUCTION or stage.get("latestExecution", {}).get("status") != "Failed" or why is None:
            continue
        execution = execution_of(stage)
        if production.version is None or number_of(package(execution)) != production.version:
            continue
        again = (
            f"aws codepipeline retry-stage-execution --pipeline-name {state['pipelineName']} --stage-name {stage['stageName']} "
            f"--pipeline-execution-id {execution} --retry-mode FAILED_ACTIONS"
        )
        serves = f"version {production.version} of {production.model} serves {production.stage}"
        failed, said = why
        found.append(Waiting(f"{serves} although {said}; to verify it again", at(latest[failed].get("lastStatusChange")), again, ON_CALL))
    return found


def _why_unverified(statuses: Mapping[str, str]) -> tuple[str, str] | None:
    """The action that failed once the version was deployed, and that in words. What stands behind it is of an earlier execution."""
    if statuses.get(_DEPLOY) != "Succeeded":
        return None
    if statuses.get(_CHANGE_TYPE) == "Failed":
        return _CHANGE_TYPE, f"{_CHANGE_TYPE} failed, after which nothing verified it"
    if statuses.get(_CHANGE_TYPE, "Succeeded") != "Succeeded" or statuses.get(_VERIFY) != "Failed":
        return None
    return _VERIFY, "its verification failed"
