"""CodeConnections: connections to repositories at GitHub, GitLab and Bitbucket, and the repositories themselves, kept on this machine.

`operations.py` is the API, under its new and its old name; `handshake.py` completes a connection, as a person does in AWS's console;
`repositories.py` serves Git over HTTP, and tells of each push what the provider's webhook would; `use.py` asks whether a role may use a
connection. Next: `store.py`, then `codepipeline/change_detection.py`, which starts pipelines.
"""

from __future__ import annotations

from local_account.connections.handshake import PATH as HANDSHAKE_PATH
from local_account.connections.handshake import serve_handshake
from local_account.connections.operations import answer, begin
from local_account.connections.repositories import HTTP_PREFIX, clone_url, serve_git
from local_account.connections.store import SERVICES

__all__ = ["HANDSHAKE_PATH", "HTTP_PREFIX", "SERVICES", "answer", "begin", "clone_url", "serve_git", "serve_handshake"]
