"""What programs take from Flask, for an image without Flask: a response of their own status and headers.

`inference.py` runs in the managed image, whose server is Flask, and here: it makes responses and asks whether something is one, and takes
nothing else of Flask. Text gets its charset as Werkzeug gives it (`get_content_type` of werkzeug/utils.py).
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable


class Headers(list[tuple[str, str]]):
    """Pairs, to which a program adds."""

    def add(self, name: str, value: str) -> None:
        self.append((name, value))


class Response:
    """`headers`: pairs. `mimetype` counts where neither they nor `content_type` name a content type."""

    def __init__(
        self,
        response: str | bytes = b"",
        status: int = 200,
        headers: Iterable[tuple[str, str]] = (),
        mimetype: str = "text/html",
        content_type: str | None = None,
    ) -> None:
        self.body = response.encode() if isinstance(response, str) else response
        self.status_code = status
        self.headers = Headers(headers)
        if content_type is not None:
            self.headers.add("Content-Type", content_type)
        elif not any(name.lower() == "content-type" for name, _ in self.headers):
            self.headers.add("Content-Type", f"{mimetype}; charset=utf-8" if mimetype.startswith("text/") else mimetype)


def stand_in_for_flask() -> None:
    """From now on `from flask import Response` is this one."""
    flask = types.ModuleType("flask")
    flask.Response = Response  # type: ignore[attr-defined]
    sys.modules["flask"] = flask
