"""Texts as the model registry takes them: of a version's metadata, and within its model card.

Input: any text. Output: one that SageMaker accepts. Sources: the pattern of CustomerMetadataValue in SageMaker's service model
(botocore: letters, separators, numbers and `_.:/=+-@`, 1 to 256 characters); the card is JSON, put together from such texts.
"""

from __future__ import annotations

import unicodedata

LONGEST_METADATA = 256
_PUNCTUATION = "_.:/=+-@"


def metadata(text: str) -> str:
    """Other characters become `_`; a longer text is cut, an empty one says `unknown`."""
    allowed = (letter if unicodedata.category(letter)[0] in "LNZ" or letter in _PUNCTUATION else "_" for letter in text)
    return "".join(allowed)[:LONGEST_METADATA] or "unknown"


def card(text: str, longest: int) -> str:
    """Readable as it is within a JSON string: quotes become apostrophes, backslashes slashes, control characters spaces."""
    replaced = text.replace('"', "'").replace("\\", "/")
    shown = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in replaced)
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."
