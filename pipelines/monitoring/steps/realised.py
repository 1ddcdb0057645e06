"""How good answers were, as soon as their truth is known: by window, by version and by group, with how sure that is.

Input: the answered rows of a window (Parquet, written when it was judged) and all labels. Output: `Realised` for findings.json, or None
where no answer of the window has a label. Only the rows with a label are held: memory grows with labels, not with traffic.
Next: bias_checks.py judges the same rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import labels as given
import numpy as np
import pyarrow as pa
from answered import read as read_answered
from dataset import Rows, class_index
from decisions import Predictions
from estimates import is_breached, limit_of
from evaluation import quality
from features import Labels as Categories
from known_labels import Key, Label
from label_rows import ID, ROW
from labels import Labels
from measures import METRICS
from numpy.typing import NDArray
from resampling import bootstrap, interval
from store import GoneError

Floats = NDArray[np.float64]

#: Fewer labels than this have no metric worth a number.
FEWEST_LABELS = 30
FEWEST_IN_GROUP = 30
#: A truth that came this long after its answer is called late: its window has been judged without it long ago.
LATE_SECONDS = 7 * 24 * 3600
FEATURE, SCORE = "feature.", "score"


class Takes(Protocol):
    """The columns that a version takes, in their order, and its classes (None: a regression)."""

    @property
    def numeric(self) -> Sequence[str]: ...

    @property
    def categorical(self) -> Sequence[str]: ...

    @property
    def classes(self) -> Sequence[str] | None: ...


@dataclass(frozen=True)
class Labelled:
    """Answered rows of one version with a label. `rows.target`: the truth, NaN of a feedback without one. `answered`: rows in all."""

    rows: Rows
    predicted: Predictions
    labels: Sequence[tuple[Key, Label]]
    times: Floats
    answered: int

    def with_truth(self) -> tuple[Rows, Predictions]:
        known = ~np.isnan(self.rows.target)
        return self.rows.take(known), self.predicted.take(known)


@dataclass(frozen=True)
class Realised:
    """`coverage`: the share of answers whose truth is known. `labels`: how many. `late`: of them, those that came a week after the answer.

    `groups`: the metric of each category with enough labels (evaluation/quality.py). `why`: the reason where there is no `value`.
    """

    metric: str
    value: float | None
    lower: float | None
    upper: float | None
    at_evaluation: float | None
    limit: float | None
    coverage: float
    labels: int
    late: int
    groups: Sequence[Mapping[str, Any]]
    reasons: Sequence[Mapping[str, Any]]
    why: str | None
    breached: bool

    def document(self) -> dict[str, Any]:
        return asdict(self)


def windows(store: Any, prefix: str, labels: Labels) -> Iterator[str]:
    """The folders of the judged windows below `prefix` in which an answer has a label."""
    return (folder for folder in store.folders(prefix) if answered(store, folder, labels))


def answered(store: Any, folder: str, labels: Labels) -> int:
    """How many requests of a window (its folder) have a label, which `labels` notes. A part that is gone has none."""
    count = 0
    for item in _parts(store, folder):
        with suppress(GoneError):
            table = _table(store, item.key, [ID, ROW])
            known = labels.known.of(table[ID].to_pylist())
            met = known.keys() & set(_keys(table)) if known else set()
            labels.known.meet(met)
            count += len({name for name, _ in met})
    return count


def asked(store: Any, folder: str, version: str) -> Iterator[tuple[NDArray[np.str_], Floats]]:
    """Of each row that a version answered in a window (its folder): the id of its request, and when, in seconds since 1970. A part that is
    gone has none.
    """
    for item in _parts(store, folder):
        if _version(item.key) == version:
            with suppress(GoneError):
                table = _table(store, item.key, [ID, "time"])
                yield np.array(table[ID].to_pylist(), dtype=np.str_), _seconds(table)


def join(store: Any, folder: str, version: str, takes: Takes, labels: Labels) -> Labelled:
    """The rows of a window (its folder) that a version answered and that have a label. An answer that was kept twice counts once.

    Raises GoneError for a part that is gone.
    """
    tables, seen, answered = [], set(), 0
    found: list[tuple[Key, Label]] = []
    for item in _parts(store, folder):
        if _version(item.key) != version:
            continue
        table = _table(store, item.key)
        answered += table.num_rows
        known = labels.known.of(table[ID].to_pylist())
        chosen = []
        for key in _keys(table):
            chosen.append(key in known and key not in seen)
            if chosen[-1]:
                seen.add(key)
                found.append((key, known[key]))
        tables.append(table.filter(pa.array(chosen, pa.bool_())))
    table = pa.concat_tables(tables) if tables else None
    if table is None or not table.num_rows:
        empty = Rows({}, {}, np.empty(0), 0)
        return Labelled(empty, Predictions(np.empty(0), np.empty(0)), [], np.empty(0), answered)
    truth = np.array([label.truth for _, label in found])
    return Labelled(_rows(table, takes, truth), _predictions(table, takes), found, _seconds(table), answered)


def judge(labelled: Labelled, estimator: Mapping[str, Any], limits: Mapping[str, Any]) -> Realised | None:
    """`estimator`: the version's estimator.json, for the metric and its value at evaluation. `limits`: reads `max_quality_loss`."""
    if not labelled.labels:
        return None
    rows, predicted = labelled.with_truth()
    metric, before, more_is_better = estimator["metric"], estimator["at_evaluation"], bool(estimator["more_is_better"])
    limit = limit_of(before, more_is_better=more_is_better, max_loss=float(limits["max_quality_loss"]))
    value, lower, upper, why = _measured(metric, rows, predicted)
    late = np.array([label.sent_at for _, label in labelled.labels]) - labelled.times > LATE_SECONDS
    return Realised(
        metric,
        value,
        lower,
        upper,
        before,
        limit,
        coverage=rows.count / labelled.answered,
        labels=rows.count,
        late=int(np.count_nonzero(late)),
        groups=[group for group in quality.by_group(metric, rows, predicted) if group["rows"] >= FEWEST_IN_GROUP],
        reasons=given.reasons(labelled.labels),
        why=why,
        breached=is_breached(lower, upper, limit, more_is_better=more_is_better),
    )


