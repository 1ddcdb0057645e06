"""The table as typed columns: what `features.py` prepares and what a model learns.

Input: a `Table` that keeps the contract. Output: `Rows`, which can be cut into parts; and the prepared parts on disk,
as shards that training reads one at a time (shard_file.py). Next: `prepare.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zipfile import BadZipFile

import numpy as np
import shard_file
from encoded_rows import EncodedRows
from failure import BadInput
from features import Floats, Labels, Matrix
from numpy.typing import NDArray
from on_demand import each

ABOUT_FILE = "about.json"
SHARD_FILE = "shard-{:05d}.npz"
#: A shard of 24 columns takes 13 MB, one of 220 columns 115 MB in memory. A smaller part is one shard.
ROWS_PER_SHARD = 131_072


@dataclass(frozen=True)
class Rows:
    """Raw features by column, the target (value, or index of the class), for `count` rows.

    The columns may be read when they are asked for (on_demand.py). `pieces`: what these rows were put together of.
    """

    numeric: Mapping[str, Floats]
    categorical: Mapping[str, Labels]
    target: Floats
    count: int
    pieces: tuple[Rows, ...] = ()

    def take(self, mask: NDArray[np.bool_]) -> Rows:
        """The rows where `mask` is true."""
        numeric = each(self.numeric, lambda _, values: values[mask])
        categorical = each(self.categorical, lambda _, labels: (labels[0], labels[1][mask]))
        return Rows(numeric, categorical, self.target[mask], int(np.count_nonzero(mask)))

    def followed_by(self, others: Rows) -> Rows:
        """These rows and then the others, which have the same columns."""
        numeric = each(self.numeric, lambda name, values: np.concatenate([values, others.numeric[name]]))
        categorical = each(self.categorical, lambda name, own: _joined(own, others.categorical[name]))
        return Rows(numeric, categorical, np.concatenate([self.target, others.target]), self.count + others.count, (self, others))

    def batches(self, rows: int, within: slice | None = None) -> Iterator[Rows]:
        """The rows in their order, so many at a time. `within`: those from its start to its stop; None for all."""
        begun, end = (within.start, within.stop) if within else (0, self.count)
        for piece in self.pieces or (self,):
            last = min(end, piece.count)
            for first in range(max(begun, 0), last, rows):
                yield piece._part(slice(first, min(first + rows, last)))
            begun, end = begun - piece.count, end - piece.count

    def _part(self, rows: slice) -> Rows:
        numeric = {name: values[rows] for name, values in self.numeric.items()}
        categorical = {name: (distinct, codes[rows]) for name, (distinct, codes) in self.categorical.items()}
        return Rows(numeric, categorical, self.target[rows], rows.stop - rows.start)

    def texts(self, column: str) -> list[str | None]:
        """A categorical column as one text per row."""
        distinct, codes = self.categorical[column]
        return [distinct[code] for code in codes.tolist()]


class Batches(Protocol):
    """What an algorithm learns from: prepared rows that are read a batch at a time, as often as wanted."""

    @property
    def rows(self) -> int: ...

    @property
    def columns(self) -> int: ...

    def __iter__(self) -> Iterator[Part]: ...


@dataclass(frozen=True)
class Part:
    """Prepared rows: float32 features (rows x columns), float64 target and weight. As `Batches` it is one."""

    features: Matrix
    target: Floats
    weight: Floats

    @property
    def rows(self) -> int:
        return len(self.target)

    @property
    def columns(self) -> int:
        return int(self.features.shape[1])

    def __iter__(self) -> Iterator[Part]:
        yield self

    def cut(self, taken: slice) -> Part:
        """Some of the rows, as views."""
        return Part(self.features[taken], self.target[taken], self.weight[taken])


def write_shard(folder: Path, number: int, features: EncodedRows, target: Floats, weight: Floats) -> None:
    """Shard `number` (from 0) of a part: its `ROWS_PER_SHARD` rows, or fewer where it is the last."""
    shard_file.write(folder / SHARD_FILE.format(number), features, target, weight)


def write_about(folder: Path, about: Mapping[str, Any], rows: int, shards: int) -> None:
    """After all shards: a folder without it is no part. `about`: problem, metrics, classes, column names."""
    counts = {"rows": rows, "shards": shards}
    (folder / ABOUT_FILE).write_text(json.dumps({**about, **counts}, sort_keys=True), encoding="utf-8")


class PartWriter:
    """Writes a part as a folder of shards, however the rows come: equal rows in equal order give equal files."""

    def __init__(self, folder: Path, about: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._about = folder, about
        self._waiting = [Part(np.empty((0, len(about["columns"])), dtype=np.float32), np.empty(0), np.empty(0))]
        self._rows = self._shards = 0

    def append(self, features: Matrix, target: Floats, weight: Floats) -> None:
        """Rows that follow those before. Their arrays may be changed afterwards."""
        given = Part(features, target, weight)
        while given.rows >= (room := ROWS_PER_SHARD - sum(part.rows for part in self._waiting)):
            self._waiting.append(given.cut(slice(room)))
            self._write()
            given = given.cut(slice(room, None))
        if given.rows:
            self._waiting.append(Part(given.features.copy(), given.target.copy(), given.weight.copy()))

    def close(self) -> None:
        """Writes the rest, at least one shard. Not called when something failed: what is there is no part then."""
        if self._waiting or not self._shards:
            self._write()
        write_about(self._folder, self._about, self._rows, self._shards)

    def _write(self) -> None:
        whole = _joined_parts(self._waiting)
        write_shard(self._folder, self._shards, EncodedRows.of_dense(whole.features), whole.target, whole.weight)
        self._waiting, self._rows, self._shards = [], self._rows + whole.rows, self._shards + 1


class Shards:
    """The shards of a part, or some of them, read one at a time, as often as wanted. `about`: as in `about.json`."""

    def __init__(self, folder: Path, about: Mapping[str, Any], numbers: range, taken: slice = slice(None)) -> None:
        self.about = about
        self._folder, self._numbers, self._taken = folder, numbers, taken

    @property
    def rows(self) -> int:
        """Of some of the shards: about so many, all but the last of a part being full."""
        return int(self.about["rows"] * len(self._numbers) / self.about["shards"] / (self._taken.step or 1))

    @property
    def columns(self) -> int:
        return len(self.about["columns"])

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[Part]:
        """Raises BadInput naming a file that is missing or broken."""
        for number in self._numbers:
            path = self._folder / SHARD_FILE.format(number)
            try:
                yield Part(*shard_file.read(path)).cut(self._taken)
            except (OSError, ValueError, KeyError, BadZipFile) as error:
                raise BadInput(f"{self._folder.name}: {path.name} of {self.about['shards']} cannot be read ({error})") from None

    def share(self, rank: int, hosts: int) -> Shards:
        """Those of one host among several, in a row. Raises BadInput for more hosts than shards."""
        count = len(self)
        if hosts > count:
            raise BadInput(
                f"{self._folder.name}: {self.about['rows']:,} rows are {count} shard{'s' * (count > 1)} of at most {ROWS_PER_SHARD:,}, and "
                f"{hosts} instances are to share them; allowed: 1 to {count} (TrainingInstanceCount)"
            )
        return Shards(self._folder, self.about, self._numbers[count * rank // hosts : count * (rank + 1) // hosts])

    def every(self, rank: int, hosts: int) -> Shards:
        """One row of `hosts`, of every shard: a share of what may be less than a shard for each."""
        return Shards(self._folder, self.about, self._numbers, slice(rank, None, hosts))


def save(part: Part, folder: Path, about: Mapping[str, Any]) -> None:
    """A part that is in memory, through `PartWriter`."""
    writer = PartWriter(folder, about)
    writer.append(part.features, part.target, part.weight)
    writer.close()


def shards(folder: Path) -> Shards:
    """What `PartWriter` wrote. Raises BadInput naming the folder."""
    try:
        about = json.loads((folder / ABOUT_FILE).read_text(encoding="utf-8"))
        return Shards(folder, about, range(about["shards"]))
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{folder.name}: no prepared rows ({error}); run prepare.py first") from None


def load(folder: Path) -> tuple[Part, dict[str, Any]]:
    """All of a part at once, and its `about`. Raises BadInput as `shards` does."""
    stored, end = shards(folder), 0
    rows, columns = stored.about["rows"], len(stored.about["columns"])
    whole = Part(np.empty((rows, columns), dtype=np.float32), np.empty(rows), np.empty(rows))
    for part in stored:
        begin, end = end, end + part.rows
        for name in ("features", "target", "weight"):
            getattr(whole, name)[begin:end] = getattr(part, name)
    return whole, dict(stored.about)


def _joined_parts(parts: Sequence[Part]) -> Part:
    return Part(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("features", "target", "weight")))


def _joined(own: Labels, others: Labels) -> Labels:
    distinct = list(dict.fromkeys([*own[0], *others[0]]))
    position = {value: index for index, value in enumerate(distinct)}
    moved = np.array([position[value] for value in others[0]], dtype=np.int64)[others[1]]
    return distinct, np.concatenate([own[1], moved])


def class_index(labels: Labels, classes: Sequence[str]) -> Floats:
    """The index in `classes` of each row's class, as float64."""
    distinct, codes = labels
    position = {name: index for index, name in enumerate(classes)}
    return np.array([position.get(str(value), -1) for value in distinct], dtype=np.float64)[codes]
