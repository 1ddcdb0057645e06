"""Claims about drafts: whatever the shape of a table, the draft is a model's file that its own data keep; the unreadable is one line."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from build_scripts import describe_data, upload_data
from build_scripts.command_line import run
from build_scripts.drafting import sample
from build_scripts.step_modules import load
from settings_schema import Model, Problem
from settings_schema.reading import model_of
from tests.example_models import ENVIRONMENTS
from tests.unit.script_account import set_values

pytestmark = pytest.mark.thorough  # small models are fitted, and ruff is started

ROWS = 120


@pytest.fixture(autouse=True)
def values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_values(monkeypatch)
    monkeypatch.chdir(tmp_path)


def table(**columns: Sequence[object]) -> dict[str, list[object]]:
    """`size` and `price`, which goes by it, and whatever else a test is about."""
    draw = random.Random(5)
    size = [round(draw.uniform(1, 90), 2) for _ in range(ROWS)]
    price = [round(3 * one + draw.gauss(0, 20), 2) for one in size]
    return {"size": size, **{name: list(cells) for name, cells in columns.items()}, "price": price}


def text(columns: dict[str, list[object]], sign: str = ",", decimal: str = ".") -> str:
    rows = [
        [f"{cell}".replace(".", decimal) if isinstance(cell, float) else str(cell) for cell in row]
        for row in zip(*columns.values(), strict=True)
    ]
    return "\n".join(sign.join(row) for row in [list(columns), *rows]) + "\n"


def drafted(content: str | bytes, *options: str, name: str = "stones.csv") -> Model:
    """The model of the draft, which its data keep: the check at upload says so."""
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return of_file(name, *options)


def of_file(name: str, *options: str) -> Model:
    assert run(describe_data.main, [name, "--output", "stones.py", *options]) == 0
    model = model_of(Path("stones.py").resolve(), ENVIRONMENTS, {})
    copy = Path("out/described") / f"{Path(name).name.split('.')[0]}.csv"
    assert upload_data.check(copy if copy.exists() else Path(name), model)[0] == ROWS
    return model


def said() -> str:
    """The draft in one line, its comments among it."""
    return " ".join(Path("stones.py").read_text().replace("#", "").split())


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(describe_data.main, [*arguments]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def cycled(*values: object) -> list[object]:
    return [values[row % len(values)] for row in range(ROWS)]


def test_a_plain_table_is_numbers_with_room_and_a_target() -> None:
    data = drafted(text(table(kind=cycled("ring", "brooch", "chain"))), "--target", "price").data
    assert (data.problem, data.target, data.metric) == (Problem.REGRESSION, "price", "rmse")
    (size,) = data.numeric
    assert (size.name, size.minimum) == ("size", 0)
    assert size.maximum is not None and 100 < size.maximum < 200
    assert [(column.name, column.values) for column in data.categorical] == [("kind", ("brooch", "chain", "ring"))]
    assert 20 <= data.threshold <= 80  # the noise is 20, the spread of the prices some 80
    assert not Path("out").exists()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("sign", [";", "\t"])
def test_other_delimiters_encodings_and_decimal_commas_are_written_anew(encoding: str, sign: str) -> None:
    columns = table(größe=cycled("groß", "klein"))
    data = drafted(text(columns, sign, ",").encode(encoding), "--target", "price").data
    assert [column.name for column in data.numeric] == ["size"]
    assert [column.values for column in data.categorical] == [("groß", "klein")]
    assert Path("out/described/stones.csv").read_text(encoding="utf-8") == text(columns)


def test_numbers_with_thousands_and_signs_for_missing_are_written_anew() -> None:
    big = [f'"{1000 + 37 * row:,}"' for row in range(ROWS)]
    gaps = ["-" if row % 9 == 0 else row % 7 + 0.5 for row in range(ROWS)]
    data = drafted(text(table(big=big, gaps=gaps)), "--target", "price").data
    assert [column.name for column in data.numeric] == ["size", "big", "gaps"]
    assert data.numeric[1].maximum is not None and data.numeric[1].maximum > 5000
    assert "1,037" not in Path("out/described/stones.csv").read_text()


def test_beside_decimal_commas_a_point_is_between_thousands() -> None:
    points = [f"{1 + row % 9}.{100 + row}" for row in range(ROWS)]
    data = drafted(text(table(points=points), ";", ","), "--target", "price").data
    assert {column.name: (column.minimum or 0) < 9000 < (column.maximum or 0) for column in data.numeric}["points"]


def test_truth_values_are_categories_in_every_spelling() -> None:
    columns = table(
        a=cycled("yes", "no"), b=cycled("TRUE", "FALSE", "TRUE"), c=cycled(0, 1, 1, 1), d=cycled("1.0", "0.0", "0.0", "1.0", "0.0")
    )
    data = drafted(text(columns), "--target", "price").data
    assert {column.name: column.values for column in data.categorical} == {
        "a": ("no", "yes"),
        "b": ("false", "true"),
        "c": ("0", "1"),
        "d": ("0", "1"),
    }


def test_what_says_nothing_is_ignored_with_its_reason() -> None:
    columns = table(
        empty=[""] * ROWS,
        same=["x"] * ROWS,
        day=[f"2024-01-{1 + row % 28:02d}" for row in range(ROWS)],
        note=[f"a note of my own number {row}" for row in range(ROWS)],
        kind=cycled("ring", "brooch", "chain"),
        code=cycled(3, 1, 2),
    )
    columns = {"": list(range(ROWS)), **columns}
    data = drafted(text(columns), "--target", "price").data
    assert data.ignore == ("", "empty", "same", "day", "note", "code")
    draft = said()
    for reason in ("an index is no knowledge", "every value is missing", "every row is 'x'", "dates such as '2024-01-01'", "free text"):
        assert reason in draft
    assert "says the same as 'kind'" in draft


def test_what_tells_the_answer_alone_or_makes_it_up_is_suspected() -> None:
    columns = table()
    late = [round(float(str(price)) ** 3 / 1000) for price in columns["price"]]
    part = [round(random.Random(row).uniform(0, 99), 2) for row in range(ROWS)]
    rest = [round(float(str(price)) - one, 2) for price, one in zip(columns["price"], part, strict=True)]
    data = drafted(text({**columns, "late": late, "part": part, "rest": rest}), "--target", "price").data
    assert (data.features, data.ignore) == (("size",), ("late", "part", "rest"))


def test_codes_with_leading_zeros_are_text_and_each_row_s_own_is_the_identifier() -> None:
    columns = table(shop=cycled("001", "02", "003", "7"), stone_id=[f"{7 * row:05d}" for row in range(ROWS)])
    data = drafted(text(columns), "--target", "price").data
    assert data.identifier == "stone_id"
    assert [(column.name, column.values) for column in data.categorical] == [("shop", ("001", "003", "02", "7"))]


def test_quoted_line_breaks_and_names_that_are_no_identifiers() -> None:
    notes = [f'"line one,\nline two of ""{row % 30}"""' for row in range(ROWS)]
    columns = {'Größe (mm) "x"': cycled("4", "5", "6.5"), "class": cycled("a'b", "c"), **table(), "the note": notes}
    header, _, rest = text(columns).partition("\n")
    quoted = ",".join('"' + name.replace('"', '""') + '"' for name in columns)
    data = drafted(f"{quoted}\n{rest}", "--target", "price").data
    assert header and data.ignore == ("the note",)
    assert data.features == ('Größe (mm) "x"', "size", "class")


