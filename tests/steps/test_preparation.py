"""No row is prepared differently in training and in serving, and what is fitted comes from training rows only."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import dataset as datasets
import features
import fitting
import inference
import numpy as np
import prepare
import pyarrow as pa
import pytest
import served
import specification
import table as tables
from failure import BadInput
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from settings_schema import Categorical, DataSet, Facet, Numeric, Problem, Split
from tests.steps.small_data import HOUSES, LOANS, as_json, houses, loans, write_csv, write_specification

NUMBERS = st.one_of(st.none(), st.floats(-1e12, 1e12, allow_nan=False), st.integers(-10, 10), st.just(-0.0), st.just(5e-324))
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(["Lima", "Quito", "nan", "NA", "", " Lima", '"', "a,b", "línea\n2", "1", "1.0"]),
    # Training and requests refuse U+FFFD; NUL and a lone carriage return are refused by pyarrow's reader.
    st.text(max_size=6).filter(lambda text: not {"\r", "\0", "\ufffd"} & set(text)),
)


def prepared(tmp_path: Path, columns: dict[str, Any], dataset: Any = HOUSES, **preparation: Any) -> Path:
    """Runs the step; the folder of its outputs."""
    write_csv(tmp_path / "data" / "table.csv", columns)
    settings_file = write_specification(tmp_path / "specification.json", dataset, **preparation)
    prepare.main(["--data", str(tmp_path / "data"), "--output", str(tmp_path / "out"), "--specification", str(settings_file)])
    return tmp_path / "out"


class NoModel:
    """Preparation is tested alone."""


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> served.Served:
    folder = tmp_path_factory.mktemp("version")
    columns = houses()
    columns["town"][3] = columns["area"][5] = None  # so that both indicators exist
    state = as_json(prepared(folder, columns) / "preparation" / "preparation.json")
    return served.Served(features.Preparer(state), NoModel(), {"classes": None}, {}, state)


def as_served(rows: list[list[Any]], version: served.Served) -> Any:
    """The way of a request: CSV text -> cells -> prepared matrix."""
    body = io.StringIO()
    csv.writer(body, lineterminator="\n").writerows(rows)
    return version.prepare(*inference.columns(inference.input_fn(body.getvalue(), "text/csv"), version))


def as_trained(rows: list[list[Any]], version: served.Served, folder: Path) -> Any:
    """The way of the training data: a CSV file -> pyarrow -> prepared matrix."""
    with (folder / "rows.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([version.features, *rows])
    table = tables.read(folder / "rows.csv")
    numeric = {name: tables.floats(table.columns[name]) for name in version.preparer.numeric}
    labels = [tables.labels(table.columns[name]) for name in version.preparer.categorical]
    return version.prepare(features.stack(numeric, version.preparer.numeric, table.rows), labels)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NUMBERS, NUMBERS, TEXTS, TEXTS).map(list), min_size=1, max_size=6))
def test_no_row_is_prepared_differently_in_training_and_serving(tmp_path: Path, version: served.Served, rows: list[list[Any]]) -> None:
    batch = as_trained(rows, version, tmp_path)
    together = as_served(rows, version)
    alone = np.concatenate([as_served([row], version) for row in rows])
    np.testing.assert_array_equal(batch.view(np.uint32), together.view(np.uint32))
    np.testing.assert_array_equal(batch.view(np.uint32), alone.view(np.uint32))


def test_json_and_csv_requests_are_prepared_alike(version: served.Served) -> None:
    row = [70.5, 3, "flat", None]
    cells = [[70.5, 3, "flat", None], {"area": 70.5, "rooms": 3, "kind": "flat"}]
    for instance in cells:
        request = inference.input_fn(json.dumps({"instances": [instance]}), "application/json")
        np.testing.assert_array_equal(version.prepare(*inference.columns(request, version)), as_served([row], version))


def test_an_unseen_category_shares_the_column_of_rare_ones(version: served.Served) -> None:
    matrix = as_served([[70, 3, "flat", "Atlantis"]], version)[0]
    assert matrix[version.preparer.outputs.index("town=<other>")] == 1
    assert sum(matrix[index] for index, name in enumerate(version.preparer.outputs) if name.startswith("town=")) == 1


def test_an_unlisted_category_that_counts_as_other_does_so_in_training_and_in_a_request(tmp_path: Path) -> None:
    """Also where half of the training rows have it: it is no category of the version."""
    dataset = HOUSES.but(categorical=(Categorical(name="kind", values=("flat", "house"), unlisted="other"), Categorical(name="town")))
    castles = ["castle" if place % 2 else kind for place, kind in enumerate(houses()["kind"])]
    state = as_json(prepared(tmp_path, {**houses(), "kind": castles}, dataset) / "preparation" / "preparation.json")
    lenient = served.Served(features.Preparer(state), NoModel(), {"classes": None}, {}, state)
    assert [name for name in lenient.preparer.outputs if name.startswith("kind=")] == ["kind=flat", "kind=house", "kind=<other>"]
    for kind in ("castle", " castle", "hut"):
        assert as_served([[70, 3, kind, "Lima"]], lenient)[0][lenient.preparer.outputs.index("kind=<other>")] == 1
        assert lenient.allowed.first_outside(*inference.columns([["70", "3", kind, "Lima"]], lenient)) is None
    # A contract from before there was a choice is one that refuses.
    del state["dataset"]["categorical"][0]["unlisted"]
    before = served.Served(features.Preparer(state), NoModel(), {"classes": None}, {}, state)
    refused = before.allowed.first_outside(*inference.columns([["70", "3", "hut", "Lima"]], before))
    assert refused is not None and (refused.column, refused.cell) == ("kind", "'hut'")


def test_a_gap_is_filled_and_marked(version: served.Served) -> None:
    matrix = as_served([[None, 3, "flat", None]], version)[0]
    assert matrix[version.preparer.outputs.index("area=<missing>")] == 1
    assert matrix[version.preparer.outputs.index("town=<missing>")] == 1
    assert np.isfinite(matrix).all()


def test_the_state_is_readable_json_and_survives_it(version: served.Served, tmp_path: Path) -> None:
    state = as_json(prepared(tmp_path, houses()) / "preparation" / "preparation.json")
    again = features.Preparer(json.loads(json.dumps(state)))
    assert again.outputs == features.Preparer(state).outputs == state["outputs"]


def test_only_training_rows_are_fitted(tmp_path: Path) -> None:
    """Test rows that become extreme leave the fitted state as it was: the split depends on the identifier only."""
    dataset = HOUSES.but(identifier="id")
    columns = {**houses(), "id": [f"h{index}" for index in range(200)]}
    first = prepared(tmp_path / "first", columns, dataset)
    test_rows = set(parquet.read_table(first / "test" / "test.parquet")["id"].to_pylist())
    columns["area"] = [999.0 if identifier in test_rows else area for identifier, area in zip(columns["id"], columns["area"], strict=True)]
    second = prepared(tmp_path / "second", columns, dataset)
    assert (first / "preparation" / "preparation.json").read_bytes() == (second / "preparation" / "preparation.json").read_bytes()


def test_a_row_stays_on_its_side_as_data_grows(tmp_path: Path) -> None:
    columns = houses(400)
    small = prepared(tmp_path / "small", {name: values[:200] for name, values in columns.items()})
    large = prepared(tmp_path / "large", columns)
    before = parquet.read_table(small / "test" / "test.parquet").to_pylist()
    after = parquet.read_table(large / "test" / "test.parquet").to_pylist()
    assert all(row in after for row in before)
    first_half = [
        dict(zip(columns, [str(cell) for cell in row], strict=True))
        for row in zip(*(values[:200] for values in columns.values()), strict=True)
    ]
    assert [row for row in after if row in first_half] == before


def test_an_ignored_column_changes_nothing_that_is_learned_from(tmp_path: Path) -> None:
    """Whatever it holds, and wherever it stands; the test rows still have it, for a version before that may have learned of it."""
    noted = {"note": [f"note {row}" for row in range(200)], **houses()}
    plain, ignoring = prepared(tmp_path / "plain", houses()), prepared(tmp_path / "noted", noted, HOUSES.but(ignore=("note",)))
    for part in ("train", "validation"):
        shards = sorted(file.name for file in (plain / part).iterdir())
        assert shards == sorted(file.name for file in (ignoring / part).iterdir())
        assert all((plain / part / name).read_bytes() == (ignoring / part / name).read_bytes() for name in shards)
    assert "note" in parquet.read_schema(ignoring / "test" / "test.parquet").names


def test_csv_and_parquet_and_many_files_give_the_same_parts(tmp_path: Path) -> None:
    columns = houses()
    one = prepared(tmp_path / "one", columns)
    many = tmp_path / "many"
    (many / "data").mkdir(parents=True)
    for name, part in (("a", slice(0, 120)), ("b", slice(120, 200))):
        parquet.write_table(pa.table({column: values[part] for column, values in columns.items()}), many / "data" / f"{name}.parquet")
    settings_file = write_specification(many / "specification.json", HOUSES)
    prepare.main(["--data", str(many / "data"), "--output", str(many / "out"), "--specification", str(settings_file)])
    assert (one / "train" / "shard-00000.npz").read_bytes() == (many / "out" / "train" / "shard-00000.npz").read_bytes()


MEMBERS = DataSet(
    problem=Problem.BINARY,
    target="stayed",
    positive_class="True",
    identifier="id",
    numeric=(Numeric(name="fee"),),
    categorical=(Categorical(name="grade", values=("1.0", "2.0", "3.0")), Categorical(name="abroad")),
    facet=Facet(column="abroad", disadvantaged="True"),
    metric="auc",
    threshold=0.5,
)


def members() -> dict[str, list[Any]]:
    generator = np.random.default_rng(6)
    columns: dict[str, list[Any]] = {"id": list(range(300)), "fee": (generator.integers(0, 80, 300) / 8).tolist()}
    columns["grade"] = [None, *generator.integers(1, 4, 299).tolist()]
    columns["abroad"] = generator.choice([True, False], 300).tolist()
    columns["stayed"] = generator.choice([True, False], 300).tolist()
    return columns


def test_one_table_is_prepared_alike_however_it_is_written(tmp_path: Path) -> None:
    """Identifiers, categories, classes, the split and the baseline of the monitoring: as pandas, a person and Parquet write them."""
    columns = members()
    pandas = {**columns, "grade": [None if cell is None else f"{cell}.0" for cell in columns["grade"]]}
    person = {name: [None if cell is None else f" {str(cell).lower()} " for cell in cells] for name, cells in columns.items()}
    person["id"] = [f"{cell}.0" for cell in columns["id"]]
    types = {"id": pa.decimal128(12, 2), "fee": pa.float32(), "grade": pa.float32()}
    packed = {name: pa.array(cells, types.get(name)) for name, cells in columns.items()}
    packed["stayed"] = pa.array([str(cell) for cell in columns["stayed"]]).dictionary_encode()
    (tmp_path / "packed" / "data").mkdir(parents=True)
    parquet.write_table(pa.table(packed), tmp_path / "packed" / "data" / "table.parquet")
    specified = write_specification(tmp_path / "packed" / "specification.json", MEMBERS)
    arguments = ["--data", str(tmp_path / "packed" / "data"), "--output", str(tmp_path / "packed" / "out")]
    prepare.main([*arguments, "--specification", str(specified)])
    outputs = [
        tmp_path / "packed" / "out",
        prepared(tmp_path / "pandas", pandas, MEMBERS),
        prepared(tmp_path / "person", person, MEMBERS),
    ]
    for name in (
        "train/shard-00000.npz",
        "validation/shard-00000.npz",
        "preparation/preparation.json",
        "preparation/statistics.json",
    ):
        assert len({(output / name).read_bytes() for output in outputs}) == 1, name
    state, described = (as_json(outputs[0] / "preparation" / f"{name}.json") for name in ("preparation", "statistics"))
    assert state["classes"] == ["false", "true"]
    assert [column["categories"] for column in state["categorical"]] == [["1", "2", "3"], ["false", "true"]]
    buckets = {
        feature["name"]: feature["string_statistics"]["distribution"]["categorical"]["buckets"] for feature in described["features"][1:]
    }
    assert {bucket["value"] for bucket in buckets["grade"]} == {"1", "2", "3"}


def test_equal_rows_that_cannot_be_split_are_named(tmp_path: Path) -> None:
    columns = {name: [*cells[:2]] * 100 for name, cells in houses().items()}
    with pytest.raises(BadInput, match=r"the table's 200 rows are only 2 different ones, and equal rows stay on one side; tell them apart"):
        prepared(tmp_path / "two", columns)
    columns = {name: [*cells[:300], *[cells[301]] * 100] for name, cells in loans().items()}
    columns["granted"] = ["no"] * 300 + ["yes"] * 100
    with pytest.raises(BadInput, match=r"class 'yes' does not occur in the (train|validation|test) split: its 100 rows are all equal"):
        prepared(tmp_path / "one", columns, LOANS)


WORDS = DataSet(
    problem=Problem.MULTICLASS,
    target="kind",
    numeric=(),
    categorical=(Categorical(name="colour"), Categorical(name="shape")),
    metric="accuracy",
    threshold=0.1,
)


def words(rows: int = 900) -> dict[str, list[Any]]:
    """Eleven different rows by their features; the rare class, one row in a hundred, has the features of one that is common."""
    generator = np.random.default_rng(21)
    place = generator.integers(0, 11, rows)
    kinds = ["apple" if index < 4 else "pear" if index < 8 else "plum" for index in place]
    kinds = ["quince" if row % 100 == 0 else kind for row, kind in enumerate(kinds)]
    place = [3 if kind == "quince" else index for kind, index in zip(kinds, place.tolist(), strict=True)]
    return {"colour": [f"c{index % 4}" for index in place], "shape": [f"s{index // 4}" for index in place], "kind": kinds}


@pytest.mark.parametrize("salt", ["1", "2", "3", "4"])
def test_a_table_of_few_different_rows_has_every_class_on_every_side_and_the_shares_that_settings_name(tmp_path: Path, salt: str) -> None:
    out = prepared(tmp_path, words(), WORDS, split=Split(salt=salt))
    classes = as_json(out / "preparation" / "preparation.json")["classes"]
    for part in ("train", "validation"):
        assert set(datasets.load(out / part)[0].target) == set(range(len(classes)))
    test = parquet.read_table(out / "test" / "test.parquet")
    assert set(test["kind"].to_pylist()) == set(classes) == {"apple", "pear", "plum", "quince"}
    assert test.num_rows == pytest.approx(0.15 * 900, rel=0.1)
    said = as_json(out / "preparation" / "lineage.json")["warnings"]
    assert any("the 900 rows are only 11 different ones by their features, so equal rows count as observations" in line for line in said)


def test_rows_of_a_table_of_few_different_rows_stay_on_their_side_as_it_grows_in_whatever_order(tmp_path: Path) -> None:
    columns = words()
    small = prepared(tmp_path / "small", {name: cells[:500] for name, cells in columns.items()}, WORDS)
    large = prepared(tmp_path / "large", columns, WORDS)
    turned = prepared(tmp_path / "turned", {name: cells[::-1] for name, cells in columns.items()}, WORDS)

    def tests(out: Path) -> Counter[tuple[str, ...]]:
        return Counter(tuple(row.values()) for row in parquet.read_table(out / "test" / "test.parquet").to_pylist())

    assert tests(small) <= tests(large) == tests(turned)
    before, after = (Counter(zip(*(cells[:count] for cells in columns.values()), strict=True)) for count in (500, 900))
    gone = before - tests(small)
    assert gone <= after - tests(large)  # what trained or validated does not come to test


def test_a_regression_by_categories_alone_is_split_by_row_where_equal_rows_differ_in_the_answer(tmp_path: Path) -> None:
    dataset = WORDS.but(problem=Problem.REGRESSION, target="price", metric="rmse", threshold=10.0)
    columns = words()
    prices = np.random.default_rng(1).normal(10, 1, 900).round(3)
    out = prepared(tmp_path, {"colour": columns["colour"], "shape": columns["shape"], "price": prices.tolist()}, dataset)
    assert parquet.read_table(out / "test" / "test.parquet").num_rows == pytest.approx(0.15 * 900, rel=0.2)


def test_a_table_that_is_there_twice_is_still_split_by_content(tmp_path: Path) -> None:
    """The same file under two names: no row may train on one side and test on the other."""
    columns = {name: cells * 2 for name, cells in loans().items()}
    out = prepared(tmp_path, columns, LOANS)
    in_test = Counter(tuple(row.values()) for row in parquet.read_table(out / "test" / "test.parquet").to_pylist())
    assert in_test and all(count % 2 == 0 for count in in_test.values())


@pytest.mark.parametrize("rule", ["iqr", "quantile", "zscore"])
def test_outliers_are_clipped_and_a_mostly_constant_column_keeps_its_rare_values(rule: str) -> None:
    preparation = {
        "outlier_rule": rule,
        "outlier_factor": 1.5,
        "numeric_imputation": "median",
        "normalisation": "none",
        "missing_indicators": True,
    }
    values = np.r_[np.arange(100.0), 1e6]
    state = fitting.fit({"x": values}, {}, preparation).state
    assert features.Preparer(state).transform(np.array([[1e6]]), [])[0, 0] < 1e6
    rare = fitting.fit({"x": np.r_[np.zeros(95), np.ones(5)]}, {}, {**preparation, "outlier_rule": "iqr"}).state
    assert features.Preparer(rare).transform(np.array([[1.0]]), [])[0, 0] == 1.0


def test_dropping_outliers_drops_training_rows_only(tmp_path: Path) -> None:
    columns = houses()
    columns["area"][::10] = [990.0] * 20
    clipped = prepared(tmp_path / "clip", columns)
    dropped = prepared(tmp_path / "drop", columns, outlier_action="drop")
    assert len(datasets.load(dropped / "train")[0].target) < len(datasets.load(clipped / "train")[0].target)
    assert len(datasets.load(dropped / "validation")[0].target) == len(datasets.load(clipped / "validation")[0].target)


@pytest.mark.thorough  # scikit-learn takes seconds to import
@pytest.mark.parametrize("normalisation", ["standard", "minmax", "robust"])
def test_normalisation_matches_scikit_learn(normalisation: str) -> None:
    from sklearn import preprocessing

    values = np.random.default_rng(1).normal(5, 3, 500)
    preparation = {
        "outlier_rule": "none",
        "outlier_factor": 3.0,
        "numeric_imputation": "mean",
        "normalisation": normalisation,
        "missing_indicators": False,
    }
    matrix = features.Preparer(fitting.fit({"x": values}, {}, preparation).state).transform(values[:, None], [])
    scaler = {"standard": preprocessing.StandardScaler, "minmax": preprocessing.MinMaxScaler, "robust": preprocessing.RobustScaler}[
        normalisation
    ]()
    np.testing.assert_allclose(matrix[:, 0], scaler.fit_transform(values[:, None])[:, 0], rtol=1e-6, atol=1e-6)


def test_large_tables_are_prepared_in_chunks_without_a_seam() -> None:
    preparation = {
        "outlier_rule": "none",
        "outlier_factor": 3.0,
        "numeric_imputation": "mean",
        "normalisation": "standard",
        "missing_indicators": False,
    }
    values = np.random.default_rng(1).normal(size=features.CHUNK_ROWS + 10)
    preparer = features.Preparer(fitting.fit({"x": values}, {}, preparation).state)
    whole = preparer.transform(values[:, None], [])
    np.testing.assert_array_equal(whole[-20:], preparer.transform(values[-20:, None], []))


def test_rare_categories_share_one_column_where_they_stand_side_by_side(tmp_path: Path) -> None:
    side_by_side = HOUSES.but(categorical=(HOUSES.categorical[0], Categorical(name="town", encoding="one_hot")))
    state = as_json(prepared(tmp_path, houses(), side_by_side, max_categories=2) / "preparation" / "preparation.json")
    towns = next(column for column in state["categorical"] if column["name"] == "town")
    assert towns["categories"] == ["Lima", "Quito"]


@pytest.mark.thorough  # scikit-learn takes seconds to import
def test_selecting_features_keeps_the_informative_ones(tmp_path: Path) -> None:
    state = as_json(prepared(tmp_path, houses(), select_features=1) / "preparation" / "preparation.json")
    assert state["outputs"] == ["area"]


def test_weights_balance_classes_and_reweigh_the_facet(tmp_path: Path) -> None:
    out = prepared(tmp_path, loans(), LOANS, reweigh_facet=True)
    train, about = datasets.load(out / "train")
    weight, target = train.weight, train.target
    in_a = train.features[:, about["columns"].index("group=a")] == 1
    shares = [np.average(target[mask], weights=weight[mask]) for mask in (in_a, ~in_a)]
    assert shares[0] == pytest.approx(shares[1])
    assert np.average(target[in_a]) > np.average(target[~in_a]) + 0.05
    assert weight.mean() == pytest.approx(1.0)
    balanced = prepared(tmp_path / "balanced", loans(), LOANS, balance_classes=True)
    train, _ = datasets.load(balanced / "train")
    weight, target = train.weight, train.target
    assert weight[target == 1].sum() == pytest.approx(weight[target == 0].sum())


def test_weights_are_refused_for_a_regression(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="need classes"):
        prepared(tmp_path, houses(), balance_classes=True)


def test_too_few_rows_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="split has"):
        prepared(tmp_path, {name: values[:7] for name, values in houses().items()})
    assert not (tmp_path / "out").exists()


def test_the_specification_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is missing"):
        specification.load(tmp_path / "nowhere.json")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    with pytest.raises(BadInput, match="not a specification"):
        specification.load(tmp_path / "broken.json")
