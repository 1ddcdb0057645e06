"""Which columns the table has: those of the model's file under the same names, and no others.

Input: a `Table` and the specification. Output: findings. Used by `contract.py`, before it looks at any cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from cells import WHITE_SPACE, shown
from column_values import UnreadableError, is_text, plain
from findings import Finding
from specification import Specification
from table import SHOWN_COLUMNS, Table

#: How pandas calls the index that it writes along: without a name in CSV, and how it reads that again.
_INDEX_NAME = re.compile(r"|Unnamed: \d+|__index_level_\d+__")
_BLOCK_ROWS = 65_536


def of_columns(table: Table, specification: Specification) -> Iterator[Finding]:
    given = table.columns.column_names
    learned_of = [*specification.features, specification.target, *([specification.identifier] if specification.identifier else [])]
    expected = [*learned_of, *specification.ignored]
    expected += [specification.by_time] if specification.by_time and specification.by_time not in expected else []
    misspelt = _misspelt([name for name in given if name not in expected], [name for name in expected if name not in given])
    missing = [name for name in expected if name not in given and name not in misspelt]
    there = f"the table has {', '.join(map(shown, given[:SHOWN_COLUMNS]))}"
    if missing[: len(learned_of)] == learned_of:
        columns = ", ".join(map(repr, learned_of[:SHOWN_COLUMNS]))
        yield Finding("", f"none of {columns} is there: {there}; begin with a line of column names, and separate cells with commas")
        return
    yield from _spelling(misspelt)
    for name in missing:
        where = "DataSet.ignore in the model's file" if name in specification.ignored else "the model's file"
        problem = f"missing; add it to the data, or remove it from {where}"
        yield Finding(name, f"{problem}; {there}" if name == missing[-1] else problem)
    for place, name in enumerate(given, start=1):
        if name not in expected and name not in misspelt.values():
            yield _further(table, place, name)


def _misspelt(given: Sequence[str], missing: Sequence[str]) -> dict[str, str]:
    """Names of the model's file that the table has in another spelling, and that spelling."""
    by_letters = {_letters(name): name for name in given}
    return {name: by_letters[_letters(name)] for name in missing if _letters(name) in by_letters}


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFC", name).casefold()) or name


def _spelling(misspelt: Mapping[str, str]) -> Iterator[Finding]:
    spaced = {name: given for name, given in misspelt.items() if given.strip(WHITE_SPACE) == name}
    if spaced:
        names, right = (", ".join(map(shown, list(part)[:SHOWN_COLUMNS])) for part in (spaced.values(), spaced))
        yield Finding("", f"column names with spaces around them: {names}; write {right}")
    for name, given in misspelt.items():
        if name not in spaced:
            yield Finding(name, f"the table spells it {shown(given)}; write the same in both")


def _further(table: Table, place: int, name: str) -> Finding:
    """A column that the model's file does not name."""
    is_parquet = table.sources[0].file.suffix.lower() == ".parquet"
    leave_out = f"leave it out, such as with pandas.DataFrame.to_{'parquet' if is_parquet else 'csv'}(index=False)"
    is_last = place == len(table.columns.column_names)
    if counts_rows(table, name):
        problem = f"counts the rows, so it is an index; {leave_out}"
    elif _INDEX_NAME.fullmatch(name) and is_last and table.columns[name].null_count == table.rows:
        problem = "is empty, as a comma at the end of every line makes it; remove that comma"
    elif _INDEX_NAME.fullmatch(name) and (name or place == 1):
        problem = f"is an index by its {'name' if name else 'place'}; {leave_out}"
    else:
        problem = (
            "not in the model's file; add it to the DataSet (to DataSet.ignore, to learn nothing of it), or remove it from the data"
            if name
            else "is not in the model's file; name it, or remove it"
        )
    return Finding(name, problem if name else f"column {place} has no name and {problem}")


def counts_rows(table: Table, name: str) -> bool:
    """Whether a column counts 0, 1, 2, ... or 1, 2, 3, ...: it says nothing of a row but where it stood."""
    try:
        values = table.numbers(name)
    except UnreadableError:
        return False
    if len(values) < 2 or values[0] not in (0, 1):
        return False
    blocks = ((begun, values[begun : begun + _BLOCK_ROWS]) for begun in range(0, len(values), _BLOCK_ROWS))
    return all(np.array_equal(block, np.arange(begun, begun + len(block)) + values[0]) for begun, block in blocks)


def of_types(table: Table, specification: Specification) -> Iterator[Finding]:
    """Every column is text, numbers or truth values; dates have findings of their own, but for a class."""
    numbers = [*specification.numeric, *([specification.target] if specification.problem == "regression" else [])]
    texts = [*specification.categorical, *([specification.identifier] if specification.identifier else [])]
    classes = [specification.target] if specification.problem != "regression" else []
    scalar = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null, is_text)
    for name in [*numbers, *texts, *classes]:
        held = plain(table.columns[name].slice(0, 0)).type
        is_date = pa.types.is_temporal(held) and name not in classes
        if not (is_date or any(check(held) for check in scalar)):
            yield Finding(name, f"holds {held}; write it as text or a number, or remove it")
        elif name in table.widened and name not in numbers:
            types = " and ".join(table.widened[name])
            yield Finding(name, f"holds {types} in different files, so that one category is two; give all files the same type")