def test_classes_get_a_positive_one_and_a_metric_that_fits_their_balance() -> None:
    rare = drafted(text(table(broken=["y" if row % 20 == 0 else "n" for row in range(ROWS)])), "--target", "broken").data
    assert (rare.problem, rare.positive_class, rare.metric) == (Problem.BINARY, "y", "average_precision")
    even = drafted(text(table(grade=cycled(0, 1, 2))), "--target", "grade", "--force").data
    assert (even.problem, even.metric) == (Problem.MULTICLASS, "accuracy")
    common = drafted(text(table(side=cycled("left", "right", "right"))), "--target", "side", "--force").data
    assert (common.positive_class, common.metric) == ("left", "auc")


def test_numbers_in_a_row_are_classes_unless_some_are_as_rare_as_in_a_count() -> None:
    counted = [0, 1, 1, 2, 0, 1, 2, 3] * (ROWS // 8 - 1) + [4] + [0] * 7
    data = drafted(text(table(visits=counted)), "--target", "visits").data
    assert data.problem is Problem.REGRESSION


def test_skewed_answers_are_judged_by_mae() -> None:
    columns = table()
    columns["price"] = [round(1.05 ** float(str(size)) * 9, 2) if row % 15 else 90_000 + row for row, size in enumerate(columns["size"])]
    assert drafted(text(columns), "--target", "price").data.metric == "mae"


def test_without_a_target_it_takes_the_likeliest_and_names_others(capsys: pytest.CaptureFixture[str]) -> None:
    data = drafted(text(table(weight=[row / 7 for row in range(ROWS)]))).data
    assert data.target == "price"
    assert "a guess: its name, the last column; --target names another" in said()
    assert "may be meant, too" in capsys.readouterr().out


def test_compressed_files_parquet_and_folders(tmp_path: Path) -> None:
    columns = table(kind=cycled("ring", "chain"), sold=cycled(True, False, False))
    packed = drafted(gzip.compress(text(columns).encode()), "--target", "price", name="stones.csv.gz").data
    shutil.rmtree("out")
    parquet.write_table(pa.table({**columns, "tags": [["a"]] * ROWS}), "stones.parquet")
    held = of_file("stones.parquet", "--target", "price", "--force").data
    assert held.but(ignore=()) == packed and held.ignore == ("tags",)
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, rows in (("a", slice(0, 60)), ("b", slice(60, ROWS))):
        (folder / f"{name}.csv").write_text(text({column: cells[rows] for column, cells in columns.items()}, ";"))
    assert run(describe_data.main, ["parts", "--target", "price", "--output", "stones.py", "--force"]) == 0
    assert sorted(file.name for file in Path("out/described/parts").iterdir()) == ["a.csv", "b.csv"]


def test_an_excel_workbook_is_its_first_sheet() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    columns = table(kind=cycled("ring", "chain"))
    book = openpyxl.Workbook()
    for row in [list(columns), *zip(*columns.values(), strict=True)]:
        book.active.append(row)
    book.save("stones.xlsx")
    assert of_file("stones.xlsx", "--target", "price").data.features == ("size", "kind")


def test_the_draft_is_as_the_project_writes_python(tmp_path: Path) -> None:
    """Long lists, long names and long reasons among it, or `make check` would stop at the person's first commit."""
    import subprocess
    import sys

    long = cycled(*(f"{'a long name of a kind ' * 1}{row:02d}" for row in range(12)))
    drafted(text(table(**{"k" * 70: long, "stone no": list(range(7, 7 + ROWS)), "other": cycled("x", "y")})), "--target", "price")
    ruff = [sys.executable, "-m", "ruff"]
    options = ["--config", str(Path(__file__).resolve().parents[2] / "pyproject.toml"), "stones.py"]
    for command in (["format", "--diff"], ["check"]):
        told = subprocess.run([*ruff, *command, *options], capture_output=True, text=True, cwd=tmp_path)
        assert told.returncode == 0, told.stdout + told.stderr


def test_of_a_large_file_a_fixed_sample_is_looked_at_and_all_rows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory holds neither: the table is columns on disk, and one value far out in the middle is inside of the range."""
    monkeypatch.setattr(load("table"), "MOST_BYTES_IN_MEMORY", 100)
    monkeypatch.setattr(sample, "MOST_ROWS", 100)
    rows = table(kind=cycled("ring", "chain"))
    rows["size"][61], rows["kind"][61], rows["kind"][62] = 500, "brooch", "brooch"
    data = drafted(text(rows), "--target", "price").data
    assert data.numeric[0].maximum is not None and data.numeric[0].maximum > 500
    assert data.categorical[0].values == ("brooch", "chain", "ring")
    assert "100 evenly spaced rows of 120" in said()


def test_a_truth_value_is_the_same_to_training_and_to_a_request() -> None:
    """Whatever spells it: JSON's own, Python's and a spreadsheet's text."""
    cells = load("cells")
    for declared, spellings in (("true", (True, "true", "True", " TRUE")), ("1", (1, 1.0, "1", "1.0")), ("yes", ("yes", "yes "))):
        assert {cells.category(json.loads(json.dumps(one))) for one in spellings} == {declared}


# ------------------------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (text({**table(), "a": [1] * ROWS}).replace("price,a", "price,price"), (), "column 'price' appears twice; rename one"),
        (text(table(), ";").replace("size;price", "size;size"), (), "column 'size' appears twice; rename one"),
        (text(table()), ("--target", "cost"), "--target is 'cost'; allowed: a column of the file, of which these look like one: 'price'"),
        (text({**table(), "price": ["", *table()["price"][1:]]}), ("--target", "price"), "the target is missing; remove these rows"),
        (text({**table(), "size": ["big", *table()["size"][1:]]}), ("--target", "price"), "values such as 'big' are not numbers"),
        (text({"size": table()["size"][:4], "price": table()["price"][:4]}), ("--target", "price"), "the table has 4 rows"),
        (text(table(day=["2024-01-02"] * ROWS)), ("--target", "day"), "--target is 'day', which holds dates; allowed: numbers, or classes"),
        ('{"size": 1, "price": 2}\n', (), "but JSON"),
        ("size,price\n", (), "no row"),
        (text({"a": [1] * ROWS, "b": [2] * ROWS}), (), "no column looks like something to predict; name it with --target"),
        (text(table(note=['"open'] + ["x"] * (ROWS - 1)), ";"), (), "opens a double quote that nothing closes"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_leaves_nothing(
    content: str, options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("stones.csv").write_text(content)
    assert words in complaint(capsys, "stones.csv", "--output", "stones.py", *options)
    assert sorted(file.name for file in Path().iterdir()) == ["stones.csv"]


def test_a_file_that_is_there_stays_unless_it_is_forced(capsys: pytest.CaptureFixture[str]) -> None:
    Path("stones.csv").write_text(text(table(), ";", ","))
    Path("stones.py").write_text("mine")
    arguments = ["stones.csv", "--target", "price", "--output", "stones.py"]
    assert complaint(capsys, *arguments) == "error: stones.py is there; add --force to write it anew, or give another --name"
    assert Path("stones.py").read_text() == "mine"
    assert run(describe_data.main, [*arguments, "--force"]) == 0
    Path("stones.py").unlink()
    assert "out/described/stones.csv is there" in complaint(capsys, *arguments)
    assert not Path("stones.py").exists()


def test_what_a_file_cannot_be_called_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("stones.csv").write_text(text(table()))
    assert "the file's name is 'Stones'" in complaint(capsys, "stones.csv", "--target", "price", "--output", "Stones.py")
    assert "allowed: a file of models/ that ends with .py" in complaint(capsys, "stones.csv", "--output", "stones.txt")
    assert "nothing.csv is neither a file nor a folder" in complaint(capsys, "nothing.csv", "--output", "stones.py")


@pytest.mark.parametrize(
    ("file", "name"),
    [("Diamonds 2024.csv.gz", "diamonds_2024"), ("2024-sales.parquet", "sales"), ("x" * 30 + ".csv", "x" * 20), ("_.csv", "model")],
)
def test_a_model_is_called_as_its_data(file: str, name: str) -> None:
    assert describe_data.name_of(Path(file)) == name
