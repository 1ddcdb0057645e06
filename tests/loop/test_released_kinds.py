"""Models that are not on instances of their own go through their whole pipelines under traffic, and back from a version that breaks.

Side by side, each through its own gates. What it claims of faults stands in faults.py, of which docs/faults.md is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from demo import loop
from demo.own_paths import PERMISSIONS, ask
from demo.side_by_side import side_by_side
from tests.loop import faults, released_kinds
from tests.loop.clients import Request, failed
from tests.loop.faults import COMMAND, PIPELINE
from tests.loop.released_kinds import ANY_VERSION, IDLE, LOADED, QUEUED, SHARED, QueuedTeam
from tests.loop.taken_grants import unmissed
from tests.loop.ways_back import ERRORS, SERVER_ERRORS, Left, Team, declared, number

FIRST, SECOND = "1", "2"


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Team]]:
    made = released_kinds.start(tmp_path_factory.mktemp("kinds"))
    yield made
    made[IDLE].terminal.close()


def of_each(teams: Mapping[str, Team], do: Callable[[str, Team], None]) -> None:
    side_by_side([partial(do, name, team) for name, team in teams.items()])


@dataclass
class Released:
    """By the name of the model: what production has, and what clients got meanwhile.

    `by_the_author`, `by_one_twice`: why the queue's version was not let in the first two times.
    """

    live: dict[str, str] = field(default_factory=dict)
    requests: dict[str, list[Request]] = field(default_factory=dict)
    by_the_author: str = ""
    by_one_twice: str = ""


# ---------------------------------------------------------------------------------------------------- forth


@pytest.fixture(scope="module")
def first(teams: Mapping[str, Team]) -> Released:
    """Version 1 of each is in production."""
    done = Released()

    def release(name: str, team: Team) -> None:
        execution = team.person.approve(team.names, loop.versions(team.terminal, team.names)[-1]["ModelPackageArn"])
        asked = loop.wait_for("the review", lambda: team.person.waiting_or_ended(team.names, execution))
        assert isinstance(asked, dict), team.why(team.names.deploy_pipeline, execution)
        assert team.let_in(execution) == "Succeeded", team.why(team.names.deploy_pipeline, execution)
        done.live[name] = team.live() or ""

    of_each(teams, release)
    return done


@pytest.fixture(scope="module")
def second(teams: Mapping[str, Team], first: Released) -> Released:
    """Version 2 of each has replaced it, under traffic; the queue's once two people have said so."""
    done = Released()

    def release(name: str, team: Team) -> None:
        with team.clients() as clients:
            clients.wait_for("an answer", lambda item: not item.error, time.monotonic())
            version, execution = team.under_review()
            if isinstance(team, QueuedTeam):
                jane = team.reviewer("jane")
                done.by_the_author = refuse(team, execution, Approve=team.client("codepipeline"))
                done.by_one_twice = refuse(team, execution, Approve=jane, ApproveAgain=jane)
            assert team.let_in(execution) == "Succeeded", team.why(team.names.deploy_pipeline, execution)
            clients.wait_for("an answer of it", lambda item: not item.error, time.monotonic())
        done.live[name], done.requests[name] = version, clients.requests

    of_each(teams, release)
    return done


def refuse(team: QueuedTeam, execution: str, **by: Any) -> str:
    """What is said of approvals that do not count. `by`: name of the approval -> CodePipeline, as somebody calls it."""
    for action, codepipeline in by.items():
        team.answer_as(codepipeline, action, execution)
    return team.refused(execution)


def test_each_kind_goes_through_its_gates_to_production(teams: Mapping[str, Team], first: Released) -> None:
    assert {name: number(version) for name, version in first.live.items()} == dict.fromkeys(teams, FIRST)


def test_a_second_version_of_no_kind_loses_a_request(teams: Mapping[str, Team], second: Released) -> None:
    assert {name: number(version) for name, version in second.live.items()} == dict.fromkeys(teams, SECOND)
    assert [request for requests in second.requests.values() for request in failed(requests)] == []
    answered = {name: {item.version for item in requests} for name, requests in second.requests.items()}
    assert answered == {IDLE: {FIRST, SECOND}, SHARED: {FIRST, SECOND}, LOADED: {FIRST, SECOND}, QUEUED: {ANY_VERSION}}


