"""A file that is no table is called what it is, its lines are counted as an editor counts them, and the message says what to do."""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import table as tables
from failure import BadInput
from pyarrow import feather, parquet

HEADER = "island,sex,bill,mass\n"
ROW = "Dream,male,39.1,3750\n"


def refusal(folder: Path, name: str, content: bytes | str) -> str:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(BadInput) as refused:
        tables.read(file)
    message = str(refused.value)
    assert name in message
    assert "\n" not in message
    return message


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, "content")
    return packed.getvalue()


def zipped_table() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("table.csv", f"{HEADER}{ROW}")
    return stream.getvalue()


def of_pandas(write: str) -> bytes:
    """What a writer of pandas makes of the table."""
    import pandas

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "written"
        options = {"write_index": False, "version": 118} if write == "to_stata" else {}
        getattr(pandas.read_csv(io.StringIO(f"{HEADER}{ROW}")), write)(path, **options)
        return path.read_bytes()


def packed(write: object) -> bytes:
    stream = io.BytesIO()
    write(pa.table({"a": [1, 2]}), stream)  # type: ignore[operator]  # a writer of pyarrow, which has no types
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "what", "remedy"),
    [
        ("a.csv", zipped("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook", "save the sheet as 'CSV UTF-8'"),
        ("a.csv", b"PK\x03\x04 and no more", "an Excel workbook (.xlsx) or another zip archive", "CSV UTF-8"),
        ("a.parquet", zipped("xl/workbook.xml"), "an Excel workbook", "CSV UTF-8"),
        ("a.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40), "an old Excel workbook", "CSV UTF-8"),
        ("a.csv", zipped("mimetype", "content.xml"), "an OpenDocument file", "CSV"),
        ("a.csv", zipped("a.csv"), "a zip archive", "unpack it"),
        ("a.csv", gzip.compress(b"a,b\n1,2\n"), "compressed with gzip", "gunzip"),
        ("a.parquet", gzip.compress(b"a,b\n1,2\n"), "compressed with gzip", "gunzip"),
        ("a.csv", packed(parquet.write_table), "a Parquet file", "the ending .parquet"),
        ("a.parquet", b"a,b\n1,2\n", "text, such as CSV", "the ending .csv"),
        ("a.csv", packed(feather.write_feather), "an Arrow or Feather file", "write it as Parquet"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16"), "text in UTF-16", "save it as UTF-8"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16-le"), "text in UTF-16", "save it as UTF-8"),
        ("a.csv", "a,b\n1,2\n".encode("utf-32"), "text in UTF-32", "save it as UTF-8"),
        ("a.csv", "<!DOCTYPE html><html><title>Sign in</title>", "a web page", "download the file itself"),
        ("a.csv", '[{"a": 1}]', "JSON", "write it as CSV"),
        ("a.csv", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS", "git lfs pull"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n"), "neither .csv nor .parquet, but compressed with gzip", "gunzip"),
        ("a.xlsx", zipped("xl/workbook.xml"), "neither .csv nor .parquet, but an Excel workbook", "CSV UTF-8"),
    ],
    ids=map(str, itertools.count()),  # archives have times in them
)
def test_a_file_under_another_name_is_called_what_it_is(tmp_path: Path, name: str, content: bytes | str, what: str, remedy: str) -> None:
    message = refusal(tmp_path, name, content)
    assert what in message
    assert remedy in message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("island;mass\nDream;39,1\nDream;40,5\n", ["semicolons (';')", "decimals written with ','", "sep=';', decimal=','"]),
        ("island;mass\nDream;39\nDream;40\n", ["semicolons (';')", "sep=';', dtype=str)"]),
        ("island\tmass\nDream\t39\n", ["separated by tabs"]),
        ("island|mass\nDream|39\n", ["separated by vertical bars"]),
        (
            f"Penguins 2024\n\n{HEADER}{ROW}{ROW}",
            ["line 1 is a title ('Penguins 2024')", "begin the file with line 3 (island, sex, bill, mass)"],
        ),
        (f"Penguins 2024,,,\n{HEADER}{ROW}", ["line 1 is a title ('Penguins 2024')", "begin the file with line 2"]),
        (f"# made by a tool\n# today\n{HEADER}{ROW}{ROW}{ROW}", ["is a title", "begin the file with line 3"]),
        (f"{HEADER.strip()},,\n{ROW.strip()},,\n", ["columns 5, 6 are empty: every line ends with 2 commas too many"]),
        (f"{HEADER.strip()},,\n{ROW.strip()},1,2\n", ["columns 5, 6 have no name", "name them, or remove them"]),
        (f"{HEADER}{ROW}{ROW}\nSource: Statistics Office\n", ["line 5 has 1 cell, the header 4: 'Source: Statistics Office' is a note"]),
        (f"{HEADER}{ROW}{ROW}Source: Office, 2024\nPrinted: today\n", ["line 4 has 2 cells", "'Source: Office, 2024' is a note"]),
        (f"{HEADER}{ROW}page 2\n{ROW}", ["line 3 has 1 cell, the header 4: 'page 2' is a note"]),
        (f"{HEADER}{ROW}Dream,ma", ["line 3 has 2 cells, the header 4; separate cells"]),
        ("a,b,a\n1,2,3\n", ["column 'a' appears twice; rename one"]),
        (f"{HEADER}1,{ROW}2,{ROW}3,{ROW}", ["line 2 has 5 cells, the header 4", "begin with an index"]),
        (f"{HEADER}{ROW.strip()},\n{ROW.strip()},\n", ["every row ends with a comma; remove it"]),
        ('a,b\n1, "x,y"\n', ["line 2 has 3 cells, the header 2", "remove the space before the double quote"]),
        ("a,b\n39,1,181,0\n39,5,186,0\n", ["line 2 has 4 cells, the header 2, and so has every row", "write decimals with '.'"]),
        (f"{HEADER}{ROW}Dream,male\n{ROW}", ["line 3 has 2 cells, the header 4"]),
        (f'{HEADER}{ROW}"Dream,male,39.1,3750\n{ROW}', ["the row on line 3 opens a double quote that nothing closes"]),
        (f'{HEADER}{ROW}Dream,male,39.1,"3750\n{ROW}{ROW}', ["the row on line 3 opens a double quote that nothing closes"]),
    ],
)
def test_a_file_that_is_no_table_is_told_why(tmp_path: Path, content: str, words: list[str]) -> None:
    message = refusal(tmp_path, "a.csv", content)
    for expected in words:
        assert expected in message


