"""An HTTP answer of an emulated service, before the gateway sends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Response:
    """`body` is sent as it is; header names are in lower case."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300

    def with_body(self, body: bytes) -> Response:
        return replace(self, body=body)
