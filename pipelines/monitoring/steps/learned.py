"""Makes training rows of answers whose truth has become known, and keeps them where the model's training data are.

Input: the answered rows of one window (answered.py) and what labels say of them. Output: `<from>--<to>.csv` with the contract's columns and
the target below `training/<model>/learned/<environment>/` of the project's data bucket, and a tally of all rows ever written, by which
retraining knows whether there is something new (tabular/steps/sources.py). The same answers and labels give the same bytes, which are not
written again; a correction replaces the window's file. Called by monitor.py; read by tabular/steps/learned_rows.py.

Nothing of the future gets in: the features are those of the request, as it was served, and a row counts only if its truth was observed
after it was served and is known by now. A request that came when the truth was known may carry it in its features.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import sources
from store import Store

#: Begins the names of a request's own columns in the answered rows, as answered.py writes them.
FEATURE = "feature."
#: What the reader of CSV files refuses: one such cell would cost all rows of its file.
_UNWRITABLE = re.compile(r"[\x00\r\ufffd]")


@dataclass(frozen=True)
class Truth:
    """What turned out to be true of one answered row: a number, or the name of a class. `observed_at`: epoch seconds; None: not said."""

    value: float | str
    observed_at: float | None = None


@dataclass(frozen=True)
class Learned:
    """A window's training rows as CSV. `left_out`: how many answered rows with a truth are not among them, by the reason."""

    content: bytes
    rows: int
    left_out: dict[str, int]


def truths_of(known: Mapping[tuple[str, int], Any], classes: Sequence[str] | None) -> dict[tuple[str, int], Truth]:
    """Of labels: the value, or the name of the class. Feedback without a truth has none."""
    said = {key: label for key, label in known.items() if not math.isnan(label.truth)}
    if classes is None:
        return {key: Truth(float(label.truth), label.observed_at) for key, label in said.items()}
    return {key: Truth(classes[int(label.truth)], label.observed_at) for key, label in said.items()}


#: Of the requests with some ids what is true, by inference id and row of the request, from 1.
Truths = Callable[[Sequence[str]], Mapping[tuple[str, int], Truth]]


def learn(answered: Iterable[pa.Table], truths: Truths, *, features: Sequence[str], target: str, now: float) -> Learned:
    """`answered`: the parts of one window, of any versions; `truths` is asked about one after the other.

    `features`: the contract's columns today, in their order. `now`: epoch seconds; later truths are left out.
    """
    left_out: Counter[str] = Counter()
    found = sorted(row for table in answered for row in _rows(table, truths, features, now, left_out))
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow([*features, target])
    writer.writerows(cells for _, cells in found)
    return Learned(content.getvalue().encode(), len(found), dict(left_out))


def _rows(
    table: pa.Table, ask: Truths, features: Sequence[str], now: float, left_out: Counter[str]
) -> Iterator[tuple[tuple[float, str, int], list[str]]]:
    """Rows with their place in the file: by the time they were served, which does not change when labels come in another order."""
    ids = table["inference_id"].to_pylist()
    truths, keys = ask(ids), list(zip(ids, table["row"].to_pylist(), strict=True))
    known = [place for place, key in enumerate(keys) if key in truths]
    missing = [name for name in features if FEATURE + name not in table.column_names]
    if missing:
        left_out[f"the version that answered had no column {missing[0]!r}"] += len(known)
        return
    some = table.take(pa.array(known, pa.int64()))
    times = [value / 1000 for value in some["time"].cast(pa.timestamp("ms", tz="UTC")).cast(pa.int64()).to_pylist()]
    columns = [some[FEATURE + name].to_pylist() for name in features]
    for index, place in enumerate(known):
        key, truth = keys[place], truths[keys[place]]
        cells = [_text(column[index]) for column in columns] + [_text(truth.value)]
        reason = _unfit(times[index], truth, cells, now)
        if reason:
            left_out[reason] += 1
        else:
            yield (times[index], *key), cells


def _unfit(served_at: float, truth: Truth, cells: Sequence[str], now: float) -> str:
    """Why a row is not learned from, or nothing."""
    if not cells[-1]:
        return "its truth is missing"
    if truth.observed_at is not None and truth.observed_at > now:
        return "its truth is of the future"
    if truth.observed_at is not None and truth.observed_at <= served_at:
        return "its truth was known before it was asked"
    return "it holds characters that no CSV file can" if any(map(_UNWRITABLE.search, cells)) else ""


def _text(value: object) -> str:
    """`repr` keeps every bit of a float; NaN is a missing cell."""
    if value is None or value != value:  # NaN differs from itself
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def keep(store: Store, prefix: str, window: str, learned: Learned) -> int:
    """Writes a window's file if its content is another one; returns how many of its rows are new or changed.

    `prefix`: ServingNames.learned, in the project's data bucket; `window`: its name. The file goes before the tally: a training that
    begins in between has more rows than it knows of, and counts them again.
    """
    key, there = f"{prefix}{window}.csv", {item.key for item in store.list(prefix)}
    old = store.read(key).read() if key in there else b""
    if not (old or learned.rows):
        return 0
    tally, digest = _tally(store, prefix + sources.TALLY, there), hashlib.sha256(learned.content).hexdigest()
    is_counted, is_there = tally["windows"].get(window) == digest, old == learned.content
    if is_counted and is_there:
        return 0
    # A file that is there and was not counted is one of a run that was stopped in between: all of it is new to whoever asks the tally.
    changed = 0 if is_counted else sum((_counted(learned.content) - _counted(b"" if is_there else old)).values())
    if not is_there:
        store.write(key, learned.content, "text/csv")
    counted = {"rows": tally["rows"] + changed, "windows": dict(sorted({**tally["windows"], window: digest}.items()))}
    store.write(prefix + sources.TALLY, (json.dumps(counted, indent=1) + "\n").encode(), "application/json")
    return changed


def _counted(content: bytes) -> Counter[tuple[str, ...]]:
    """The rows; none of a file that is damaged, so that all that takes its place are new."""
    try:
        return Counter(map(tuple, list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]))
    except (UnicodeDecodeError, csv.Error):
        return Counter()


def _tally(store: Store, key: str, there: set[str]) -> dict[str, Any]:
    """That of before: rows, and the SHA-256 by window of the files that it counts. A new one in the place of what is none."""
    try:
        content = store.read(key).read() if key in there else b'{"rows": 0, "windows": {}}'
        windows = json.loads(content)["windows"]
        return {"rows": sources.rows_of(content), "windows": dict(windows)}
    except (ValueError, KeyError, TypeError, RecursionError):
        print(f"{key} is no tally and begins anew")
        return {"rows": 0, "windows": {}}
