"""How much data lies at an address: bytes and files for sure, rows and columns as far as they can be told without reading it all.

A Parquet file says both in its footer (the Parquet format: ... | footer | its length in 4 bytes | PAR1), of a CSV file the first part is
counted; of many files a few are looked at, and the others are taken to be like them. Used by run_pipeline.py. Next: run_estimate.py.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.objects import bucket_and_key
from build_scripts.step_modules import load

#: As many files are looked at, the largest ones.
MOST_LOOKED_AT = 5
#: Read of a file: the first lines, or the footer unless it is longer.
LOOK_BYTES = 256 * 1024
_FOOTER_END_BYTES = 8


@dataclass(frozen=True)
class DataSize:
    """`rows`, `columns`: None where no file could be looked at. `is_about`: rows are reckoned, not counted."""

    bytes: int
    files: int
    rows: int | None = None
    columns: int | None = None
    is_about: bool = False


def measure(s3: Any, url: str, *, looks: bool = True) -> DataSize:
    """`looks` False: whoever asks may list the files and not read them, as a build may. Raises ClientError where they cannot be listed."""
    bucket, prefix = bucket_and_key(url)
    is_data = load("data_versions").is_data
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    found = [item for page in pages for item in page.get("Contents", []) if is_data(item["Key"]) and item["Size"]]
    whole = sum(item["Size"] for item in found)
    largest = sorted(found, key=lambda item: -item["Size"])[:MOST_LOOKED_AT] if looks else []
    known = [(item["Size"], *shape) for item in largest if (shape := _shape(s3, bucket, item))]
    if not known:
        return DataSize(whole, len(found))
    looked_at = sum(size for size, *_ in known)
    rows = sum(rows for _, rows, *_ in known)
    is_about = len(known) < len(found) or any(about for *_, about in known)
    return DataSize(whole, len(found), round(rows * whole / looked_at), known[0][2], is_about)


def _shape(s3: Any, bucket: str, item: Mapping[str, Any]) -> tuple[int, int, bool] | None:
    """Rows, columns, and whether the rows are reckoned. None for a file that cannot be read, or is none: Prepare says what is wrong."""

    def read(begin: int, end: int) -> bytes:
        return bytes(s3.get_object(Bucket=bucket, Key=item["Key"], Range=f"bytes={begin}-{end - 1}")["Body"].read())

    try:
        return (_parquet if item["Key"].lower().endswith(".parquet") else _csv)(read, item["Size"])
    except (ClientError, OSError, ValueError, csv.Error):
        return None


def _parquet(read: Callable[[int, int], bytes], size: int) -> tuple[int, int, bool]:
    import pyarrow as pa  # only needed for such a file
    from pyarrow import parquet

    tail = read(max(0, size - LOOK_BYTES), size)
    length = int.from_bytes(tail[-_FOOTER_END_BYTES:-4], "little") + _FOOTER_END_BYTES
    if len(tail) < length <= size:
        tail = read(size - length, size)
    footer = parquet.read_metadata(pa.BufferReader(tail))
    return footer.num_rows, len(footer.schema.to_arrow_schema().names), False


def _csv(read: Callable[[int, int], bytes], size: int) -> tuple[int, int, bool]:
    head = read(0, min(size, LOOK_BYTES))
    header, *lines = head.decode("utf-8", errors="replace").splitlines(keepends=True)
    columns = len(next(csv.reader([header])))
    if len(head) == size:
        return len(lines), columns, False
    whole = lines[:-1]  # the last one is cut
    return round((size - len(header.encode())) * len(whole) / len("".join(whole).encode())), columns, True


def in_words(size: DataSize) -> str:
    """`1.2 GB in 14 files, about 10 M rows x 31`."""
    files = f"{size.files} {'file' if size.files == 1 else 'files'}"
    if size.rows is None:
        return f"{bytes_in_words(size.bytes)} in {files}"
    about = "about " if size.is_about else ""
    return f"{bytes_in_words(size.bytes)} in {files}, {about}{_rows(size.rows)} rows x {size.columns}"


def bytes_in_words(count: float) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count:.0f} bytes"


def _rows(count: int) -> str:
    return f"{count / 1e6:.3g} M" if count >= 1_000_000 else f"{count:,}"
