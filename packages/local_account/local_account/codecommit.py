"""CodeCommit: Git over HTTP, the events of a push, and the operations that read branches, commits and files.

moto keeps the list of repositories; `git_repositories.py` keeps their content; `git_over_http.py` speaks the protocol.
The address is `http://127.0.0.1:<port>/v1/repos/<name>`, with an account's secret as the password (HTTP basic authentication); in another
region than the default one, the host is `git-codecommit.<region>.localhost`, like AWS's `git-codecommit.<region>.amazonaws.com`.
Event format: https://docs.aws.amazon.com/codecommit/latest/userguide/monitoring-events.html. Next: `events.py`.
"""

from __future__ import annotations

import base64
import functools
import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any

from local_account import emulators, git_over_http, hooks
from local_account.authorization.credentials import ADMINISTRATOR
from local_account.context import Context
from local_account.errors import ServiceError
from local_account.git_repositories import Blob, Difference, GitRepository
from local_account.moto_operations import Operation, install_operations
from local_account.places import regions
from local_account.response import Response
from local_account.signatures import Request

HTTP_PREFIX = "/v1/repos/"
#: "Any combination of letters, numbers, periods, underscores, and dashes between 1 and 100 characters … cannot end in .git" (CodeCommit
#: user guide, "Quotas"). No address leads to `.` and `..`, and a program takes what begins with a dash for an option: not these either.
_NAME = re.compile(r"(?!\.{1,2}$|-)(?!.*\.git$)[A-Za-z0-9_.-]{1,100}")
_HOST = re.compile(r"git-codecommit\.([a-z0-9-]+)\.localhost(?::|$)")
_GIT_PATH = re.compile(rf"/v1/repos/([\w.-]{{1,100}}){git_over_http.ENDING}", re.ASCII)
#: AWS CodeCommit user guide, "Quotas": of what GetFile answers; botocore's model has it as `FileContent`, too.
_LARGEST_FILE_BYTES = 6 * 1024**2


def repository(context: Context, name: str) -> GitRepository:
    """The repository's content. Raises ServiceError if there is no such repository."""
    found = _stored(context, name) if _NAME.fullmatch(name or "") else None
    if found is None or not found.exists:
        raise ServiceError("RepositoryDoesNotExistException", f"{name} does not exist")
    return found


def _stored(context: Context, name: str) -> GitRepository:
    return GitRepository(context.settings.state_directory / "git" / f"{name}.git")  # a name that `_NAME` allows


def clone_url(context: Context, name: str) -> str:
    settings = context.settings
    host = "127.0.0.1" if settings.region == context.places.first.settings.region else f"git-codecommit.{settings.region}.localhost"
    return f"http://{host}:{settings.port}{HTTP_PREFIX}{name}"


def _place(context: Context, request: Request) -> Context:
    """Whose repositories a request is for: the account whose secret it knows, the region of the host."""
    account_id = _asking(context, request)
    match = _HOST.match(request.headers.get("host", ""))
    region = match[1] if match and match[1] in regions() else context.settings.region
    return context.places.at(account_id or "", region)


def install(context: Context) -> None:
    from moto.codecommit.models import CodeCommitBackend
    from moto.codecommit.responses import CodeCommitResponse

    CodeCommitBackend.create_repository = hooks.around(CodeCommitBackend.create_repository, functools.partial(_create_repository, context))
    CodeCommitBackend.delete_repository = hooks.around(CodeCommitBackend.delete_repository, functools.partial(_delete_repository, context))
    install_operations(context, CodeCommitResponse, _OPERATIONS)


def _create_repository(context: Context, original: Callable[..., Any], backend: Any, name: str, *arguments: Any) -> Any:
    from moto.codecommit.exceptions import InvalidRepositoryNameException

    if not _NAME.fullmatch(name):
        raise InvalidRepositoryNameException
    place = context.places.at(backend.account_id, backend.region_name)
    metadata = original(backend, name, *arguments)
    metadata["cloneUrlHttp"] = clone_url(place, name)
    try:
        _stored(place, name).create()
    except Exception:  # such as a full disk: a repository without its content is none
        del backend.repositories[name]
        _stored(place, name).delete()
        raise
    return metadata


