"""Small made-up versions: rows, what a version says of them, and what was true; with a store that holds files in memory."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
from dataset import Rows
from decisions import Predictions
from measures import measure
from pyarrow import parquet

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Sampled:
    """What sketch.py keeps of a window, as far as estimates need it."""

    rows: Rows
    predicted: Predictions


def patients(count: int, *, seed: int, older: float = 0.0) -> Sampled:
    """Two classes. The score is too sure of itself: its log-odds are twice those of the truth. `older` shifts what it depends on."""
    generator = np.random.default_rng(seed)
    age = generator.normal(older, 1.5, count)
    town = generator.integers(0, 2, count)
    truth = (generator.random(count) < 1 / (1 + np.exp(-age))).astype(np.float64)
    rows = Rows({"age": age}, {"town": (["Lima", "Quito"], town)}, truth, count)
    return Sampled(rows, Predictions.of(1 / (1 + np.exp(-2 * age)), 0.5))


def houses(count: int, *, seed: int, larger: float = 0.0) -> Sampled:
    """A regression whose errors grow with the area, to `exp(larger)` times for houses that are that much larger."""
    generator = np.random.default_rng(seed)
    area = generator.normal(larger, 1.0, count)
    error = generator.normal(0, 1, count) * np.exp(0.4 * area)
    return Sampled(Rows({"area": area}, {}, 3 * area + error, count), Predictions.of(3 * area, None))


def species(count: int, *, seed: int) -> Sampled:
    generator = np.random.default_rng(seed)
    width = generator.normal(0, 1, (count, 3))
    chance = np.exp(width)
    chance /= chance.sum(axis=1, keepdims=True)
    truth = (generator.random(count)[:, None] > np.cumsum(chance, axis=1)[:, :2]).sum(axis=1).astype(np.float64)
    return Sampled(Rows({"width": width[:, 0]}, {}, truth, count), Predictions.of(chance, None))


def truth_of(metric: str, sample: Sampled) -> float:
    return measure(metric, sample.rows.target, sample.predicted)


@dataclass
class Store:
    """Objects by their keys, each written a minute after the one before."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def put(self, key: str, content: str | bytes) -> None:
        self.objects[key] = content.encode() if isinstance(content, str) else content

    def list(self, prefix: str) -> list[Any]:
        written = {key: NOON + timedelta(minutes=place) for place, key in enumerate(self.objects)}
        return [SimpleNamespace(key=key, modified=written[key]) for key in sorted(self.objects) if key.startswith(prefix)]

    def folders(self, prefix: str) -> list[str]:
        return sorted({prefix + key.removeprefix(prefix).split("/")[0] + "/" for key in self.objects if key.startswith(prefix)})

    def read(self, key: str) -> io.BytesIO:
        return io.BytesIO(self.objects[key])


def answered(sample: Sampled, classes: list[str] | None, first: int = 0, at: datetime = NOON, each: int = 1) -> bytes:
    """What the monitor keeps of answered rows, with ids `id-<number>`. `each`: rows of a request."""
    count, scores = sample.rows.count, sample.predicted.scores
    columns: dict[str, Any] = {
        "inference_id": [f"id-{first + place // each}" for place in range(count)],
        "row": np.arange(count) % each + 1,
        "time": pa.array([int(at.timestamp() * 1000)] * count, pa.timestamp("ms", tz="UTC")),
        "version": ["1"] * count,
        **{f"feature.{name}": values for name, values in sample.rows.numeric.items()},
        **{f"feature.{name}": sample.rows.texts(name) for name in sample.rows.categorical},
        **({"score": scores} if scores.ndim == 1 else {f"score.{place}": own for place, own in enumerate(scores.T)}),
        "decided": sample.predicted.decided if classes is None else [classes[int(place)] for place in sample.predicted.decided],
    }
    content = io.BytesIO()
    parquet.write_table(pa.table(columns), content)
    return content.getvalue()
