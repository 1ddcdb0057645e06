"""Files that are too large for memory become columns on disk, a batch at a time, after what they say of themselves was judged.

Input: the files and a folder on the volume of the job. Output: the columns with the numbers of rows of the files. Raises BadInput before
anything is read where headers or types differ, or the disk is too small. Used by `table.py`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import column_store
import pyarrow as pa
import table_files
from column_store import StoredColumns
from failure import BadInput
from on_demand import one_ahead
from table_files import Head

#: What preparing takes on disk: of a byte of a CSV file, its text, the numbers made of it and the prepared ones; the same of a cell of
#: a Parquet file, whose numbers have eight bytes.
_DISK_BYTES_OF_CSV_BYTE = 4
_DISK_BYTES_OF_CELL = 24


def judged(files: Sequence[Path], scratch: Path) -> list[Head]:
    """What the files say of themselves, which can be put together and has room below `scratch`."""
    heads = [table_files.head(file) for file in files]
    table_files.require_same_names([(head.file, head.schema.names) for head in heads])
    _schema(heads)
    _require_disk(heads, scratch)
    return heads


def store(heads: Sequence[Head], scratch: Path) -> tuple[StoredColumns, list[int]]:
    """The columns of judged files, and how many rows each has."""
    files, schema = [head.file for head in heads], _schema(heads)
    rows = [0] * len(files)

    def batches(schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for place, file in enumerate(files):
            for batch in table_files.batches(file, schema):
                rows[place] += batch.num_rows
                yield batch

    try:
        return column_store.store(one_ahead(batches(schema)), schema, scratch / "columns"), rows
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        raise _different_types(heads) from None


def _schema(heads: Sequence[Head]) -> pa.Schema:
    """That of all files together."""
    try:
        return pa.unify_schemas(list({str(head.schema): head.schema for head in heads}.values()), promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        raise _different_types(heads) from None


def _different_types(heads: Sequence[Head]) -> BadInput:
    return table_files.different_types([(head.file, head.schema) for head in heads])


def _require_disk(heads: Sequence[Head], scratch: Path) -> None:
    cells = sum(head.rows * len(head.schema) for head in heads if head.rows is not None)
    text = sum(head.file.stat().st_size for head in heads if head.rows is None)
    needed, free = _DISK_BYTES_OF_CELL * cells + _DISK_BYTES_OF_CSV_BYTE * text, shutil.disk_usage(scratch).free
    if needed > free:
        what = "1 file" if len(heads) == 1 else f"{len(heads)} files"
        given = f"preparing {what} takes about {needed / 2**30:.1f} GiB on disk, and {free / 2**30:.1f} GiB are free"
        raise BadInput(f"{given}; give the job a larger volume (VOLUME_GIB in pipelines/tabular/jobs.py), or give fewer rows or columns")
