"""How a file of text is laid out: its encoding, and what separates its cells.

Input: a CSV file, perhaps compressed with gzip. Output: `Layout`, with the reason for what was guessed. Next: `plain_files.py`.
"""

from __future__ import annotations

import codecs
import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from build_scripts.step_modules import load

UTF_8, COMMA = "utf-8-sig", ","
_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_DELIMITERS = {COMMA: "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
#: As many records tell what separates cells.
_LOOKED_AT = 200
_READ_BYTES = 1 << 22


@dataclass(frozen=True)
class Layout:
    """`encoding` as Python calls it."""

    encoding: str = UTF_8
    delimiter: str = COMMA
    is_compressed: bool = False
    encoding_reason: str = "every byte is UTF-8"

    @property
    def is_plain(self) -> bool:
        """Training reads such a file as it is."""
        return (self.encoding, self.delimiter, self.is_compressed) == (UTF_8, COMMA, False)

    @property
    def in_words(self) -> str:
        encoding = {UTF_8: "UTF-8", "cp1252": "Windows-1252", "latin-1": "ISO 8859-1"}.get(self.encoding, self.encoding.upper())
        packed = ", compressed with gzip" if self.is_compressed else ""
        return f"{encoding} ({self.encoding_reason}), cells separated by {_DELIMITERS[self.delimiter]}{packed}"


def of(file: Path) -> Layout:
    """Raises BadInput, in the words of the steps, for what is no table of text."""
    is_compressed = file.name.lower().endswith(".gz")
    encoding, reason = _encoding(file, is_compressed=is_compressed)
    if not (is_compressed or encoding.startswith(("utf-16", "utf-32"))):
        load("table_files").require_kind(file)
    with opened(file, encoding, is_compressed=is_compressed) as stream:
        return Layout(encoding, _delimiter(stream), is_compressed, reason)


def opened(file: Path, encoding: str, *, is_compressed: bool) -> IO[str]:
    if is_compressed:
        return gzip.open(file, "rt", encoding=encoding, newline="")
    return file.open(encoding=encoding, newline="")


def _encoding(file: Path, *, is_compressed: bool) -> tuple[str, str]:
    """By its mark; without one UTF-8 if that is what all of it is, and otherwise what Windows writes in the West."""
    blocks = _blocks(file, is_compressed=is_compressed)
    start = next(blocks, b"")
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return name, "by its byte order mark"
    if len(start) >= 4 and start.count(b"\0") >= len(start) // 3:
        return ("utf-16-be" if start[0] == 0 else "utf-16-le"), "every second byte is zero"
    decoder, place = codecs.getincrementaldecoder("utf-8")(), 0
    for block in (start, *blocks):
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            odd = error.object[error.start]
            return _western(file, is_compressed=is_compressed), f"byte {odd:#x} near {place + error.start:,} is not UTF-8"
        place += len(block)
    return UTF_8, Layout.encoding_reason


def _western(file: Path, *, is_compressed: bool) -> str:
    """Windows-1252 leaves five bytes without a meaning, which ISO 8859-1 has."""
    undefined = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D])
    has_some = any(len(block.translate(None, undefined)) < len(block) for block in _blocks(file, is_compressed=is_compressed))
    return "latin-1" if has_some else "cp1252"


def _blocks(file: Path, *, is_compressed: bool) -> Iterator[bytes]:
    try:
        with gzip.open(file) if is_compressed else file.open("rb") as stream:
            while block := stream.read(_READ_BYTES):
                yield block
    except (EOFError, gzip.BadGzipFile):
        raise bad_input(f"{file.name} is not compressed with gzip, or a part of it is missing; upload it again") from None


def _delimiter(stream: IO[str]) -> str:
    """What cuts the header and the rows below it into equally many cells, and the most; a comma where nothing does."""
    lines = list(islice(stream, _LOOKED_AT))
    widths = {}
    for sign in _DELIMITERS:
        records = [record for record in csv.reader(lines, delimiter=sign) if record]
        width = len(records[0]) if records else 0
        whole = records[:-1] if len(records) > 1 else records  # the last one may go on, or have a quote that is open
        alike = sum(len(record) == width for record in whole)
        widths[sign] = width if alike >= 0.95 * len(whole) else 0
    best = max(widths, key=lambda sign: widths[sign])  # the first of equals, a comma
    return best if widths[best] > 1 else COMMA


def bad_input(message: str) -> Exception:
    """As the steps refuse."""
    kind: Any = load("failure").BadInput
    return kind(message)  # type: ignore[no-any-return]  # a class of the steps
