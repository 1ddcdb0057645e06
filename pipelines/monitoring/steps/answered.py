"""Keeps answered rows as Parquet, so that labels which arrive weeks later find what was asked and answered.

Input: `Chunk`s. Output: `<prefix>answered/<version>-<part>.parquet`: inference_id, row, time (UTC), version, the raw features as
`feature.<name>`, the score (`score`, or `score.<index>` for several classes) and what was decided (`decided`: the value, or the label).
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from chunks import Chunk
from pyarrow import parquet
from store import Store
from takes import Takes

FOLDER = "answered/"
#: Names of columns that are not the model's own are told apart from those of its features by this.
FEATURE = "feature."


class Keeper:
    """Writes the chunks of one window as they come. `close` empties parts of their versions that only an earlier judgement has written."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store, self._prefix = store, prefix + FOLDER
        self._parts: Counter[str] = Counter()
        self.written: list[str] = []

    def keep(self, chunk: Chunk, takes: Takes) -> None:
        version = str(chunk.version)
        self._parts[version] += 1
        name = f"{version}-{self._parts[version]:05d}.parquet"
        self._store.write(self._prefix + name, as_parquet(chunk, takes), "application/vnd.apache.parquet")
        self.written.append(name)

    def close(self) -> None:
        """Empty instead of deleted: who may write here may lose nothing."""
        for item in self._store.list(self._prefix):
            name = item.key.removeprefix(self._prefix)
            if name not in self.written and name.rpartition("-")[0] in self._parts:
                with self._store.read(item.key) as stream:  # type: ignore[attr-defined]  # both kinds of streams can be closed
                    schema = parquet.read_schema(io.BytesIO(stream.read()))
                self._store.write(item.key, _bytes(schema.empty_table()), "application/vnd.apache.parquet")


def read(packed: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """What was kept, or some of its columns.

    Without Arrow's threads: they hold the bytes, and one that gives them back while Python ends aborts the process after its work was done
    (https://github.com/apache/arrow/issues/34314). `read_table` and `read_csv` of bytes have them, `read_table(use_threads=False)` too.
    """
    return parquet.ParquetFile(io.BytesIO(packed)).read(columns=columns, use_threads=False)


def as_parquet(chunk: Chunk, takes: Takes) -> bytes:
    columns: dict[str, Any] = {
        "inference_id": pa.array(chunk.ids, pa.string()),
        "row": pa.array(chunk.row_in_request, pa.int64()),
        "time": pa.array((chunk.times * 1000).round().astype("int64"), pa.timestamp("ms", tz="UTC")),
        "version": _texts([str(chunk.version)], [0] * chunk.rows.count),
    }
    columns |= {FEATURE + name: pa.array(values, from_pandas=True) for name, values in chunk.rows.numeric.items()}
    columns |= {FEATURE + name: _texts(distinct, codes) for name, (distinct, codes) in chunk.rows.categorical.items()}
    scores = chunk.predicted.scores
    columns |= {"score": pa.array(scores)} if scores.ndim == 1 else {f"score.{place}": pa.array(own) for place, own in enumerate(scores.T)}
    decided = chunk.predicted.decided
    columns["decided"] = pa.array(decided) if takes.classes is None else _texts(takes.classes, decided.astype("int64"))
    return _bytes(pa.table(columns))


def _texts(distinct: Any, codes: Any) -> pa.Array:
    return pa.array(list(distinct), pa.string()).take(pa.array(codes, pa.int64()))


def _bytes(table: pa.Table) -> bytes:
    """Repeated texts are written once; numbers hardly repeat, and looking for it takes longer than writing them."""
    content = io.BytesIO()
    texts = [field.name for field in table.schema if field.type == pa.string() and field.name != "inference_id"]
    parquet.write_table(table, content, use_dictionary=texts, compression="zstd")
    return content.getvalue()
