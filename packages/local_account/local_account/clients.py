"""boto3 clients that call back into this process through its public port, kept for as long as somebody asks with the same keys.

In: credentials, a service, a region. Out: a client. Used by `context.py`.
"""

from __future__ import annotations

import threading
from typing import Any

from local_account.authorization.credentials import Credentials

USUAL_SECONDS = 60
_MOST_CLIENTS = 256


class Clients:
    """Clients of one port, for all of its accounts and regions. Thread-safe."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        self._session: Any = None
        self._clients: dict[tuple[str, str, str, int], Any] = {}
        self._lock = threading.Lock()

    def get(self, credentials: Credentials, service: str, region: str, answers_within_seconds: int = USUAL_SECONDS) -> Any:
        """What may take longer than usual is asked once only."""
        import boto3
        from botocore.config import Config

        with self._lock:
            key = (credentials.access_key, service, region, answers_within_seconds)
            if key not in self._clients:
                # One session for all: it keeps the services' models, which take longer to read than a client to make.
                self._session = self._session or boto3.Session(region_name=region)
                config = Config(
                    retries={"max_attempts": 1 if answers_within_seconds == USUAL_SECONDS else 0},
                    s3={"addressing_style": "path"},
                    max_pool_connections=32,
                    read_timeout=answers_within_seconds,
                )
                self._clients[key] = self._session.client(
                    service,
                    region_name=region,
                    endpoint_url=self._endpoint_url,
                    config=config,
                    aws_access_key_id=credentials.access_key,
                    aws_secret_access_key=credentials.secret,
                    aws_session_token=credentials.token or None,
                )
                if len(self._clients) > _MOST_CLIENTS:  # sessions end, and nobody asks in their name again
                    del self._clients[next(iter(self._clients))]
            return self._clients[key]
