"""Writes docs/faults.md: what breaks, what clients saw, what people were told, how long until it is healthy.

    make faults

Nothing in the page is written by hand. Each fault is a scenario of tests/loop, which holds what clients got and what people were told
to what stands here; the seconds are those that `python -m benchmarks.ways_back` has measured.
tests/journeys/test_faults.py fails when the page is another one. Output: the page, also as text (`page`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.loop.clients import Request

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"
SCENARIOS = tuple(ROOT / "tests" / "loop" / f"test_{name}.py" for name in ("ways_back", "tried_versions", "released_kinds"))
MEASURED = ROOT / "benchmarks" / "results" / "ways_back.json"
_SLOW_SECONDS = 0.5


class Seen(Enum):
    """What clients got, as `seen` finds it in their requests."""

    NOTHING = "Nothing: every request is answered."
    ERRORS = "Answers 5xx until the earlier version answers; from its first answer on, every request is answered."
    SLOW = "Answers that take too long until the earlier version answers; no request fails."
    SHARE = "5xx to its share of the requests until it gets none any more; from then on, every request is answered."
    STILL_BROKEN = "What the broken version answers, until it is left."


@dataclass(frozen=True)
class Fault:
    """`scenario`: the test of it. `done`: what a person does about it. `told`: what stands in what people are told, where each reads it.

    `measured`: of the benchmark, how long until it is healthy; or words, where nothing is broken.
    """

    scenario: str
    fault: str
    done: str
    seen: Seen
    told: Sequence[tuple[str, str]]
    measured: str = ""
    ends: str = "It is: nothing in production changed."


_RETURNS = "version 2 is Rejected and serves production; production returns to version 1"
_AS_FAST = "By the same way back as above; its seconds are measured on instances only."
ALERTS, COMMAND, PIPELINE, STATUS = "the alert topic", "the command", "the deploy pipeline", "`status`"

FAULTS = (
    Fault(
        "test_a_live_version_that_answers_5xx_is_left_by_one_command",
        "The live version answers 5xx; a newer one waits for its approval for production",
        "`roll_back`",
        Seen.ERRORS,
        (
            (ALERTS, "shop--abalone--live--server-errors"),
            (ALERTS, "production returns to version 1"),
            (COMMAND, "version 1 serves live again"),
            (STATUS, "Staging Approve: version 3"),
        ),
        measured="broken live version to healthy",
    ),
    Fault(
        "test_a_deployment_that_begins_while_an_alarm_is_on_is_refused_with_the_way",
        "A version is let into production while an alarm of the live one is on",
        "Nothing yet",
        Seen.STILL_BROKEN,
        (
            (PIPELINE, "shop--abalone--live--latency-p99 is in ALARM while version 3 serves"),
            (PIPELINE, "python -m deploy_scripts.roll_back --model abalone"),
        ),
        ends="Not before the live version is left (the next line).",
    ),
    Fault(
        "test_a_live_version_that_is_too_slow_is_left_by_a_rejection",
        "The live version takes 0.7 s an answer",
        "It is rejected in Studio",
        Seen.SLOW,
        ((ALERTS, "shop--abalone--live--latency-p99"), (ALERTS, "production returns to version 1")),
        measured="rejecting to traffic back",
    ),
    Fault(
        "test_a_version_that_was_declined_is_no_candidate",
        "A newer version was declined for production, another one was refused there; then the live version is left",
        "Nothing: production keeps what it was taken back to",
        Seen.NOTHING,
        ((STATUS, "version 4 of abalone is approved and not deployed: it was declined: not today"),),
    ),
    Fault(
        "test_the_review_of_a_version_that_is_rejected_is_closed",
        "A version is rejected in the registry while it waits for its approval for production",
        "Nothing: its review closes by itself",
        Seen.NOTHING,
        ((PIPELINE, "version 6 is Rejected: its deployment is stopped"),),
    ),
    Fault(
        "test_of_two_versions_that_are_approved_at_once_only_the_newer_one_asks",
        "A newer version is approved a moment after another one",
        "Nothing: the older one is stopped before anybody is asked about it",
        Seen.NOTHING,
        ((PIPELINE, "version 8 is newer and approved: the deployment of version 7 is stopped"),),
    ),
    Fault(
        "test_a_version_that_breaks_in_production_s_shadow_reaches_nobody",
        "A version that passed staging answers 5xx to production's requests, in its [shadow](shadow.md)",
        "It is declined: the request for the approval says so",
        Seen.NOTHING,
        ((ALERTS, "its rollout would have been undone by server-errors"),),
    ),
    Fault(
        "test_a_version_is_tried_beside_the_one_that_serves_and_leaves_when_it_breaks",
        "A version answers 5xx in an [experiment](experiments.md) beside the one that serves",
        "Nothing: its own alarm ends the experiment",
        Seen.SHARE,
        ((ALERTS, "shop--compared--live--challenger-5xx is in ALARM: the experiment with version"), (PIPELINE, "stays")),
        ends="With its alarm, after two of three minutes: its weight is 0 at once, then it is taken out.",
    ),
    Fault(
        "test_truths_are_counted_while_a_version_is_tried_and_a_return_ends_the_experiment",
        "The live version is left while another one is beside it in an experiment",
        "It is rejected in Studio: the return takes both out",
        Seen.NOTHING,
        (
            (ALERTS, "production went back to an earlier version meanwhile, which ended the experiment"),
            (STATUS, "its experiment ended without it: production went back to an earlier version meanwhile"),
        ),
        ends="By the same way back as above, after a first update that ends the scaling of the version on trial.",
    ),
    Fault(
        "test_a_serverless_version_that_answers_5xx_is_left_by_a_rejection",
        "The live version of the serverless model answers 5xx",
        "It is rejected in Studio",
        Seen.ERRORS,
        ((ALERTS, "shop--idle--live--server-errors"), (ALERTS, f"idle: {_RETURNS}")),
        ends=_AS_FAST,
    ),
    Fault(
        "test_a_version_on_a_fleet_that_answers_5xx_is_left_by_one_command",
        "The live version of a model on a fleet answers 5xx",
        "`roll_back`",
        Seen.ERRORS,
        ((ALERTS, "shop--shared--live--server-errors"), (ALERTS, f"shared: {_RETURNS}"), (COMMAND, "version 1 serves live again")),
        ends=_AS_FAST,
    ),
    Fault(
        "test_a_version_on_a_multi_model_fleet_that_answers_5xx_is_left_by_one_command",
        "The live version of one of the models in a multi-model fleet's container answers 5xx",
        "`roll_back`",
        Seen.ERRORS,
        ((ALERTS, "shop--loaded--live--server-errors--2"), (ALERTS, f"loaded: {_RETURNS}"), (COMMAND, "version 1 serves live again")),
        ends=_AS_FAST,
    ),
    Fault(
        "test_a_version_behind_a_queue_that_fails_is_left_by_one_command",
        "The live version behind a queue answers 5xx, which its clients find at the failure location",
        "`roll_back`",
        Seen.ERRORS,
        ((ALERTS, "shop--queued--live--server-errors"), (ALERTS, f"queued: {_RETURNS}"), (COMMAND, "version 1 serves live again")),
        ends=_AS_FAST,
    ),
    Fault(
        "test_who_pushed_the_commit_does_not_let_a_version_in",
        "With `approvers=2` whoever pushed the commit says yes",
        "Nothing: the stage fails, and runs again for another person",
        Seen.NOTHING,
        ((PIPELINE, "Staging/NotTheAuthor"), (PIPELINE, "who pushed")),
    ),
    Fault(
        "test_one_person_is_not_two",
        "With `approvers=2` one person says yes twice",
        "Nothing: the stage fails, and runs again for another person",
        Seen.NOTHING,
        ((PIPELINE, "Staging/TwoPeople"), (PIPELINE, "Approve and ApproveAgain were both given by")),
    ),
)


def seen(requests: Sequence[Request], good: str, bad: str) -> Seen | None:
    """Of requests under way while a version was left for another; None where the good one's fleet failed a request, or never answered.

    A request that was sent before the good one's first answer may still have been the bad one's.
    """
    first = next((request.ended for request in requests if request.version == good), None)
    if first is None:
        return Seen.STILL_BROKEN if any(request.error or request.seconds > _SLOW_SECONDS for request in requests) else None
    after = [request for request in requests if request.sent > first]
    if not after or any(request.error or request.version == bad for request in after):
        return None
    before = [request for request in requests if request.sent <= first]
    if any(request.error for request in before):
        return Seen.ERRORS
    return Seen.SLOW if any(request.version == bad and request.seconds > _SLOW_SECONDS for request in before) else Seen.NOTHING


def seen_beside(requests: Sequence[Request], good: str, silent: float) -> Seen | None:
    """Of requests while one of two versions breaks. `silent`: since when that one gets none; None where one failed later."""
    after = [request for request in requests if request.sent > silent]
    if not after or any(request.error or request.version != good for request in after):
        return None
    return Seen.SHARE if any(request.error for request in requests) else Seen.NOTHING


def fault_of(scenario: str) -> Fault:
    return next(item for item in FAULTS if item.scenario == scenario)


# ---------------------------------------------------------------------------------------------------- the page


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_HEAD, *_rows()]) + "\n"


_HEAD = """# Faults

What happens when a version breaks, and on the ways back from it ([day to day](operations.md#ways-back)). Each line is a
scenario of the local account under steady traffic: a team `shop` with a model `abalone` on
[instances](../tests/loop/test_ways_back.py), with `shadowed` and `compared`, whose versions are
[tried first](../tests/loop/test_tried_versions.py), and with `idle`, `queued`, `shared` and `loaded`, which are served in
[other ways](../tests/loop/test_released_kinds.py). In `live` version 1 has served before the one that breaks. What clients got and what
people were told is asserted there; the seconds are [measured](../benchmarks/README.md). `make faults` writes this page, and a test fails
when it is another one.

| the fault | what is done | what clients see | what people are told | how long until healthy |
|---|---|---|---|---|"""


def _rows() -> Iterator[str]:
    results = json.loads(MEASURED.read_text(encoding="utf-8"))["measures"]
    for item in FAULTS:
        told = "; ".join(f"{where}: `{text}`" for where, text in item.told)
        yield f"| {item.fault} | {item.done} | {item.seen.value} | {told} | {_healthy(item, results)} |"


def _healthy(item: Fault, results: dict[str, Any]) -> str:
    if not item.measured:
        return item.ends
    return f"{results[item.measured]['median']:.1f} s after the decision"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
