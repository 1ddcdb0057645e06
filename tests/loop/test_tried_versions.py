"""Versions are tried under steady traffic before they serve everybody: in production's shadow, and in an experiment.

Two models, each through its own gates, side by side. What it claims of faults stands in faults.py, of which docs/faults.md is made.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from demo import loop
from demo.own_paths import PERMISSIONS, ask
from demo.side_by_side import side_by_side
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
class Settings:
    """How the deployment ended that brings a model its setting, while it is asked. `versions`: of the answers meanwhile."""

    ended: str
    versions: set[str]
    failed: list[Request]


@dataclass
class Gone:
    """An experiment whose setting is taken away. `again`: how it ended when its version was asked about anew."""

    version: str
    ended: str
    again: str
    live: str | None
    variants: dict[str, float] | None
    scaling: set[str]
    failed: list[Request]


@dataclass
class Played:
    """`first`: the version that each model begins with; `settings`: that each then gets. `kept`: grants that nothing had missed until
    the setting went, by model (taken_grants.py).
    """

    first: dict[str, str]
    settings: dict[str, Settings]
    kept: dict[str, list[str]]
    shadowed: Shadowed
    broken: Broken
    won: Won
    ended: Ended
    gone: Gone


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, TriedTeam]]:
    made = tried_versions.start(tmp_path_factory.mktemp("tried"))
    yield made
    made[SHADOWED].terminal.close()


@pytest.fixture(scope="module")
def played(teams: Mapping[str, TriedTeam]) -> Played:
    """Both stories, side by side. Before that both models serve, and get their setting with one push and one `cdk deploy`."""
    first: dict[str, str] = {}
    settings: dict[str, Settings] = {}
    kept: dict[str, list[str]] = {}
    of_shadow: list[Shadowed] = []
    of_experiments: list[Any] = []

    def begins(team: TriedTeam) -> None:
        first[team.names.model] = begin(team)

    def shadow(team: TriedTeam) -> None:
        settings[SHADOWED] = gets_its_setting(team, known[SHADOWED])
        of_shadow.append(breaks_in_the_shadow(team))
        kept[SHADOWED] = unmissed_by(team, [team.names.deploy_project("shadow"), team.names.change_shadow_function])

    def experiments(team: TriedTeam) -> None:
        settings[COMPARED] = gets_its_setting(team, known[COMPARED])
        of_experiments.extend(story(team) for story in (breaks_in_an_experiment, wins_an_experiment))
        of_experiments.append(is_left_during_an_experiment(team, first[COMPARED]))
        kept[COMPARED] = unmissed_by(team, [team.names.change_experiment_function])
        of_experiments.append(loses_its_setting_during_an_experiment(team))

    side_by_side([partial(begins, team) for team in teams.values()])
    known = {name: team.person.executions(team.names.deploy_pipeline) for name, team in teams.items()}
    take_up(teams)
    side_by_side([partial(shadow, teams[SHADOWED]), partial(experiments, teams[COMPARED])])
    return Played(first, settings, kept, *of_shadow, *of_experiments)


def begin(team: TriedTeam) -> str:
    """Version 1 is in production, by both approvals, with nothing to compare it with."""
    version = str(loop.versions(team.terminal, team.names)[-1]["ModelPackageArn"])
    team.person.release(team.names, version)
    return version


def take_up(teams: Mapping[str, TriedTeam]) -> None:
    for team in teams.values():
        team.take_up()
    teams[COMPARED].deploy("settings")
    teams[COMPARED].person.build("Versions are tried before they serve everybody")


# ------------------------------------------------------------------------------------------------------------ a setting


def gets_its_setting(team: TriedTeam, known: set[str]) -> Settings:
    """With the version that serves, through both approvals. `known`: executions of before the push."""
    with team.clients() as clients:
        execution = loop.new_execution(team.terminal, team.names.deploy_pipeline, known)
        loop.wait_for("the review", lambda: team.person.waiting_or_ended(team.names, execution))
        ended = team.let_in(execution)
    return Settings(ended, {item.version for item in clients.requests}, failed(clients.requests))


@pytest.mark.parametrize("model", [SHADOWED, COMPARED])
def test_a_live_model_gets_a_place_for_what_is_tried_and_its_clients_do_not_notice(played: Played, model: str) -> None:
    got = played.settings[model]
    assert (got.ended, got.versions, got.failed) == ("Succeeded", {number(played.first[model])}, [])


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
    assert (found["compared"], found["production"]) == (True, int(number(first))) and "server-errors" in found["would_undo"], found
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


def loses_its_setting_during_an_experiment(team: TriedTeam) -> Gone:
    """The file has no experiment any more, and `cdk deploy` takes away what ends them, and the review with its stage."""
    version, execution = team.under_review()
    with team.clients() as clients:
        team.answer(execution, "Approved")
        clients.wait_for("an answer of the challenger", lambda item: item.version == number(version), time.monotonic())
        known = team.person.executions(team.names.deploy_pipeline)
        team.take_away()
        team.deploy("without")
        ended = loop.end_of_pipeline(team.terminal, team.names.deploy_pipeline, execution)
        again = loop.new_execution(team.terminal, team.names.deploy_pipeline, known)
        loop.wait_for("the review", lambda: team.person.waiting_or_ended(team.names, again))
        finished = team.let_in(again)
    after = (team.live(), team.variants(), team.scaling())
    return Gone(version, ended, finished, *after, failed(clients.requests))


def test_a_version_whose_experiment_loses_its_setting_is_asked_about_anew(played: Played) -> None:
    """An update of a pipeline ends what is under way in it; nobody has decided about the version by that."""
    gone = played.gone
    assert gone.ended == "Cancelled"
    assert (gone.again, gone.live, gone.variants, gone.scaling) == ("Succeeded", gone.version, ALONE, {VARIANT})
    assert gone.failed == []


# ------------------------------------------------------------------------------------------------------------ grants


def unmissed_by(team: TriedTeam, roles: Collection[str]) -> list[str]:
    return unmissed(ask(team.terminal.account, "GET", PERMISSIONS), roles)


@pytest.mark.parametrize("model", [SHADOWED, COMPARED])
def test_each_grant_of_a_trial_is_missed_by_name_or_a_reason_keeps_it(played: Played, model: str) -> None:
    """Of the build that compares in the shadow, and of the functions that change production."""
    assert played.kept[model] == []
