"""Where training data comes from: uploaded by people, or learned, which are answers of production whose truth has become known.

What is learned lies in the folder `learned/<environment>/` beside what was uploaded, a file for each window of the watch
(pipelines/monitoring/steps/learned.py writes it) and a tally of all rows it has ever written. Input: a path below the address of the
data. Used by table.py (uploaded), learned_rows.py (learned) and data_versions.py, which tells a run what is new of both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

FOLDER = "learned/"
#: Of each environment; its first sign keeps it from being read as data.
TALLY = "_tally.json"


def is_learned(path: str) -> bool:
    """`path`: below the address of the data, with slashes."""
    return path.startswith(FOLDER)


def is_tally(path: str) -> bool:
    return is_learned(path) and path.rsplit("/", 1)[-1] == TALLY


def is_data(name: str) -> bool:
    """Whether a name is one of a file that is read: no folder's, and no marker's such as _SUCCESS or hidden file's."""
    return bool(name) and not name.startswith(("_", "."))


def files(folder: Path) -> Iterator[Path]:
    """Every file in a folder that is read as data, of both sources."""
    return (file for file in folder.rglob("*") if file.is_file() and is_data(file.name))


def together(uploaded: str, learned: str) -> str:
    """One SHA-256 for both sources; that of the uploaded files where nothing was learned."""
    return hashlib.sha256(f"{uploaded} {learned}".encode()).hexdigest() if learned else uploaded


def rows_of(tally: bytes) -> int:
    """How many rows an environment has ever written, each new or changed one once. Raises ValueError for what is no tally."""
    try:
        document = json.loads(tally)
    except RecursionError:
        document = None
    rows = document.get("rows") if isinstance(document, dict) else None
    if not isinstance(rows, int) or rows < 0:
        raise ValueError(f"{TALLY} has no count of rows")
    return rows
