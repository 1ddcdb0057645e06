"""Tables as people have them: what a client builds and reads, and what the serving code takes and answers, mean the same.

The whole way in one process: a file, its version, the version's contract and golden rows, a request in both content types, the answer.
"""

from __future__ import annotations

import csv
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import choose
import evaluate
import inference
import numpy as np
import prepare
import pytest
import served
import train

from build_scripts import golden, invocation, version_contract
from build_scripts.registry import Version
from build_scripts.version_contract import Contract
from deploy_scripts import checks
from settings_schema import Categorical, DataSet, Numeric, Problem
from tests.steps.small_data import write_specification

pytestmark = pytest.mark.thorough  # a journey for each table

ROWS = 240
Columns = dict[str, list[Any]]


def odd_names() -> tuple[DataSet, Columns]:
    """Commas, quotes and other alphabets in the names of columns, categories and classes; a line break in a category; gaps."""
    generator = np.random.default_rng(11)
    kind = generator.integers(0, 3, ROWS)
    size = (kind + generator.normal(0, 0.4, ROWS)).round(3)
    gaps = generator.random(ROWS) < 0.3
    places = ['Bogotá, "D.C."', "two\nlines", "Ås", "plain"]
    dataset = DataSet(
        problem=Problem.MULTICLASS,
        target='kind, "as told"',
        numeric=(Numeric(name="size, mm"), Numeric(name="größe")),
        categorical=(Categorical(name='place "now"'), Categorical(name="prediction")),
        metric="accuracy",
        threshold=0.3,
    )
    columns: Columns = {
        "size, mm": [None if gap else value for gap, value in zip(gaps, size.tolist(), strict=True)],
        "größe": (2 - kind + generator.normal(0, 0.4, ROWS)).round(3).tolist(),
        'place "now"': [places[index] for index in generator.integers(0, 4, ROWS)],
        "prediction": [None if index == 2 else ["a", "b"][index] for index in generator.integers(0, 3, ROWS)],
        'kind, "as told"': [["small, grey", 'the "big" one', "ñandú"][index] for index in kind],
    }
    return dataset, columns


def only_categories() -> tuple[DataSet, Columns]:
    generator = np.random.default_rng(12)
    colour, shape = generator.integers(0, 3, ROWS), generator.integers(0, 2, ROWS)
    granted = (colour + 2 * shape + generator.normal(0, 1, ROWS)) > 2
    dataset = DataSet(
        problem=Problem.BINARY,
        target="granted",
        positive_class="yes, of course",
        identifier="id",
        numeric=(),
        categorical=(Categorical(name="colour"), Categorical(name="shape")),
        metric="auc",
        threshold=0.5,
    )
    columns: Columns = {
        "id": list(range(ROWS)),
        "colour": [["red", "green", None][index] for index in colour],
        "shape": [["round", "flat, thin"][index] for index in shape],
        "granted": [["no", "yes, of course"][int(value)] for value in granted],
    }
    return dataset, columns


def one_column() -> tuple[DataSet, Columns]:
    """A gap in it is a request whose only cell is empty."""
    generator = np.random.default_rng(13)
    size = generator.normal(10, 3, ROWS).round(2)
    gaps = generator.random(ROWS) < 0.3
    dataset = DataSet(
        problem=Problem.REGRESSION,
        target="weight",
        identifier="id",
        numeric=(Numeric(name="size"),),
        metric="rmse",
        threshold=100.0,
    )
    cells = [None if gap else value for gap, value in zip(gaps, size.tolist(), strict=True)]
    return dataset, {"id": list(range(ROWS)), "size": cells, "weight": (3 * size + generator.normal(0, 1, ROWS)).round(3).tolist()}


TABLES = {"odd names": odd_names, "only categories": only_categories, "one column": one_column}


