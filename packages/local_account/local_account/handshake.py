"""`python -m local_account.handshake [CONNECTION]`: complete a pending connection, as a person does in AWS's console; or list them.

Run it where the exports of the local account are set. Output: one line a connection, with its status. Exit code 2 if there is no such
connection, or no account. Next: `connections/handshake.py`.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from local_account.connections.handshake import PATH

_TIMEOUT_SECONDS = 30.0


class HandshakeError(Exception):
    """Why it was not done, in one line."""


def main(command_line: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    parser = argparse.ArgumentParser(prog="python -m local_account.handshake", description=str(__doc__).splitlines()[0])
    parser.add_argument("connection", nargs="?", help="name or ARN of the connection to complete; without it, all are listed")
    options = parser.parse_args(command_line)
    try:
        connections = ask(environment, options.connection)
    except HandshakeError as error:
        print(f"handshake: {error}", file=sys.stderr)
        return 2
    for each in connections:
        print(f"{each['ConnectionName']} ({each['ProviderType']}) is {each['ConnectionStatus']}: {each['ConnectionArn']}")
    return 0


def ask(environment: Mapping[str, str], connection: str | None) -> list[dict[str, Any]]:
    """All connections, after `connection` was completed if one is named. Raises HandshakeError."""
    address, secret = environment.get("AWS_ENDPOINT_URL"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not address or not secret:
        raise HandshakeError("AWS_ENDPOINT_URL and AWS_SECRET_ACCESS_KEY are not set; use the exports that the local account printed")
    body = json.dumps({"connection": connection}).encode() if connection else None
    request = urllib.request.Request(f"{address.rstrip('/')}{PATH}", data=body, method="PUT" if body else "GET")  # noqa: S310 - the account's own address
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Basic {base64.b64encode(f':{secret}'.encode()).decode()}")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the account is on this machine
    try:
        with direct.open(request, timeout=_TIMEOUT_SECONDS) as answer:
            found: list[dict[str, Any]] = json.load(answer)["Connections"]
            return found
    except urllib.error.HTTPError as error:
        raise HandshakeError(_said(error)) from error
    except (OSError, ValueError, KeyError) as error:
        raise HandshakeError(f"no local account answers at {address} ({error}); start one with `make local`") from error


def _said(error: urllib.error.HTTPError) -> str:
    text = error.read().decode("utf-8", "replace").strip()
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return f"the local account answered {error.code}: {text}"


if __name__ == "__main__":
    sys.exit(main())
