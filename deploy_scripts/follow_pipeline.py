"""Shows an execution of a CodePipeline as it happens: one line for each action that ends, and what runs meanwhile.

Input: its pipeline and id. Output: lines; VerdictError with the reason, from the build's log where it was a build, if it does not succeed.
Used by roll_back.py and undeployed.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from build_scripts.command_line import VerdictError

_POLL_SECONDS = 1.0
_ENDS = ("Succeeded", "Failed", "Stopped", "Superseded", "Cancelled")


def follow(
    codepipeline: Any, pipeline: str, identifier: str, said: Callable[[str], str] = lambda build_id: "", poll_seconds: float = _POLL_SECONDS
) -> None:
    """Returns when it has succeeded. `said(build id)`: the reason in a build's log. Raises VerdictError for any other end."""
    console = Console(soft_wrap=True, highlight=False)
    shown: set[str] = set()
    with console.status("starting") as status:
        while True:
            # Asked before the actions: when it says that the execution has ended, the actions are complete.
            answer = codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=identifier)["pipelineExecution"]
            actions = actions_of(codepipeline, pipeline, identifier)
            for action in actions:
                if action["actionExecutionId"] not in shown and action["status"] != "InProgress":
                    shown.add(action["actionExecutionId"])
                    console.print(line(action), markup=False)
            if answer["status"] in _ENDS:
                break
            status.update(", ".join(_name(action) for action in actions if action["status"] == "InProgress") or "waiting")
            time.sleep(poll_seconds)
    if answer["status"] != "Succeeded":
        summary = next((failure(action, said) for action in actions if action["status"] == "Failed"), answer.get("statusSummary") or "")
        raise VerdictError(f"{pipeline} {answer['status'].lower()}: {summary or 'no reason given'}")


def actions_of(codepipeline: Any, pipeline: str, identifier: str) -> list[dict[str, Any]]:
    """In the order in which they began. AWS lists the newest first."""
    pages = codepipeline.get_paginator("list_action_executions").paginate(pipelineName=pipeline, filter={"pipelineExecutionId": identifier})
    found = [action for page in pages for action in page["actionExecutionDetails"]]
    return sorted(found, key=lambda action: action["startTime"])


def line(action: Mapping[str, Any]) -> str:
    """`Return/Deploy   2.4 s  Succeeded`."""
    seconds = (action["lastUpdateTime"] - action["startTime"]).total_seconds()
    return f"{_name(action):<24} {seconds:>7.1f} s  {action['status']}"


def failure(action: Mapping[str, Any], said: Callable[[str], str] = lambda build_id: "") -> str:
    """What a failed action says: CodePipeline's own words, and the line of the build's log that they do not have."""
    result = (action.get("output") or {}).get("executionResult") or {}
    reason = (result.get("errorDetails") or {}).get("message") or result.get("externalExecutionSummary") or "no reason given"
    in_log = said(result["externalExecutionId"]) if result.get("externalExecutionId") else ""
    return f"{_name(action)} failed: {reason} {in_log if in_log not in reason else ''}".rstrip()


def _name(action: Mapping[str, Any]) -> str:
    return f"{action['stageName']}/{action['actionName']}"
