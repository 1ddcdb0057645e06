"""Says why a CSV file is no table: another delimiter, a title above the column names, a row of another length.

Input: the file's records with their lines. Output: one line that names what is there and what to do. Used by `csv_files.py`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, islice

from cells import number, shown

Record = tuple[int, list[str]]

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")
#: So many records tell how a file is laid out.
_LOOKED_AT = 100
SHOWN_NAMES = 5


def of_names(names: Sequence[str], records: Iterable[Record]) -> str | None:
    """What is wrong with the line of column names of a file that could be read, or None."""
    if len(names) == 1 and any(delimiter in names[0] for delimiter in _DELIMITERS):
        return problem(records, "")
    unnamed = [str(index) for index, name in enumerate(names, start=1) if not name.strip()]
    if len(unnamed) > 1:
        advice = f"columns {', '.join(unnamed[:SHOWN_NAMES])} have no name; name them, or remove them"
        return _title(list(islice(records, _LOOKED_AT))) or advice
    repeated = [name for name, count in Counter(names).items() if count > 1]
    return f"column {shown(repeated[0])} appears twice; rename one" if repeated else None


def problem(records: Iterable[Record], error: str) -> str:
    """What is wrong with a file that could not be read; `error` is the reader's own word."""
    remaining = iter(records)
    first = list(islice(remaining, _LOOKED_AT))
    if len(first) <= 1:
        return f"there is {'no row below the header' if first else 'no header line'}; upload it again"
    found = _delimiter(first) or _title(first)
    if found:
        return found
    wrong = next((record for record in chain(first, remaining) if len(record[1]) != len(first[0][1])), None)
    return _row(first, *wrong) if wrong else f"not a CSV table: {(error or 'unreadable').splitlines()[0]}"


def _delimiter(records: Sequence[Record]) -> str | None:
    header = records[0][1]
    found = next((delimiter for delimiter in _DELIMITERS if delimiter in header[0]), None) if len(header) == 1 else None
    if found is None:
        return None
    cells = [cell for _, split in records[1:] for cell in ",".join(split).split(found)]
    given = f"cells are separated by {_DELIMITERS[found]} ({found!r})"
    remedy, further = "separate them with ','", ""
    if any(_DECIMAL_COMMA.fullmatch(cell.strip()) for cell in cells):
        given, remedy, further = f"{given} and decimals written with ','", f"{remedy} and write decimals with '.'", ", decimal=','"
    return f"{given}; {remedy}, such as with pandas.read_csv(file, sep={found!r}{further}).to_csv(file, index=False)"


def _title(records: Sequence[Record]) -> str | None:
    """A line of few cells, and below it a line of as many names as the rows have cells."""
    width = Counter(len(cells) for _, cells in records).most_common(1)[0][0]
    title = [cell for cell in records[0][1] if cell.strip()]
    names = next((record for record in records if len([cell for cell in record[1] if cell.strip()]) == width), None)
    if names is None or names[0] == records[0][0] or len(title) > width / 2 or any(map(_is_number, names[1])):
        return None
    given = f"line {records[0][0]} is a title ({shown(' '.join(title))}), not the column names"
    names_in_one_line = " ".join(", ".join(cell[:20] for cell in names[1][:SHOWN_NAMES]).split())
    return f"{given}; begin the file with line {names[0]} ({names_in_one_line})"


def _is_number(cell: str) -> bool:
    try:
        return not math.isnan(number(cell))
    except ValueError:
        return False


def _row(records: Sequence[Record], line: int, cells: Sequence[str]) -> str:
    width = len(records[0][1])
    given = f"line {line} has {len(cells)} cell{'s' if len(cells) != 1 else ''}, the header {width}"
    every = all(len(split) == len(cells) for _, split in records[1:])
    if every and len(cells) == width + 1 and not any(split[-1].strip() for _, split in records[1:]):
        return f"{given}: every row ends with a comma; remove it"
    if every and len(cells) == width + 1 and _count([split[0] for _, split in records[1:]]):
        return f"{given}: the rows begin with an index, which has no name; leave it out (in R: write.csv(..., row.names = FALSE))"
    if any(cell.startswith(' "') for cell in cells):
        return f"{given}; remove the space before the double quote, or the cell is cut at its commas"
    if len(cells) > width and every:
        return f"{given}, and so has every row; write decimals with '.', and put text with a comma in double quotes"
    return f"{given}; separate cells with commas, and put text with a comma in double quotes"


def _count(cells: Sequence[str]) -> bool:
    """Whether the cells count 0, 1, 2, ... or 1, 2, 3, ...: the number of the row, and no knowledge about it."""
    return len(cells) > 1 and any(list(cells) == [str(index + first) for index in range(len(cells))] for first in (0, 1))
