"""Tags of the resources that this package keeps, by ARN."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping


class Tags:
    """AddTags, DeleteTags and ListTags."""

    def __init__(self) -> None:
        self._tags: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def add(self, arn: str, tags: Iterable[Mapping[str, str]] | None) -> list[dict[str, str]]:
        with self._lock:
            known = self._tags.setdefault(arn, {})
            known.update({tag["Key"]: tag["Value"] for tag in tags or []})
            return _as_list(known)

    def remove(self, arn: str, keys: Iterable[str]) -> None:
        with self._lock:
            for key in keys:
                self._tags.get(arn, {}).pop(key, None)

    def list(self, arn: str) -> list[dict[str, str]]:
        with self._lock:
            return _as_list(self._tags.get(arn, {}))

    def knows(self, arn: str) -> bool:
        with self._lock:
            return arn in self._tags


def _as_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
