"""Ways back from a version that breaks, under steady traffic: what clients get, what people are told, and what production has in the end.

Each scenario begins where the one before has left the account. What it claims stands in faults.py, of which docs/faults.md is made.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from demo import loop
from demo.own_paths import PERMISSIONS, ask
from tests.loop import faults, trial, ways_back
from tests.loop.faults import COMMAND, PIPELINE, STATUS
from tests.loop.taken_grants import unmissed
from tests.loop.ways_back import ERRORS, LATENCY, SERVER_ERRORS, SLOW, Left, Team, declared, number


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    made = ways_back.start(tmp_path_factory.mktemp("ways"))
    yield made
    made.terminal.close()


@pytest.fixture(scope="module")
def first(team: Team) -> str:
    """Version 1 is in production, by both approvals."""
    version = str(loop.versions(team.terminal, team.names)[-1]["ModelPackageArn"])
    team.person.release(team.names, version)
    return version


@pytest.fixture(scope="module")
def second(team: Team, first: str) -> str:
    """Version 2 has replaced it."""
    return team.released()


def waiting(team: Team) -> str:
    return "\n".join(item["what"] for item in team.status()["waiting"])


# ----------------------------------------------------------------------------------- by one command, past an open review


@pytest.fixture(scope="module")
def under_review(team: Team, second: str) -> tuple[str, str]:
    """Version 3 is approved, on staging, and waits for its approval for production."""
    return team.under_review()


@pytest.fixture(scope="module")
def left_by_command(team: Team, first: str, second: str, under_review: tuple[str, str]) -> Left:
    with team.clients() as clients:
        clients.wait_for("an answer of version 2", lambda item: item.version == number(second), time.monotonic())
        team.breaks(second, ERRORS)
        team.alarm(SERVER_ERRORS, "ALARM")
        began = time.monotonic()
        said = team.roll_back()
        time.sleep(1)  # requests that would fail if the alarm of the version that was left undid it
    return Left(faults.seen(clients.since(began), number(first), number(second)), said, team.live(), team.how_the_last_return_ended())


def test_a_live_version_that_answers_5xx_is_left_by_one_command(
    team: Team, first: str, left_by_command: Left, request: pytest.FixtureRequest
) -> None:
    """By an engineer who may do nothing but what docs/operations.md says. Its alarm is on all the while, and undoes nothing."""
    fault = declared(request)
    assert (left_by_command.live, left_by_command.returned, left_by_command.seen) == (first, "Succeeded", fault.seen)
    team.require_told(fault, {COMMAND: left_by_command.said, STATUS: waiting(team)})


def test_what_the_engineer_on_call_needs_is_what_the_document_says(left_by_command: Left) -> None:
    """Nothing that the command does was refused, also not what it could do without."""
    assert "with these credentials" not in left_by_command.said
    assert "could not be asked" not in left_by_command.said


def test_the_review_that_was_open_meanwhile_still_is(team: Team, under_review: tuple[str, str], left_by_command: Left) -> None:
    assert loop.waiting_approval(team.terminal, team.names, under_review[1]) is not None


# --------------------------------------------------------------- declined, refused, and left by a rejection


@pytest.fixture(scope="module")
def third(team: Team, under_review: tuple[str, str], left_by_command: Left) -> str:
    """Version 3 is let into production once nothing is broken there any more."""
    team.mend()
    team.alarm(SERVER_ERRORS, "OK")
    assert team.let_in(under_review[1]) == "Succeeded", team.why(team.names.deploy_pipeline, under_review[1])
    return under_review[0]


@pytest.fixture(scope="module")
def declined(team: Team, third: str) -> str:
    """Version 4 is declined by the one who was asked for production."""
    version, execution = team.under_review()
    team.answer(execution, "Rejected")
    assert loop.end_of_pipeline(team.terminal, team.names.deploy_pipeline, execution) == "Failed"
    return version


@pytest.fixture(scope="module")
def refused(team: Team, third: str, declined: str) -> tuple[str, str]:
    """Version 5 is let into production while version 3 is too slow; version and what the pipeline said."""
    version, execution = team.under_review()
    team.breaks(third, SLOW)
    with team.clients():
        team.alarm(LATENCY, "ALARM")
        assert team.let_in(execution) == "Failed"
    return version, team.why(team.names.deploy_pipeline, execution)


def test_a_deployment_that_begins_while_an_alarm_is_on_is_refused_with_the_way(
    team: Team, third: str, refused: tuple[str, str], request: pytest.FixtureRequest
) -> None:
    fault = declared(request)
    assert team.live() == third
    with team.clients() as clients:
        slow = clients.wait_for("an answer of version 3", lambda item: item.version == number(third), time.monotonic())
    assert faults.seen([slow], number(refused[0]), number(third)) is fault.seen
    team.require_told(fault, {PIPELINE: refused[1]})


@pytest.fixture(scope="module")
def left_by_rejection(team: Team, first: str, third: str, refused: tuple[str, str]) -> Left:
    with team.clients() as clients:
        team.alarm(LATENCY, "ALARM")
        began = time.monotonic()
        team.reject(third)
        clients.wait_for("an answer of version 1", lambda item: item.version == number(first), began)
        returned = team.how_the_last_return_ended()
        time.sleep(1)
    return Left(faults.seen(clients.since(began), number(first), number(third)), "", team.live(), returned)


def test_a_live_version_that_is_too_slow_is_left_by_a_rejection(
    team: Team, first: str, left_by_rejection: Left, request: pytest.FixtureRequest
) -> None:
    fault = declared(request)
    assert (left_by_rejection.live, left_by_rejection.returned, left_by_rejection.seen) == (first, "Succeeded", fault.seen)
    team.require_told(fault, {})


def test_a_version_that_was_declined_is_no_candidate(
    team: Team, first: str, declined: str, refused: tuple[str, str], left_by_rejection: Left, request: pytest.FixtureRequest
) -> None:
    """Nor is one that was refused. Both are approved and newer than what production was taken back to."""
    fault, before = declared(request), team.person.executions(team.names.deploy_pipeline)
    with team.clients() as clients:
        team.wake()
        time.sleep(1)
    assert team.person.executions(team.names.deploy_pipeline) == before
    assert team.live() == first
    assert faults.seen(clients.requests, number(first), number(declined)) is fault.seen
    team.require_told(fault, {STATUS: waiting(team)})


# ------------------------------------------------------------------------------------------------ a review that nobody needs


def test_the_review_of_a_version_that_is_rejected_is_closed(
    team: Team, first: str, left_by_rejection: Left, request: pytest.FixtureRequest
) -> None:
    fault = declared(request)
    team.mend()
    version, execution = team.under_review()
    with team.clients() as clients:
        team.reject(version)
        assert loop.end_of_pipeline(team.terminal, team.names.deploy_pipeline, execution) == "Stopped"
    assert loop.waiting_approval(team.terminal, team.names) is None
    assert faults.seen(clients.requests, number(first), number(version)) is fault.seen
    team.require_told(fault, {PIPELINE: team.stopped_because(execution)})


# ---------------------------------------------------------------------------------------------------- two approvals at once


def test_of_two_versions_that_are_approved_at_once_only_the_newer_one_asks(
    team: Team, first: str, left_by_rejection: Left, request: pytest.FixtureRequest
) -> None:
    fault = declared(request)
    team.mend()
    older, newer = team.register(), team.register()
    with team.clients() as clients:
        overtaken = team.person.approve(team.names, older)
        asks = team.person.approve(team.names, newer)
        assert loop.end_of_pipeline(team.terminal, team.names.deploy_pipeline, overtaken) == "Stopped"
        review = loop.wait_for("the review", lambda: team.person.waiting_or_ended(team.names, asks))
    assert isinstance(review, dict), team.why(team.names.deploy_pipeline, asks)
    assert faults.seen(clients.requests, number(first), number(newer)) is fault.seen
    team.require_told(fault, {PIPELINE: team.stopped_because(overtaken)})
    for version in (newer, older):  # which closes the review, behind which whatever comes would queue
        team.reject(version)


# ------------------------------------------------------------------------------------------------- in production's shadow


def test_a_version_that_breaks_in_production_s_shadow_reaches_nobody(
    team: Team, first: str, left_by_rejection: Left, request: pytest.FixtureRequest
) -> None:
    """It breaks once staging has verified it. Whoever is asked for production reads it, and nothing is left of it when they are."""
    fault = declared(request)
    team.begin_shadow()
    assert team.live() == first
    version = team.register()
    with team.clients() as clients:
        execution = team.person.approve(team.names, version)
        loop.wait_for("the shadow", lambda: loop.actions(team.terminal, team.names.deploy_pipeline, execution).get("Staging/Shadow"))
        team.breaks(version, ERRORS)
        waiting_for = loop.wait_for("the review", lambda: team.person.waiting_or_ended(team.names, execution))
    assert isinstance(waiting_for, dict), team.why(team.names.deploy_pipeline, execution)
    assert faults.seen(clients.requests, number(first), number(version)) is fault.seen
    assert {(item.version, item.error) for item in clients.requests} == {(number(first), "")}
    assert team.in_shadow() == []
    found = team.comparison(version)
    assert (found["compared"], found["production"]) == (True, int(number(first))) and "server-errors" in found["would_undo"]
    copied, asked = (found["requests"][name] for name in ("shadow", "production"))
    assert copied > 0 and abs(copied - asked) <= 12, "but for those under way when a minute ended"
    assert (found["errors"]["shadow"]["5xx"], found["errors"]["production"]["5xx"], found["answers"]["rows"]) == (copied, 0, 0)
    team.require_told(fault, {})
    team.answer(execution, "Rejected")


# ---------------------------------------------------------------------------------------------------- in an experiment


def test_each_grant_of_a_shadow_is_missed_by_name_or_a_reason_keeps_it(team: Team) -> None:
    """Of the build that compares, and of the function that changes production; before an experiment takes the shadow's place."""
    roles = [team.names.deploy_project("shadow"), team.names.change_shadow_function]
    assert unmissed(ask(team.terminal.account, "GET", PERMISSIONS), roles) == []


