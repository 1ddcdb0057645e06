"""The report that an approver reads: `report.html`, one file without outside parts.

Input: the facts of the evaluation. Output: HTML, from `report.html.j2`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import objectives
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from specification import Specification


def render(facts: dict[str, Any], specification: Specification) -> str:
    """Values are escaped: names and categories come from the data."""
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            **facts,
            pictures=_pictures(facts, specification),
            model=specification.model,
            dataset=specification.dataset,
            predicts=objectives.in_words(specification.dataset),
            preparation=specification.preparation,
        )
    )


def environment() -> Environment:
    """Of the templates beside this file."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.filters["figure"] = _figure
    return found


def _pictures(facts: dict[str, Any], specification: Specification) -> dict[str, str]:
    from evaluation import charts  # draws with matplotlib, which takes a second to import

    metric, value = facts["gate"]["metric"], facts["gate"]["value"]
    curves = facts["curves"]
    pictures: dict[str, str] = {}
    if specification.problem == "regression":
        pictures |= charts.regression(curves["target"], curves["predicted"], specification.target)
    elif specification.problem == "binary":
        pictures |= charts.binary(curves)
    if "confusion_matrix" in curves:
        pictures["confusion"] = charts.confusion(curves["confusion_matrix"])
    pictures["attributions"] = charts.attributions(facts["attributions"])
    if len(facts["learning_curve"]) > 1:
        pictures["learning_curve"] = charts.learning_curve(facts["learning_curve"], metric)
    pictures["robustness"] = charts.robustness(facts["robustness"], metric, value)
    return pictures


def _figure(value: float | None) -> str:
    """Four significant digits, or a dash where a value is undefined."""
    return "–" if value is None else f"{value:.4g}"
