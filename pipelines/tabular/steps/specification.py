"""Reads `specification.json`: what the table holds, how it is prepared and judged.

Input: the file that `pipelines/tabular/specification.py` writes from a model's file. Output: `Specification`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import objectives
from allowed import declared_of
from failure import BadInput

#: Fields of columns that say how they are learned from, and not what they hold.
_LEARNED_BY = ("monotone", "encoding")
SIBLING = Path(__file__).with_name("specification.json")


@dataclass(frozen=True)
class Specification:
    """What one model is made of, as plain JSON values. `model`: its name. `learn_from_answers`: as sources.py says."""

    model: str
    dataset: dict[str, Any]
    preparation: dict[str, Any]
    algorithms: list[dict[str, Any]]
    tuning: dict[str, Any]
    choice: dict[str, Any]
    gate: dict[str, Any]
    learn_from_answers: bool = False

    @property
    def file(self) -> str:
        """Where a team changes it."""
        return f"models/{self.model.replace('-', '_')}.py"

    def more_is_better(self, metric: str) -> bool:
        """Of any metric that this problem can be judged by."""
        return bool(self.dataset["more_is_better"][metric])

    @property
    def numeric(self) -> list[str]:
        return [column["name"] for column in self.dataset["numeric"]]

    @property
    def categorical(self) -> list[str]:
        return [column["name"] for column in self.dataset["categorical"]]

    @property
    def features(self) -> list[str]:
        """Column names in the order in which a request carries them."""
        return [*self.numeric, *self.categorical]

    @property
    def declared(self) -> dict[str, Collection[str] | None]:
        """By categorical column, the only categories that can be more than `<other>`; None for a column of which all can."""
        return {column["name"]: declared_of(column) for column in self.dataset["categorical"]}

    @property
    def target(self) -> str:
        return str(self.dataset["target"])

    @property
    def identifier(self) -> str | None:
        return None if self.dataset["identifier"] is None else str(self.dataset["identifier"])

    @property
    def ignored(self) -> list[str]:
        """Columns of the table that nothing is learned of. A version of before there was a choice has none."""
        return list(self.dataset.get("ignore", ()))

    @property
    def by_time(self) -> str | None:
        """The column by which the split goes; a version of before there was a choice has none."""
        column = self.preparation["split"].get("by_time")
        return None if column is None else str(column)

    @property
    def problem(self) -> str:
        """regression | binary | multiclass"""
        return str(self.dataset["problem"])

    @property
    def objective(self) -> str:
        """As in objectives.py; "mean" where there are classes."""
        return str(objectives.aims(self.dataset, ())["objective"])

    @property
    def metric(self) -> str:
        return str(self.dataset["metric"])

    @property
    def facet(self) -> dict[str, str] | None:
        return None if self.dataset["facet"] is None else dict(self.dataset["facet"])

    @property
    def schema_sha256(self) -> str:
        """Changes with the columns, their ranges and the target; not with how good is good enough, nor with what nothing is learned of."""
        others = ("metric", "threshold", "threshold_range", "more_is_better", "decision_metric", "objective", "extra_in_requests", "ignore")
        schema = {name: value for name, value in self.dataset.items() if name not in others}
        for kind in ("numeric", "categorical"):
            schema[kind] = [{name: value for name, value in column.items() if name not in _LEARNED_BY} for column in schema[kind]]
        # Refusing is what every version did before there was a choice.
        schema["categorical"] = [_without(column, unlisted="refuse") for column in schema["categorical"]]
        return _sha256(schema)

    @property
    def sha256(self) -> str:
        made_by = ("dataset", "preparation", "algorithms", "tuning", "choice")
        return _sha256({name: getattr(self, name) for name in made_by})


def load(path: str | Path | None = None) -> Specification:
    """`path` None: the file beside this one, where publishing puts it. Raises BadInput."""
    source = Path(path) if path else SIBLING
    try:
        return Specification(**json.loads(source.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BadInput(
            f"{source} is missing; it is written from the model's file when the code is published (or give --specification)"
        ) from None
    except (ValueError, TypeError) as error:
        raise BadInput(f"{source} is not a specification: {error}; publish the code again") from None


def _without(column: Mapping[str, Any], **usual: str) -> dict[str, Any]:
    return {name: value for name, value in column.items() if usual.get(name) != value}


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
