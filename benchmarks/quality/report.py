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
from benchmarks.quality.sets import SETS

RESULTS = Path(__file__).resolve().parents[1] / "results" / "quality.json"
OTHERS = ("lightgbm", "catboost", "autogluon")


def report(measured: Measured, sets: Sequence[str], splits: int, versions: Mapping[str, str], work: Path) -> int:
    """1 if ours loses on a set against anybody. Others are compared as ours learned: from training rows, or from validation rows too."""
    rows = [found for name in sets if (found := _of_set(measured, name, splits, versions, work))]
    summary = {who: _summary([row["against"][who] for row in rows if who in row["against"]]) for who in OTHERS}
    for row in rows:
        print(_line(row))
    for who, found in summary.items():
        if found["sets"]:
            print(f"against {who}: {found['win']} wins, {found['tie']} ties, {found['loss']} losses; {found['ratio']:.3f} of its loss")
    document = {"machine": describe_machine(), "versions": dict(versions), "summary": summary, "sets": rows}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if any(found["loss"] for found in summary.values()) else 0


def _of_set(measured: Measured, name: str, splits: int, versions: Mapping[str, str], work: Path) -> dict[str, Any] | None:
    """None where ours was not measured."""
    numbers = [number for number in range(1, splits + 1) if Key(name, number, "ours", versions["ours"]) in measured]
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
