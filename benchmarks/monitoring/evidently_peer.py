"""Evidently's default preset on one window after the other, in its own environment. Lines of JSON in and out.

For each column the test is asked that the preset chooses (`get_stattest` without a choice, after dropping missing values, as its
`get_one_column_drift` does): rendering its report takes a hundred times as long. With `whole_report` that report is made too, and
has to say the same. A score is the distance over its threshold, or the logarithm of the p-value over its: 1 where it alarms.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.legacy.calculations.stattests import get_stattest
from evidently.legacy.core import ColumnType
from evidently.presets import DataDriftPreset


def frames(path: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[str], list[str]]:
    with np.load(path, allow_pickle=False) as arrays:
        sides: dict[str, dict[str, Any]] = {"reference": {}, "window": {}}
        numeric, categorical = [], []
        for key in arrays.files:
            side, kind, name = key.split("/", 2)
            if kind == "n":
                sides[side][name] = arrays[key]
                numeric += [name] if side == "window" else []
            elif kind == "l":
                labels = np.array([text or None for text in arrays[key].tolist()], dtype=object)
                sides[side][name] = labels[arrays[f"{side}/c/{name}"]]
                categorical += [name] if side == "window" else []
    return pd.DataFrame(sides["reference"]), pd.DataFrame(sides["window"]), numeric, categorical


def column_score(reference: pd.Series, window: pd.Series, kind: ColumnType) -> tuple[float, float, bool]:
    test = get_stattest(reference.dropna(), window.dropna(), kind, None)
    found = test(reference.dropna(), window.dropna(), kind, None)
    value, threshold = float(found.drift_score), float(found.actual_threshold)
    by_p_value = threshold == 0.05
    score = math.log(max(value, 1e-300)) / math.log(threshold) if by_p_value else value / threshold
    return value, 0.0 if math.isnan(score) else score, bool(found.drifted)


def report_values(reference: pd.DataFrame, window: pd.DataFrame, numeric: list[str], categorical: list[str]) -> dict[str, float]:
    definition = DataDefinition(numerical_columns=numeric, categorical_columns=categorical)
    sides = [Dataset.from_pandas(frame, definition) for frame in (window, reference)]
    metrics = Report([DataDriftPreset()]).run(*sides).dict()["metrics"]
    return {metric["config"]["column"]: float(metric["value"]) for metric in metrics if "column" in metric["config"]}


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        path = Path(asked["path"])
        reference, window, numeric, categorical = frames(path)
        path.unlink()
        kinds = {**dict.fromkeys(numeric, ColumnType.Numerical), **dict.fromkeys(categorical, ColumnType.Categorical)}
        found = {name: column_score(reference[name], window[name], kind) for name, kind in kinds.items()}
        if asked["whole_report"]:
            said = report_values(reference, window, numeric, categorical)
            different = [name for name, (value, _, _) in found.items() if not math.isclose(value, said[name], rel_tol=1e-9, abs_tol=1e-12)]
            if different or set(said) != set(found):
                raise SystemExit(f"the preset says otherwise of {different or set(said) ^ set(found)}")
        scores = sorted((score for _, score, _ in found.values()), reverse=True)
        drifted = sum(alarmed for _, _, alarmed in found.values())
        half = scores[math.ceil(len(scores) / 2) - 1]
        print(json.dumps({"any": scores[0], "half": half, "drifted": drifted, "columns": len(found)}), flush=True)


main()
