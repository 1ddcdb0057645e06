"""How settings.py checks what a team writes there: names, types and ranges, each with one line that teaches.

`checked` wraps the classes of settings.py, `check_values` looks at the values made of them, `require` states one rule, `one_form` brings
a declared category into the form in which the steps read it, `is_cron` knows AWS's cron expressions, and `stop` is how a program ends
that cannot read its settings.
Standard library only, as settings.py.
"""

from __future__ import annotations

import builtins
import difflib
import functools
import importlib.util
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import MISSING, fields
from enum import EnumType, StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints

Class = TypeVar("Class", bound=type)

_FILE = "settings.py"
_LONGEST_SHOWN = 100
_IN_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "True or False", NoneType: "None"}


class SettingsError(ValueError):
    """A value of settings.py is not allowed. The message names the field, what it got and what is allowed."""


def require(condition: bool, field_name: str, got: object, allowed: str) -> None:
    """Raises SettingsError unless `condition` holds."""
    if not condition:
        raise SettingsError(f"{_FILE}: {field_name} is {_shown(got)}; allowed: {allowed}")


def _shown(value: object) -> str:
    text = f"{type(value).__name__}.{value.name}" if isinstance(value, StrEnum) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


#: What `import settings` may raise when a team has slipped. That can be anything Python says about a file of values: a bracket, a
#: name, a member that an enum has not got, a list where one value belongs.
UNREADABLE = (Exception,)


def stop(error: Exception) -> NoReturn:
    """One line and exit code 2, instead of a traceback, which `--debug` still shows."""
    if "--debug" in sys.argv:
        traceback.print_exception(error)
    print(f"error: {_in_one_line(error)}", file=sys.stderr)
    raise SystemExit(2) from None


def _in_one_line(error: Exception) -> str:
    if isinstance(error, SettingsError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"{Path(error.filename or _FILE).name} line {error.lineno}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if Path(frame.filename).name == _FILE), frames[-1])
    return f"{Path(frame.filename).name} line {frame.lineno}: {_explained(error)}"


def _explained(error: Exception) -> str:
    """Python's own words, and what was probably meant."""
    said = " ".join(str(error).split())
    if isinstance(error, NameError):
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        close = difflib.get_close_matches(error.name or "", [*frame.f_globals, *vars(builtins)], n=1)
        return f"{said}; did you mean {close[0]}?" if close else said
    if isinstance(error, AttributeError) and isinstance(error.obj, EnumType):
        return f"{error.obj.__name__} has no {error.name}; allowed: {_members(error.obj)}"
    if isinstance(error, TypeError) and "unhashable" in said:
        return f"{said}; braces make a set: write a tuple, (a, b), or (a,) for one"
    return f"{type(error).__name__}: {said}; compare it with the values that ship with the template"


def check_values(values: Mapping[str, Any], **types: Any) -> None:
    """Raises SettingsError for a value of settings.py that is not there, or is of another type."""
    for name, hint in types.items():
        if name not in values:
            raise SettingsError(f"{_FILE}: {name} is missing; allowed: {_in_words(hint)}")
        require(_fits(values[name], hint), name, values[name], _in_words(hint))


def checked(made: Class) -> Class:
    """Checks the names and types of a dataclass's fields before its own `__post_init__`, so that a slip is one line too.

    `__post_init__` sees a number as it was written, and says so where it refuses it; whoever reads the field, as what it is annotated.
    """
    construct: Any = made.__init__  # type: ignore[misc]  # of this very class: nothing inherits from it
    known = {item.name: item for item in fields(made)}

    @functools.wraps(construct)
    def check_and_construct(self: object, *positional: object, **values: object) -> None:
        if positional:
            named = ", ".join(f"{name}={_shown(value)}" for name, value in zip(known, positional, strict=False))
            said = f"{made.__name__}({_shown(positional[0])}) has a value without a name"
            raise SettingsError(f"{_FILE}: {said}; allowed: each value by its name, {made.__name__}({named}); it has {', '.join(known)}")
        name = values.get("name")
        where = f"{made.__name__}({name!r})" if isinstance(name, str) else made.__name__
        for given in values:
            if given not in known:
                raise SettingsError(f"{_FILE}: {where} has no field {given!r}; allowed: {', '.join(known)}")
        hints = _hints(made)
        for item in known.values():
            hint = hints[item.name]
            if item.name in values:
                require(_fits(values[item.name], hint), f"{where}.{item.name}", values[item.name], _in_words(hint))
            elif item.default is MISSING and item.default_factory is MISSING:
                raise SettingsError(f"{_FILE}: {where}.{item.name} is missing; allowed: {_in_words(hint)}")
        construct(self, **values)
        for name in known:
            object.__setattr__(self, name, _in_type(getattr(self, name), hints[name]))

    made.__init__ = check_and_construct  # type: ignore[misc]  # same
    return made


@functools.cache
def _hints(made: type) -> dict[str, Any]:
    return get_type_hints(made)


def _fits(value: object, hint: Any) -> bool:
    """Whether a value has the annotated type. A whole number is a number too; True is none, and neither is NaN."""
    if isinstance(hint, UnionType):
        return any(_fits(value, choice) for choice in get_args(hint))
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(item, get_args(hint)[0]) for item in value)
    if get_origin(hint) is Mapping:
        keys, items = get_args(hint)
        return isinstance(value, Mapping) and all(_fits(key, keys) and _fits(item, items) for key, item in value.items())
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool) and -sys.float_info.max <= value <= sys.float_info.max
    return isinstance(value, hint)