@pytest.fixture(scope="module")
def experiments(team: Team, left_by_rejection: Left) -> None:
    team.mend()
    team.begin_experiments()


def test_a_version_is_tried_beside_the_one_that_serves_and_leaves_when_it_breaks(
    team: Team, experiments: None, request: pytest.FixtureRequest
) -> None:
    """Its own share of the requests fails until its alarm takes it out, and nobody else's. The next one is rolled out by a yes."""
    fault = declared(request)
    live = str(team.live())
    version, execution = team.under_review()
    with team.clients() as clients:
        team.answer(execution, "Approved")
        began = clients.wait_for("an answer of the challenger", lambda item: item.version == number(version), time.monotonic()).ended
        time.sleep(5)
        both = clients.since(began)
        assert {item.version for item in both} == {number(live), number(version)}
        assert 0.1 < sum(item.version == number(version) for item in both) / len(both) < 0.4
        refused = team.try_beside(team.register())
        assert f"version {number(version)} is in an experiment with version {number(live)}, and there is one at a time" in refused
        assert not any(item.error for item in clients.requests)
        team.breaks(version, ERRORS)
        assert loop.end_of_pipeline(team.terminal, team.names.deploy_pipeline, execution) == "Failed"
        loop.wait_for("it to leave", lambda: team.variants() == {"AllTraffic": 1.0} or None)
        silent = time.monotonic()
        time.sleep(1)
    assert team.live() == live
    assert faults.seen_beside(clients.since(began), number(live), silent) is fault.seen
    team.require_told(fault, {PIPELINE: team.why(team.names.deploy_pipeline, execution)})
    team.mend()
    version, execution = team.under_review()
    with team.clients() as clients:
        team.answer(execution, "Approved")
        clients.wait_for("an answer of the challenger", lambda item: item.version == number(version), time.monotonic())
        assert any(f"version {number(version)} beside version {number(live)}" in item["what"] for item in team.status()["waiting"])
        assert team.let_in(execution) == "Succeeded", team.why(team.names.deploy_pipeline, execution)
    assert (team.live(), team.variants()) == (version, {"AllTraffic": 1.0})
    assert not any(item.error for item in clients.requests)