def _delete_repository(context: Context, original: Callable[..., Any], backend: Any, repository_name: str) -> Any:
    repository_id = original(backend, repository_name)
    if _NAME.fullmatch(repository_name):
        _stored(context.places.at(backend.account_id, backend.region_name), repository_name).delete()
    return repository_id


# ------------------------------------------------------------------------------------- git over HTTP


def refusal(context: Context, request: Request) -> Response | None:
    """The answer to a request that does not carry the run's secret as its password; None for one that does."""
    if _asking(context, request):
        return None
    message = b"The password is the secret access key that the local account printed; for git, use the address that it printed.\n"
    return Response(401, message, {"www-authenticate": 'Basic realm="local account"', "content-type": "text/plain"})


def serve_git(context: Context, request: Request) -> Response:
    """Answer `git clone`, `fetch` or `push`, and tell the event bus which references a push changed. After `refusal` has let it pass."""
    context = _place(context, request)
    match = _GIT_PATH.fullmatch(request.path)
    try:
        git = repository(context, match[1]) if match else None
    except ServiceError:
        git = None
    if git is None or match is None:
        return git_over_http.refused(404, "There is no such repository.")
    name, ending = match[1], match[2]
    if wrong := git_over_http.wrong_method(request, ending):
        return wrong
    operation = "GitPush" if git_over_http.is_push(request, ending) else "GitPull"
    try:
        context.authorizer.require_of(context.keyring.administrator, "codecommit", operation, {"repositoryName": name})
    except ServiceError as error:
        return git_over_http.refused(403, error.message)
    pushed = functools.partial(announce, context, name)
    return git_over_http.serve(git, request, ending, context.settings.account_id, pushed)


