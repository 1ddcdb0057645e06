"""What CodePipeline remembers: which commits were built, what was deployed and how that ended. It remembers twelve months.

Nothing that a push brings can write it (docs/decisions/0093-*.md). Next: state.py.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from .state import IN_PROGRESS, SUCCEEDED, Run

PRODUCTION_STAGE = "Production"
_OCCUPIED = (IN_PROGRESS, "Stopping")


def executions(client: Any, pipeline: str) -> Iterator[Mapping[str, Any]]:
    """Summaries, newest first, as CodePipeline lists them."""
    for page in client.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline):
        yield from page["pipelineExecutionSummaries"]


def commits(client: Any, pipeline: str) -> list[str]:
    """The commits that were built and tested, newest first."""
    ended_well = (execution for execution in executions(client, pipeline) if execution["status"] == SUCCEEDED)
    return [commit for execution in ended_well if (commit := _commit(execution))]


def runs(client: Any, pipeline: str) -> list[Run]:
    """All executions, newest first."""
    return [
        Run(
            identifier := execution["pipelineExecutionId"],
            execution["status"],
            execution["startTime"],
            execution["lastUpdateTime"],
            _commit(execution),
            functools.partial(_variables, client, pipeline, identifier),
        )
        for execution in executions(client, pipeline)
    ]


def _variables(client: Any, pipeline: str, identifier: str) -> dict[str, str]:
    detail = client.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=identifier)["pipelineExecution"]
    return {variable["name"]: variable.get("resolvedValue", "") for variable in detail.get("variables", [])}


def _commit(execution: Mapping[str, Any]) -> str:
    return next((str(revision.get("revisionId", "")) for revision in execution.get("sourceRevisions", [])), "")


def in_production(client: Any, pipeline: str) -> str:
    """The execution that is in the deploy pipeline's last stage now; empty if there is none."""
    stages = client.get_pipeline_state(name=pipeline)["stageStates"]
    inside = (stage.get("latestExecution") or {} for stage in stages if stage["stageName"] == PRODUCTION_STAGE)
    return next((str(execution["pipelineExecutionId"]) for execution in inside if execution.get("status") in _OCCUPIED), "")


def was_asked(client: Any, pipeline: str, run: Run) -> bool:
    """Whether the execution has asked a person: its review is open, or somebody has said yes, and what follows is checked or waits."""
    asked = {"pipelineName": pipeline, "filter": {"pipelineExecutionId": run.identifier}}
    actions = (
        action for page in client.get_paginator("list_action_executions").paginate(**asked) for action in page["actionExecutionDetails"]
    )
    return any(((action.get("input") or {}).get("actionTypeId") or {}).get("category") == "Approval" for action in actions)
