"""What is kept of a version's rows: counts in the bins of its own baseline, and a sample. Memory does not grow with the rows.

The sample are the rows whose ids have the smallest hashes: the same rows give the same sample, in whatever order and pieces they come
(bottom-k sampling, Cohen and Kaplan 2007). Input: `Chunk`s and the version's `Evidence`. Next: `judges.py`, `statistics_file.py`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import bins
import numpy as np
import pandas as pd
from bins import NumericBins
from chunks import Chunk
from dataset import Rows
from decisions import Predictions
from evidence import Evidence
from features import Floats, Labels
from numpy.typing import NDArray

MOST_SAMPLED = 20_000
#: Categories of a column that its baseline does not have and that are still told apart; the rest is counted together.
MOST_UNSEEN = 1_000
PREDICTION = "prediction"
#: Spreads the numbers of rows over 64 bits (the golden ratio's, as in Fibonacci hashing).
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@dataclass
class Numbers:
    """A numeric column, or the predictions: `counts` by fine bin, `buckets` by those of statistics.json, and what its values are."""

    bins: NumericBins
    coarse: NumericBins
    lowest_known: float
    highest_known: float
    counts: Floats = field(init=False)
    buckets: Floats = field(init=False)
    present: int = 0
    missing: int = 0
    outside: int = 0
    mean: float = 0.0
    squares: float = 0.0  # of the distances to the mean
    lowest: float = math.inf
    highest: float = -math.inf

    def __post_init__(self) -> None:
        self.counts, self.buckets = np.zeros(len(self.bins.counts)), np.zeros(len(self.coarse.counts))

    def add(self, values: Floats) -> None:
        present = values[~np.isnan(values)]
        self.missing += len(values) - len(present)
        if not len(present):
            return
        self._add_moments(len(present), float(present.mean()), float(present.var()) * len(present))
        self.counts += self.bins.count(present)
        self.buckets += self.coarse.count(present)
        self.outside += int(np.count_nonzero((present < self.lowest_known) | (present > self.highest_known)))
        self.lowest, self.highest = min(self.lowest, float(present.min())), max(self.highest, float(present.max()))

    def _add_moments(self, count: int, mean: float, squares: float) -> None:
        """Chan, Golub and LeVeque 1983: sums of squares would lose the digits of large numbers."""
        distance, together = mean - self.mean, self.present + count
        self.squares += squares + distance**2 * self.present * count / together
        self.mean += distance * count / together
        self.present = together


@dataclass
class Categories:
    """A column of categories: how often each, in the baseline (`known`) and here. `uncounted`: of those that are too many to tell apart."""

    known: Mapping[str, int]
    known_missing: int
    counts: Counter[str] = field(default_factory=Counter)
    uncounted: int = 0
    missing: int = 0

    def add(self, labels: Labels) -> None:
        distinct, codes = labels
        for value, count in zip(distinct, np.bincount(codes, minlength=len(distinct)).tolist(), strict=True):
            if value is None:
                self.missing += count
            elif value in self.counts or value in self.known or len(self.counts) < len(self.known) + MOST_UNSEEN:
                self.counts[value] += count
            else:
                self.uncounted += count
        self.counts += Counter()  # drops what was counted zero times

    @property
    def present(self) -> int:
        return self.counts.total() + self.uncounted

    @property
    def unseen(self) -> int:
        return self.uncounted + sum(count for value, count in self.counts.items() if value not in self.known)


@dataclass(frozen=True)
class Sample:
    """At most `MOST_SAMPLED` answered rows, in the order of their hashes."""

    rows: Rows
    predicted: Predictions
    ids: list[str]
    row_in_request: NDArray[np.int64]
    times: Floats


@dataclass
class Sketch:
    """One version's rows. `first`, `last`: epoch seconds; `decided`: rows by class, of several."""

    version: str
    numeric: dict[str, Numbers]
    categorical: dict[str, Categories]
    rows: int = 0
    first: float = math.inf
    last: float = -math.inf
    decided: Counter[int] = field(default_factory=Counter)
    _pieces: list[tuple[NDArray[np.uint64], Chunk]] = field(default_factory=list)
    _held: int = 0
    _highest: int = 2**64 - 1

    @classmethod
    def begin(cls, evidence: Evidence, reference: tuple[Rows, Predictions] | None = None) -> Sketch:
        """`reference`: the evaluation's rows and predictions, where the version has them: they make finer bins."""
        baselines = evidence.features
        rows, predicted = reference if reference else (None, None)
        numeric = {name: _numbers(baselines[name], rows.numeric[name] if rows else None) for name in evidence.takes.numeric}
        if PREDICTION in baselines:
            numeric[PREDICTION] = _numbers(baselines[PREDICTION], one_score(predicted) if predicted else None)
        categorical = {
            name: Categories(bins.categories(baselines[name]), baselines[name]["string_statistics"]["common"]["num_missing"])
            for name in evidence.takes.categorical
        }
        return cls(evidence.version, numeric, categorical)

    def add(self, chunk: Chunk) -> None:
        self.rows += chunk.rows.count
        self.first, self.last = min(self.first, float(chunk.times.min())), max(self.last, float(chunk.times.max()))
        for name, values in chunk.rows.numeric.items():
            self.numeric[name].add(values)
        for name, labels in chunk.rows.categorical.items():
            self.categorical[name].add(labels)
        if PREDICTION in self.numeric:
            self.numeric[PREDICTION].add(one_score(chunk.predicted))
        if chunk.predicted.scores.ndim > 1:
            self.decided.update(chunk.predicted.decided.astype(int).tolist())
        self._take(chunk)

    def sample(self) -> Sample:
        hashes, chunk = self._compacted()
        order = np.argsort(hashes, kind="stable")
        return Sample(
            _in_order(chunk.rows, order),
            Predictions(chunk.predicted.scores[order], chunk.predicted.decided[order]),
            [chunk.ids[place] for place in order.tolist()],
            chunk.row_in_request[order],
            chunk.times[order],
        )

    def _take(self, chunk: Chunk) -> None:
        hashes = hashed(chunk.ids, chunk.row_in_request)
        smallest = hashes <= self._highest
        if not smallest.any():
            return
        self._pieces.append((hashes[smallest], _part(chunk, smallest)))
        self._held += int(np.count_nonzero(smallest))
        if self._held > 2 * MOST_SAMPLED:
            self._pieces = [self._compacted()]
            self._held = len(self._pieces[0][0])
            self._highest = int(self._pieces[0][0].max())

    def _compacted(self) -> tuple[NDArray[np.uint64], Chunk]:
        hashes = np.concatenate([hashes for hashes, _ in self._pieces])
        chunk = joined([piece for _, piece in self._pieces])
        if len(hashes) <= MOST_SAMPLED:
            return hashes, chunk
        kept = np.zeros(len(hashes), dtype=bool)
        kept[np.argsort(hashes, kind="stable")[:MOST_SAMPLED]] = True
        return hashes[kept], _part(chunk, kept)