def _in_type(value: Any, hint: Any) -> Any:
    """A whole number where a float is meant is that float: 5 and 5.0 are one value to the code that reads it, too, which may tell them
    apart (a pipeline's parameters do). What fits an annotation with `int` in it stays as it is."""
    if isinstance(hint, UnionType):
        return _in_type(value, next(choice for choice in get_args(hint) if _fits(value, choice)))
    if get_origin(hint) is tuple:
        return tuple(_in_type(item, get_args(hint)[0]) for item in value)
    if get_origin(hint) is Mapping:
        return {key: _in_type(item, get_args(hint)[1]) for key, item in value.items()}
    return float(value) if hint is float and isinstance(value, int) else value


def _in_words(hint: Any) -> str:
    if isinstance(hint, UnionType):
        choices = get_args(hint)
        return " or ".join(_in_words(choice) for choice in choices if choice is not int or float not in choices)
    if get_origin(hint) is tuple:
        return f"a tuple of {_in_words(get_args(hint)[0])}, written (a, b), or (a,) for one"
    if get_origin(hint) is Mapping:
        return f"a dictionary from {_in_words(get_args(hint)[0])} to {_in_words(get_args(hint)[1])}"
    if issubclass(hint, StrEnum):
        return _members(hint)
    return _IN_WORDS.get(hint, f"{hint.__name__}(...)")


def _members(names: EnumType) -> str:
    return " | ".join(f"{names.__name__}.{member}" for member in names.__members__)


# ------------------------------------------------------------------------------------- categories

_STEPS = Path(__file__).resolve().parent / "pipelines" / "tabular" / "steps"


@functools.cache
def steps_module(name: str) -> Any:
    """A module that the steps share with settings and definition. By its path: the steps' folder runs alone, and is no package."""
    specification = importlib.util.spec_from_file_location(name, _STEPS / f"{name}.py")
    assert specification is not None and specification.loader is not None  # noqa: S101 - a .py file has both
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def one_form(value: str, field_name: str) -> str:
    """A category as the steps read it: "True" is true, "4.0" is 4, " F" is F. Raises SettingsError for a text that means missing."""
    category: str | None = steps_module("cells").category(value)
    if category is None:
        raise SettingsError(f"settings.py: {field_name} is {value!r}, which is read as a missing value; allowed: another text")
    return category


# ------------------------------------------------------------------------------------- hyperparameters


def check_hyperparameters(algorithm: str, fixed: Mapping[str, Any], tuned: Mapping[str, tuple[float, float]]) -> None:
    """Raises SettingsError for what SageMaker's tuner would not take of the XGBoost image: a name, a range, or `num_round` missing."""
    contract = steps_module("tuner_contract")
    field = f"Algorithm({algorithm!r})"
    for name, (low, high) in tuned.items():
        known = contract.TUNABLE.get(name)
        require(known is not None, f"{field}.tuned", name, ", ".join(sorted(contract.TUNABLE)))
        reaches_below = low <= known.low if known.is_open else low < known.low
        bounds = f"{'more than' if known.is_open else 'from'} {known.low:g}{f' to {known.high:g}' if known.high < float('inf') else ''}"
        require(not reaches_below and high <= known.high, f"{field}.tuned[{name!r}]", (low, high), bounds)
        is_whole = isinstance(low, int) and isinstance(high, int)
        require(is_whole or not known.is_integer, f"{field}.tuned[{name!r}]", (low, high), "whole numbers")
    for name in fixed:
        require(name in contract.DECLARED, f"{field}.fixed", name, ", ".join(sorted(contract.DECLARED)))
    given = contract.REQUIRED in fixed or contract.REQUIRED in tuned
    require(given, f"{field}.fixed", dict(fixed), f"with {contract.REQUIRED}, which the image wants; 1 where nothing is boosted")


# ------------------------------------------------------------------------------------- cron expressions

CRON = "six fields, minute hour day-of-month month day-of-week year, with '?' for one of the days, such as '0 7 ? * MON-FRI *'"

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
#: Per field: lowest and highest number, names for the numbers from the lowest on, and the special forms.
_CRON_FIELDS: tuple[tuple[int, int, tuple[str, ...], str], ...] = (
    (0, 59, (), r"\*"),
    (0, 23, (), r"\*"),
    (1, 31, (), r"\*|\?|L|LW|L-\d+|\d+W"),
    (1, 12, _MONTHS, r"\*"),
    (1, 7, _WEEKDAYS, r"\*|\?|L|([1-7]|[A-Z]{3})L|([1-7]|[A-Z]{3})#[1-5]"),
    (1970, 2199, (), r"\*"),
)


def is_cron(text: str) -> bool:
    """What EventBridge Scheduler and Application Auto Scaling take within `cron(...)`. Source: their pages on cron expressions."""
    parts = text.upper().split()
    if len(parts) != len(_CRON_FIELDS) or (parts[2] == "?") == (parts[4] == "?"):
        return False
    return all(_is_cron_item(item, *allowed) for part, allowed in zip(parts, _CRON_FIELDS, strict=True) for item in part.split(","))


def _is_cron_item(item: str, low: int, high: int, names: tuple[str, ...], special: str) -> bool:
    """`5`, `MON`, `1-5`, `*/15` or one of the special forms."""
    start, slash, step = item.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if re.fullmatch(special, start):
        return not slash or start == "*"
    numbers = [low + names.index(end) if end in names else int(end) if end.isdecimal() else -1 for end in start.split("-")]
    return len(numbers) <= 2 and numbers == sorted(numbers) and all(low <= number <= high for number in numbers)
