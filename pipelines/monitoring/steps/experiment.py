"""Counts what two versions in an experiment have answered, and judges them, once, when it is over.

It is over with as many labelled answers of both together as were wanted (and of enough requests of each), or after its last day: both are
set before it begins, and neither goes by what was answered. Until then nothing is computed but counts, so that nobody can stop where the
difference happens to look good ("peeking": Johari, Koomen, Pekelis & Walsh 2017, "Peeking at A/B Tests"). What was judged stays, whatever
labels come later.
It begins with the challenger's first answer, which is not counted: before that all requests were the champion's.

Input: answered rows that the watch has kept, labels, the experiment (environment variables of pipelines/monitoring/pipeline.py).
Output: `<monitoring>/experiments/<challenger>.json`, and one message when it is judged. Read by infra/model/change_production/ and
deploy_scripts/experiment.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import labels as given
import numpy as np
import realised
import windows
from evidence import Versions
from experiment_statistics import CHALLENGER, CHAMPION, MISMATCH, NEITHER, Answers, difference, sample_ratio, together
from judges import plain
from place import Place
from store import GoneError, Store, document

FOLDER = "experiments/"
TIME = "%Y-%m-%dT%H:%M:%SZ"
NEVER = "never"
#: Requests of each version that have a labelled answer. Rows of one request are one observation, and of a few an interval says nothing.
FEWEST_REQUESTS = realised.FEWEST_LABELS

#: Tells people: subject and message.
Tell = Callable[[str, str], Any]


@dataclass(frozen=True)
class Experiment:
    """`champion`, `challenger`: numbers of versions. `began`: when the challenger was put there. `percent`: of requests are its."""

    champion: str
    challenger: str
    began: datetime
    metric: str
    more_is_better: bool
    percent: int
    labelled_answers: int
    days: int

    @classmethod
    def of(cls, variables: Mapping[str, str], place: Place) -> Experiment | None:
        """None where none is on."""
        began = variables.get("EXPERIMENT_BEGAN", NEVER)
        if began == NEVER or not place.deployed:
            return None
        return cls(
            champion=place.deployed,
            challenger=variables["CHALLENGER_VERSION"],
            began=datetime.strptime(began, TIME).replace(tzinfo=UTC),
            metric=variables["EXPERIMENT_METRIC"],
            more_is_better=variables["EXPERIMENT_MORE_IS_BETTER"] == "true",
            percent=int(variables["EXPERIMENT_PERCENT"]),
            labelled_answers=int(variables["EXPERIMENT_LABELLED_ANSWERS"]),
            days=int(variables["EXPERIMENT_DAYS"]),
        )

    @property
    def sides(self) -> dict[str, str]:
        return {CHAMPION: self.champion, CHALLENGER: self.challenger}

    @property
    def last(self) -> datetime:
        return self.began + timedelta(days=self.days)


class Trial:
    """An experiment, by what the watch has kept of it in `store`."""

    def __init__(self, experiment: Experiment, place: Place, store: Store, versions: Versions, now: datetime) -> None:
        self._experiment, self._place, self._store, self._versions, self._now = experiment, place, store, versions, now
        self._key = f"{place.monitoring_prefix}{FOLDER}{experiment.challenger}.json"

    def judge(self, tell: Tell | None = None) -> dict[str, Any]:
        """What is known; kept, and told once it is decided."""
        known = self._known()
        if known.get("decided"):
            return known
        found: dict[str, Any] = plain(self._found())
        if found["decided"] and tell:  # first: what nobody was told is told by the next run
            tell(f"{self._place.model} in {self._place.environment}: the experiment is decided", message(found))
        self._store.write(self._key, (json.dumps(found, indent=1, allow_nan=False) + "\n").encode(), "application/json")
        print(f"experiment of version {found['challenger']}: {found['sentence']}", flush=True)
        return found

    def _known(self) -> dict[str, Any]:
        """Of this experiment: the same version may have been in one before."""
        try:
            known = document(self._store, self._key, "began", "decided")
        except GoneError:
            return {}
        return known if known["began"] == f"{self._experiment.began:{TIME}}" else {}

    def _found(self) -> dict[str, Any]:
        since = self._first_answer()
        requests = {side: self._requests(version, since) for side, version in self._experiment.sides.items()}
        answers = {side: self._labelled(version, since) for side, version in self._experiment.sides.items()}
        experiment = self._experiment
        known: dict[str, Any] = {
            "model": self._place.model,
            "environment": self._place.environment,
            **experiment.sides,
            "began": f"{experiment.began:{TIME}}",
            "counted_since": since and f"{datetime.fromtimestamp(since, UTC):{TIME}}",
            "ends": f"{experiment.last:{TIME}}",
            "judged_at": f"{self._now:{TIME}}",
            "metric": experiment.metric,
            "percent": experiment.percent,
            "labelled_answers": experiment.labelled_answers,
            "requests": requests,
            "labels": {side: item.count if item else 0 for side, item in answers.items()},
            "labelled_requests": {side: item.asked if item else 0 for side, item in answers.items()},
            "sample_ratio_p": sample_ratio(requests[CHAMPION], requests[CHALLENGER], experiment.percent / 100),
        }
        enough = sum(known["labels"].values()) >= experiment.labelled_answers and not _few(known)
        if not enough and self._now < experiment.last:
            return {**known, **_undecided(known)}
        return {**known, **self._decided(known, answers)}

    def _decided(self, known: Mapping[str, Any], answers: Mapping[str, Answers | None]) -> dict[str, Any]:
        both = {side: item for side, item in answers.items() if item is not None}
        if few := _few(known):
            return _said(f"too few labelled answers to compare: {few}")
        if unlike := self._unlike():
            return _said(unlike)
        found = difference(known["metric"], both, more_is_better=self._experiment.more_is_better)
        measured = {"values": dict(found.values), "difference": found.difference, "lower": found.lower, "upper": found.upper, "p": found.p}
        if known["sample_ratio_p"] < MISMATCH:
            return {**_said(mismatch(known)), **measured}
        return {**_said(_result(known, measured, found.favours), found.favours), **measured}

    def _unlike(self) -> str:
        """Empty if both decide between the same classes, or both say values: truth of other classes makes another metric."""
        evidence = (self._versions.find(version) for version in self._experiment.sides.values())
        classes = [item.takes.classes and list(item.takes.classes) for item in evidence if item is not None]
        return "" if all(each == classes[0] for each in classes) else f"the versions know other classes ({classes}), and cannot be compared"

    def _first_answer(self) -> float | None:
        """When the challenger answered first, in seconds since 1970; None before it has."""
        times = [times.min() for _, times in self._kept(self._experiment.challenger) if len(times)]
        return float(min(times)) if times else None

    def _requests(self, version: str, since: float | None) -> int:
        """After a moment; one of many rows is one."""
        if since is None:
            return 0
        return len({request for requests, times in self._kept(version) for request in requests[times > since]})

    def _kept(self, version: str) -> Iterator[tuple[Any, Any]]:
        """Of each part of the experiment's windows: the request of each row, and when that was."""
        for folder in self._folders():
            for requests, times in realised.asked(self._store, folder, version):
                counts = times >= self._experiment.began.timestamp()
                yield requests[counts], times[counts]

    def _folders(self) -> Iterator[str]:
        for folder in self._store.folders(f"{self._place.monitoring_prefix}windows/"):
            if windows.named(folder.rstrip("/").rsplit("/", 1)[-1]).end > self._experiment.began:
                yield folder

    def _labelled(self, version: str, since: float | None) -> Answers | None:
        """None where nothing is known of the version, or none of its answers has a truth."""
        evidence = self._versions.find(version)
        if evidence is None or since is None:
            return None
        known = given.read(self._store, self._place.labels_prefix, evidence.takes.classes, self._now)
        parts = []
        for folder in self._folders():
            with suppress(GoneError):
                labelled = realised.join(self._store, folder, version, evidence.takes, known)
                counts = (labelled.times > since) & ~np.isnan(labelled.rows.target) if labelled.labels else np.zeros(0, bool)
                if counts.any():
                    requests = [key[0] for (key, _), is_in in zip(labelled.labels, counts, strict=True) if is_in]
                    parts.append(Answers(labelled.rows.take(counts), labelled.predicted.take(counts), requests))
        return together(parts) if parts else None


