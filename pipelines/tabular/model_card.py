"""The model card: what Studio shows about a version, as JSON whose measured places SageMaker fills in when the step runs.

Input: the model, and variables of the pipeline. Output: a `Join` of JSON text and variables. Used by `registration.py`.

A text with variables is a `Text`, never a text with placeholders: names of columns and classes may be anything at all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.tabular.target import Target  # isort: skip - before every other import of the SDK

from sagemaker.core.workflow.functions import Join

from settings_schema import Model

#: Characters that a text may have, of the schema that the SDK ships (sagemaker.core.shapes.model_card_shapes).
LONGEST = 2048
#: Left for what is filled in: the warnings of the gate, cut in steps/evaluation/gate.py.
LONGEST_OWN = 400


class Text:
    """A text of pieces: literal ones, and variables whose values have neither quotes nor backslashes."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = pieces


@dataclass(frozen=True)
class Number:
    """A variable that is a number: the schema wants it without quotes."""

    variable: Any


def model_card(target: Target, model: Model, facts: Mapping[str, Any], measured: Callable[[str], Any]) -> Join:
    """`facts`: the version's metadata; `measured`: the variable for a place of evaluation.json.

    Schema: "Model package model card schema (Studio)" of the SageMaker guide.
    """
    dataset = model.data
    sensitive = (
        f"Groups of {dataset.facet.column} are compared for bias; see the report."
        if dataset.facet
        else "No sensitive attribute is declared."
    )
    made_of = Text(
        *("Algorithm ", facts["algorithm"], "; data sha256 ", facts["data-sha256"], "; code ", facts["code-hash"]),
        *("; fitted on rows ", facts["fitted-on"], "; commit ", facts["git-commit"], "."),
    )
    judged = ["Gate: ", dataset.metric, " against threshold ", facts["threshold"], ". Report: ", facts["report-url"], "."]
    if "decision-threshold" in facts:
        judged += [f" {_cut(str(dataset.positive_class), LONGEST_OWN)} is decided from a probability of ", facts["decision-threshold"]]
        judged += [f" on, fitted on validation rows for {dataset.decides_by}."]
    advice = "Compare with the version in production in the report before approving. Warnings of the gate: "
    metric = {"name": dataset.metric, "type": "number", "value": Number(facts["metric-value"])}
    card = {
        "model_overview": {"model_creator": target.names.project},
        "intended_uses": {
            "purpose_of_model": _cut(f"{model.name}: predict {dataset.target} ({dataset.problem})."),
            "intended_uses": _cut("Rows with the columns of the data contract: " + ", ".join(dataset.features)),
            "factors_affecting_model_efficiency": "Inputs outside the training ranges; see the drift baselines.",
            "risk_rating": "Unknown",
        },
        "training_details": {"training_observations": made_of},
        "evaluation_details": [
            {
                "name": "Held-out test rows",
                "evaluation_observation": Text(*judged),
                "metric_groups": [{"name": "quality", "metric_data": [metric]}],
            }
        ],
        "additional_information": {
            "ethical_considerations": _cut(sensitive),
            "caveats_and_recommendations": Text(advice, measured("gate.caveats"), "."),
        },
    }
    return Join(on="", values=list(_joined(card)))


def _cut(text: str, longest: int = LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _joined(value: Any) -> Iterator[Any]:
    """The pieces of the JSON text, neighbouring literal ones put together."""
    literal = ""
    for piece in _pieces(value):
        if isinstance(piece, str):
            literal += piece
        else:
            yield from (literal, piece)
            literal = ""
    yield literal


def _pieces(value: Any) -> Iterator[Any]:
    if isinstance(value, Text):
        yield '"'
        for piece in value.pieces:
            yield json.dumps(piece)[1:-1] if isinstance(piece, str) else piece
        yield '"'
    elif isinstance(value, Number):
        yield value.variable
    elif isinstance(value, dict):
        for index, (name, item) in enumerate(value.items()):
            yield f"{', ' if index else '{'}{json.dumps(name)}: "
            yield from _pieces(item)
        yield "}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield ", " if index else "["
            yield from _pieces(item)
        yield "]"
    else:
        yield json.dumps(value)
