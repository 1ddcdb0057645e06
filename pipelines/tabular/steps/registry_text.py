"""Texts as the model registry takes them: of a version's metadata, and within its model card.

Input: any text. Output: one that SageMaker accepts. Sources: the pattern of CustomerMetadataValue in SageMaker's service model
(botocore: letters, separators, numbers and `_.:/=+-@`, 1 to 256 characters); the card is JSON, put together from such texts.
Used by data_versions.py, before a run begins, and by evaluate.py.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from urllib.parse import quote

LONGEST_METADATA = 256
_PUNCTUATION = "_.:/=+-@"


#: What needs no escape in a pair besides letters and digits: neither `=` and the space between pairs, nor `@`, which begins an escape.
_PLAIN = "_.:/+-"


def metadata(text: str) -> str:
    """Other characters become `_`; a longer text is cut, an empty one says `unknown`."""
    return "".join(letter if _is_allowed(letter) else "_" for letter in text)[:LONGEST_METADATA] or "unknown"


def is_metadata(text: str) -> bool:
    """Whether a text can be recorded as it is."""
    return 0 < len(text) <= LONGEST_METADATA and all(map(_is_allowed, text))


def _is_allowed(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LNZ" or letter in _PUNCTUATION


def pairs(values: Mapping[str, object]) -> str:
    """`name=value name=value`, by name. Other characters are escaped as in an address, with `@` for the `%` that metadata may not hold:
    `(1,0)` is `@281@2C0@29`. build_scripts/recorded_lineage.py reads it.
    """
    return " ".join(f"{_escaped(name)}={_escaped(str(value))}" for name, value in sorted(values.items()))


def _escaped(text: str) -> str:
    return quote(text, safe=_PLAIN, errors="replace").replace("~", "%7E").replace("%", "@")


def card(text: str, longest: int) -> str:
    """Readable as it is within a JSON string: quotes become apostrophes, backslashes slashes, control characters spaces."""
    replaced = text.replace('"', "'").replace("\\", "/")
    shown = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in replaced)
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."
