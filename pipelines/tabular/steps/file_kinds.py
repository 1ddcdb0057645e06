"""Says what a file really is, by its first bytes, where its name promises CSV or Parquet.

Input: a path. Output: None for what its name says, or the thing and what to do about it. Used by `table.py` before it reads.
Source of the signatures: https://en.wikipedia.org/wiki/List_of_file_signatures, and for Parquet and Arrow their format pages.
"""

from __future__ import annotations

import codecs
import json
import shlex
import zipfile
from pathlib import Path

PARQUET = b"PAR1"
#: Longer than any signature, and enough text to tell a table from a page.
_LOOKED_AT_BYTES = 1024

_TO_PARQUET = ".to_parquet('converted.parquet', index=False)"
_EXCEL = "save the sheet as 'CSV UTF-8' in Excel"
#: How a file begins, what it is, and what to do: {file} is its name in a shell, {name} in Python. Tests run the commands in backticks.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)", _EXCEL),
    (b"\x1f\x8b", "compressed with gzip", "unpack it, `gunzip -c < {file} > unpacked.csv`"),
    (b"BZh91AY&SY", "compressed with bzip2", "unpack it, `bunzip2 -c < {file} > unpacked.csv`"),
    (b"\xfd7zXZ\x00", "compressed with xz", "unpack it, `unxz -c < {file} > unpacked.csv`"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it, `unzstd -c < {file} > unpacked.csv`"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it, `7z x {file}`"),
    (
        b"ARROW1",
        "an Arrow or Feather file",
        f"write it as Parquet, `pandas.read_feather({{name}}){_TO_PARQUET}`",
    ),
    (b"ORC", "an ORC file", f"write it as Parquet, `pandas.read_orc({{name}}){_TO_PARQUET}`"),
    (b"<stata_dta>", "a Stata file", f"write it as Parquet, `pandas.read_stata({{name}}){_TO_PARQUET}`"),
    (b"Obj\x01", "an Avro file", "write it as Parquet"),
    (b"\x89HDF\r\n", "an HDF5 file", "write it as Parquet, such as with pandas.DataFrame.to_parquet"),
    (b"SQLite format 3\x00", "an SQLite database", "export the table as CSV"),
    (b"%PDF", "a PDF", "export the table as CSV"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "fetch the file with `git lfs pull`"),
    *(
        # Protocols 2 to 5 (pickletools of Python's library); before them a pickle is text.
        (
            bytes([0x80, protocol]),
            "a pickle of Python",
            "where you trust it, write it as Parquet, `pandas.read_pickle({name}).to_parquet('converted.parquet', index=False)`",
        )
        for protocol in range(2, 6)
    ),
)
_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def mistaken(file: Path) -> tuple[str, str] | None:
    """(what it is, what to do) for a file that is not what its ending says; None for one that may be."""
    found = _mistaken(file)
    return found and (found[0], found[1].format(file=shlex.quote(file.name), name=repr(file.name)))


def _mistaken(file: Path) -> tuple[str, str] | None:
    with file.open("rb") as stream:
        start = stream.read(_LOOKED_AT_BYTES)
    if start.startswith(b"PK\x03\x04"):
        return _zipped(file)
    for signature, what, remedy in _SIGNATURES:
        if start.startswith(signature):
            return what, remedy
    if file.suffix.lower() == ".parquet":
        return None if start.startswith(PARQUET) else _not_parquet(start, file)
    if start.startswith(PARQUET):
        return "a Parquet file", "give its name the ending .parquet"
    encoding = _encoding(start)
    if encoding:
        return f"text in {encoding}", "save it as UTF-8"
    return _other_text(start, file)


def _zipped(file: Path) -> tuple[str, str]:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return "an Excel workbook (.xlsx) or another zip archive, of which a part is missing", _EXCEL
    if any(name.startswith("xl/") for name in names):
        return "an Excel workbook (.xlsx)", _EXCEL
    if "content.xml" in names:
        return "an OpenDocument file (.ods)", "save the sheet as CSV in UTF-8"
    return "a zip archive", "unpack it, `python3 -m zipfile -e {file} unpacked`"


def _not_parquet(start: bytes, file: Path) -> tuple[str, str] | None:
    """Text that is only called Parquet; anything else is a Parquet file that is broken, which its reader says."""
    if b"\0" in start or _other_text(start, file) or not any(separator in start for separator in (b",", b";", b"\t")):
        return _other_text(start, file)
    return "text, such as CSV", "give its name the ending .csv"


def _other_text(start: bytes, file: Path) -> tuple[str, str] | None:
    head = start.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "a web page, such as one that asks to sign in", "download the file itself"
    if head.startswith(b"<?xml"):
        return "XML", "export the table as CSV"
    if head.startswith(b"{") or (head.startswith(b"[") and head[1:].lstrip()[:1] in (b"{", b"[")):
        each = ", lines=True" if _is_json_of_lines(file) else ""
        return "JSON", f"write it as CSV, `pandas.read_json({{name}}, dtype=False{each}).to_csv('converted.csv', index=False)`"
    return None


def _is_json_of_lines(file: Path) -> bool:
    """One record a line: the second line begins another, or there is only one, of plain values."""
    with file.open("rb") as stream:
        first, second = stream.readline(), stream.readline()
    if second.strip():
        return first.lstrip(codecs.BOM_UTF8).startswith(b"{") and second.lstrip().startswith(b"{")
    try:
        record = json.loads(first.decode("utf-8-sig"))
    except ValueError:
        return False
    return isinstance(record, dict) and not any(isinstance(value, dict | list) for value in record.values())


def _encoding(start: bytes) -> str | None:
    for mark, name in _ENCODINGS:
        if start.startswith(mark):
            return name
    # UTF-16 without its mark: every second byte of Latin text is zero.
    return "UTF-16" if len(start) >= 4 and b"\0" in start[:4] and start.count(b"\0") >= len(start) // 3 else None