def announce(context: Context, name: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Emit one event for each reference that was created, moved or deleted."""
    metadata = _records(context)[name].repository_metadata
    for reference in sorted({*before, *after}):
        old, new = before.get(reference), after.get(reference)
        if old == new:
            continue
        event = "referenceCreated" if old is None else "referenceDeleted" if new is None else "referenceUpdated"
        detail = {
            "callerUserArn": f"arn:aws:iam::{context.settings.account_id}:user/{ADMINISTRATOR}",
            "event": event,
            "repositoryName": name,
            "repositoryId": metadata["repositoryId"],
            "referenceType": "tag" if reference.startswith("refs/tags/") else "branch",
            "referenceName": reference.split("/", 2)[2],
            "referenceFullName": reference,
            **({"commitId": new} if new else {}),
            **({"oldCommitId": old} if old else {}),
        }
        context.emit("aws.codecommit", "CodeCommit Repository State Change", detail, [context.arn("codecommit", name)])


def _records(context: Context) -> Mapping[str, Any]:
    """moto's record of each repository, by name."""
    records: Mapping[str, Any] = emulators.moto_backends("codecommit")[context.settings.account_id][context.settings.region].repositories
    return records


def account_of_password(secrets: Mapping[str, str], authorization: str) -> str | None:
    """The account whose administrator's secret an `Authorization` header (HTTP basic) carries as the password. `secrets` by account."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        password = base64.b64decode(encoded, validate=True).partition(b":")[2]
    except ValueError:  # no base64, or not even ASCII
        return None
    known = [account_id for account_id, secret in secrets.items() if hmac.compare_digest(password, secret.encode())]
    return known[0] if known and scheme.lower() == "basic" else None


def _asking(context: Context, request: Request) -> str | None:
    accounts = [context.places.at(account_id, context.settings.region) for account_id in context.places.account_ids]
    secrets = {account.settings.account_id: account.keyring.administrator.secret for account in accounts}
    return account_of_password(secrets, request.headers.get("authorization", ""))


# --------------------------------------------------------------------------------------- operations


def _list_repositories(context: Context, parameters: dict[str, Any]) -> Mapping[str, Any]:
    records = sorted(_records(context).items())
    return {
        "repositories": [{"repositoryName": name, "repositoryId": record.repository_metadata["repositoryId"]} for name, record in records]
    }


def _update_repository_description(context: Context, parameters: dict[str, Any]) -> Mapping[str, Any]:
    repository(context, parameters["repositoryName"])
    described = _records(context)[parameters["repositoryName"]].repository_metadata
    described["repositoryDescription"] = parameters.get("repositoryDescription", "")
    return {}


def _list_branches(context: Context, parameters: dict[str, Any]) -> Mapping[str, Any]:
    references = repository(context, parameters["repositoryName"]).references()
    return {"branches": [name.removeprefix("refs/heads/") for name in references if name.startswith("refs/heads/")]}


def _get_branch(context: Context, parameters: dict[str, Any]) -> Mapping[str, Any]:
    name, branch = parameters["repositoryName"], parameters["branchName"]
    commit = repository(context, name).references().get(f"refs/heads/{branch}")
    if commit is None:
        raise ServiceError("BranchDoesNotExistException", f"{name} has no branch {branch}")
    return {"branch": {"branchName": branch, "commitId": commit}}


def _get_commit(context: Context, parameters: dict[str, Any]) -> Mapping[str, Any]:
    git = repository(context, parameters["repositoryName"])
    commit = git.resolve(parameters["commitId"])
    tree, parents, *people, message = git.show(commit, "%T", "%P", *("%an", "%ae", "%ad"), *("%cn", "%ce", "%cd"), "%B")
    author, committer = (dict(zip(("name", "email", "date"), person, strict=True)) for person in (people[:3], people[3:]))
    described = {"commitId": commit, "treeId": tree, "parents": parents.split(), "author": author, "committer": committer}
    return {"commit": {**described, "message": message.rstrip("\n") + "\n", "additionalData": ""}}


def _get_differences(context: Context, parameters: dict[str, Any]) -> Mapping[str, Any]:
    git = repository(context, parameters["repositoryName"])
    before = git.resolve(parameters["beforeCommitSpecifier"]) if parameters.get("beforeCommitSpecifier") else None
    found = git.differences(before, git.resolve(parameters["afterCommitSpecifier"]))
    inside = (parameters.get("beforePath") or "", parameters.get("afterPath") or "")
    shown = [difference for difference in found if _is_inside(difference, *inside)]
    start, size = int(parameters.get("NextToken") or 0), int(parameters.get("MaxResults") or 400)
    page = [_difference_json(difference) for difference in shown[start : start + size]]
    return {"differences": page, **({"NextToken": str(start + size)} if start + size < len(shown) else {})}


def _is_inside(difference: Difference, before_path: str, after_path: str) -> bool:
    sides = ((difference.before, before_path), (difference.after, after_path))
    return all(blob is None or not path or blob.path == path or blob.path.startswith(f"{path.rstrip('/')}/") for blob, path in sides)


def _difference_json(difference: Difference) -> dict[str, Any]:
    change = "A" if difference.before is None else "D" if difference.after is None else "M"
    blobs = {"beforeBlob": difference.before, "afterBlob": difference.after}
    return {"changeType": change, **{side: _blob_json(blob) for side, blob in blobs.items() if blob}}


def _blob_json(blob: Blob) -> dict[str, str]:
    return {"blobId": blob.identifier, "path": blob.path, "mode": blob.mode}


def _get_file(context: Context, parameters: dict[str, Any]) -> Mapping[str, Any]:
    git = repository(context, parameters["repositoryName"])
    commit = git.resolve(parameters.get("commitSpecifier") or "HEAD")
    blob = git.blob(commit, parameters["filePath"])
    if blob is None:
        raise ServiceError("FileDoesNotExistException", f"{parameters['filePath']} is not in commit {commit}")
    content = git.git("cat-file", "blob", blob.identifier)
    if len(content) > _LARGEST_FILE_BYTES:
        allowed = f"allowed: {_LARGEST_FILE_BYTES:,}; `git clone` has files of any size"
        raise ServiceError("FileTooLargeException", f"{blob.path} has {len(content):,} bytes; {allowed}")
    mode = {"100755": "EXECUTABLE", "120000": "SYMLINK"}.get(blob.mode, "NORMAL")
    described = {"commitId": commit, "blobId": blob.identifier, "filePath": blob.path, "fileMode": mode, "fileSize": len(content)}
    return {**described, "fileContent": base64.b64encode(content).decode()}


_OPERATIONS: Mapping[str, Operation] = {
    "list_repositories": _list_repositories,
    "update_repository_description": _update_repository_description,
    "list_branches": _list_branches,
    "get_branch": _get_branch,
    "get_commit": _get_commit,
    "get_differences": _get_differences,
    "get_file": _get_file,
}
