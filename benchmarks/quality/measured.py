"""What was measured already: a line of JSON for each set, split and competitor, and its predictions beside it.

So the hours of the whole can be spent in pieces: a line that is there, of the same version of who made it, is not measured again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Key:
    """`version`: of whoever made it; another one's lines do not count."""

    name: str
    split: int
    who: str
    version: str

    @property
    def file(self) -> str:
        return f"{self.name}-{self.split}-{self.who}-{hashlib.sha256(self.version.encode()).hexdigest()[:12]}.npz"


class Measured:
    """`folder`: of measured.jsonl and the predictions."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._lines = folder, folder / "measured.jsonl"
        text = self._lines.read_text(encoding="utf-8") if self._lines.exists() else ""
        self._known = {self._key(line): line for line in map(json.loads, text.splitlines())}

    def __contains__(self, key: Key) -> bool:
        return key in self._known

    def __getitem__(self, key: Key) -> dict[str, Any]:
        found: dict[str, Any] = self._known[key]
        return found

    def splits(self, name: str, who: str, version: str) -> list[int]:
        """Those of a set that are there, in order."""
        return sorted(key.split for key in self._known if (key.name, key.who, key.version) == (name, who, version))

    def predictions(self, key: Key) -> dict[str, Floats]:
        """By what was learned from: "train", or "all" for the validation rows as well."""
        with np.load(self._folder / key.file) as stored:
            return dict(stored)

    def add(self, key: Key, predictions: dict[str, Floats], line: dict[str, Any]) -> None:
        np.savez_compressed(self._folder / key.file, allow_pickle=False, **predictions)
        whole = {"set": key.name, "split": key.split, "who": key.who, "version": key.version, **line}
        with self._lines.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(whole) + "\n")
        self._known[key] = whole

    @staticmethod
    def _key(line: dict[str, Any]) -> Key:
        return Key(line["set"], line["split"], line["who"], line["version"])