def test_truths_are_counted_while_a_version_is_tried_and_a_return_ends_the_experiment(team: Team, first: str, experiments: None) -> None:
    """The return waits for nobody: it takes the challenger out with the version that is left, and answers the review."""
    version, execution = team.under_review()
    with team.clients() as clients:
        team.answer(execution, "Approved")
        clients.wait_for("an answer of the challenger", lambda item: item.version == number(version), time.monotonic())
    known = trial.labelled(team, 40)
    assert (known["labels"]["champion"] + known["labels"]["challenger"], known["decided"]) == (40, False)
    assert 0 < known["labels"]["challenger"] < 40
    with team.clients() as clients:
        team.reject(str(team.live()))
        assert loop.end_of_pipeline(team.terminal, team.names.deploy_pipeline, execution) == "Failed"
        assert team.how_the_last_return_ended() == "Succeeded"
        left = time.monotonic()
        time.sleep(1)
    assert "production went back to an earlier version meanwhile" in team.why(team.names.deploy_pipeline, execution)
    assert (team.live(), team.variants()) == (first, {"AllTraffic": 1.0})
    assert not any(item.error for item in clients.requests)
    assert {item.version for item in clients.since(left)} == {number(first)}


def test_each_grant_of_an_experiment_is_missed_by_name_or_a_reason_keeps_it(team: Team, experiments: None) -> None:
    assert unmissed(ask(team.terminal.account, "GET", PERMISSIONS), [team.names.change_experiment_function]) == []
