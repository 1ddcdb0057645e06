"""Versions are tried under steady traffic before they serve everybody: in production's shadow, and in an experiment.

Two models, each through its own gates, side by side. What it claims of faults stands in faults.py, of which docs/faults.md is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from demo import loop
from demo.own_paths import PERMISSIONS, ask
from demo.side_by_side import side_by_side
from settings_schema import ModelNames
from settings_schema.names import CHALLENGER_VARIANT, VARIANT
from tests.loop import faults, trial, tried_versions
from tests.loop.clients import Request, failed
from tests.loop.faults import PIPELINE, STATUS, Seen
from tests.loop.taken_grants import unmissed
from tests.loop.tried_versions import COMPARED, SHADOWED, TriedTeam
from tests.loop.ways_back import ERRORS, declared, number

ALONE = {VARIANT: 1.0}


@dataclass
class Shadowed:
    """What became of a version in production's shadow. `answers`: version and error of each request meanwhile, once each."""

    live: str | None
    version: str
    seen: Seen | None
    answers: set[tuple[str, str]]
    found: dict[str, Any]
    still_there: bool


@dataclass
class Broken:
    """An experiment whose challenger breaks. `both`: requests while both answer; `refused`: what was said of a second one meanwhile."""

    live: str
    version: str
    both: list[Request]
    failed_before: list[Request]
    refused: str
    ended: str
    why: str
    seen: Seen | None
    live_then: str | None


@dataclass
class Won:
    """An experiment after which the challenger is rolled out. `said`: what status says meanwhile."""

    version: str
    said: list[str]
    ended: str
    live: str | None
    variants: dict[str, float] | None
    failed: list[Request]


@dataclass
class Ended:
    """An experiment that a return ends. `scaling`: variants that scale, before and after; `waiting`: what status says then."""

    known: dict[str, Any]
    ended: str
    why: str
    returned: str
    live: str | None
    variants: dict[str, float] | None
    scaling: tuple[set[str], set[str]]
    failed: list[Request]
    seen: Seen | None
    waiting: str


@dataclass
class Played:
    """`first`: the version that each model begins with."""

    first: dict[str, str]
    shadowed: Shadowed
    broken: Broken
    won: Won
    ended: Ended


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, TriedTeam]]:
    made = tried_versions.start(tmp_path_factory.mktemp("tried"))
    yield made
    made[SHADOWED].terminal.close()


@pytest.fixture(scope="module")
def played(teams: Mapping[str, TriedTeam]) -> Played:
    """Both stories, side by side."""
    first: dict[str, str] = {}
    of_shadow: list[Shadowed] = []
    of_experiments: list[Any] = []

    def shadow(team: TriedTeam) -> None:
        first[SHADOWED] = begin(team)
        of_shadow.append(breaks_in_the_shadow(team))

    def experiments(team: TriedTeam) -> None:
        first[COMPARED] = begin(team)
        of_experiments.extend(story(team) for story in (breaks_in_an_experiment, wins_an_experiment))
        of_experiments.append(is_left_during_an_experiment(team, first[COMPARED]))

    side_by_side([partial(shadow, teams[SHADOWED]), partial(experiments, teams[COMPARED])])
    return Played(first, *of_shadow, *of_experiments)


def begin(team: TriedTeam) -> str:
    """Version 1 is in production, by both approvals, with nothing to compare it with."""
    version = str(loop.versions(team.terminal, team.names)[-1]["ModelPackageArn"])
    team.person.release(team.names, version)
    return version


# ------------------------------------------------------------------------------------------------- in production's shadow


def breaks_in_the_shadow(team: TriedTeam) -> Shadowed:
    """Once staging has verified it."""
    live, version = str(team.live()), team.register()
    with team.clients() as clients:
        execution = team.person.approve(team.names, version)
        loop.wait_for("the shadow", lambda: loop.actions(team.terminal, team.names.deploy_pipeline, execution).get("Staging/Shadow"))
        team.breaks(version, ERRORS)
        waiting_for = loop.wait_for("the review", lambda: team.person.waiting_or_ended(team.names, execution))
    assert isinstance(waiting_for, dict), team.why(team.names.deploy_pipeline, execution)
    seen, still_there = faults.seen(clients.requests, number(live), number(version)), bool(team.in_shadow())
    answers = {(item.version, item.error) for item in clients.requests}
    return Shadowed(team.live(), version, seen, answers, team.comparison(version), still_there)


def test_a_version_that_breaks_in_production_s_shadow_reaches_nobody(
    teams: Mapping[str, TriedTeam], played: Played, request: pytest.FixtureRequest
) -> None:
    """Whoever is asked for production reads it, and nothing is left of it when they are."""
    fault, first, shadowed = declared(request), played.first[SHADOWED], played.shadowed
    assert (shadowed.live, shadowed.seen, shadowed.still_there) == (first, fault.seen, False)
    assert shadowed.answers == {(number(first), "")}
    found = shadowed.found
    assert (found["compared"], found["production"]) == (True, int(number(first))) and "server-errors" in found["would_undo"]
    copied, asked = (found["requests"][name] for name in ("shadow", "production"))
    assert copied > 0 and abs(copied - asked) <= 12, "but for those under way when a minute ended"
    assert (found["errors"]["shadow"]["5xx"], found["errors"]["production"]["5xx"], found["answers"]["rows"]) == (copied, 0, 0)
    teams[SHADOWED].require_told(fault, {})


