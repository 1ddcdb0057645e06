"""The three that judge the same window: the monitor's own scripts, Evidently's default preset, and PSI above 0.2.

Evidently runs in an environment of its own, with its own versions of everything, and is given each window as a file. Output: of ours
whether it alarms and why, of the others a score, which is 1 where they alarm as they are shipped. Used by `false_alarms.py`, `power.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np

from benchmarks.monitoring.tables import PREDICTION, Drawn, Floats

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "pipelines" / folder / "steps") for folder in ("monitoring", "tabular")]

import drift  # noqa: E402 # the scripts find each other as siblings
import joint_drift  # noqa: E402 # same
from dataset import Rows  # noqa: E402 # same

EVIDENTLY = "evidently==0.7.23"
#: Its release does not import with pandas 3.
PANDAS = "pandas==2.3.3"
#: What a model's monitoring has where its team sets nothing.
SHIPPED = {"max_drift": 0.04, "max_joint_auc": 0.55}
BINS, FEW_VALUES = 100, 100
PSI_LIMIT, PSI_BINS, PSI_LEAST = 0.2, 10, 1e-4


@dataclass(frozen=True)
class Verdict:
    """`features`: that alarm, the prediction among them. `auc`: None where the features alarm already and it was not asked."""

    features: list[str]
    joint: bool
    auc: float | None = None

    @property
    def alarms(self) -> bool:
        return bool(self.features) or self.joint


class Ours:
    """The monitor's scripts, with a reference whose bins are made once."""

    def __init__(self, reference: Drawn) -> None:
        self._reference = reference
        self._edges = {name: _edges(values) for name, values in _numbers(reference).items()}
        self._baselines = self._counts(reference)

    def judge(self, window: Drawn, seed: int, *, always_joint: bool = True) -> Verdict:
        found = drift.drifts(self._baselines, self._counts(window), SHIPPED)
        features = [item.feature for item in found if item.breached]
        if features and not always_joint:
            return Verdict(features, False)
        joint = joint_drift.tell_apart(_rows(self._reference), _rows(window), SHIPPED, seed)
        return Verdict(features, joint.breached, joint.auc)

    def _counts(self, drawn: Drawn) -> dict[str, drift.FeatureCounts]:
        counted = {}
        for name, values in _numbers(drawn).items():
            present, edges = values[~np.isnan(values)], self._edges[name]
            counts = np.bincount(np.searchsorted(edges, present, side="right"), minlength=len(edges) + 1).astype(np.float64)
            kind: Literal["prediction", "numeric"] = "prediction" if name == PREDICTION else "numeric"
            counted[name] = drift.FeatureCounts(name, kind, counts, edges, len(values) - len(present))
        for name, texts in drawn.categorical.items():
            present_texts = texts[[text is not None for text in texts]]
            categories, numbers = np.unique(present_texts.astype(str), return_counts=True)
            counts_by_text = dict(zip(categories.tolist(), numbers.tolist(), strict=True))
            counted[name] = drift.FeatureCounts(name, "categorical", counts_by_text, None, len(texts) - len(present_texts))
        return counted


def _numbers(drawn: Drawn) -> dict[str, Floats]:
    return {**drawn.numeric, PREDICTION: drawn.prediction}


def _edges(values: Floats) -> Floats:
    """A bin for each of few values and one beyond them on each side, else quantiles: as the monitor counts."""
    present = values[~np.isnan(values)]
    distinct = np.unique(present)
    if len(distinct) <= FEW_VALUES:
        return np.array([distinct[0], *(distinct[:-1] + distinct[1:]) / 2, np.nextafter(distinct[-1], np.inf)])
    return np.asarray(np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1])))


def _rows(drawn: Drawn) -> Rows:
    count = len(drawn.prediction)
    categorical: dict[str, Any] = {}
    for name, texts in drawn.categorical.items():
        distinct, codes = np.unique(np.where([text is None for text in texts], "\0", texts).astype(str), return_inverse=True)
        categorical[name] = ([None if text == "\0" else text for text in distinct.tolist()], codes)
    return Rows(drawn.numeric, categorical, np.full(count, np.nan), count)


def psi_score(reference: Drawn, window: Drawn) -> float:
    """The largest PSI of any column over its limit, by the usual recipe: tenths of the reference, empty cells as one in ten thousand."""
    largest = 0.0
    others = _numbers(window)
    for name, values in _numbers(reference).items():
        inner = np.unique(np.nanquantile(values, np.linspace(0, 1, PSI_BINS + 1)[1:-1]))
        sides = [np.searchsorted(inner, side[~np.isnan(side)], side="right") for side in (values, others[name])]
        largest = max(largest, _psi(*(np.bincount(side, minlength=len(inner) + 1).astype(np.float64) for side in sides)))
    for name, texts in reference.categorical.items():
        columns = [side[[text is not None for text in side]].astype(str) for side in (texts, window.categorical[name])]
        known = np.unique(np.concatenate(columns))
        largest = max(largest, _psi(*(np.array([np.count_nonzero(side == text) for text in known], dtype=np.float64) for side in columns)))
    return largest / PSI_LIMIT


def _psi(reference: Floats, window: Floats) -> float:
    first, second = (np.maximum(side / max(side.sum(), 1), PSI_LEAST) for side in (reference, window))
    return float(np.sum((second - first) * np.log(second / first)))


class Evidently:
    """A process that answers one window after the other."""

    def __init__(self, scratch: Path) -> None:
        self._scratch, self._number = scratch, 0

    def __enter__(self) -> Evidently:
        command = [str(python()), str(HERE / "evidently_peer.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def start(self, reference: Drawn, window: Drawn, *, whole_report: bool = False) -> None:
        """Begins to judge; `whole_report` also runs the preset itself, to see that it says the same of each column."""
        assert self._process.stdin is not None
        self._number += 1
        path = self._scratch / f"window-{self._number}.npz"
        arrays: dict[str, Any] = {}
        for side, drawn in (("reference", reference), ("window", window)):
            arrays |= {f"{side}/n/{name}": values for name, values in _numbers(drawn).items()}
            for name, (distinct, codes) in _rows(drawn).categorical.items():
                arrays |= {f"{side}/l/{name}": np.array([text or "" for text in distinct]), f"{side}/c/{name}": codes}
        np.savez(path, **arrays)
        self._process.stdin.write(json.dumps({"path": str(path), "whole_report": whole_report}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, float]:
        """`any`: the largest of the columns' scores. `half`: that of the middle column: the preset's own verdict."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("Evidently ended early; its own words are above")
        return dict(json.loads(line))


def python() -> Path:
    environment = ROOT / ".cache" / "evidently"
    python = environment / "bin" / "python"
    if not python.exists():
        print(f"installing {EVIDENTLY} into .cache/evidently", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run([sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), EVIDENTLY, PANDAS], check=True)
    return python
