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
#: Actions between and after two approvals (infra/model/deploy_pipeline.py): somebody has been asked, and has said yes.
CHECKS = ("NotTheAuthor", "TwoPeople")


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


def in_production_and_asked(client: Any, pipeline: str) -> tuple[str, tuple[str, ...]]:
    """The execution that is in the deploy pipeline's last stage now, empty if there is none; and those whose review is open: one on staging
    and one in an experiment.

    A review is open, too, while what the first of two people said is checked.
    """
    stages = client.get_pipeline_state(name=pipeline)["stageStates"]
    entered = (stage for stage in stages if stage["stageName"] == PRODUCTION_STAGE and _latest(stage).get("status") in _OCCUPIED)
    asked = (stage for stage in stages if any(_is_of_review(action) for action in stage.get("actionStates", [])))
    return _execution(next(entered, {})), tuple(_execution(stage) for stage in asked)


def _execution(stage: Mapping[str, Any]) -> str:
    return str(_latest(stage).get("pipelineExecutionId", ""))


def _latest(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a stage or an action; empty before its first execution."""
    return state.get("latestExecution") or {}


def _is_of_review(action: Mapping[str, Any]) -> bool:
    """That is going on. Of actions only a manual approval has a token."""
    asks = bool(_latest(action).get("token")) or action.get("actionName") in CHECKS
    return _latest(action).get("status") == IN_PROGRESS and asks
