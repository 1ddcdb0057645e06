"""What is wrong with a value that a team wrote, in one line; and how a program ends that cannot read them.

Used by every class of this package. `stop` is for entry points: it names the file and the line, says what was given and what is allowed,
and ends with exit code 2.
"""

from __future__ import annotations

import builtins
import difflib
import sys
import traceback
from enum import EnumType, StrEnum
from pathlib import Path
from typing import NoReturn

_ROOT = Path(__file__).resolve().parents[1]
_SETTINGS = _ROOT / "settings.py"
_LONGEST_SHOWN = 100
BAD_INPUT_EXIT = 2


class SettingsError(Exception):
    """A value of settings.py or models/ is not allowed. The message names the field, what it got and what is allowed.

    Not a ValueError: pydantic would collect it, and only the first thing that is wrong is worth a person's time.
    """


def require(condition: bool, field_name: str, got: object, allowed: str) -> None:
    """Raises SettingsError unless `condition` holds."""
    if not condition:
        raise SettingsError(f"{field_name} is {shown(got)}; allowed: {allowed}")


def shown(value: object) -> str:
    """A value as the file has it, cut where it is long."""
    text = f"{type(value).__name__}.{value.name}" if isinstance(value, StrEnum) else repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def members(names: EnumType) -> str:
    return " | ".join(f"{names.__name__}.{member}" for member in names.__members__)


#: What reading a file of values may raise when a team has slipped. That can be anything Python says about one: a bracket, a name,
#: a member that an enum has not got, a list where one value belongs.
UNREADABLE = (Exception,)


def stop(error: Exception) -> NoReturn:
    """One line and exit code 2, instead of a traceback, which `--debug` still shows."""
    if "--debug" in sys.argv:
        traceback.print_exception(error)
    print(f"error: {in_one_line(error)}", file=sys.stderr)
    raise SystemExit(BAD_INPUT_EXIT) from None


def in_one_line(error: Exception) -> str:
    """The error with the file of values and the line that it comes from."""
    if isinstance(error, SyntaxError):
        return f"{_place(error.filename or str(_SETTINGS), error.lineno)}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if _is_of_values(frame.filename)), None)
    if isinstance(error, SettingsError):
        return f"{_place(frame.filename, frame.lineno)}: {error}" if frame else str(error)
    frame = frame or frames[-1]
    return f"{_place(frame.filename, frame.lineno)}: {_explained(error)}"


def _is_of_values(file: str) -> bool:
    return Path(file).name == _SETTINGS.name or Path(file).parent.name == "models"


def _place(file: str, line: int | None) -> str:
    path = Path(file)
    name = path.name if path.parent.name != "models" else f"models/{path.name}"
    return f"{name} line {line}"


def _explained(error: Exception) -> str:
    """Python's own words, and what was probably meant."""
    said = " ".join(str(error).split())
    if isinstance(error, NameError):
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        close = difflib.get_close_matches(error.name or "", [*frame.f_globals, *vars(builtins)], n=1)
        return f"{said}; did you mean {close[0]}?" if close else said
    if isinstance(error, AttributeError) and isinstance(error.obj, EnumType):
        return f"{error.obj.__name__} has no {error.name}; allowed: {members(error.obj)}"
    if isinstance(error, TypeError) and "unhashable" in said:
        return f"{said}; braces make a set: write a tuple, (a, b), or (a,) for one"
    return f"{type(error).__name__}: {said}; compare it with the values that ship with the template"
