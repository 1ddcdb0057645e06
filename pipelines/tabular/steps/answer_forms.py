"""An answer in the form that the client prefers: JSON, CSV or JSON Lines.

JSON: {"predictions": [{"score": ...}, ...]}; JSON Lines: each of those objects on a line; CSV: one line per row. With the decided class
where there are classes. Input: what `inference.predict_fn` made, and the request's Accept. Used by `inference.py`; the watch reads the
same back (answers.py).
"""

from __future__ import annotations

import csv
import functools
import io
import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from request_forms import CSV, JSON, JSON_LINES

#: In the order in which one is chosen where the client does not mind.
KINDS = (JSON, CSV, JSON_LINES)
_QUALITY = re.compile(r"[01](\.[0-9]*)?")


@functools.lru_cache(maxsize=256)
def preferred(accept: str) -> str | None:
    """The kind that an Accept header prefers; None where it takes none of them.

    RFC 9110 §12.5.1: the most specific range that names a kind gives its quality, and 0 excludes it. Among equals the one that is named
    first. An element whose quality is no number from 0 to 1 is not read, nor are other parameters; a header without elements takes all.
    """
    elements = [element for element in accept.split(",") if element.strip()]
    ranges = list(_ranges(elements))
    best, most = None, (0.0, 0)
    for kind in KINDS if elements else ():
        named = [(_closeness(name, kind), -place, quality) for place, (name, quality) in enumerate(ranges) if _closeness(name, kind)]
        if named:
            _, place, quality = max(named)
            if quality > 0 and (best is None or (quality, place) > most):
                best, most = kind, (quality, place)
    return best if elements else KINDS[0]


def _ranges(elements: list[str]) -> Iterator[tuple[str, float]]:
    for element in elements:
        name, *parameters = (part.strip().lower() for part in element.split(";"))
        given = [value.strip() for word, _, value in (part.partition("=") for part in parameters) if word.strip() == "q"]
        quality = given[0] if given else "1"
        if _QUALITY.fullmatch(quality) and float(quality) <= 1:
            yield name, float(quality)


def _closeness(name: str, kind: str) -> int:
    """How closely a range names a kind; 0 where it does not."""
    return {"*/*": 1, f"{kind.partition('/')[0]}/*": 2, kind: 3}.get(name, 0)


def written(prediction: dict[str, Any], kind: str) -> str:
    if kind == CSV:
        return _csv(prediction)
    if kind == JSON_LINES:
        return "".join(f"{record}\n" for record in _records(prediction))
    return f'{{"predictions": [{", ".join(_records(prediction))}]}}'


def _records(prediction: dict[str, Any]) -> list[str]:
    """An object for each row, in the very text that `json.dumps` makes of it, which takes three times as long."""
    columns = [map(_WRITTEN[name], values) for name, values in prediction.items()]
    return list(map(_record(tuple(prediction)).format, *columns))


@functools.cache
def _record(names: tuple[str, ...]) -> str:
    return "{{" + ", ".join(f'"{name}": {{}}' for name in names) + "}}"


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else json.dumps(value)


def _numbers(values: Sequence[float]) -> str:
    return f"[{', '.join(map(_number, values))}]"


#: By the name of a column of answers: how each value of it is written.
_WRITTEN: dict[str, Callable[[Any], str]] = {
    "score": _number,
    "predicted_label": functools.lru_cache(maxsize=1024)(json.dumps),
    "probabilities": _numbers,
}


def _csv(prediction: dict[str, Any]) -> str:
    """Regression: the score. Classes: the label, then the probability of the positive class, or of each of several."""
    if "predicted_label" not in prediction:
        return "\n".join(repr(score) for score in prediction["score"]) + "\n"
    probabilities = prediction.get("probabilities") or [[score] for score in prediction["score"]]
    answer = io.StringIO()
    writer = csv.writer(answer, lineterminator="\n")
    for label, numbers in zip(prediction["predicted_label"], probabilities, strict=True):
        writer.writerow([label, *map(repr, numbers)])
    return answer.getvalue()
