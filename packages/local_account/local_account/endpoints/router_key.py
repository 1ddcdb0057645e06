"""What tells the router of an account from every other program that can reach an instance's port on this machine.

In AWS nothing but SageMaker's router reaches a container. Each instance gets a key of its own in its specification, a file that only the
account's user can read and that is gone once it has started; it never stands in an argument or a variable. The container's code sees
neither the key nor the header. Used by `instance_client.py` and `fleet.py`, which send it, and `model_server.py`, which asks for it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping

HEADER = "x-local-account-router"


def new_key() -> str:
    return secrets.token_hex(16)


def is_from_the_router(headers: Mapping[str, str], key: str) -> bool:
    """`headers` with names in small letters."""
    return hmac.compare_digest(headers.get(HEADER, "").encode("latin-1", "replace"), key.encode())