def test_who_pushed_the_commit_does_not_let_a_version_in(
    teams: Mapping[str, Team], second: Released, request: pytest.FixtureRequest
) -> None:
    fault = declared(request)
    assert faults.seen(second.requests[QUEUED], ANY_VERSION, SECOND) is fault.seen
    teams[QUEUED].require_told(fault, {PIPELINE: second.by_the_author})


def test_one_person_is_not_two(teams: Mapping[str, Team], second: Released, request: pytest.FixtureRequest) -> None:
    fault = declared(request)
    assert faults.seen(second.requests[QUEUED], ANY_VERSION, SECOND) is fault.seen
    teams[QUEUED].require_told(fault, {PIPELINE: second.by_one_twice})


# ------------------------------------------------------------------------------------ back from a version that breaks


@pytest.fixture(scope="module")
def left(teams: Mapping[str, Team], second: Released) -> dict[str, Left]:
    """How each version 2 was left once its alarm was on: the serverless one by a rejection, the others by the command."""
    done: dict[str, Left] = {}

    def leave(name: str, team: Team) -> None:
        good = ANY_VERSION if name == QUEUED else FIRST
        team.breaks(second.live[name], ERRORS)
        with team.clients() as clients:
            team.alarm(SERVER_ERRORS, "ALARM")
            began = time.monotonic()
            said = rejected(team, second.live[name]) if name == IDLE else team.roll_back()
            clients.wait_for("an answer of version 1", lambda item: item.version == good, began)
            time.sleep(1)  # requests that would fail if the alarm of the version that was left undid it
        done[name] = Left(faults.seen(clients.since(began), good, SECOND), said, team.live(), team.how_the_last_return_ended())

    of_each(teams, leave)
    return done


def rejected(team: Team, version: str) -> str:
    """As the button in Studio does it, which says nothing."""
    team.reject(version)
    loop.new_execution(team.terminal, team.names.return_pipeline, set())
    return ""


def require_left(teams: Mapping[str, Team], first: Released, left: Mapping[str, Left], name: str, request: pytest.FixtureRequest) -> None:
    fault, seen = declared(request), left[name]
    assert (seen.live, seen.returned, seen.seen) == (first.live[name], "Succeeded", fault.seen)
    teams[name].require_told(fault, {COMMAND: seen.said})


def test_a_serverless_version_that_answers_5xx_is_left_by_a_rejection(
    teams: Mapping[str, Team], first: Released, left: dict[str, Left], request: pytest.FixtureRequest
) -> None:
    require_left(teams, first, left, IDLE, request)


def test_a_version_on_a_fleet_that_answers_5xx_is_left_by_one_command(
    teams: Mapping[str, Team], first: Released, left: dict[str, Left], request: pytest.FixtureRequest
) -> None:
    require_left(teams, first, left, SHARED, request)


def test_a_version_on_a_multi_model_fleet_that_answers_5xx_is_left_by_one_command(
    teams: Mapping[str, Team], first: Released, left: dict[str, Left], request: pytest.FixtureRequest
) -> None:
    require_left(teams, first, left, LOADED, request)


def test_a_version_behind_a_queue_that_fails_is_left_by_one_command(
    teams: Mapping[str, Team], first: Released, left: dict[str, Left], request: pytest.FixtureRequest
) -> None:
    """Its clients find the failure at the failure location; what is asked once the earlier version answers finds its answer."""
    require_left(teams, first, left, QUEUED, request)


@pytest.mark.parametrize("name", [QUEUED, SHARED, LOADED])
def test_what_the_engineer_on_call_needs_is_what_the_document_says(left: dict[str, Left], name: str) -> None:
    assert "with these credentials" not in left[name].said
    assert "could not be asked" not in left[name].said


def test_each_grant_of_the_builds_that_release_onto_a_fleet_is_missed_by_name_or_a_reason_keeps_it(
    teams: Mapping[str, Team], left: dict[str, Left]
) -> None:
    builds = [teams[name].names.deploy_project(step) for name in (SHARED, LOADED) for step in ("render", "verify")]
    looks = ("Stack", "Component", "Fleet", "ServedModel", "Invoke", "Alarms", "Template", "Traffic")  # infra/environment/verification.py
    statements = [f"{what}{environment}" for what in looks for environment in ("Try", "Live")]
    assert unmissed(ask(teams[SHARED].terminal.account, "GET", PERMISSIONS), builds, statements) == []
