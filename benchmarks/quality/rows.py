"""One data set split once: what everybody learns from and is judged by.

Output: `Rows`, in a folder of .cache/: table.csv, specification.json of our steps, and task.json with parts.npy for the others. The parts
are those of our Prepare (`parts.py`), for the table as it is read there.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.environments import peers_python
from benchmarks.quality.sets import PublicSet
from build_scripts.step_modules import load
from pipelines.tabular.specification import specification_json
from settings_schema import Model

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Rows:
    """`folder`: of this split. `target`: of the test rows, in their order; of classes their index."""

    model: Model
    folder: Path
    table: Path
    target: NDArray[np.float64]
    counts: dict[str, int]


def split(wanted: PublicSet, number: int, work: Path) -> Rows:
    """The `number`th split (its salt) of a set. Exports the table first, if it is not there."""
    tables = work / "tables" / wanted.name
    if not (tables / "kinds.json").exists():
        subprocess.run(
            [str(peers_python()), str(Path(__file__).with_name("export_table.py")), str(tables), json.dumps(asdict(wanted))], check=True
        )
    kinds = json.loads((tables / "kinds.json").read_text(encoding="utf-8"))
    model = wanted.model(kinds, str(number))
    folder, table = work / "splits" / f"{wanted.name}-{number}", tables / "table.csv"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "specification.json").write_text(specification_json(model), encoding="utf-8")
    specification = load("specification").load(str(folder / "specification.json"))
    cut = load("parts").require(load("table").read(table), specification)
    np.save(folder / "parts.npy", sum(index * cut.masks[name] for index, name in enumerate(PARTS)).astype(np.int8))
    (folder / "task.json").write_text(json.dumps(_task(model, table, cut.classes)), encoding="utf-8")
    counts = {name: int(np.count_nonzero(cut.masks[name])) for name in PARTS}
    return Rows(model, folder, table, cut.rows.target[cut.masks["test"]], counts)


def _task(model: Model, table: Path, classes: list[str] | None) -> dict[str, Any]:
    """For the others, who read the same table."""
    data = model.data
    return {
        "table": str(table),
        "problem": data.problem.value,
        "metric": data.metric,
        "target": data.target,
        "classes": classes,
        "numeric": [column.name for column in data.numeric],
        "categorical": [column.name for column in data.categorical],
    }
