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
LOOKED_AT = 100
SHOWN_NAMES = 5


def of_names(names: Sequence[str], records: Iterable[Record], file: str) -> str | None:
    """What is wrong with the line of column names of a file that could be read, or None."""
    if len(names) == 1 and any(sign in names[0] for sign in _DELIMITERS):
        return problem(records, "", file)
    unnamed = [str(index) for index, name in enumerate(names, start=1) if not name.strip()]
    if len(unnamed) > 1:
        first = list(islice(records, LOOKED_AT))
        columns = f"columns {', '.join(unnamed[:SHOWN_NAMES])}"
        if all(not cell.strip() for _, cells in first for cell in cells[len(names) - len(unnamed) :]):
            return f"{columns} are empty: every line ends with {len(unnamed)} commas too many; remove these commas"
        return _title(first) or f"{columns} have no name; name them, or remove them"
    repeated = [name for name, count in Counter(names).items() if count > 1]
    return f"column {shown(repeated[0])} appears twice; rename one" if repeated else None


def problem(records: Iterable[Record], error: str, file: str) -> str:
    """What is wrong with a file that could not be read; `error` is the reader's own word."""
    remaining = iter(records)
    first = list(islice(remaining, LOOKED_AT))
    if len(first) <= 1:
        return f"there is {'no row below the header' if first else 'no header line'}; upload it again"
    found = delimiter(first, file) or _title(first)
    if found:
        return found
    every = chain(first, remaining)
    wrong = next((record for record in every if len(record[1]) != len(first[0][1])), None)
    if wrong is None:
        return f"not a CSV table: {(error or 'unreadable').splitlines()[0]}"
    return _note(first, wrong, list(islice(every, LOOKED_AT))) or _row(first, *wrong)


def delimiter(records: Sequence[Record], file: str) -> str | None:
    """Another delimiter than a comma, with the command that writes the file anew."""
    header = records[0][1]
    found = next((sign for sign in _DELIMITERS if sign in header[0]), None) if len(header) == 1 else None
    if found is None:
        return None
    cells = [cell for _, split in records[1:] for cell in ",".join(split).split(found)]
    given = f"cells are separated by {_DELIMITERS[found]} ({found!r})"
    remedy, further = "separate them with ','", ", dtype=str"  # so that 007 stays 007
    if any(_DECIMAL_COMMA.fullmatch(cell.strip()) for cell in cells):
        given, remedy, further = f"{given} and decimals written with ','", f"{remedy} and write decimals with '.'", ", decimal=','"
    return f"{given}; {remedy}, `pandas.read_csv({file!r}, sep={found!r}{further}).to_csv('converted.csv', index=False)`"


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


def _note(records: Sequence[Record], found: Record, below: Sequence[Record]) -> str | None:
    """A line of words in one cell, or one below the table in few cells: no row, or the beginning of one."""
    line, cells = found
    width = len(records[0][1])
    words = [cell for cell in cells if cell.strip()]
    is_below = all(len(further) != width for _, further in below)
    is_sentence = len(words) == 1 or (bool(words) and is_below and len(words) <= width / 2 and (":" in words[0] or " " in words[0].strip()))
    if width < 3 or not is_sentence or _is_number(words[0]):
        return None
    given = f"line {line} has {len(cells)} cell{'s' if len(cells) != 1 else ''}, the header {width}"
    return f"{given}: {shown(', '.join(map(str.strip, words)))} is a note, or a row that was cut off; remove it, or upload the whole file"


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
