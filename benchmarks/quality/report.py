"""The table of what was measured: each set against each competitor, and over all sets wins, ties, losses and the geometric mean.

Input: what was measured. Output: lines on the terminal and benchmarks/results/quality.json.
"""

from __future__ import annotations

import collections
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.quality.comparison import Predicted, compare
from benchmarks.quality.measured import Key, Measured
from benchmarks.quality.rows import split
from benchmarks.quality.sets import JUDGED, SETS

RESULTS = Path(__file__).resolve().parents[1] / "results" / "quality.json"
OTHERS = ("lightgbm", "catboost", "autogluon")


def report(measured: Measured, versions: Mapping[str, str], work: Path) -> int:
    """1 if ours loses on a set against anybody. Others are compared as ours learned: from training rows, or from validation rows too.

    Of a set that was not measured here with today's versions, what the results already say is kept, with its `version`.
    """
    kept = {row["set"]: row for row in _written()}
    found = {each.name: _of_set(measured, each.name, versions, work) or kept.get(each.name) for each in JUDGED}
    rows = [row for row in found.values() if row]
    summary = {who: _summary([row["against"][who] for row in rows if who in row["against"]]) for who in OTHERS}
    for row in rows:
        print(_line(row))
    for who, counted in summary.items():
        if counted["sets"]:
            print(
                f"against {who}: {counted['win']} wins, {counted['tie']} ties, {counted['loss']} losses; {counted['ratio']:.3f} of its loss"
            )
    missing = [name for name, row in found.items() if not row]
    document: dict[str, Any] = {"machine": describe_machine(), "versions": dict(versions), "summary": summary}
    document |= {"not_measured": missing, "sets": rows}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"not measured: {', '.join(missing) or 'nothing'}")
    return 1 if any(counted["loss"] for counted in summary.values()) else 0


def _written() -> list[dict[str, Any]]:
    return list(json.loads(RESULTS.read_text(encoding="utf-8"))["sets"]) if RESULTS.exists() else []


def _of_set(measured: Measured, name: str, versions: Mapping[str, str], work: Path) -> dict[str, Any] | None:
    """None where ours was not measured."""
    numbers = measured.splits(name, "ours", versions["ours"])
    if not numbers:
        return None
    targets = {number: split(SETS[name], number, work) for number in numbers}
    own = {number: Key(name, number, "ours", versions["ours"]) for number in numbers}
    learned = "all" if "all" in measured[own[numbers[0]]]["loss"] else "train"
    against = {}
    for who in OTHERS:
        both = [number for number in numbers if Key(name, number, who, versions[who]) in measured]
        if not both:
            continue
        their = {number: Key(name, number, who, versions[who]) for number in both}
        pairs = [
            Predicted(targets[number].target, measured.predictions(own[number])[learned], measured.predictions(their[number])[learned])
            for number in both
        ]
        losses = [measured[key]["loss"][learned] for key in their.values()]
        cpu = [measured[key]["cpu_seconds"] for key in their.values()]
        against[who] = {**compare(SETS[name].metric, pairs), "loss": float(np.mean(losses)), "cpu_seconds": float(np.mean(cpu))}
    first = measured[own[numbers[0]]]
    return {
        "set": name,
        "problem": SETS[name].problem.value,
        "metric": SETS[name].metric,
        "rows": sum(first["rows"].values()),
        "splits": numbers,
        "version": versions["ours"],
        "learned_from": "training and validation rows" if learned == "all" else "training rows",
        "loss": float(np.mean([measured[key]["loss"][learned] for key in own.values()])),
        "cpu_seconds": float(np.mean([measured[key]["cpu_seconds"] for key in own.values()])),
        "chosen": dict(collections.Counter(measured[key]["algorithm"] for key in own.values())),
        "against": against,
    }


def _summary(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    counts = collections.Counter(each["verdict"] for each in found)
    ratio = float(np.exp(np.mean([np.log(each["ratio"]) for each in found]))) if found else None
    return {"sets": len(found), **{verdict: counts[verdict] for verdict in ("win", "tie", "loss")}, "ratio": ratio}


def _line(row: Mapping[str, Any]) -> str:
    others = "  ".join(f"{who} {_against(found)}" for who, found in row["against"].items())
    return f"{row['set']:12} {row['rows']:6} rows  {row['metric']:8} ours {row['loss']:.5g}  {others}"


def _against(found: Mapping[str, Any]) -> str:
    interval = f"{found['ratio']:.3f} [{found['lower']:.3f}, {found['upper']:.3f}]"
    return f"{found['loss']:.5g} ({interval} {found['verdict']}, splits: {', '.join(found['splits'])})"
