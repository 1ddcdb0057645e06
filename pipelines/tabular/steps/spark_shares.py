"""Which task reads what: files and row groups that lie next to each other, of about as many bytes each.

Input: what the files say of themselves. Output: shares in the order of the table. A CSV file is one task's, since only who reads it from
its beginning knows where a row ends; what its cells mean is spread over all workers all the same. Used by `spark_engine.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import table_files
from spark_tasks import Share
from table_files import Head

#: Of files as they are, or of row groups without compression.
MOST_BYTES = 1 << 26


def of(heads: Sequence[Head]) -> list[Share]:
    """At least one share, each of at least one file or row group."""
    shares: list[list[tuple[int, str, list[int] | None]]] = [[]]
    held = 0
    for place, head in enumerate(heads):
        for groups, size in _pieces(head):
            if shares[-1] and held + size > MOST_BYTES:
                shares.append([])
                held = 0
            held += size
            last = shares[-1][-1] if shares[-1] else None
            if last is not None and last[0] == place and last[2] is not None and groups is not None:
                last[2].extend(groups)
            else:
                shares[-1].append((place, str(head.file), groups))
    return [list(share) for share in shares]


def _pieces(head: Head) -> Iterator[tuple[list[int] | None, int]]:
    size = head.file.stat().st_size
    if table_files.is_csv(head.file) or size <= MOST_BYTES // 8:  # few are worth a look at their row groups
        yield None, size
        return
    from pyarrow import parquet

    about = parquet.ParquetFile(head.file).metadata
    for group in range(about.num_row_groups):
        yield [group], about.row_group(group).total_byte_size
