"""How a version did in production's shadow beside the one that serves: the file `comparison.json`, and what it says in words.

At `ModelNames.comparison(<version>)` in the artifact bucket, beside the approver's page, where no training may write. Its layout:

    model, environment        their names
    version, production       numbers of the version in the shadow, and of the one that serves (0: none)
    compared                  whether anything was compared
    reason                    why not, or why it ended before its time; else empty
    began, minutes            first minute (ISO 8601, UTC), and how many were seen
    wanted_minutes, percent   what models/ asks for (Shadow)
    instances, usd            of the shadow, and what they cost in these minutes (null: no price is known)
    production_instances      at the least and at the most meanwhile: the shadow does not scale
    requests                  {"production": n, "shadow": n}
    errors                    {"production": {"4xx": n, "5xx": n}, "shadow": {...}}
    latency_ms                {"production": {"p50", "p99", "worst_p99"}, "shadow": {...}}: medians of the minutes, and the worst minute
    would_undo                alarms that would have undone its rollout: names as "server-errors"
    answers                   null where none were captured, or: {"requests", "rows": compared, "differ": rows with another class,
                              "differ_share", "differ_low", "differ_high": with its 95 % interval (null without classes),
                              "mean", "typical", "largest": differences of scores, shadow minus production; typical, largest: absolute}
    summary                   one line

Pure. In: what was measured. Out: the file's content, and lines. Made by shadow.py; read by whoever shows a version to its approver.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from settings_schema import Endpoint

PRODUCTION, SHADOW = "production", "shadow"
#: Of the alarms that undo a rollout: so many of so many minutes (infra/serving/endpoint_alarms.py).
_OVER, _OF = 2, 3
_Z = 1.959964  # of 95 %

#: Rows of one answer: the decided class, or None without classes; and the score.
Rows = Sequence[tuple[str | None, float]]


@dataclass(frozen=True)
class Minute:
    """What one variant did in a minute with requests. `p50`, `p99`: ms of its model's latency."""

    requests: float
    client_errors: float
    server_errors: float
    p50: float
    p99: float


@dataclass(frozen=True)
class Seen:
    """What was measured. `minutes`: by PRODUCTION and SHADOW, in order, None for one without requests. `pairs`: answers to one request."""

    minutes: Mapping[str, Sequence[Minute | None]] = field(default_factory=dict)
    pairs: Sequence[tuple[Rows, Rows]] | None = None


def measured(seen: Seen, serving: Endpoint) -> dict[str, Any]:
    """The part of the file that was measured."""
    by = {name: [minute for minute in seen.minutes.get(name, ()) if minute] for name in (PRODUCTION, SHADOW)}
    return {
        "requests": {name: round(sum(minute.requests for minute in minutes)) for name, minutes in by.items()},
        "errors": {name: _errors(minutes) for name, minutes in by.items()},
        "latency_ms": {name: _latency(minutes) for name, minutes in by.items()},
        "would_undo": _would_undo(seen.minutes.get(SHADOW, ()), serving),
        "answers": None if seen.pairs is None else _answers(seen.pairs),
    }


def _errors(minutes: Sequence[Minute]) -> dict[str, int]:
    return {
        "4xx": round(sum(minute.client_errors for minute in minutes)),
        "5xx": round(sum(minute.server_errors for minute in minutes)),
    }


def _latency(minutes: Sequence[Minute]) -> dict[str, float] | None:
    """Percentiles of several minutes make none of all of them, so it is said of which minute each is."""
    if not minutes:
        return None
    p99 = [minute.p99 for minute in minutes]
    return {"p50": median(minute.p50 for minute in minutes), "p99": median(p99), "worst_p99": max(p99)}


def _would_undo(minutes: Sequence[Minute | None], serving: Endpoint) -> list[str]:
    """The alarms' own rule: more than the limit in 2 of 3 minutes; a minute without requests is none (EndpointAlarms)."""
    allowed = serving.server_error_percent / 100
    failing = [item is not None and item.server_errors > item.requests * allowed for item in minutes]
    slow = [item is not None and item.p99 > serving.p99_latency_ms for item in minutes]
    named = {"server-errors": failing, "latency-p99": slow}
    return [name for name, over in named.items() if any(sum(over[at : at + _OF]) >= _OVER for at in range(len(over)))]


