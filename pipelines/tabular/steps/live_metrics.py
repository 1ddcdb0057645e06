"""Says what a version answers while it answers: one line of log for each ten seconds of requests, of which CloudWatch makes metrics.

Input: each request's columns and predictions, and what was refused (`inference.py`). Output: a line of JSON on standard output in
CloudWatch's embedded metric format: the container is isolated from the network, so it can only print, and hosting puts what it prints into
the endpoint's log group, where CloudWatch Logs extracts such lines by themselves ("Embedded metric format specification" of the CloudWatch
user guide; docs/decisions/0128-live-metrics-are-lines-of-log.md).

A line has names, counts and aggregates: never a value of a request, and of fewer than five rows no aggregate of predictions either.
A request costs the time to remember its arrays: what is remembered is added up by a thread of each worker process, or at once where it
would become much. Whatever fails here is said in the log, and no answer knows of it.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from cell_classes import Row
from features import Labels, labels
from numpy.typing import NDArray
from prediction_shares import BLOCK_REQUESTS, PredictionShares
from served import Served

NAMESPACE, ENDPOINT, VERSION = "METRICS_NAMESPACE", "METRICS_ENDPOINT", "MODEL_VERSION"
SECONDS = 10.0
#: More rows than these are not kept until the thread comes.
MOST_ROWS_KEPT = 5_000
#: Aggregates of fewer rows would be somebody's own prediction.
FEWEST_ROWS = 5
#: Of features with missing or unseen values, and of classes, in the log.
MOST_NAMES = 20
#: A pipe takes that much in one piece (POSIX, PIPE_BUF), so that lines of several workers do not mix.
LONGEST_LINE_BYTES = 4096
QUANTILES = {"PredictionP10": 0.1, "PredictionP50": 0.5, "PredictionP90": 0.9}

ANSWERED = 200
Item = TypeVar("Item")
Columns = tuple[NDArray[np.float64], Sequence[Labels]]
Metrics = dict[str, tuple[float, str]]


@dataclass
class Seen:
    """What has not been said yet. `predicted`: of fewer rows than may be told, kept for the next line."""

    statuses: Counter[int] = field(default_factory=Counter)
    rows: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    predicted: list[NDArray[np.float64]] = field(default_factory=list)
    distance: float | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.statuses or self.rows)

    @property
    def refused(self) -> Counter[int]:
        return Counter({status: count for status, count in self.statuses.items() if status != ANSWERED})


class Alone:
    """Requests of one row, cell after cell: objects that the garbage collector looks through would cost more than all else here.

    A row's prediction comes last, so that of each there are the cells, whatever thread appends meanwhile. Nothing else goes by the row.
    """

    def __init__(self, numeric: int, categorical: int) -> None:
        self._numeric, self._categorical, self._answers = numeric, categorical, 1
        self._numbers: list[float] = []
        self._categories: list[str | None] = []
        self._scores: list[float] = []

    def __len__(self) -> int:
        return len(self._scores) // self._answers

    def append(self, row: Row, answer: list[float]) -> None:
        self._answers = len(answer)  # of one version always the same
        self._numbers += row.numbers
        self._categories += row.categories
        self._scores += answer

    def taken(self) -> tuple[Columns, NDArray[np.float64]] | None:
        """As one request of many rows, as `Served.predict` takes and answers it, which is then no longer here; None without a row."""
        rows = len(self)
        if not rows:
            return None
        numbers, categories = _taken(self._numbers, rows * self._numeric), _taken(self._categories, rows * self._categorical)
        scores = np.array(_taken(self._scores, rows * self._answers)).reshape(rows, self._answers)
        categorical = [labels(categories[place :: self._categorical]) for place in range(self._categorical)]
        columns = np.array(numbers, dtype=np.float64).reshape(rows, self._numeric), categorical
        return columns, scores[:, 0] if self._answers == 1 else scores


class LiveMetrics:
    """Of one worker process. `begin` starts the thread that speaks; `say` speaks at once."""

    def __init__(self, model: Served, place: Mapping[str, str], write: Callable[[str], object] | None = None) -> None:
        self._model = model
        self._namespace, self._dimensions = place[NAMESPACE], {"EndpointName": place[ENDPOINT], "ModelVersion": place[VERSION]}
        self._write = write or _write
        self._shares = PredictionShares.of(model.predictions)
        self._block = np.zeros(0 if self._shares is None else len(self._shares.counts))
        self._last_distance: float | None = None
        self._kept: list[tuple[Columns, NDArray[np.float64]]] = []
        self._alone = Alone(len(model.preparer.numeric), len(model.preparer.categorical))
        self._rows_kept = 0
        self._statuses: list[int] = []
        self._seen = Seen()
        self._speaking = threading.Lock()

    def begin(self) -> None:
        """The image's multi-model server loads a model and then forks: a thread is not in the child, and a lock may be held there."""
        self._start_speaking()
        os.register_at_fork(after_in_child=self._start_speaking)
        atexit.register(self.say)  # gunicorn's workers leave by the interpreter's own way when they are told to stop

    def _start_speaking(self) -> None:
        self._speaking = threading.Lock()
        threading.Thread(target=self._speak_regularly, daemon=True, name="live-metrics").start()

    def predicted(self, numeric: NDArray[np.float64], categorical: Sequence[Labels], scores: NDArray[np.float64]) -> None:
        """Remember the columns of a request, as `Served.predict` takes them, and its predictions."""
        self._kept.append(((numeric, categorical), scores))
        self._remembered(len(numeric))

    def predicted_alone(self, row: Row, answer: list[float]) -> None:
        """Remember a request of one row, as `OneRow.predict` takes it, and its prediction."""
        self._alone.append(row, answer)
        self._remembered(1)

    def _remembered(self, rows: int) -> None:
        self._rows_kept += rows
        if self._rows_kept > MOST_ROWS_KEPT:
            with self._speaking:
                self._guarded(self._add_up)

    def ended(self, status: int) -> None:
        """A request was answered, or refused with another status."""
        self._statuses.append(status)

    def say(self) -> None:
        """Write what was seen since the last time; nothing where nothing was."""
        with self._speaking:
            self._guarded(self._say)

    def _speak_regularly(self) -> None:
        while True:
            time.sleep(SECONDS)
            self.say()

    @staticmethod
    def _guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # an answer is worth more than its metrics; the words of an error may hold somebody's values
            print(f"live metrics failed: {type(error).__name__}", file=sys.stderr, flush=True)

    def _say(self) -> None:
        self._add_up()
        if self._seen.is_empty:
            return
        seen, self._seen = self._seen, Seen()
        scores = np.concatenate(seen.predicted) if seen.predicted else np.empty(0)
        if len(scores) < FEWEST_ROWS:
            self._seen.predicted, scores = seen.predicted, np.empty(0)
        metrics = {**_counted(seen), **_of_scores(scores)}
        if seen.distance is not None:
            metrics["PredictionDistance"] = (round(seen.distance, 4), "None")
        names = {
            "missing": dict(seen.missing.most_common(MOST_NAMES)),
            "unseen": dict(seen.unseen.most_common(MOST_NAMES)),
            "refused": {str(status): count for status, count in seen.refused.items()},
        }
        self._write_line(metrics, {}, {name: value for name, value in names.items() if value})
        for name, share in self._class_shares(scores):
            self._write_line({"ClassShare": (share, "None")}, {"Class": _dimension(name)}, {})

    def _class_shares(self, scores: NDArray[np.float64]) -> list[tuple[str, float]]:
        """Of each decided class, also of one that nobody got; of many classes the most frequent."""
        classes = self._model.about["classes"]
        if classes is None or not len(scores):
            return []
        decided = self._model.decide(scores).astype(np.int64)
        shares = np.bincount(decided, minlength=len(classes)) / len(decided)
        most = np.argsort(-shares, kind="stable")[:MOST_NAMES]
        return [(str(classes[index]), round(float(shares[index]), 6)) for index in most.tolist()]

    def _add_up(self) -> None:
        """Requests that were kept become counts. New ones may arrive meanwhile: those are kept for the next time."""
        self._seen.statuses.update(_taken(self._statuses))
        kept, alone = _taken(self._kept), self._alone.taken()
        rows = np.array([len(predicted) for _, predicted in kept], dtype=np.int64)
        if alone:
            kept.append(alone)
            rows = np.append(rows, np.ones(len(alone[1]), dtype=np.int64))
        if not kept:
            return
        scores = np.concatenate([predicted for _, predicted in kept])
        self._rows_kept = sum(len(predicted) for _, predicted in self._kept) + len(self._alone)
        self._seen.rows += len(scores)
        self._seen.predicted.append(scores)
        self._count_values([columns for columns, _ in kept])
        self._judge(scores, rows)

    def _count_values(self, requests: Sequence[Columns]) -> None:
        preparer = self._model.preparer
        gaps = np.isnan(np.concatenate([numeric for numeric, _ in requests])).sum(axis=0)
        self._seen.missing.update({name: int(count) for name, count in zip(preparer.numeric, gaps, strict=True) if count})
        for _, categorical in requests:
            for name, known, (distinct, codes) in zip(preparer.categorical, preparer.known, categorical, strict=True):
                for code, value in enumerate(distinct):
                    if value is None:
                        self._seen.missing[name] += int(np.count_nonzero(codes == code))
                    elif value not in known:
                        self._seen.unseen[name] += int(np.count_nonzero(codes == code))

    def _judge(self, scores: NDArray[np.float64], rows: NDArray[np.int64]) -> None:
        """A block of requests at a time; the lesser of two blocks in a row, so that one odd block alarms nobody."""
        if self._shares is None:
            return
        self._block += self._shares.of_requests(scores, rows)
        if self._block.sum() < BLOCK_REQUESTS - 0.5:  # sums of shares
            return
        distance, before = self._shares.distance(self._block), self._last_distance
        self._block[:] = 0.0
        self._last_distance = distance
        if before is not None:
            self._seen.distance = min(before, distance)

    def _write_line(self, metrics: Metrics, more_dimensions: Mapping[str, str], names: Mapping[str, Any]) -> None:
        dimensions = {**self._dimensions, **more_dimensions}
        described = [{"Name": name, "Unit": unit} for name, (_, unit) in metrics.items()]
        directive = {"Namespace": self._namespace, "Dimensions": [list(dimensions)], "Metrics": described}
        line = {
            "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
            **dimensions,
            **{name: value for name, (value, _) in metrics.items()},
        }
        text = json.dumps({**line, **names}, separators=(",", ":"))
        self._write(text if len(text) < LONGEST_LINE_BYTES else json.dumps(line, separators=(",", ":")))


