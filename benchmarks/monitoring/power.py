"""The smallest drift of each kind that is found, at a false-alarm rate of at most 1 in 100 windows: ours, Evidently's preset, PSI.

    python -m benchmarks.monitoring.power [--windows 25] [--fine]

Each kind grows by the steps 1, 2, 5, 10 on the made-up table of 12 columns (`--fine`: 1, 1.5, 2.2, 3.3, 4.7, 6.8, 10). Found: in at
least four of five windows.
The others keep their shipped limits where those keep the rate on undrifted windows of the same size; else they are tightened, all columns'
by one factor, until they do. Concept drift leaves features and predictions as they are: without labels nobody can find it.
Output: a table, and benchmarks/results/monitoring_power.json.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.monitoring.judges import EVIDENTLY, ROOT, SHIPPED, Evidently, Ours, psi_score, python
from benchmarks.monitoring.tables import Drawn, sensors

RESULTS = ROOT / "benchmarks" / "results" / "monitoring_power.json"
SEED, FOUND, RATE = 12, 0.8, 0.01
UNDRIFTED = 500
#: Rows of the reference and of the window. Up to 1,000 reference rows Evidently's preset tests, above it measures distances.
SIZES = ((10_000, 1_000), (10_000, 10_000), (1_000, 1_000))
METHODS = ("ours", "evidently_any", "evidently_half", "psi")


def _shift(generator: np.random.Generator, rows: int, level: float) -> Drawn:
    drawn = sensors(generator, rows)
    return drawn.with_numeric(x3=drawn.numeric["x3"] + level)


def _scale(generator: np.random.Generator, rows: int, level: float) -> Drawn:
    drawn = sensors(generator, rows)
    return drawn.with_numeric(x3=drawn.numeric["x3"] * (1 + level))


def _category(generator: np.random.Generator, rows: int, level: float) -> Drawn:
    drawn = sensors(generator, rows)
    site = drawn.categorical["site"].copy()
    site[(site == "a") & (generator.random(rows) < level / 0.4)] = "c"
    return drawn.with_categorical(site=site)


def _missing(generator: np.random.Generator, rows: int, level: float) -> Drawn:
    drawn = sensors(generator, rows)
    return drawn.with_numeric(x2=np.where(generator.random(rows) < level, np.nan, drawn.numeric["x2"]))


def _correlation(generator: np.random.Generator, rows: int, level: float) -> Drawn:
    """Some rows exchange their `x1`, so its distribution is the same, value by value."""
    drawn = sensors(generator, rows)
    values, some = drawn.numeric["x1"].copy(), np.flatnonzero(generator.random(rows) < level)
    values[some] = values[generator.permutation(some)]
    return drawn.with_numeric(x1=values)


def _subgroup(generator: np.random.Generator, rows: int, level: float) -> Drawn:
    """Of 15 % of the rows."""
    drawn = sensors(generator, rows)
    return drawn.with_numeric(x3=drawn.numeric["x3"] + level * (drawn.categorical["site"] == "d"))


def _label(generator: np.random.Generator, rows: int, level: float) -> Drawn:
    return sensors(generator, rows, positive=0.3 + level)


def _concept(generator: np.random.Generator, rows: int, level: float) -> Drawn:
    """For a share of rows `level` the truth is the opposite of what it was, given all that is seen of them: nothing of that changes."""
    return sensors(generator, rows)


@dataclass(frozen=True)
class Kind:
    """`least`, `most`: of the levels."""

    drawn: Callable[[np.random.Generator, int, float], Drawn]
    unit: str
    least: float
    most: float

    def levels(self, steps: Sequence[float]) -> list[float]:
        everything = (round(step * 10.0**power, 4) for power in (-2, -1, 0) for step in steps)
        return [level for level in everything if self.least <= level <= self.most]


COARSE, FINE = (1, 2, 5), (1, 1.5, 2.2, 3.3, 4.7, 6.8)
KINDS: Mapping[str, Kind] = {
    "shift": Kind(_shift, "standard deviations", 0.05, 1),
    "scale": Kind(_scale, "wider by", 0.05, 1),
    "category grows": Kind(_category, "of all rows", 0.01, 0.4),
    "missing values": Kind(_missing, "of all rows", 0.01, 0.5),
    "correlation only": Kind(_correlation, "of the rows exchange a value (correlation 0.7)", 0.1, 1),
    "one subgroup": Kind(_subgroup, "standard deviations, of 15 % of the rows", 0.2, 5),
    "label shift": Kind(_label, "more positives, of all rows", 0.02, 0.7),
    "concept drift": Kind(_concept, "of the rows have the opposite truth", 1, 1),
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.monitoring.power", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=25, help="windows of each kind and level (default: %(default)s)")
    parser.add_argument("--undrifted", type=int, default=UNDRIFTED, help="windows that set the others' limits (default: %(default)s)")
    parser.add_argument("--fine", action="store_true", help="six steps to a factor of ten; prints, and keeps no result")
    given = parser.parse_args(arguments)
    jobs = [(number, given.windows, given.undrifted, FINE if given.fine else COARSE) for number in range(len(SIZES))]
    python()  # installed once, before all of them need it
    with ProcessPoolExecutor(len(SIZES), mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(measure, *zip(*jobs, strict=True)))
    no_later = all(_no_later(levels) for result in results for levels in result["smallest_found"].values())
    document = {"machine": describe_machine(), "seed": SEED, "limits": SHIPPED, "peer": EVIDENTLY, "no_later_everywhere": no_later,
                "units": {name: kind.unit for name, kind in KINDS.items()}, "results": results}  # fmt: skip
    if not given.fine:
        RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print("\nours finds every kind no later than the others" if no_later else "\nours finds some kind later than another")
    return 0 if no_later else 1


def _no_later(levels: Mapping[str, float | None]) -> bool:
    ours = levels["ours"]
    others = [level for name, level in levels.items() if name != "ours" and level is not None]
    return not others or (ours is not None and ours <= min(others))


def measure(number: int, windows: int, undrifted: int, steps: Sequence[float]) -> dict[str, Any]:
    """The sizes at place `number`, in a process of its own."""
    base, rows = SIZES[number]
    with tempfile.TemporaryDirectory() as scratch, Evidently(Path(scratch)) as evidently:
        trial = Trial(evidently, base, rows, windows, [SEED, number])
        limits = trial.limits(undrifted)
        print(f"{base}/{rows}: the others' limits times {limits}", flush=True)
        found = {name: trial.smallest(kind, limits, steps) for name, kind in KINDS.items()}
    return {"reference_rows": base, "window_rows": rows, "limits_times": limits, "smallest_found": found}


class Trial:
    """Windows of one size. Each has a reference of its own, so no luck of one reference is in all of them."""

    def __init__(self, evidently: Evidently, base: int, rows: int, windows: int, seed: list[int]) -> None:
        self._evidently, self._base, self._rows, self._windows, self._seed = evidently, base, rows, windows, seed

    def limits(self, windows: int) -> dict[str, float]:
        """The factor on each other method's limit: 1, or more where its shipped limit alarms too often."""
        scores: dict[str, list[float]] = {name: [] for name in METHODS[1:]}
        for number in range(windows):
            generator = np.random.default_rng([*self._seed, 0, number])
            for name, score in self._theirs(sensors(generator, self._base), sensors(generator, self._rows)).items():
                scores[name].append(score)
        return {name: round(max(1.0, float(np.quantile(some, 1 - RATE))), 3) for name, some in scores.items()}

    def _theirs(self, reference: Drawn, window: Drawn) -> dict[str, float]:
        self._evidently.start(reference, window)
        psi = psi_score(reference, window)
        scores = self._evidently.answer()
        return {"evidently_any": scores["any"], "evidently_half": scores["half"], "psi": psi}

    def smallest(self, kind: Kind, limits: Mapping[str, float], steps: Sequence[float]) -> dict[str, float | None]:
        """Of each method the first level that it finds."""
        smallest: dict[str, float | None] = dict.fromkeys(METHODS)
        for level in kind.levels(steps):
            sought = [name for name in METHODS if smallest[name] is None]
            counted = self._count(kind, level, limits, sought)
            smallest |= {name: level for name, (found, _) in counted.items() if found}
            said = ", ".join(f"{name} {alarmed}" for name, (_, alarmed) in counted.items())
            print(f"{self._base}/{self._rows} {kind.drawn.__name__[1:]} {level}: {said}", flush=True)
            if all(found is not None for name, found in smallest.items() if name != "evidently_half"):
                break
        return smallest

    def _count(self, kind: Kind, level: float, limits: Mapping[str, float], sought: Sequence[str]) -> dict[str, tuple[bool, str]]:
        """Whether each method finds this level, and in how many windows of how many it alarmed until that was certain."""
        enough = math.ceil(FOUND * self._windows)
        alarmed, seen = dict.fromkeys(sought, 0), dict.fromkeys(sought, 0)
        for number in range(self._windows):
            open_ones = [name for name in sought if alarmed[name] < enough and seen[name] - alarmed[name] <= self._windows - enough]
            if not open_ones:
                break
            generator = np.random.default_rng([*self._seed, 1 + list(KINDS.values()).index(kind), round(level * 1e4), number])
            reference, window = sensors(generator, self._base), kind.drawn(generator, self._rows, level)
            scores = self._theirs(reference, window) if set(open_ones) - {"ours"} else {}
            for name in open_ones:
                ours = name == "ours" and Ours(reference).judge(window, seed=number, always_joint=False).alarms
                alarmed[name] += ours or (name != "ours" and scores[name] >= limits[name])
                seen[name] += 1
        return {name: (alarmed[name] >= enough, f"{alarmed[name]} of {seen[name]}") for name in sought}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
