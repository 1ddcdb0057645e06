"""Chapter 4 of a model with endpoints: production answers good and bad requests, then scales under traffic, in simulated time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from build_scripts.invocation import CSV, JSON, csv_body, json_body
from build_scripts.version_contract import Contract
from demo import known_rows, loop
from demo.clock import AccountClock
from demo.errors import StageError
from demo.facts import Exchange, ModelFacts, ScalingRecord
from demo.narrator import Narrator
from demo.scaling_watch import SCHEDULE, STEP, TARGET_TRACKING, Activity, ScalingWatch
from demo.subject import Subject
from demo.terminal import Terminal
from demo.traffic import Phase, Profile, Traffic, rows_in_turn
from settings_schema import Autoscaling, Endpoint

#: A working morning: the office opens at 7 and everybody comes at once, for a while. The rush needs the most instances that
#: the settings allow at close to their target, so that target tracking holds them until it is over.
_OPENS_AT_HOUR = 7
_MINUTES_BEFORE = 5
#: The clock runs on until it is told to jump, a simulated minute in a second or so.
_AHEAD = timedelta(minutes=5)
#: Shares of what the largest fleet takes at its target; more requests a second than the last nobody sends from one machine.
_QUIET, _RUSH, _AFTERWARDS, _MOST_RPS = 0.05, 0.94, 0.06, 150.0
_RUSH_BEGINS, _RUSH_ENDS, _STORY_ENDS = 8.0, 16.0, 75.0
#: The picture goes on for this long after the last scale-in.
_MINUTES_AFTER = 3.0


def scaling_of(subject: Subject) -> Autoscaling | None:
    """How a model scales in production; None where it does not."""
    served = subject.in_production
    return served.autoscaling if isinstance(served, Endpoint) else None


def time_zone(subjects: Sequence[Subject]) -> str:
    """Of the schedules of the first model that scales."""
    scaling = next((scaling for subject in subjects if (scaling := scaling_of(subject))), None)
    return scaling.time_zone if scaling else "Etc/UTC"


def scaled(models: Sequence[ModelFacts]) -> Sequence[ModelFacts]:
    """Whose morning is told: that of the first model that one machine can make scale out and in again. One machine has one morning."""
    return [model for model in models if (scaling := scaling_of(model.subject)) and _shows(scaling)][:1]


def _shows(scaling: Autoscaling) -> bool:
    """Steps alone never scale in; and what the rush needs has to be more than there is before it."""
    held = max([scaling.min_capacity, *(schedule.min_capacity for schedule in scaling.schedules)])
    return scaling.target_tracking is not None and rates(scaling).rush * 60 > held * scaling.target_tracking.invocations_per_instance


def ask(terminal: Terminal, narrator: Narrator, facts: ModelFacts) -> None:
    """Good and bad requests, as they will come. The endpoint must answer the first kind and refuse the second, and live."""
    contract, rows = _known(facts)
    asking = _Asking(terminal, facts)
    with narrator.stage(facts.subject.titled("Requests to production")) as stage:
        asking.ask("One row", CSV, csv_body(rows[:1]), expected=200)
        asking.ask("Three rows", CSV, csv_body(rows[:3]), expected=200)
        asking.ask("One row as JSON", JSON, json_body(rows[:1], contract), expected=200)
        asking.ask("A picture", "image/png", b"\x89PNG", expected=415)
        asking.ask("Too many columns", CSV, csv_body([[*rows[0], "1", "2", "3"]]), expected=400)
        if contract.numeric:
            asking.ask("Not numbers", CSV, csv_body([["many"] * len(contract.features)]), expected=400)
        asking.ask("One row again: it lives", CSV, csv_body(rows[:1]), expected=200)
        refused = sum(400 <= exchange.status < 500 for exchange in facts.exchanges)
        first = facts.exchanges[0]
        shown = first.request.replace("\n", "\\n")  # a category may hold a line break
        stage.note = f"{shown} -> {first.answer} ({first.milliseconds:.0f} ms); {refused} bad requests refused with 4xx"


def _known(facts: ModelFacts) -> tuple[Contract, Sequence[Sequence[str]]]:
    """What the released version takes, and rows of it."""
    if facts.contract is None or facts.golden is None:
        raise StageError("no version was registered, so nobody knows what to ask", None)
    return facts.contract, facts.golden.rows


class _Asking:
    """Sends requests to production and notes what came back. Raises StageError for an answer of another kind than expected."""

    def __init__(self, terminal: Terminal, facts: ModelFacts) -> None:
        self._endpoint = facts.subject.production.endpoint
        self._runtime, self._facts, self._log = terminal.client("sagemaker-runtime"), facts, terminal.account_logs

    def ask(self, title: str, content_type: str, body: bytes, *, expected: int) -> None:
        began = time.monotonic()
        status, answer = self._send(content_type, body)
        milliseconds = (time.monotonic() - began) * 1000
        shown = body.decode("utf-8", "replace").strip()
        self._facts.exchanges.append(Exchange(title, content_type, shown, status, answer, milliseconds))
        if status // 100 != expected // 100:
            raise StageError(f"{title}: production answered {status} {answer[:200]}, expected {expected}", self._log)

    def _send(self, content_type: str, body: bytes) -> tuple[int, str]:
        try:
            answer = self._runtime.invoke_endpoint(EndpointName=self._endpoint, ContentType=content_type, Body=body)
            return 200, answer["Body"].read().decode().strip()
        except self._runtime.exceptions.ModelError as error:  # the container's own answer is inside of AWS's
            return int(error.response["OriginalStatusCode"]), str(error.response["OriginalMessage"]).strip()
        except self._runtime.exceptions.ClientError as error:
            return int(error.response["ResponseMetadata"]["HTTPStatusCode"]), str(error)


def scale(terminal: Terminal, narrator: Narrator, facts: ModelFacts, clock: AccountClock, speed: float) -> None:
    """A morning of traffic in accelerated time: until the variant scaled out and came back to where the schedule holds it."""
    scaling = scaling_of(facts.subject)
    assert scaling is not None  # noqa: S101 - `scaled` names only models that scale
    opening = before_opening(clock.now(), scaling.time_zone)
    clock.set(now=opening, speed=speed, requests_keep_pace=True)
    morning = (opening or clock.now()).astimezone(ZoneInfo(scaling.time_zone))
    watch = ScalingWatch(terminal, facts.subject.production, clock)
    rush = rates(scaling)
    profile = Profile([Phase(0, rush.quiet), Phase(_RUSH_BEGINS, rush.rush), Phase(_RUSH_ENDS, rush.afterwards)], _STORY_ENDS)
    traffic = Traffic(profile, _sender(terminal, facts), lambda: (clock.now() - morning).total_seconds() / 60)
    watch.start()
    traffic.start()
    try:
        activities = _Scaling(narrator, facts.subject, watch, traffic, morning, rush).follow()
    finally:
        traffic.stop()
        watch.stop()
    facts.scaling = ScalingRecord(
        start=morning,
        time_zone=scaling.time_zone,
        speed=speed,
        requests=dict(traffic.answered),
        failed=sum(traffic.failed.values()),
        samples=watch.samples,
        activities=activities,
    )


@dataclass(frozen=True)
class Rates:
    """Requests per second before, in and after the rush."""

    quiet: float
    rush: float
    afterwards: float


def rates(scaling: Autoscaling) -> Rates:
    """In proportion to what the largest fleet takes at the lowest target, so that each model that a policy scales has its own morning."""
    targets = [rule.invocations_per_instance for rule in (scaling.target_tracking, scaling.step_scaling) if rule]
    whole = min(_MOST_RPS / _RUSH, scaling.max_capacity * min(targets) / 60)
    return Rates(_QUIET * whole, _RUSH * whole, _AFTERWARDS * whole)


def before_opening(now: datetime, time_zone: str) -> datetime | None:
    """Shortly before seven of the same day; None on a machine so slow that the day is already further: the clock cannot go back."""
    here = now.astimezone(ZoneInfo(time_zone))
    opening = here.replace(hour=_OPENS_AT_HOUR, minute=0, second=0, microsecond=0) - timedelta(minutes=_MINUTES_BEFORE)
    return opening if opening > here + _AHEAD else None


def _sender(terminal: Terminal, facts: ModelFacts) -> Callable[[], None]:
    contract, _ = _known(facts)
    content = loop.read_s3(terminal, known_rows.address(facts.metadata["contract-url"]))
    following = rows_in_turn([csv_body([row.cells]) for row in known_rows.read(content, contract)])
    runtime: Any = terminal.client("sagemaker-runtime")
    endpoint = facts.subject.production.endpoint

    def send() -> None:
        runtime.invoke_endpoint(EndpointName=endpoint, ContentType=CSV, Body=following())["Body"].read()

    return send


class _Scaling:
    """Tells each scaling activity when it happens; ends when capacity is back at what it was before the rush."""

    def __init__(self, narrator: Narrator, subject: Subject, watch: ScalingWatch, traffic: Traffic, start: datetime, rates: Rates) -> None:
        self._narrator, self._subject, self._watch, self._traffic, self._start = narrator, subject, watch, traffic, start
        self._rates, self._zone = rates, start.tzinfo
        self._told: set[str] = set()

    def follow(self) -> list[Activity]:
        out = self._narrator.begin(self._subject.titled("Traffic: scale out"))
        self._until(lambda: self._seen_minutes() >= _RUSH_ENDS)
        most = max(sample.instances for sample in self._watch.samples)
        fewest = self._watch.samples[0].instances
        out.note = f"{fewest} to {most} instances at {self._rates.rush:.0f} requests/s"
        self._narrator.end(out)
        if most <= fewest:
            raise StageError(f"production stayed on {most} instances under {self._rates.rush:.0f} requests/s", None)
        back = self._narrator.begin(self._subject.titled("Traffic: scale in"))
        self._until(lambda: self._watch.instances < most and self._settled())
        settled = self._seen_minutes()
        self._until(lambda: self._seen_minutes() > settled + _MINUTES_AFTER)
        back.note = f"{most} to {self._watch.instances} instances at {self._rates.afterwards:.0f} requests/s"
        self._narrator.end(back)
        return self._watch.activities(self._start)

    def _seen_minutes(self) -> float:
        return (self._watch.samples[-1].time - self._start).total_seconds() / 60

    def _settled(self) -> bool:
        """Back at the lowest count since the schedule raised the minimum."""
        held = [sample.instances for sample in self._watch.samples if (sample.time - self._start).total_seconds() / 60 < _RUSH_BEGINS]
        return self._watch.instances <= max(held)

    def _until(self, over: Callable[[], bool]) -> None:
        while not over():
            self._tell_news()
            if self._traffic.ended:
                raise StageError(
                    f"production was on {self._watch.instances} instances when the traffic ended; {self._traffic.last_error}", None
                )
            time.sleep(loop.POLL_SECONDS)
        self._tell_news()

    def _tell_news(self) -> None:
        for activity in self._watch.activities(self._start):
            if activity.identifier not in self._told:
                self._told.add(activity.identifier)
                local = activity.time.astimezone(self._zone)
                kind = activity.kind if activity.kind in (SCHEDULE, STEP, TARGET_TRACKING) else "bounds"
                self._narrator.say(f"             {local:%H:%M}  {kind}: {activity.description}")
