"""Asks the account for what is its own and AWS has not: its clock, its report of permissions. In: a path. Out: its JSON answer."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Mapping
from typing import Any

from demo.errors import StageError

#: As `local_account/clock_control.py` and `local_account/permissions.py` have them, which belong to the account's side.
CLOCK, PERMISSIONS = "/_local/clock", "/_local/permissions"


def ask(account: Mapping[str, Any], method: str, path: str, body: bytes | None = None) -> Mapping[str, Any]:
    """`account` as its `account.json` describes it. Raises StageError with the account's reason."""
    password = account["environment"]["AWS_SECRET_ACCESS_KEY"]
    authorization = "Basic " + base64.b64encode(f":{password}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", int(account["port"]), timeout=10)
    try:
        connection.request(method, path, body, {"Authorization": authorization})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise StageError(f"{path} of the account answered {answer.status}: {text}")
        told: Mapping[str, Any] = json.loads(text)
        return told
    finally:
        connection.close()
