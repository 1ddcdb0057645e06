"""Git's smart HTTP protocol for a bare repository: what `git clone`, `fetch` and `push` ask, answered by Git's own CGI program.

Input: a repository and a request for one of its paths. Output: the response, and for a push the references before and after it. Who may
ask, and what a push starts, is up to the callers: `codecommit.py` and `connections/repositories.py`.
Sources: https://git-scm.com/docs/http-protocol, https://git-scm.com/docs/git-http-backend.
"""

from __future__ import annotations

import logging
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from local_account.git_repositories import GitRepository, git_environment
from local_account.response import Response
from local_account.signatures import Request

_log = logging.getLogger(__name__)

#: How the path of a request ends, after the repository's.
ENDING = r"(/info/refs|/git-upload-pack|/git-receive-pack)"
_METHODS = {"/info/refs": "GET", "/git-upload-pack": "POST", "/git-receive-pack": "POST"}
#: What is told of a push: full reference name -> object id, before and after.
Pushed = Callable[[Mapping[str, str], Mapping[str, str]], None]
_push_lock = threading.Lock()  # what a push changed comes from comparing references before and after it


def is_push(request: Request, ending: str) -> bool:
    """Whether the request belongs to a push; Git begins one by asking which references there are."""
    return "git-receive-pack" in (ending.removeprefix("/"), dict(parse_qsl(request.query)).get("service"))


def wrong_method(request: Request, ending: str) -> Response | None:
    return None if _METHODS[ending] == request.method else refused(405, f"{ending} answers {_METHODS[ending]} only.")


def serve(git: GitRepository, request: Request, ending: str, user: str, pushed: Pushed) -> Response:
    """Answer for one repository. `pushed` is told of a push in the order of the pushes, before the client has its answer."""
    if ending != "/git-receive-pack":
        return _http_backend(git, request, ending, user)
    with _push_lock:
        before = git.references()
        response = _http_backend(git, request, ending, user)
        pushed(before, git.references())
    return response


def refused(status: int, message: str) -> Response:
    return Response(status, f"{message}\n".encode(), {"content-type": "text/plain"})


def _http_backend(git: GitRepository, request: Request, ending: str, user: str) -> Response:
    environment = {
        **git_environment(),
        "GIT_PROJECT_ROOT": str(git.directory.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "REQUEST_METHOD": request.method,
        "PATH_INFO": f"/{git.directory.name}{ending}",
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "REMOTE_USER": user,
        "REMOTE_ADDR": "127.0.0.1",
        "TMPDIR": os.environ.get("TMPDIR", ""),
    }
    if any("\0" in value for value in environment.values()):
        return refused(400, "A header of the request has a zero byte.")
    finished = subprocess.run(["git", "http-backend"], input=request.body, env=environment, capture_output=True, check=False)
    head, _, body = finished.stdout.partition(b"\r\n\r\n")
    if finished.returncode or not head:  # it ends in the middle of a request that it cannot read
        _log.warning("git http-backend: %s %s: %s", request.method, ending, finished.stderr.decode(errors="replace").strip())
        return refused(400, "Git cannot read this request.")
    headers = {}
    for line in head.decode("latin-1").split("\r\n"):
        header, _, value = line.partition(": ")
        headers[header.lower()] = value
    status = int(headers.pop("status", "200").split()[0])
    return Response(status, body, headers)