def _few(known: Mapping[str, Any]) -> str:
    """Empty where each version has enough to be compared."""
    few = [f"version {known[side]} has {count:,}" for side, count in known["labelled_requests"].items() if count < FEWEST_REQUESTS]
    return f"{FEWEST_REQUESTS} requests of each version with a labelled answer are needed, {' and '.join(few)}" if few else ""


def _undecided(known: Mapping[str, Any]) -> dict[str, Any]:
    total, wanted = sum(known["labels"].values()), known["labelled_answers"]
    sentence = f"{total:,} of {wanted:,} labelled answers, nothing is decided before there are so many or {known['ends']}"
    if total >= wanted:
        sentence = f"{total:,} labelled answers; {_few(known)}, or nothing is decided before {known['ends']}"
    unlike = f"; {mismatch(known)}" if known["sample_ratio_p"] < MISMATCH else ""
    return {"decided": False, "favours": None, "sentence": sentence + unlike}


def _said(sentence: str, favours: str = NEITHER) -> dict[str, Any]:
    return {"decided": True, "favours": favours, "sentence": sentence}


def mismatch(known: Mapping[str, Any]) -> str:
    champion, challenger = (known["requests"][side] for side in (CHAMPION, CHALLENGER))
    share = challenger / (champion + challenger)
    return (
        f"requests were not divided as set: {challenger:,} of {champion + challenger:,} ({share:.1%}, set: {known['percent']} %) went to "
        f"version {known[CHALLENGER]} (p = {known['sample_ratio_p']:.1g}), so the versions cannot be compared"
    )


