"""Which columns of a file have numbers that are not written as programs write them.

Input: a `table.Table` of the steps, of CSV files. Output: column -> `Way`. Next: `plain_files.rewrite`.
"""

from __future__ import annotations

from typing import Any

from build_scripts.drafting import texts
from build_scripts.drafting.written_numbers import Way, are_thousands, ways
from build_scripts.step_modules import load


def of(table: Any) -> dict[str, Way]:
    """The columns of text whose numbers are not written as programs write them, and how they are."""
    # Most columns of words are no numbers at a glance.
    may_be = {name: ways(few) for name in table.columns.column_names if (few := texts.few(table, name))}
    are_plain = [name for name, possible in may_be.items() if Way.PLAIN in possible and _are_numbers(table, name)]
    found = {name: ways(texts.different(table, name)) for name, possible in may_be.items() if possible and name not in are_plain}
    has_commas = {Way.COMMA} in found.values()
    chosen = {name: Way.COMMA for name in are_plain if has_commas and are_thousands(texts.different(table, name))}
    for name, possible in found.items():
        if Way.PLAIN in possible:  # beside signs for a missing value
            chosen[name] = Way.COMMA if has_commas and are_thousands(texts.different(table, name)) else Way.PLAIN
        elif possible:
            preferred = Way.COMMA if has_commas else Way.POINT
            chosen[name] = preferred if preferred in possible else next(iter(possible))
    return {name: chosen[name] for name in may_be if name in chosen}


def _are_numbers(table: Any, name: str) -> bool:
    try:
        table.numbers(name)
    except load("column_values").UnreadableError:
        return False
    return True
