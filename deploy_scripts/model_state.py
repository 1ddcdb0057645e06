"""All that a model's pipelines and its registry say, asked once, and what of it a person has to know or do. Used by status.py.

Four questions for a model, however many versions it has; more only about what is not as it should be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.follow import newest_run
from build_scripts.missing import found
from build_scripts.registry import Version, find, listed, number_of
from deploy_scripts.attention import Failure, Waiting
from deploy_scripts.pipeline_states import (
    State,
    closed_stages,
    execution_of,
    failed_stages,
    last_verified,
    queued,
    reviews,
    running,
    unverified,
    waiting_stages,
)
from deploy_scripts.placements import Placement, at, quality
from deploy_scripts.releases import History
from deploy_scripts.undeployed import newer, rejected, undeployed
from settings_schema import ModelNames


@dataclass(frozen=True)
class ModelState:
    """`deploy`, `back`: GetPipelineState of the pipeline through the gates and of the way back; None for one that there is not."""

    names: ModelNames
    known: Sequence[Version]
    pending: Sequence[Version]
    training: Mapping[str, Any] | None
    deploy: State | None
    back: State | None

    @property
    def states(self) -> list[State]:
        return [state for state in (self.deploy, self.back) if state]

    def failures(self, said: Callable[[str], str]) -> list[Failure]:
        """Of both pipelines and the training. A return that failed is over once a version was released after it."""
        since = last_verified(self.deploy) if self.deploy else ""
        returns = failed_stages(self.back, said) if self.back else []
        deployments = failed_stages(self.deploy, said) if self.deploy else []
        return [*deployments, *(item for item in returns if item.since >= since)]

    def waiting(self, production: Placement | None, codepipeline: Any) -> list[Waiting]:
        """First what is wrong with what serves, then what is to be decided. `production`: None where nobody can see it."""
        history = History(codepipeline, self.names)
        decisions = [*waiting_versions(self.names.model, self.pending), *self._reviews(history)]
        if production is None:
            return decisions
        returning = bool(self.back and running(self.back))
        wrong = rejected(self.names, production, returning=returning)
        for state in self.states:
            wrong += unverified(state, production, _packages(history, state))
        left = newer(production, self.known)
        why = undeployed(self.names, left, history, codepipeline, self._under_way(history)) if left else []
        return [*wrong, *decisions, *why]

    def _reviews(self, history: History) -> list[Waiting]:
        rejections = {version.number for version in self.known if version.approval == "Rejected"}
        waiting = [item for state in self.states for item in waiting_stages(state, _packages(history, state), rejections)]
        return waiting + [item for state in self.states for item in closed_stages(state, _packages(history, state))]

    def _under_way(self, history: History) -> dict[str, str]:
        """ARN -> what its execution waits for behind others; empty for one that is worked on, or whose own review is open."""
        found_ones: dict[str, str] = {}
        for state in self.states:
            package = _packages(history, state)
            found_ones |= {package(execution): "" for execution in running(state)}
            for stage, _ in reviews(state):
                reviewed = number_of(package(execution_of(stage)))
                found_ones |= {package(item): f"it waits behind the review of version {reviewed}" for item in queued(stage)}
        return found_ones


def ask(sagemaker: Any, codepipeline: Any, names: ModelNames) -> ModelState:
    """`sagemaker`: where the versions are. A model that is not deployed yet has no group."""
    try:
        known = listed(sagemaker, names.model_package_group)
    except ProblemError:
        known = []
    pending = [find(sagemaker, version.arn) for version in known if version.approval == "PendingManualApproval"]
    deploy, back = (found(codepipeline.get_pipeline_state, name=name) for name in (names.deploy_pipeline, names.return_pipeline))
    training = newest_run(sagemaker, names.training_pipeline)
    return ModelState(names, known, [version for version in pending if version], training, deploy, back)


def waiting_versions(model: str, pending: Sequence[Version]) -> list[Waiting]:
    return [
        Waiting(
            f"version {version.number} of {model} {quality(version)}".strip(),
            at(version.created),
            f"python -m deploy_scripts.approve --model {model} --version {version.number}",
        )
        for version in pending
    ]


def _packages(history: History, state: State) -> Callable[[str], str]:
    return lambda execution: history.package(state["pipelineName"], execution)
