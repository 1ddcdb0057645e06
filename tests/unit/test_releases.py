"""What a person is told beforehand is what start_deployment decides: both read CodePipeline's history, and neither can import the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from build_scripts.command_line import ProblemError
from build_scripts.registry import Version, number_of
from deploy_scripts.releases import History
from deploy_scripts.way_back import plan
from infra.model.start_deployment import plan as function
from infra.model.start_deployment import state as seen
from tests.unit.deployed_account import NOW, CodePipeline
from tests.unit.script_account import NAMES, PACKAGE

DEPLOY, RETURN = NAMES.deploy_pipeline, NAMES.return_pipeline
#: A release: number of the version, pipeline, how it ended; one began ten minutes after the other.
Release = tuple[int, str, str]


def moment(position: int) -> datetime:
    return NOW + timedelta(minutes=10 * position)


def versions(approvals: dict[int, str], remade: Sequence[int]) -> list[Version]:
    """Newest first. One that was `remade` is younger than all that happened."""
    made = {number: moment(99) if number in remade else NOW + timedelta(seconds=number) for number in approvals}
    return [Version(f"{PACKAGE}/{number}", number, approval, made[number]) for number, approval in sorted(approvals.items(), reverse=True)]


def said_beforehand(live: int, known: list[Version], releases: Sequence[Release]) -> int | None:
    codepipeline = CodePipeline([])
    codepipeline.executions |= {DEPLOY: [], RETURN: []}
    for position, (number, pipeline, status) in enumerate(releases, start=1):
        codepipeline.run(pipeline, f"e{position}", status, f"{PACKAGE}/{number}", minute=10 * position)
    served = History(codepipeline, NAMES).served(known)
    try:
        return plan(f"{PACKAGE}/{live}", known, served).returns.number
    except ProblemError:
        return None


def decided(live: int, known: list[Version], releases: Sequence[Release]) -> int | None:
    """By the function, when the live version has been rejected."""
    registry = {item.arn: seen.Version(item.arn, item.created or NOW, item.approval) for item in known}
    registry[f"{PACKAGE}/{live}"] = seen.Version(f"{PACKAGE}/{live}", NOW, seen.REJECTED)
    runs = {
        pipeline: [
            seen.Run(
                f"e{position}",
                status,
                moment(position),
                moment(position),
                "c" * 40,
                lambda arn=f"{PACKAGE}/{number}": {"ModelPackageArn": arn},
            )
            for position, (number, of, status) in enumerate(releases, start=1)
            if of == pipeline
        ][::-1]
        for pipeline in (DEPLOY, RETURN)
    }
    state = seen.State(
        model="abalone",
        production=registry[f"{PACKAGE}/{live}"],
        approved=[item for item in registry.values() if item.approval == seen.APPROVED],
        deploys=runs[DEPLOY],
        returns=runs[RETURN],
        entered="",
        asked="",
        built=["c" * 40],
        find=registry.get,
        changed=lambda commit: [],
    )
    back = function.plan(state, seen.Wake(rejected=f"{PACKAGE}/{live}")).back
    return number_of(back.version.arn) if back else None


A, R = "Approved", "Rejected"


@pytest.mark.parametrize(
    ("approvals", "live", "releases", "remade", "returns"),
    [
        ({1: A, 2: A, 3: A}, 3, [(1, DEPLOY, "Succeeded"), (2, DEPLOY, "Succeeded"), (3, DEPLOY, "Succeeded")], (), 2),
        ({1: A, 2: R, 3: A}, 3, [(1, DEPLOY, "Succeeded"), (2, DEPLOY, "Succeeded"), (3, DEPLOY, "Succeeded")], (), 1),
        # Approved, and never served: it failed, it was superseded, it waits.
        ({1: A, 2: A, 3: A}, 3, [(1, DEPLOY, "Succeeded"), (2, DEPLOY, "Failed"), (3, DEPLOY, "Succeeded")], (), 1),
        ({1: A, 2: A, 3: A}, 3, [(1, DEPLOY, "Succeeded"), (2, DEPLOY, "Superseded"), (3, DEPLOY, "Succeeded")], (), 1),
        ({1: A, 2: A, 3: A}, 2, [(1, DEPLOY, "Succeeded"), (2, DEPLOY, "Succeeded"), (3, DEPLOY, "InProgress")], (), 1),
        # The newest that served, whichever served last.
        (
            {1: A, 2: A, 3: A},
            3,
            [(1, DEPLOY, "Succeeded"), (2, DEPLOY, "Succeeded"), (1, RETURN, "Succeeded"), (3, DEPLOY, "Succeeded")],
            (),
            2,
        ),
        # One that only the way back has brought.
        ({1: A, 2: A}, 2, [(1, RETURN, "Succeeded"), (2, DEPLOY, "Succeeded")], (), 1),
        ({1: A, 2: A}, 2, [(1, RETURN, "Failed"), (2, DEPLOY, "Succeeded")], (), None),
        # What served was another version 1, of a group that was deleted.
        ({1: A, 2: A}, 2, [(1, DEPLOY, "Succeeded"), (2, DEPLOY, "Succeeded")], (1,), None),
        # It was deleted.
        ({2: A}, 2, [(1, DEPLOY, "Succeeded"), (2, DEPLOY, "Succeeded")], (), None),
    ],
)
def test_what_a_person_is_told_is_what_the_function_decides(
    approvals: dict[int, str], live: int, releases: Sequence[Release], remade: Sequence[int], returns: int | None
) -> None:
    known = versions(approvals, remade)
    assert (said_beforehand(live, known, releases), decided(live, known, releases)) == (returns, returns)


def test_history_is_read_only_as_far_back_as_the_oldest_version_in_question() -> None:
    codepipeline = CodePipeline([])
    codepipeline.executions[RETURN] = []
    for position in range(1, 30):
        codepipeline.run(DEPLOY, f"e{position}", "Succeeded", f"{PACKAGE}/{position}", minute=10 * position)
    asked: list[str] = []
    ask = codepipeline.get_pipeline_execution

    def noted(**request: str) -> object:
        asked.append(request["pipelineExecutionId"])
        return ask(**request)

    codepipeline.get_pipeline_execution = noted  # type: ignore[method-assign, assignment] - a note of what is asked
    recent = [Version(f"{PACKAGE}/{number}", number, A, moment(number) - timedelta(minutes=1)) for number in (29, 28)]
    assert History(codepipeline, NAMES).served(recent) == {f"{PACKAGE}/29": moment(29), f"{PACKAGE}/28": moment(28)}
    assert set(asked) == {"e28", "e29"}
