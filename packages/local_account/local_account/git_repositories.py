"""The bare Git repositories behind CodeCommit and connections: read with the `git` command, one directory per repository.

Used by `codecommit.py` for the API, by `connections/` for what a push changed and by `codepipeline/` for source archives.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_account.errors import ServiceError

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the hash of a tree without files, the same in every repository
_DIFF_FIELDS = 5


@dataclass(frozen=True)
class Blob:
    """A file of one commit. `mode` is Git's, such as 100644."""

    identifier: str
    path: str
    mode: str


@dataclass(frozen=True)
class Difference:
    """A path that differs between two commits; `before` is None for an added file, `after` for a deleted one."""

    before: Blob | None
    after: Blob | None

    @property
    def path(self) -> str:
        blob = self.after or self.before
        return blob.path if blob else ""


@dataclass(frozen=True)
class Commit:
    """Who made a commit, and when; times are ISO 8601 with their offset."""

    identifier: str
    author: str
    author_email: str
    authored: str
    committed: str
    message: str

    @property
    def title(self) -> str:
        """The message's first line."""
        return self.message.splitlines()[0] if self.message else ""


class GitRepository:
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def exists(self) -> bool:
        return self.directory.is_dir()

    def create(self) -> None:
        self.directory.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", "--initial-branch=main", ".")
        self.git("config", "http.receivepack", "true")

    def delete(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def git(self, *arguments: str, environment: Mapping[str, str] | None = None) -> bytes:
        """Standard output of a git command. Raises ServiceError (500) with git's own message if it fails."""
        finished = subprocess.run(
            ["git", "-C", str(self.directory), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**git_environment(), **(environment or {})},
            check=False,
        )
        if finished.returncode:
            raise ServiceError("InternalFailure", f"git {arguments[0]}: {finished.stderr.decode(errors='replace').strip()}", 500)
        return finished.stdout

    def references(self) -> dict[str, str]:
        """Full reference name -> object id, of branches and tags."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags").decode().splitlines()
        return dict(line.rsplit(" ", 1) for line in lines)

    def resolve(self, specifier: str) -> str:
        """Commit id of a branch, tag, HEAD or (abbreviated) commit id."""
        for name in (f"refs/heads/{specifier}", specifier):
            if specifier and not specifier.startswith("-"):
                try:
                    return self.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").decode().strip()
                except ServiceError:
                    continue
        raise ServiceError("CommitDoesNotExistException", f"{self.directory.stem} has no branch or commit {specifier!r}.")

    def show(self, commit: str, *fields: str) -> list[str]:
        """What Git knows of a commit that `resolve` gave: the placeholders of git-show(1), the message last."""
        raw = self.git("show", "--no-patch", "--date=raw", f"--format={'%x00'.join(fields)}", commit)
        return raw.decode("utf-8", "replace").split("\0", len(fields) - 1)

    def commit(self, identifier: str) -> Commit:
        """Of a commit that `resolve` gave."""
        author, email, authored, committed, message = self.show(identifier, "%an", "%ae", "%aI", "%cI", "%B")
        return Commit(identifier, author, email, authored, committed, message.strip())

    def differences(self, before: str | None, after: str) -> list[Difference]:
        """Files that differ. `before` None compares with nothing, so every file of `after` is added."""
        raw = self.git("diff-tree", "-r", "-z", "--raw", "--no-renames", "--full-index", before or EMPTY_TREE, after).decode()
        fields = raw.split("\0")
        return [_difference(header, path) for header, path in zip(fields[0::2], fields[1::2], strict=False)]

    def blob(self, commit: str, path: str) -> Blob | None:
        """The file at `path`, or None."""
        entry = self.git("ls-tree", "-z", commit, "--", path).decode().partition("\0")[0]
        if not entry:
            return None
        mode, kind, identifier = entry.split("\t")[0].split()
        return Blob(identifier, path, mode) if kind == "blob" else None

    def zip_archive(self, commit: str) -> bytes:
        """All files of a commit, as CodePipeline's source action delivers them."""
        return self.git("archive", "--format=zip", commit)

    def clone_to(self, directory: Path, commit: str, address: str) -> None:
        """A clone with its history in an empty directory, at a commit of no branch; `address` is what it knows as its origin."""
        clone = GitRepository(directory)
        self.git("clone", "--quiet", "--no-hardlinks", "--no-checkout", ".", str(directory))
        clone.git("checkout", "--quiet", "--detach", commit)
        clone.git("remote", "set-url", "origin", address)


def git_environment() -> dict[str, str]:
    """Environment in which the user's own Git configuration does not matter."""
    return {"PATH": os.environ.get("PATH", os.defpath), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}


def _difference(header: str, path: str) -> Difference:
    """One entry of `git diff-tree --raw`: `:<mode> <mode> <id> <id> <status>` and the path."""
    fields = header.lstrip(":").split()
    if len(fields) != _DIFF_FIELDS:
        raise ServiceError("InternalFailure", f"git diff-tree answered {header!r}", 500)
    old_mode, new_mode, old_id, new_id, status = fields
    before = None if status == "A" else Blob(old_id, path, old_mode)
    after = None if status == "D" else Blob(new_id, path, new_mode)
    return Difference(before, after)