class Objects:
    """S3, as far as a version is read from it."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files

    def get_object(self, **request: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self._files[request["Key"]].read_bytes())}


@dataclass(frozen=True)
class Registered:
    dataset: DataSet
    contract: Contract
    known: golden.Golden
    model: served.Served

    def answer(self, body: bytes, content_type: str) -> bytes:
        """As the container makes it."""
        predicted = inference.predict_fn(inference.input_fn(body, content_type), self.model)
        return inference.output_fn(predicted, invocation.accepted_for(content_type))[0].encode()


@pytest.fixture(scope="module", params=list(TABLES))
def registered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    dataset, columns = TABLES[request.param]()
    folder = tmp_path_factory.mktemp("table")
    specification = str(write_specification(folder / "specification.json", dataset))
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([list(columns), *zip(*columns.values(), strict=True)])

    def at(name: str) -> str:
        return str(folder / name)

    prepare.main(["--data", at("table.csv"), "--output", at("."), "--specification", specification])
    trial = ["--algorithm", "linear", "--lambda", "1.0", "--model-dir", at("trial")]
    train.main([*trial, "--train", at("train"), "--validation", at("validation")])
    candidate = folder / "candidates" / "candidate-linear"
    candidate.mkdir(parents=True)
    with tarfile.open(candidate / "model.tar.gz", "w:gz") as packed:
        packed.add(folder / "trial", arcname=".")
    choose.main(
        [
            "--candidates",
            at("candidates"),
            *("--train", at("train"), "--validation", at("validation")),
            "--preparation",
            at("preparation"),
            "--output",
            at("."),
            "--specification",
            specification,
        ]
    )
    inputs = [text for name in ("model", "choice", "train", "validation", "test", "preparation") for text in (f"--{name}", at(name))]
    evaluate.main([*inputs, "--output", at("evaluation"), "--specification", specification])

    objects = Objects({name: folder / "evaluation" / name for name in ("contract.json", "golden.csv")})
    version = Version("arn:1", 1, "Approved", facts={"contract-url": "s3://b/contract.json", "golden-url": "s3://b/golden.csv"})
    contract = version_contract.read(objects, version)
    with tarfile.open(folder / "model" / "model.tar.gz") as packed:
        packed.extractall(folder / "served", filter="data")
    return Registered(dataset, contract, golden.read(objects, version, contract), served.load(folder / "served"))


def test_a_version_says_itself_what_it_takes(registered: Registered) -> None:
    dataset, contract = registered.dataset, registered.contract
    assert (contract.features, contract.target, contract.problem) == (dataset.features, dataset.target, dataset.problem)
    assert (contract.metric, contract.positive_class) == (dataset.metric, dataset.positive_class)
    assert len(contract.numeric) == len(dataset.numeric)


def test_the_golden_rows_hold_what_makes_the_table_odd(registered: Registered) -> None:
    """Or the claims below could not fail."""
    cells = {cell for row in registered.known.rows for cell in row}
    assert "" in cells
    if registered.dataset == odd_names()[0]:
        assert {"two\nlines", 'Bogotá, "D.C."'} <= cells
        assert {"small, grey", 'the "big" one'} <= set(registered.known.expected)


@pytest.mark.parametrize("content_type", invocation.KINDS)
def test_every_golden_row_is_answered_as_it_was_evaluated(registered: Registered, content_type: str) -> None:
    contract, known = registered.contract, registered.known
    answer = registered.answer(invocation.body(known.rows, content_type, contract), content_type)
    together = invocation.read_answer(answer, len(known.rows), contract, invocation.accepted_for(content_type))
    assert "answers equal the evaluation's" in checks.as_evaluated(content_type, together, known)
    assert registered.dataset.metric in checks.metric(known, together, contract)


def test_one_row_alone_is_answered_as_among_others(registered: Registered) -> None:
    contract, known = registered.contract, registered.known
    for row, expected in zip(known.rows[:20], known.expected[:20], strict=True):
        alone = invocation.read_answer(registered.answer(invocation.csv_body([row]), invocation.CSV), 1, contract)
        one = golden.Golden([row], [expected], [expected])
        assert checks.as_evaluated(invocation.CSV, alone, one)
