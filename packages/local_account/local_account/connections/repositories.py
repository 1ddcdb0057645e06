"""The repositories behind connections: Git over HTTP, and what a provider's webhook tells of a push.

The address is `http://127.0.0.1:<port>/v1/connections/<owner>/<name>` (GitLab's groups may have groups of their own), with the run's secret
as the password. Who pushes is known to the provider, not to IAM: the secret stands for an account there. A push to a repository that is not
there makes it, as it makes a project at GitLab ("Create a new project with git push" in its documentation). All connections of an account
lead to the same repositories, whatever their provider. Input: requests. Output: responses, and `Push`es to who has subscribed.
Next: `codepipeline/change_detection.py`.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from local_account import codecommit, git_over_http
from local_account.context import Context
from local_account.errors import ServiceError
from local_account.git_repositories import GitRepository
from local_account.response import Response
from local_account.signatures import Request

_log = logging.getLogger(__name__)

HTTP_PREFIX = "/v1/connections/"  # no bucket is called so: names of buckets have three characters at least
#: A part of a repository's full name, as all three providers take it; no address leads to `.`, `..` and what ends like an address.
_PART = r"(?!\.{1,2}(?:/|$)|-)[A-Za-z0-9_.-]{1,100}(?<!\.git)"
#: CodePipeline user guide, "CodeStarSourceConnection": "The owner and name of the repository", with its case.
_FULL_NAME = re.compile(rf"{_PART}(/{_PART}){{1,20}}")
_GIT_PATH = re.compile(rf"{HTTP_PREFIX}([\w./-]+?)(?:\.git)?{git_over_http.ENDING}", re.ASCII)
_BRANCH, _TAG = "refs/heads/", "refs/tags/"
_creation = threading.Lock()


@dataclass(frozen=True)
class Push:
    """One branch or tag that a push made or moved. `files` are the paths that differ from before; None where there was no before."""

    repository: str
    branch: str
    tag: str
    commit: str
    files: tuple[str, ...] | None


class Webhooks:
    """Who is told of pushes, in whatever account and region: a provider knows neither."""

    def __init__(self) -> None:
        self.subscribers: list[Callable[[Push], None]] = []

    def deliver(self, push: Push) -> None:
        """What a subscriber cannot do is logged: the provider has taken the push."""
        for subscriber in self.subscribers:
            try:
                subscriber(push)
            except Exception:
                _log.exception("a push to %s was not acted on", push.repository)


def webhooks_of(context: Context) -> Webhooks:
    return context.places.first.part(Webhooks, Webhooks)


def repository(context: Context, full_name: str) -> GitRepository:
    """The content of `owner/name`. Raises ServiceError if there is no such repository."""
    found = _stored(context, full_name) if _FULL_NAME.fullmatch(full_name) else None
    if found is None or not found.exists:
        message = f"there is no repository {full_name!r}; push to {clone_url(context, full_name)} to make it"
        raise ServiceError("ResourceNotFoundException", message)
    return found


def clone_url(context: Context, full_name: str) -> str:
    return f"{context.settings.endpoint_url}{HTTP_PREFIX}{full_name}"


def serve_git(context: Context, request: Request) -> Response:
    """Answer `git clone`, `fetch` or `push`, and tell the subscribers of each branch and tag that a push made or moved."""
    refused = codecommit.refusal(context, request)
    if refused is not None:
        return refused
    match = _GIT_PATH.fullmatch(request.path)
    if match is None or not _FULL_NAME.fullmatch(match[1]):
        return git_over_http.refused(404, f"There is no such repository; its address is {HTTP_PREFIX}OWNER/NAME.")
    full_name, ending = match[1], match[2]
    if wrong := git_over_http.wrong_method(request, ending):
        return wrong
    git = _stored(context, full_name)
    if git_over_http.is_push(request, ending):
        _require(git)
    elif not git.exists:
        return git_over_http.refused(404, f"There is no repository {full_name}; a push makes it.")

    def pushed(before: Mapping[str, str], after: Mapping[str, str]) -> None:
        if not before:
            _choose_default_branch(git, after)
        for push in _pushes(git, full_name, before, after):
            webhooks_of(context).deliver(push)

    return git_over_http.serve(git, request, ending, full_name.partition("/")[0], pushed)


def _stored(context: Context, full_name: str) -> GitRepository:
    return GitRepository(
        context.places.first.settings.state_directory / "connections" / f"{full_name}.git"
    )  # a name that `_FULL_NAME` allows


def _require(git: GitRepository) -> None:
    """Make the repository if it is not there."""
    with _creation:
        if git.exists:
            return
        try:
            git.create()
        except Exception:  # such as a full disk: a repository without its content is none
            git.delete()
            raise


def _choose_default_branch(git: GitRepository, references: Mapping[str, str]) -> None:
    """As providers do: a clone checks out a branch that is there."""
    branches = sorted(reference for reference in references if reference.startswith(_BRANCH))
    if branches and f"{_BRANCH}main" not in branches:
        git.git("symbolic-ref", "HEAD", branches[0])


def _pushes(git: GitRepository, full_name: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Push]:
    for reference in sorted(reference for reference in after if before.get(reference) != after[reference]):
        try:
            commit = git.resolve(reference)
            old = git.resolve(before[reference]) if reference in before else None
        except ServiceError:  # a tag of a file, which no pipeline could take
            continue
        files = tuple(difference.path for difference in git.differences(old, commit)) if old else None
        yield Push(full_name, _after(_BRANCH, reference), _after(_TAG, reference), commit, files)


def _after(prefix: str, reference: str) -> str:
    return reference.removeprefix(prefix) if reference.startswith(prefix) else ""
