"""When labels come, every window that they belong to is judged again by its versions, and the labels themselves are summed up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from labels import Labels, read
from with_labels import judged, summary

from tests.monitoring.answers_of_versions import NOON, Store, answered, patients

CLASSES = ["No", "Yes"]
WINDOWS = "monitoring/x/windows/"
GATE = {"max_equal_opportunity_difference": 0.2}
TAKES = SimpleNamespace(numeric=["age"], categorical=["town"], classes=CLASSES)
DOCUMENTS: dict[str, Any] = {
    "contract.json": {"dataset": {"problem": "binary", "facet": {"column": "town", "disadvantaged": "Quito"}}},
    "estimator.json": {"metric": "accuracy", "more_is_better": True, "at_evaluation": 0.7},
}


def evidence(version: str) -> tuple[Any, dict[str, Any]] | None:
    return (TAKES, DOCUMENTS) if version == "1" else None


def filled() -> Store:
    """Two windows of version 1, in the second of which an unknown version answered, too."""
    store = Store()
    rows = ["inference_id,truth"]
    for window, first in (("a", 0), ("b", 100)):
        sample = patients(100, seed=first)
        store.put(f"{WINDOWS}{window}/answered/1-00001.parquet", answered(sample, CLASSES, first))
        rows += [f"id-{first + place},{CLASSES[int(truth)]}" for place, truth in enumerate(sample.rows.target)]
    store.put(f"{WINDOWS}b/answered/9-00001.parquet", answered(patients(5, seed=1), CLASSES, first=500))
    store.put("labels/x/1.csv", "\n".join([*rows, "id-501,Yes", "nobody,No", "id-3,Perhaps"]) + "\n")
    return store


def labels(store: Store) -> Labels:
    return read(store, "labels/x/", CLASSES, NOON)


def test_each_window_and_version_with_labels_and_evidence_is_judged() -> None:
    store = filled()
    found = list(judged(store, WINDOWS, labels(store), evidence, {"max_quality_loss": 0.1}, GATE))
    assert [(each.folder, each.version, each.realised["labels"]) for each in found] == [
        (f"{WINDOWS}a/", "1", 100),
        (f"{WINDOWS}b/", "1", 100),
    ]
    assert [entry["metric"] for entry in found[0].bias] == ["EOD"]


def test_labels_are_summed_up_with_what_is_wrong_with_them() -> None:
    store = filled()
    found = summary(store, WINDOWS, labels(store))
    assert (found["files"], found["rows"], found["truths"], found["left_out"]) == (1, 203, 202, 1)
    assert found["unknown_ids"] == ["nobody"]
    assert found["problems"] == ["labels/x/1.csv: line 204: truth is 'Perhaps'; allowed: No, Yes"]


def test_without_labels_nothing_is_judged_again() -> None:
    store = filled()
    del store.objects["labels/x/1.csv"]
    assert list(judged(store, WINDOWS, labels(store), evidence, {"max_quality_loss": 0.1}, GATE)) == []