def start(model: Served) -> LiveMetrics | None:
    """Speaking, where the stack has said how the metrics are called; None elsewhere: in evaluation, in a batch job."""
    if not all(os.environ.get(name) for name in (NAMESPACE, ENDPOINT, VERSION)):
        return None
    live = LiveMetrics(model, os.environ)
    live.begin()
    return live


def _taken(kept: list[Item], count: int | None = None) -> list[Item]:
    """What is in a list that others append to, or the first ones of it, which are then no longer in it."""
    taken = kept[: len(kept) if count is None else count]
    del kept[: len(taken)]
    return taken


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")  # in one piece: `print` writes the line's end by itself
    sys.stdout.flush()


def _counted(seen: Seen) -> Metrics:
    counts = {
        "Requests": seen.statuses.total(),
        "RefusedRequests": seen.refused.total(),
        "Rows": seen.rows,
        "MissingValues": seen.missing.total(),
        "UnseenValues": seen.unseen.total(),
    }
    return {name: (count, "Count") for name, count in counts.items()}


def _of_scores(scores: NDArray[np.float64]) -> Metrics:
    """Of values or probabilities of the positive class; of several classes, of the decided one's probability."""
    if not len(scores):
        return {}
    told = scores if scores.ndim == 1 else scores.max(axis=1)
    quantiles = np.quantile(told, list(QUANTILES.values()))
    values = {"PredictionMean": told.mean(), **dict(zip(QUANTILES, quantiles, strict=True))}
    return {name: (float(f"{value:.6g}"), "None") for name, value in values.items()}


def _dimension(name: str) -> str:
    """CloudWatch takes ASCII, and something that is no space."""
    return name.encode("ascii", "backslashreplace").decode()[:250].strip() or "(space)"
