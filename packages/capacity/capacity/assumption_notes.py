"""Each assumption with its value and its reason, read from the docstrings in `model.py`, so that they are written once."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import dataclass

from capacity import model


@dataclass(frozen=True)
class Note:
    name: str
    value: str
    default: str
    reason: str


def notes(assumptions: model.Assumptions) -> list[Note]:
    """One note for each field, in order."""
    reasons = _reasons()
    return [
        Note(name, str(getattr(assumptions, name)), str(getattr(model.Assumptions(), name)), reason) for name, reason in reasons.items()
    ]


def _reasons() -> dict[str, str]:
    """Field name -> the string below it."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(model.Assumptions))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101  # the source of a class is a class definition
    found: dict[str, str] = {}
    name = ""
    for statement in definition.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
        elif name and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            found[name] = " ".join(str(statement.value.value).split())
    return found