#: The bytes of a file under a name, or what makes them, and the tool besides Python that the advice needs.
ADVISED: dict[str, tuple[str | bytes | Callable[[], bytes], str]] = {
    "my table.csv": (gzip.compress(f"{HEADER}{ROW}".encode()), "gunzip"),
    "a.csv.gz": (gzip.compress(f"{HEADER}{ROW}".encode()), "gunzip"),
    "bz2.csv": (bz2.compress(f"{HEADER}{ROW}".encode()), "bunzip2"),
    "xz.csv": (lzma.compress(f"{HEADER}{ROW}".encode()), "unxz"),
    "zip.csv": (zipped_table(), "python3"),
    "lines.csv": ('{"island": "Dream", "sex": "male", "bill": 39.1, "mass": 3750}\n' * 2, ""),
    "line.jsonl": ('{"island": "Dream", "sex": "male", "bill": 39.1, "mass": 3750}', ""),
    "it's.json": ('[{"island": "Dream", "sex": "male", "bill": 39.1, "mass": 3750}]', ""),
    "columns.json": ('{"island": {"0": "Dream"}, "sex": {"0": "male"}, "bill": {"0": 39.1}, "mass": {"0": 3750}}', ""),
    "printed.json": ('[\n {\n  "island": "Dream", "sex": "male", "bill": 39.1, "mass": 3750\n }\n]', ""),
    "tabs.tsv": (f"{HEADER}{ROW}".replace(",", "\t"), ""),
    "semicolons.csv": (f"{HEADER}{ROW}".replace(",", ";"), ""),
    "decimals.csv": (f"{HEADER}{ROW}".replace(",", ";").replace("39.1", "39,1"), ""),
    "feather.csv": (partial(of_pandas, "to_feather"), ""),
    "pickle.csv": (partial(of_pandas, "to_pickle"), ""),
    "orc.csv": (partial(of_pandas, "to_orc"), ""),
    "stata.csv": (partial(of_pandas, "to_stata"), ""),
}