def _answers(pairs: Sequence[tuple[Rows, Rows]]) -> dict[str, Any]:
    """Only of requests that both answered, with as many rows."""
    fitting = [(old, new) for old, new in pairs if len(old) == len(new)]
    rows = [(before, after) for old, new in fitting for before, after in zip(old, new, strict=True)]
    counts: dict[str, Any] = {"requests": len(fitting), "rows": len(rows)}
    labelled = [(before[0], after[0]) for before, after in rows if before[0] is not None]
    differ = sum(before != after for before, after in labelled)
    low, high = interval(differ, len(labelled))
    counts |= {"differ": differ if labelled else None, "differ_share": differ / len(labelled) if labelled else None}
    counts |= {"differ_low": low if labelled else None, "differ_high": high if labelled else None}
    scores = [after[1] - before[1] for before, after in rows]
    sizes = [abs(score) for score in scores]
    known = {"mean": sum(scores) / len(scores), "typical": median(sizes), "largest": max(sizes)} if scores else {}
    return {**counts, "mean": None, "typical": None, "largest": None, **known}


def interval(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share. Source: E. B. Wilson, Probable inference, JASA 22 (1927), 209-212. It says something of few rows, too."""
    if of == 0:
        return 0.0, 1.0
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return max(0.0, middle - half), min(1.0, middle + half)


# ---------------------------------------------------------------------------------------------------------- in words


def summary(fact: Mapping[str, Any]) -> str:
    """One line for the message that asks for the approval."""
    if not fact["compared"]:
        return f"In the shadow of production: not compared, because {fact['reason']}"
    if not fact["requests"][SHADOW]:
        return f"In the shadow of production for {fact['minutes']} min: no request came, so nothing is known of how it answers"
    errors = fact["errors"]
    said = f"In the shadow of production for {fact['minutes']} min, {fact['requests'][SHADOW]} requests: "
    said += f"5xx {errors[SHADOW]['5xx']} (version {fact['production']}: {errors[PRODUCTION]['5xx']}), p99 {_p99(fact, SHADOW)} "
    said += f"({_p99(fact, PRODUCTION)}), {_answers_in_words(fact['answers'])}"
    return f"{said}; its rollout would have been undone by {', '.join(fact['would_undo'])}" if fact["would_undo"] else said


def lines(fact: Mapping[str, Any]) -> Iterator[str]:
    """All of it, for whoever decides."""
    yield str(fact["summary"])
    if not fact["compared"]:
        return
    if fact["reason"]:
        yield f"it ended after {fact['minutes']} of {fact['wanted_minutes']} min: {fact['reason']}"
    for name, number in ((PRODUCTION, fact["production"]), (SHADOW, fact["version"])):
        errors, latency = fact["errors"][name], fact["latency_ms"][name]
        yield f"version {number}: {fact['requests'][name]} requests, {errors['4xx']} 4xx, {errors['5xx']} 5xx"
        if latency:
            yield f"  p50 {latency['p50']:.1f} ms, p99 {latency['p99']:.1f} ms, in the worst minute {latency['worst_p99']:.1f} ms"
    fewest, most = fact.get("production_instances", (0, 0))  # files of before have none
    if fewest < most:
        scaled = f"production scaled meanwhile ({fewest} to {most} instances), the shadow stayed on {fact['instances']}"
        yield f"{scaled}: latencies are not of as busy instances"
    if fact["usd"] is not None:
        yield f"the shadow's {fact['instances']} instances cost {fact['usd']:.2g} USD"


def _p99(fact: Mapping[str, Any], name: str) -> str:
    latency = fact["latency_ms"][name]
    return f"{latency['p99']:.0f} ms" if latency else "-"


def _answers_in_words(answers: Mapping[str, Any] | None) -> str:
    if answers is None:
        return "answers were not captured"
    if not answers["rows"]:
        return "no request that both answered was captured"
    if answers["differ"] is not None:
        share, low, high = (100 * answers[f"differ_{name}"] for name in ("share", "low", "high"))
        return f"{share:.1f} % of {answers['rows']} rows get another class (95 %: {low:.1f} to {high:.1f} %)"
    typical, largest, mean = (answers[name] for name in ("typical", "largest", "mean"))
    return f"scores of {answers['rows']} rows differ by {typical:.3g}, at most {largest:.3g}, on average {mean:+.3g}"