def _result(known: Mapping[str, Any], measured: Mapping[str, Any], favours: str) -> str:
    metric, counts, values = known["metric"], known["labels"], measured["values"]
    beside = " and ".join(
        f"{values[side]:.4g} of version {known[side]} ({counts[side]:,} labelled answers)"
        for side in (CHALLENGER, CHAMPION)
        if values[side] is not None
    )
    if measured["difference"] is None or measured["lower"] is None:
        return f"{metric} is undefined for the labels that there are; no difference was found"
    interval = f"differs by {measured['difference']:.4g} (95 % interval {measured['lower']:.4g} to {measured['upper']:.4g})"
    chance = f"requests that are divided by chance differ as much in {measured['p']:.1%} of the cases"
    if favours == NEITHER:
        includes = "which includes 0" if measured["lower"] <= 0 <= measured["upper"] else f"but {chance}"
        return f"no difference was found: {metric} is {beside}, and {interval}, {includes}; that does not say that they are equal"
    return f"version {known[favours]} is better: {metric} is {beside}, and {interval}; {chance}"


def message(found: Mapping[str, Any]) -> str:
    """To people, once."""
    better = found["favours"] == CHALLENGER
    advice = "Yes in the review rolls it out" if better else f"Without a yes in the review version {found[CHAMPION]} stays"
    lines = [
        f"Version {found[CHALLENGER]} of {found['model']} was tried beside version {found[CHAMPION]} in {found['environment']}:",
        f"{found['sentence']}.",
        f"{advice}; `python -m deploy_scripts.experiment --model {found['model']}` shows all.",
    ]
    return "\n".join(lines) + "\n"
