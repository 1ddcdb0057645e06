"""A window's answered rows and its labels become one file of training rows in the project's bucket, and then why to train now."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
import teach
from known_labels import KnownLabels, Label
from pyarrow import parquet

from settings_schema import ProjectNames

MONITORING, WINDOW = "monitoring/houses/", "2026-11-27T14Z--2026-11-27T15Z"
FOLDER = f"{MONITORING}windows/{WINDOW}/"
VARIABLES = {"BUCKET": "live", "LEARNED_PREFIX": "training/houses/learned/live/", "FEEDBACK_KEY": "feedback/houses/live.json"}
SERVED = 1_795_789_800.0


class Bucket:
    """In memory, with the order in which keys were written."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.written: list[str] = []

    def list(self, prefix: str) -> list[Any]:
        return [SimpleNamespace(key=key) for key in sorted(self.objects) if key.startswith(prefix)]

    def read(self, key: str) -> io.BytesIO:
        return io.BytesIO(self.objects[key])

    def write(self, key: str, content: bytes, content_type: str) -> None:
        self.objects[key] = content
        self.written.append(key)


def answered(*ids: str) -> bytes:
    """As answered.py keeps them; an emptied part has no rows."""
    columns = {
        "inference_id": pa.array(ids, pa.string()),
        "row": pa.array([1] * len(ids), pa.int64()),
        "time": pa.array([int(SERVED * 1000)] * len(ids), pa.timestamp("ms", tz="UTC")),
        "version": pa.array(["3"] * len(ids), pa.string()),
        "feature.area": pa.array([70.0] * len(ids), pa.float64()),
    }
    content = io.BytesIO()
    parquet.write_table(pa.table(columns), content)
    return content.getvalue()


@pytest.fixture
def live() -> Bucket:
    bucket = Bucket()
    for part, ids in {"3-00001": ("a", "b"), "3-00002": ()}.items():
        bucket.objects[f"{FOLDER}answered/{part}.parquet"] = answered(*ids)
    bucket.objects[f"{FOLDER}findings.json"] = b"{}"
    return bucket


def rows(teacher: teach.Teacher) -> int:
    known = KnownLabels()
    known.put({("a", 1): Label(300.0, observed_at=SERVED + 60)})
    return teacher.rows(FOLDER, known, classes=None, features=["area"], target="price", now=SERVED + 3600)


def test_answers_of_a_window_with_a_label_become_its_file_of_training_rows(live: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    home = Bucket()
    assert rows(teach.Teacher.of(live, home, VARIABLES, {"learn_from_answers": True})) == 1
    assert home.objects[f"training/houses/learned/live/{WINDOW}.csv"] == b"area,price\n70.0,300.0\n"
    assert "1 answers are training rows" in capsys.readouterr().out


@pytest.mark.parametrize("settings", [{}, {"learn_from_answers": False}])
def test_a_model_that_does_not_learn_writes_no_rows(live: Bucket, settings: dict[str, Any]) -> None:
    home = Bucket()
    assert rows(teach.Teacher.of(live, home, VARIABLES, settings)) == 0
    assert home.written == []


def test_why_to_train_is_told_with_the_address_of_the_report(live: Bucket) -> None:
    home = Bucket()
    window = {"from": "2026-11-27T14Z", "to": "2026-11-27T15Z"}
    found = {"model": "houses", "environment": "live", "window": window, "judged_at": "2026-11-27T15:20:00Z", "status": "ok"}
    teacher = teach.Teacher.of(live, home, VARIABLES, {})
    assert teacher.explain([{**found, "rows": 10, "versions": [], "breaches": []}], MONITORING, "2026-11-27T15:20:00Z")
    told = json.loads(home.objects["feedback/houses/live.json"])
    assert told["report"] == f"s3://live/{FOLDER}report.html"


def test_the_region_of_the_project_is_in_its_bucket_s_name() -> None:
    name = ProjectNames(project="shop-2").data_bucket("111122223333", "us-gov-west-1")
    assert teach.region_of(name) == "us-gov-west-1"
    assert teach.region_of("somebody-s-bucket") is None
