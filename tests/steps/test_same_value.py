"""The same rows get the same prediction, bit for bit, in every form in which a client, a batch or a training file can hold them."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import features
import inference
import numpy as np
import prepare
import pyarrow as pa
import pytest
import served
import table as tables
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyarrow import parquet

from build_scripts import batch_rows
from build_scripts.version_contract import from_preparation
from settings_schema import Categorical, DataSet, Numeric, Problem
from tests.steps.small_data import as_json, write_csv, write_specification

#: Floors and members are declared, as pandas writes them; regions, sizes and towns are not.
FLATS = DataSet(
    problem=Problem.REGRESSION,
    target="price",
    numeric=(Numeric(name="area", minimum=-1000, maximum=1000), Numeric(name="rooms")),
    categorical=(
        Categorical(name="region"),
        Categorical(name="size"),
        Categorical(name="town"),
        Categorical(name="floor", values=("0.0", "1.0", "2.0", "3.0", "4.0")),
        Categorical(name="member", values=("True", "False")),
    ),
    metric="rmse",
    threshold=1000.0,
)
TOWNS = ("Lima", "Bogotá", "São Paulo", "4ever", "a,b", 'say "x"')
Row = tuple[Any, ...]


class Weighed:
    """A model whose prediction changes with every prepared column."""

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        weights = np.sqrt(np.arange(2.0, matrix.shape[1] + 2.0))
        return np.asarray((matrix.astype(np.float64) * weights).sum(axis=1))


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> served.Served:
    """Trained on a file as pandas writes it: whole numbers with a gap as 4.0, truth values as True."""
    folder, generator = tmp_path_factory.mktemp("flats"), np.random.default_rng(8)
    count = 300
    columns = {
        "area": generator.integers(-80, 80, count) / 8,
        "rooms": generator.integers(0, 9, count),
        "region": [None, *(f"{value}.0" for value in generator.integers(0, 5, count - 1))],
        "size": generator.choice([0.5, 1.25, 4.0], count),
        "town": [f'"{town.replace(chr(34), chr(34) * 2)}"' for town in generator.choice(TOWNS[:5], count)],
        "floor": [f"{value}.0" for value in generator.integers(0, 5, count)],
        "member": generator.choice([True, False], count),
        "price": generator.normal(size=count),
    }
    write_csv(folder / "data" / "flats.csv", columns)
    specified = write_specification(folder / "specification.json", FLATS)
    prepare.main(["--data", str(folder / "data"), "--output", str(folder / "out"), "--specification", str(specified)])
    state = as_json(folder / "out" / "preparation" / "preparation.json")
    return served.Served(features.Preparer(state), Weighed(), {"classes": None}, {}, state)


ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-8000, 8000).map(lambda eighths: eighths / 8),
        st.none() | st.integers(0, 9),
        st.none() | st.integers(-1, 6),
        st.none() | st.sampled_from([0.5, 1.25, 4.0, 1e16, 0.0078125]),
        st.none() | st.sampled_from(TOWNS),
        st.none() | st.integers(0, 4),
        st.none() | st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


def texts_of(value: Any) -> list[str]:
    """How programs and people write a value in CSV."""
    if value is None:
        return ["", "NA", "nan", "None", " ", "<NA>"]
    if isinstance(value, bool):
        return [str(value), str(value).lower(), str(value).upper(), f" {value}"]
    if isinstance(value, int | float):
        texts = [repr(value), repr(float(value)), f" {value}\u00a0", f"{value:.17e}", f"{float(value):.10f}"]
        return [*texts, str(int(value))] if value == int(value) else texts
    return [value, f"{value} ", f"\ufeff{value}", unicodedata.normalize("NFD", value)]


def json_of(value: Any) -> list[Any]:
    """How a value comes in JSON: as itself, as another number, or as text."""
    other = [float(value)] if isinstance(value, int) and not isinstance(value, bool) else []
    return [value, *other, *texts_of(value)] if value is not None else [None, "", "NA", float("nan")]


def types_of(values: list[Any]) -> list[pa.DataType]:
    """Types of Parquet that hold the values of a column exactly."""
    present = [value for value in values if value is not None]
    texts = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
    if any(isinstance(value, str) for value in present):
        return texts
    if any(isinstance(value, bool) for value in present):
        return [pa.bool_(), *texts]
    numbers = [pa.float32(), pa.float64(), pa.decimal128(38, 8), pa.decimal256(60, 12), pa.dictionary(pa.int16(), pa.float32())]
    if any(isinstance(value, float) for value in present):
        return [*numbers, *texts]
    return [pa.int8(), pa.int64(), pa.float16(), *numbers, pa.decimal64(9, 2), *texts]


def as_column(values: list[Any], held: pa.DataType, written: Callable[[list[Any]], Any]) -> pa.Array:
    plain = held.value_type if pa.types.is_dictionary(held) else held
    if pa.types.is_string(plain) or pa.types.is_large_string(plain) or pa.types.is_string_view(plain):
        column = pa.array([None if value is None else written(texts_of(value)) for value in values], plain)
    elif pa.types.is_decimal(plain):
        column = pa.array([None if value is None else Decimal(value) for value in values], plain)
    elif pa.types.is_float16(plain):
        gaps = np.array([value is None for value in values])
        column = pa.array(np.array([0 if value is None else value for value in values], np.float16), mask=gaps)
    else:
        column = pa.array(values, plain)
    return column.dictionary_encode() if pa.types.is_dictionary(held) else column


def scored(body: str | bytes, kind: str, version: served.Served) -> list[str]:
    """Predictions with every bit."""
    answer = inference.predict_fn(inference.input_fn(body, kind), version)
    return [float(score).hex() for score in answer["score"]]


def csv_text(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def learned(path: Path, version: served.Served) -> list[str]:
    """What the rows of a training file are to the model."""
    table = tables.read(path)
    numeric = features.stack({name: table.numbers(name) for name in version.preparer.numeric}, version.preparer.numeric, table.rows)
    return [float(score).hex() for score in version.predict(numeric, [table.categories(name) for name in version.preparer.categorical])]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.data())
def test_the_same_rows_are_the_same_prediction_in_every_form(
    tmp_path: Path, version: served.Served, rows: list[Row], data: st.DataObject
) -> None:
    def written(choices: list[Any]) -> Any:
        return data.draw(st.sampled_from(choices))

    names = version.features
    expected = scored(json.dumps(rows), "application/json", version)

    lists = [[written(json_of(value)) for value in row] for row in rows]
    assert scored(json.dumps({"instances": lists}), "application/json", version) == expected
    objects = [{name: cell for name, cell in zip(names, row, strict=True) if cell is not None} for row in lists]
    assert scored(json.dumps(objects), "application/json", version) == expected
    assert scored("\n".join(map(json.dumps, written([lists, objects]))), "application/jsonlines", version) == expected
    shuffled = data.draw(st.permutations(range(len(names))))
    frame = {"columns": [names[place] for place in shuffled], "data": [[row[place] for place in shuffled] for row in lists]}
    by_column = {name: [row[place] for row in lists] for place, name in enumerate(names)}
    document = written([frame, {"dataframe_split": frame}, {"dataframe_records": objects}, {"inputs": by_column}, {"inputs": lists}])
    assert scored(json.dumps(document), "application/json", version) == expected

    cells = [[written(texts_of(value)) for value in row] for row in rows]
    assert scored(csv_text(cells), "text/csv", version) == expected

    (tmp_path / "rows.csv").write_text(csv_text([names, *cells]), encoding="utf-8")
    columns = list(zip(*rows, strict=True))
    held = [as_column(list(values), written(types_of(list(values))), written) for values in columns]
    parquet.write_table(pa.table(dict(zip(names, held, strict=True))), tmp_path / "rows.parquet")
    for name in ("rows.csv", "rows.parquet"):
        assert learned(tmp_path / name, version) == expected
        contract = from_preparation({"model": "flats", "dataset": version.dataset, "classes": None})
        batch = batch_rows.request(batch_rows.read(tmp_path / name, contract), contract)
        assert scored(batch, "text/csv", version) == expected


def test_spellings_of_different_values_stay_different(version: served.Served) -> None:
    row = [1.0, 2, 3, 0.5, "Lima", 1, True]
    others = [[*row[:place], other, *row[place + 1 :]] for place, other in enumerate([1.5, 3, 4, 1.25, "Bogotá", 2, False])]
    assert len(set(scored(json.dumps([row, *others]), "application/json", version))) == 1 + len(others)


def test_what_was_learned_from_pandas_text_is_known_to_a_json_client(version: served.Served) -> None:
    matrix = version.prepare(*inference.columns([[0, 0, 4, 4, "Lima", 4, True]], version))[0]
    for known in ("region=4", "size=4", "town=Lima", "floor=4", "member=true"):
        assert matrix[version.preparer.outputs.index(known)] == 1, known