# ---------------------------------------------------------------------------------------------------- in an experiment


def breaks_in_an_experiment(team: TriedTeam) -> Broken:
    live = str(team.live())
    version, execution = team.under_review()
    with team.clients() as clients:
        team.answer(execution, "Approved")
        began = clients.wait_for("an answer of the challenger", lambda item: item.version == number(version), time.monotonic()).ended
        time.sleep(5)
        both = clients.since(began)
        refused = team.try_beside(team.register())
        before = failed(clients.requests)
        team.breaks(version, ERRORS)
        ended = loop.end_of_pipeline(team.terminal, team.names.deploy_pipeline, execution)
        loop.wait_for("it to leave", lambda: team.variants() == ALONE or None)
        silent = time.monotonic()
        time.sleep(1)
    why, live_then = team.why(team.names.deploy_pipeline, execution), team.live()
    seen = faults.seen_beside(clients.since(began), number(live), silent)
    team.mend()
    return Broken(live, version, both, before, refused, ended, why, seen, live_then)


def wins_an_experiment(team: TriedTeam) -> Won:
    version, execution = team.under_review()
    with team.clients() as clients:
        team.answer(execution, "Approved")
        clients.wait_for("an answer of the challenger", lambda item: item.version == number(version), time.monotonic())
        said = [item["what"] for item in team.status()["waiting"]]
        ended = team.let_in(execution)
    return Won(version, said, ended, team.live(), team.variants(), failed(clients.requests))


def is_left_during_an_experiment(team: TriedTeam, first: str) -> Ended:
    """Once forty truths are known of what both answered. `first`: the version that production returns to."""
    version, execution = team.under_review()
    with team.clients() as clients:
        team.answer(execution, "Approved")
        clients.wait_for("an answer of the challenger", lambda item: item.version == number(version), time.monotonic())
    known = trial.labelled(team, 40)
    loop.wait_for("the challenger to scale", lambda: team.scaling() == {VARIANT, CHALLENGER_VARIANT} or None)
    scaling = team.scaling()
    with team.clients() as clients:
        team.reject(str(team.live()))
        ended = loop.end_of_pipeline(team.terminal, team.names.deploy_pipeline, execution)
        returned = team.how_the_last_return_ended()
        left = time.monotonic()
        time.sleep(1)
    why, waiting = team.why(team.names.deploy_pipeline, execution), "\n".join(item["what"] for item in team.status()["waiting"])
    after = (team.live(), team.variants(), (scaling, team.scaling()))
    return Ended(
        known, ended, why, returned, *after, failed(clients.requests), faults.seen_beside(clients.requests, number(first), left), waiting
    )


def test_a_version_is_tried_beside_the_one_that_serves_and_leaves_when_it_breaks(
    teams: Mapping[str, TriedTeam], played: Played, request: pytest.FixtureRequest
) -> None:
    """Its own share of the requests fails until its alarm takes it out, and nobody else's."""
    fault, broken = declared(request), played.broken
    live, version = number(broken.live), number(broken.version)
    assert {item.version for item in broken.both} == {live, version}
    assert 0.1 < sum(item.version == version for item in broken.both) / len(broken.both) < 0.4
    assert f"version {version} is in an experiment with version {live}, and there is one at a time" in broken.refused
    assert broken.failed_before == []
    assert (broken.ended, broken.live_then, broken.seen) == ("Failed", broken.live, fault.seen)
    teams[COMPARED].require_told(fault, {PIPELINE: broken.why})


def test_the_next_one_is_rolled_out_by_a_yes(played: Played) -> None:
    won = played.won
    assert any(f"version {number(won.version)} beside version {number(played.broken.live)}" in what for what in won.said)
    assert (won.ended, won.live, won.variants, won.failed) == ("Succeeded", won.version, ALONE, [])


def test_truths_are_counted_while_a_version_is_tried_and_a_return_ends_the_experiment(
    teams: Mapping[str, TriedTeam], played: Played, request: pytest.FixtureRequest
) -> None:
    """The return waits for nobody: it takes the challenger's scaling away, then the challenger with the version that is left."""
    fault, ended, labels = declared(request), played.ended, played.ended.known["labels"]
    assert (labels["champion"] + labels["challenger"], ended.known["decided"]) == (40, False)
    assert 0 < labels["challenger"] < 40
    assert (ended.ended, ended.returned, ended.failed, ended.seen) == ("Failed", "Succeeded", [], fault.seen)
    assert (ended.live, ended.variants) == (played.first[COMPARED], ALONE)
    assert ended.scaling == ({VARIANT, CHALLENGER_VARIANT}, {VARIANT})
    teams[COMPARED].require_told(fault, {PIPELINE: ended.why, STATUS: ended.waiting})


# ------------------------------------------------------------------------------------------------------------ grants


@pytest.mark.parametrize(
    ("model", "works"),
    [
        (SHADOWED, lambda names: [names.deploy_project("shadow"), names.change_shadow_function]),
        (COMPARED, lambda names: [names.change_experiment_function]),
    ],
    ids=[SHADOWED, COMPARED],
)
def test_each_grant_of_a_trial_is_missed_by_name_or_a_reason_keeps_it(
    teams: Mapping[str, TriedTeam], played: Played, model: str, works: Callable[[ModelNames], list[str]]
) -> None:
    """Of the build that compares in the shadow, and of the functions that change production."""
    team = teams[model]
    assert unmissed(ask(team.terminal.account, "GET", PERMISSIONS), works(team.names)) == []