def hashed(ids: Sequence[str], row_in_request: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A number for each row, the same on every machine (SipHash with pandas' own key)."""
    of_ids = pd.util.hash_array(np.array(ids, dtype=object), categorize=False)
    return of_ids ^ (row_in_request.astype(np.uint64) * _SPREAD)


def one_score(predicted: Predictions) -> Floats:
    """What statistics.json counts of a prediction: the value, the probability of the positive class, or of the decided one of several."""
    return predicted.scores if predicted.scores.ndim == 1 else np.asarray(predicted.scores.max(axis=1), dtype=np.float64)


def joined(chunks: Sequence[Chunk]) -> Chunk:
    """One after the other."""
    first = chunks[0]
    numeric = {name: np.concatenate([chunk.rows.numeric[name] for chunk in chunks]) for name in first.rows.numeric}
    categorical = {name: _joined_labels([chunk.rows.categorical[name] for chunk in chunks]) for name in first.rows.categorical}
    target = np.concatenate([chunk.rows.target for chunk in chunks])
    predicted = Predictions(*(np.concatenate([getattr(chunk.predicted, name) for chunk in chunks]) for name in ("scores", "decided")))
    ids = [name for chunk in chunks for name in chunk.ids]
    numbers, times = (np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("row_in_request", "times"))
    return Chunk(first.version, Rows(numeric, categorical, target, len(target)), predicted, ids, numbers, times)


def _joined_labels(parts: Sequence[Labels]) -> Labels:
    position: dict[str | None, int] = {}
    codes = [
        np.array([position.setdefault(value, len(position)) for value in distinct], dtype=np.int64)[codes] for distinct, codes in parts
    ]
    return list(position), np.concatenate(codes)


def _part(chunk: Chunk, mask: NDArray[np.bool_]) -> Chunk:
    """The rows where `mask` is true, without the categories that they do not have."""
    rows = chunk.rows.take(mask)
    categorical = {name: _joined_labels([_used(labels)]) for name, labels in rows.categorical.items()}
    kept = [chunk.ids[place] for place in np.flatnonzero(mask).tolist()]
    smaller = Rows(rows.numeric, categorical, rows.target, rows.count)
    return Chunk(chunk.version, smaller, chunk.predicted.take(mask), kept, chunk.row_in_request[mask], chunk.times[mask])


def _used(labels: Labels) -> Labels:
    distinct, codes = labels
    used, places = np.unique(codes, return_inverse=True)
    return [distinct[code] for code in used.tolist()], places.astype(np.int64)


def _in_order(rows: Rows, order: NDArray[np.int64]) -> Rows:
    numeric = {name: values[order] for name, values in rows.numeric.items()}
    categorical = {name: (distinct, codes[order]) for name, (distinct, codes) in rows.categorical.items()}
    return Rows(numeric, categorical, rows.target[order], rows.count)


def _numbers(feature: Mapping[str, Any], values: Floats | None) -> Numbers:
    coarse, facts = bins.of_statistics(feature), feature["numerical_statistics"]
    fine = coarse if values is None or np.isnan(values).all() else bins.of_values(values)
    return Numbers(fine, coarse, float(facts["min"]), float(facts["max"]))