def _measured(metric: str, rows: Rows, predicted: Predictions) -> tuple[float | None, float | None, float | None, str | None]:
    """Value, interval, and why there is none."""
    if rows.count < FEWEST_LABELS:
        return None, None, None, f"{rows.count} answers have a truth; {FEWEST_LABELS} are needed"
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(METRICS[metric](rows.target, predicted, np.ones((1, rows.count)))[0])
        sampled = bootstrap({metric: lambda weight: METRICS[metric](rows.target, predicted, weight)}, rows.count)[metric]
    if not np.isfinite(value):
        return None, None, None, f"{metric} is undefined: all answers that have a truth have the same one"
    return value, *interval(sampled), None


def _parts(store: Any, folder: str) -> Sequence[Any]:
    return [item for item in store.list(f"{folder}answered/") if item.key.endswith(".parquet")]


def _version(key: str) -> str:
    """answered/<version>-<part>.parquet"""
    return key.rsplit("/", 1)[-1].rpartition("-")[0]


def _table(store: Any, key: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Raises GoneError for one that is not there, and for what cannot be read, which is the same."""
    content = store.read(key).read()
    try:
        return read_answered(content, columns)
    except (pa.ArrowInvalid, OSError) as error:
        raise GoneError(f"{key} ({str(error).splitlines()[0]})") from None


def _keys(table: pa.Table) -> list[Key]:
    return list(zip(table[ID].to_pylist(), table[ROW].to_pylist(), strict=True))


def _seconds(table: pa.Table) -> Floats:
    return np.asarray(table["time"].cast(pa.int64()).to_numpy().astype(np.float64) / 1000, dtype=np.float64)


def _rows(table: pa.Table, takes: Takes, truth: Floats) -> Rows:
    numeric = {name: _numbers(table[FEATURE + name]) for name in takes.numeric}
    return Rows(numeric, {name: _categories(table[FEATURE + name]) for name in takes.categorical}, truth, table.num_rows)


def _predictions(table: pa.Table, takes: Takes) -> Predictions:
    several = sum(name.startswith(f"{SCORE}.") for name in table.column_names)
    scores = np.column_stack([_numbers(table[f"{SCORE}.{index}"]) for index in range(several)]) if several else _numbers(table[SCORE])
    decided = _numbers(table["decided"]) if takes.classes is None else class_index(_categories(table["decided"]), list(takes.classes))
    return Predictions(scores, decided)


def _numbers(column: pa.ChunkedArray) -> Floats:
    """NaN where nothing is."""
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _categories(column: pa.ChunkedArray) -> Categories:
    cells = column.to_pylist()
    distinct = list(Counter(cells))
    position = {value: index for index, value in enumerate(distinct)}
    return distinct, np.array([position[cell] for cell in cells], dtype=np.int64)
