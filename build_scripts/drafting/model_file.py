"""The draft as text: a model's file in the project's own form, each guess with its reason beside it.

Input: what was found. Output: Python as `ruff format` leaves it. Next: describe_data.py checks it as it is read, and writes it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from build_scripts.drafting.roles import Place, Role
from build_scripts.drafting.targets import Candidate, Target
from build_scripts.drafting.yardstick import Yardstick
from settings_schema import Problem

_WIDTH = 140
_INDENT = "    "
_HOW_MADE = (
    "Drafted by build_scripts.describe_data. Each guess has its reason beside it: change what is wrong. Fields: settings_schema/model.py."
)
_OF_NUMBERS = 'Units are unknown: name them, unit="kg". What is outside of a range is refused, also in a request.'


@dataclass(frozen=True)
class Draft:
    """`source`: the name of what was described. `about_files`: how they are written, and what was written anew."""

    source: str
    rows: int
    about_files: Sequence[str]
    roles: Sequence[Role]
    target: Target
    others: Sequence[Candidate]
    yardstick: Yardstick
    environments: Sequence[str]

    def at(self, place: Place) -> list[Role]:
        return [role for role in self.roles if role.place is place]


def text(draft: Draft) -> str:
    count = len(draft.at(Place.NUMERIC)) + len(draft.at(Place.CATEGORICAL))
    first = f"Predict {_plain(draft.target.column.name)} by {count} columns of {_plain(draft.source)} ({draft.rows:,} rows)."
    served = ", ".join(f"{quoted(name)}: Endpoint()" for name in draft.environments)
    lines = [
        *_wrapped(f'"""{first}', ""),
        "",
        *_wrapped(_HOW_MADE, ""),
        *(line for said in draft.about_files for line in _wrapped(f"The data: {_plain(said)}.", "")),
        '"""',
        "",
        "from pipelines.tabular.competitors import COMPETITORS",
        f"from settings_schema import {', '.join(_imported(draft))}",
        "",
        "MODEL = Model(",
        f"{_INDENT}data=DataSet(",
        *_data(draft, _INDENT * 2),
        f"{_INDENT}),",
        f"{_INDENT}algorithms=COMPETITORS,",
        *_said(f"serving={{{served}}},", "answers at once; Batch() scores files", _INDENT),
        ")",
    ]
    return "\n".join(lines) + "\n"


def _imported(draft: Draft) -> list[str]:
    used = {Place.NUMERIC: "Numeric", Place.CATEGORICAL: "Categorical"}
    return sorted(["DataSet", "Endpoint", "Model", "Problem", *(name for place, name in used.items() if draft.at(place))])


def _data(draft: Draft, indent: str) -> Iterator[str]:
    target, measured = draft.target, draft.yardstick
    yield from _said(f"problem=Problem.{target.problem.name},", target.problem_reason, indent)
    also = "".join(f"; {_plain(other.column.name)} may be meant, too ({other.reason})" for other in draft.others[:3])
    yield from _said(f"target={quoted(target.column.name)},", f"{target.reason}{also}", indent)
    if target.problem is Problem.BINARY:
        yield from _said(f"positive_class={quoted(target.positive)},", target.positive_reason, indent)
    for place, made in ((Place.NUMERIC, "Numeric"), (Place.CATEGORICAL, "Categorical")):
        yield from _columns(f"{place.value}=(", draft.at(place), made, indent)
    for role in draft.at(Place.IDENTIFIER):
        yield from _said(f"identifier={quoted(role.column.name)},", role.reason, indent)
    yield from _columns("ignore=(", draft.at(Place.IGNORE), None, indent)
    yield from _said(f'metric="{measured.metric}",', measured.metric_reason, indent)
    yield from _said(f"threshold={_number(measured.threshold)},", measured.threshold_reason, indent)


def _columns(opened: str, roles: Sequence[Role], made: str | None, indent: str) -> Iterator[str]:
    """`made`: the class of an entry; None for the name alone."""
    if not roles:
        return
    yield f"{indent}{opened}"
    if made == "Numeric":
        yield from _comment(
            'Units are unknown: name them, unit="kg". What is outside of a range is refused, also in a request.', indent + _INDENT
        )
    for role in roles:
        name = quoted(role.column.name)
        if made is None:
            yield from _said(f"{name},", role.reason, indent + _INDENT)
        else:
            yield from _entry(made, {"name": name, **role.settings}, role.reason, indent + _INDENT)
    yield f"{indent}),"


def _entry(made: str, settings: Mapping[str, str | tuple[str, ...]], reason: str, indent: str) -> Iterator[str]:
    parts = {name: value if isinstance(value, str) else _tuple(value) for name, value in settings.items()}
    line = f"{made}({', '.join(f'{name}={value}' for name, value in parts.items())}),"
    if len(indent + line) <= _WIDTH:
        yield from _said(line, reason, indent)
        return
    yield from _comment(reason, indent)
    yield f"{indent}{made}("
    for name, value in settings.items():
        written = f"{indent}{_INDENT}{name}={parts[name]},"
        if len(written) <= _WIDTH or isinstance(value, str):
            yield written
        else:
            yield from (f"{indent}{_INDENT}{name}=(", *(f"{indent}{_INDENT * 2}{quoted(each)}," for each in value), f"{indent}{_INDENT}),")
    yield f"{indent}),"


def _tuple(values: Sequence[str]) -> str:
    return f"({', '.join(map(quoted, values))}{',' if len(values) == 1 else ''})"


def quoted(value: str) -> str:
    """As `ruff format` writes it: in double quotes, unless only these are inside."""
    if '"' in value:
        return repr(value)  # in single quotes
    return '"' + repr('"' + value)[2:-1].replace("\\'", "'") + '"'


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def _plain(value: str) -> str:
    """In a docstring or a comment: in one line, without what would end either."""
    return "".join(sign if sign.isprintable() and sign not in '\\"' else "?" for sign in value)


def _said(code: str, reason: str, indent: str) -> Iterator[str]:
    """The reason behind the code where there is room, otherwise above it."""
    said = _one_line(reason)
    if len(f"{indent}{code}  # {said}") <= _WIDTH:
        yield f"{indent}{code}  # {said}"
    else:
        yield from _comment(said, indent)
        yield f"{indent}{code}"


def _comment(reason: str, indent: str) -> list[str]:
    return _wrapped(_one_line(reason), f"{indent}# ")


def _one_line(reason: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in reason)


def _wrapped(said: str, indent: str) -> list[str]:
    return textwrap.wrap(said, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
