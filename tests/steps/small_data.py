"""Small hand-made tables and specifications for the tests of the steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.tabular.specification import specification_json
from settings_schema import Categorical, DataSet, Facet, Numeric, Preparation, Problem
from tests import example_models
from tests.example_models import model_of

ABALONE, ARRESTS = example_models.ABALONE.data, example_models.ARRESTS.data

#: Predict `price`; `kind` and `town` are categories.
HOUSES = DataSet(
    problem=Problem.REGRESSION,
    target="price",
    numeric=(Numeric(name="area", minimum=0, maximum=1000), Numeric(name="rooms", minimum=1)),
    categorical=(Categorical(name="kind", values=("flat", "house")), Categorical(name="town")),
    metric="rmse",
    threshold=1000.0,
)
LOANS = DataSet(
    problem=Problem.BINARY,
    target="granted",
    positive_class="yes",
    numeric=(Numeric(name="income"),),
    categorical=(Categorical(name="group", values=("a", "b")),),
    facet=Facet(column="group", disadvantaged="b"),
    metric="auc",
    threshold=0.5,
)
#: Predict `ill`, one in four: nearly everyone whose `pain` is above a point, hardly anyone else. All that can be ranked is
#: ranked by one tree, so the AUC is at its best when the probabilities have hardly moved from one in four.
PATIENTS = DataSet(
    problem=Problem.BINARY,
    target="ill",
    positive_class="yes",
    numeric=(Numeric(name="pain", minimum=0, maximum=1), Numeric(name="age")),
    metric="auc",
    threshold=0.7,
)
SPECIES = DataSet(
    problem=Problem.MULTICLASS,
    target="species",
    numeric=(Numeric(name="width"), Numeric(name="height")),
    metric="accuracy",
    threshold=0.5,
)


def houses(rows: int = 200, seed: int = 3) -> dict[str, list[Any]]:
    generator = np.random.default_rng(seed)
    area = generator.uniform(20, 200, rows).round(1)
    rooms = generator.integers(1, 8, rows)
    price = (3 * area + 20 * rooms + generator.normal(0, 30, rows)).round(2)
    kinds = generator.choice(["flat", "house"], rows)
    towns = generator.choice(["Lima", "Quito", "Cusco"], rows, p=[0.6, 0.3, 0.1])
    return {"area": area.tolist(), "rooms": rooms.tolist(), "kind": kinds.tolist(), "town": towns.tolist(), "price": price.tolist()}


def loans(rows: int = 400, seed: int = 4) -> dict[str, list[Any]]:
    generator = np.random.default_rng(seed)
    income = generator.normal(30, 10, rows).round(2)
    group = generator.choice(["a", "b"], rows)
    granted = np.where(income + 5 * (group == "a") + generator.normal(0, 8, rows) > 30, "yes", "no")
    return {"income": income.tolist(), "group": group.tolist(), "granted": granted.tolist()}


def patients(rows: int = 600, seed: int = 1) -> dict[str, list[Any]]:
    generator = np.random.default_rng(seed)
    pain = generator.random(rows).round(4)
    age = generator.normal(50, 9, rows).round(1)
    ill = generator.random(rows) < np.where(pain > 0.75, 0.85, 0.06)
    return {"pain": pain.tolist(), "age": age.tolist(), "ill": np.where(ill, "yes", "no").tolist()}


def species(rows: int = 300, seed: int = 5) -> dict[str, list[Any]]:
    generator = np.random.default_rng(seed)
    kind = generator.integers(0, 3, rows)
    width = (kind + generator.normal(0, 0.4, rows)).round(3)
    height = (2 - kind + generator.normal(0, 0.4, rows)).round(3)
    return {"width": width.tolist(), "height": height.tolist(), "species": [["ant", "bee", "fly"][index] for index in kind]}


def write_csv(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    lines = [
        ",".join(columns),
        *(",".join("" if cell is None else str(cell) for cell in row) for row in zip(*columns.values(), strict=True)),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_specification(path: Path, dataset: DataSet, **preparation: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(specification_json(model_of(dataset).but(preparation=Preparation(**preparation))), encoding="utf-8")
    return path


def as_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


__all__ = [
    "ABALONE",
    "ARRESTS",
    "HOUSES",
    "LOANS",
    "PATIENTS",
    "SPECIES",
    "as_json",
    "houses",
    "loans",
    "patients",
    "species",
    "write_csv",
    "write_specification",
]
