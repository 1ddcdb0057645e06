"""Waits until the return begins that a rejection asks for: `start_deployment` starts it, once nothing else is changing production.

Input: what was decided, and what said so. Output: the execution of the return pipeline, or that none is needed. Used by roll_back.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from build_scripts.command_line import VerdictError
from deploy_scripts.pipeline_states import changing
from deploy_scripts.releases import History
from deploy_scripts.way_back import Plan
from settings_schema import ModelNames

_POLL_SECONDS = 0.5
#: For the return to begin once nothing is changing production. Its function is asked, too: an event may be lost.
START_SECONDS = 60.0


def ended(codepipeline: Any, pipeline: str) -> set[str]:
    """Ids of the executions that there are and do not run."""
    return {item["pipelineExecutionId"] for item in executions(codepipeline, pipeline) if item["status"] != "InProgress"}


def started(codepipeline: Any, names: ModelNames, before: set[str], decided: Plan, said: str, is_back: Callable[[], bool]) -> str:
    """Id of the return, which began meanwhile, or was under way; empty where production has the version already.

    A deployment that is changing production goes first. Raises VerdictError if nothing begins, with what start_deployment `said`.
    """
    deadline, is_told, history = time.monotonic() + START_SECONDS, False, History(codepipeline, names)
    while True:
        listed_now = [item["pipelineExecutionId"] for item in executions(codepipeline, names.return_pipeline)]
        fresh = (item for item in listed_now if item not in before)
        found = next((item for item in fresh if history.package(names.return_pipeline, item) == decided.returns.arn), None)
        if found is not None:
            return str(found)
        if changing(codepipeline.get_pipeline_state(name=names.deploy_pipeline)):
            if not is_told:
                print("a deployment is changing production; the return begins when it ends", flush=True)
            deadline, is_told = time.monotonic() + START_SECONDS, True
        else:
            is_late = time.monotonic() > deadline
            if (decided.is_arriving or is_late) and is_back():
                return ""
            if is_late:
                raise VerdictError(f"no execution of {names.return_pipeline} began within {START_SECONDS:.0f} s: {said}")
        time.sleep(_POLL_SECONDS)


def executions(codepipeline: Any, pipeline: str) -> list[dict[str, Any]]:
    """The newest hundred."""
    answer: list[dict[str, Any]] = codepipeline.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"]
    return answer
