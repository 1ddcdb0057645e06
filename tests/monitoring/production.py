"""A small production: evidence of versions and captured requests, in a folder that stands for the environment's bucket."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import baseline
import numpy as np
from dataset import Rows
from evidence import FolderSource, Versions
from judges import Tell
from place import Place
from store import FolderStore
from teach import Teacher
from watch import Watch

CAPTURE = "capture/shop--houses--production/"
PREFIX = "monitoring/houses/"
LIMITS = {"window_hours": 1, "min_rows": 100, "max_drift": 0.1, "max_joint_auc": 0.6, "max_quality_loss": 0.1}
NOW = datetime(2026, 11, 27, 15, 20, tzinfo=UTC)
#: When every file was written that a test puts there.
WRITTEN = datetime(2026, 11, 27, 15, 10, tzinfo=UTC)
#: `area` and `rooms` are numbers, `town` a category; the answer is a value.
HOUSES: Mapping[str, Any] = {
    "dataset": {
        "problem": "regression",
        "numeric": [{"name": "area", "minimum": 0, "maximum": None}, {"name": "rooms", "minimum": None, "maximum": None}],
        "categorical": [{"name": "town", "values": None}],
    },
    "classes": None,
}
TOWNS = ("Lima", "Quito", "Cusco")


def trained(rows: int = 2000, seed: int = 1) -> Rows:
    """What the versions learned from: 5 % of the areas are missing."""
    generator = np.random.default_rng(seed)
    area = generator.uniform(20, 200, rows).round(1)
    area[generator.random(rows) < 0.05] = np.nan
    numeric = {"area": area, "rooms": generator.integers(1, 8, rows).astype(float)}
    return Rows(numeric, {"town": (list(TOWNS), generator.integers(0, 3, rows))}, np.full(rows, np.nan), rows)


def evidence_of(rows: Rows, predicted: Sequence[float] = (2.0,) * 100) -> dict[str, Any]:
    numeric = {**rows.numeric, "prediction": np.array(predicted)}
    categorical = [baseline.categorical(name, baseline.counts(labels)) for name, labels in rows.categorical.items()]
    features = [baseline.numeric(name, values) for name, values in numeric.items()]
    return baseline.statistics([*features[:-1], *categorical, features[-1]], rows.count)


def line(
    body: str,
    answer: str | None,
    *,
    version: str | None = "12",
    kind: str = "text/csv",
    answer_kind: str = "text/csv",
    id: str | None = None,
    time: str = "2026-11-27T14:30:00Z",
    encoding: str = "CSV",
    **metadata: Any,
) -> str:
    """A captured request as SageMaker writes it."""

    def side(text: str, content_type: str, mode: str) -> dict[str, str]:
        data = base64.b64encode(text.encode()).decode() if encoding == "BASE64" else text
        return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}

    said = f"{answer_kind}; model-version={version}" if version else answer_kind
    sides = {"endpointInput": side(body, kind, "INPUT")} | ({} if answer is None else {"endpointOutput": side(answer, said, "OUTPUT")})
    about = {"eventId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{body!a} {id!a}")), "inferenceTime": time, **metadata}
    return json.dumps({"captureData": sides, "eventMetadata": about | ({"inferenceId": id} if id else {}), "eventVersion": "0"})


def asked(rows: Rows) -> list[str]:
    """A CSV body for each row."""
    cells = [["" if np.isnan(value) else repr(value) for value in values.tolist()] for values in rows.numeric.values()]
    return [",".join(own) for own in zip(*cells, [town or "" for town in rows.texts("town")], strict=True)]


class Production:
    """One model in one environment, below `folder`."""

    def __init__(self, folder: Path, limits: Mapping[str, Any] = LIMITS, deployed: str = "12", **place: Any) -> None:
        self.folder, self.limits, self.store = folder, limits, FolderStore(folder)
        self.settings: dict[str, Any] = {}
        self.teacher: Teacher | None = None
        where: dict[str, Any] = {"capture_prefix": CAPTURE, "predictions_prefix": None, **place}
        self.place = Place(
            model="houses",
            environment="production",
            endpoint="shop--houses--production",
            package=f"arn:aws:sagemaker:eu-west-1:111122223333:model-package/houses/{deployed}",
            version=deployed,
            bucket="",
            key="",
            monitoring_prefix=PREFIX,
            labels_prefix="labels/houses/",
            metrics_namespace="",
            alert_topic="",
            **where,
        )

    def version(
        self, number: str, statistics: Mapping[str, Any] | None = None, contract: Mapping[str, Any] = HOUSES, **documents: Any
    ) -> None:
        """Evidence as evaluation leaves it."""
        described = evidence_of(trained()) if statistics is None else statistics
        for name, document in {"statistics": described, "contract": contract, **documents}.items():
            self.put(f"evidence/{number}/{name}.json", json.dumps(document))

    def put(self, key: str, content: str | bytes) -> None:
        self.store.write(key, content.encode() if isinstance(content, str) else content, "")
        os.utime(self.folder / key, (WRITTEN.timestamp(), WRITTEN.timestamp()))

    def captured(self, lines: Iterable[str], hour: str = "2026/11/27/14", name: str = "30-00-000-a") -> str:
        key = f"{CAPTURE}AllTraffic/{hour}/{name}.jsonl"
        self.put(key, "".join(f"{text}\n" for text in lines))
        return key

    def traffic(
        self, count: int, *, hour: str = "2026/11/27/14", version: str = "12", seed: int = 2, name: str = "30-00-000-a", **other: Any
    ) -> str:
        """Requests like those that the versions learned from, each with the answer 2."""
        return self.captured(
            (
                line(body, "2.0\n", version=version, id=f"{hour} {name} {place}", **other)
                for place, body in enumerate(asked(trained(count, seed)))
            ),
            hour,
            name,
        )

    def watch(
        self, now: datetime = NOW, between: tuple[datetime, datetime] | None = None, tell: Tell | None = None
    ) -> list[dict[str, Any]]:
        settings = {"monitoring": self.limits, "gate": {}, "facet": None, **self.settings}
        versions = Versions(FolderSource(self.folder / "evidence"))
        return Watch(self.place, settings, self.store, versions, now, self.teacher).run(between, tell)

    def written(self, name: str, window: str = "2026-11-27T14Z--2026-11-27T15Z") -> Any:
        return json.loads((self.folder / PREFIX / "windows" / window / name).read_text())

    @property
    def history(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = json.loads((self.folder / PREFIX / "history.json").read_text())["windows"]
        return entries