@pytest.mark.thorough  # pandas takes a second to import
@pytest.mark.parametrize("name", ADVISED)
def test_a_command_that_a_message_gives_makes_a_table_that_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    given, tool = ADVISED[name]
    content = given() if callable(given) else given
    if tool and shutil.which(tool) is None:
        pytest.skip(f"{tool} is not at hand")
    command = refusal(tmp_path, name, content).split("`")[1]
    monkeypatch.chdir(tmp_path)
    if tool:
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, timeout=60)
    else:
        import pandas

        exec(command, {"pandas": pandas})  # noqa: S102 - the very words of the message
    made = sorted(path for path in tmp_path.rglob("*") if path.is_file() and path.name != name)
    assert len(made) == 1
    table = tables.read(made[0])
    assert table.columns.column_names == ["island", "sex", "bill", "mass"]
    assert (table.categories("island")[0], table.numbers("bill")[0], table.numbers("mass")[0]) == (["Dream"], 39.1, 3750)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", f"{HEADER}{ROW}", "neither .csv nor .parquet; give its name the ending .csv"),
        ("a.bin", b"\xff\x01,\x02", "neither .csv nor .parquet; write the table as CSV or Parquet"),
    ],
)
def test_a_file_of_another_ending_is_looked_into(tmp_path: Path, name: str, content: bytes | str, expected: str) -> None:
    assert expected in refusal(tmp_path, name, content)


@pytest.mark.parametrize(
    ("content", "places"),
    [
        ("a,b\n1,2\n3,4\n", ["line 2", "line 3"]),
        ("\n\na,b\n\n1,2\n\n\n3,4", ["line 5", "line 8"]),
        ('"a\nname",b\n1,"x\n\ny"\n3,4\n', ["line 3", "line 6"]),
        ("a,b\r\n1,2\r\n\r\n3,4\r\n", ["line 2", "line 4"]),
        ("a,b\r1,2\r3,4\r", ["line 2", "line 3"]),
        ('a,b\n\n1,5" pipe\n3,4\n', ["line 3", "line 4"]),
        (f"a,b\n\n1,{'x' * 200_000}\n3,4\n", ["line 3", "line 4"]),
    ],
)
def test_rows_are_found_on_the_lines_of_an_editor(tmp_path: Path, content: str, places: list[str]) -> None:
    (tmp_path / "a.csv").write_text(content, encoding="utf-8", newline="")
    table = tables.read(tmp_path / "a.csv")
    assert [table.locate(row) for row in range(table.rows)] == [f"a.csv {place}" for place in places]


def test_wrong_rows_are_found_on_the_lines_of_an_editor(tmp_path: Path) -> None:
    content = f'{HEADER}{ROW}\n"Dream\nBiscoe",male,39.1,3750\n{ROW}\n\n{ROW.strip()},9\n'
    assert "line 9 has 5 cells, the header 4" in refusal(tmp_path, "a.csv", content)


def test_places_name_each_file_once(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("a\n1\n2\n3\n", encoding="utf-8")
    parquet.write_table(pa.table({"a": [1, 2]}), tmp_path / "c.parquet")
    assert tables.read(tmp_path / "c.parquet").places([0, 1]) == "c.parquet row 1, row 2"
    (tmp_path / "c.parquet").unlink()
    table = tables.read(tmp_path)
    assert table.places([0, 2, 3]) == "a.csv line 2, line 4, b.csv line 2"
    assert table.places(range(6)) == "a.csv line 2, line 3, line 4, b.csv line 2, line 3 and 1 more"


@pytest.mark.parametrize("where", ["header", "cell"])
def test_a_row_longer_than_a_block_is_read(tmp_path: Path, where: str) -> None:
    long = "x" * 3_000_000
    (tmp_path / "a.csv").write_text(f"a,{long}\n1,2\n" if where == "header" else f"a,b\n{long},2\n1,2\n", encoding="utf-8")
    assert long in (
        tables.read(tmp_path / "a.csv").columns.column_names if where == "header" else tables.read(tmp_path).columns["a"].to_pylist()
    )


def test_a_long_name_is_shown_short(tmp_path: Path) -> None:
    long = "x" * 1_200_000
    assert len(refusal(tmp_path, "a.csv", f"{long},{long}\n1,2\n")) < 200
    assert len(refusal(tmp_path, "b.csv", f"{long}\n\na,b\n1,2\n3,4\n")) < 300


def test_files_of_different_text_types_are_one_table(tmp_path: Path) -> None:
    for name, held in (("a", pa.string()), ("b", pa.large_string()), ("c", pa.dictionary(pa.int8(), pa.string()))):
        column = pa.array(["x", name])
        parquet.write_table(
            pa.table({"a": column.dictionary_encode() if pa.types.is_dictionary(held) else column.cast(held)}), tmp_path / f"{name}.parquet"
        )
    distinct, codes = tables.read(tmp_path).categories("a")
    assert [distinct[code] for code in codes] == ["x", "a", "x", "b", "x", "c"]
