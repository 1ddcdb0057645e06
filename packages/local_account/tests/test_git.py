"""CodeCommit: stock git clones and pushes over HTTP, a push is an event, and the API reads what was pushed."""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .roles import open_to_services


def git(*arguments: str, cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.com",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.com",
    }
    return subprocess.run(["git", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=check)


def address(account: Account, name: str, password: str | None = None) -> str:
    settings = account.settings
    return f"http://{settings.account_id}:{password or settings.secret}@127.0.0.1:{settings.port}/v1/repos/{name}"


@pytest.fixture
def name(account: Account) -> str:
    """A new repository."""
    name = f"repository-{uuid.uuid4().hex[:8]}"
    account.client("codecommit").create_repository(repositoryName=name)
    return name


@pytest.fixture
def clone(account: Account, name: str, tmp_path: Path) -> Path:
    """A clone of `name` with one commit on main, pushed."""
    git("clone", "--quiet", address(account, name), str(tmp_path / "clone"))
    directory = tmp_path / "clone"
    git("checkout", "--quiet", "-B", "main", cwd=directory)
    commit(directory, {"README.md": "first\n", "settings.py": "X = 1\n"}, "first")
    git("push", "--quiet", "origin", "main", cwd=directory)
    return directory


def commit(directory: Path, files: dict[str, str], message: str) -> str:
    for path, content in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(content)
    git("add", "--all", cwd=directory)
    git("commit", "--quiet", "-m", message, cwd=directory)
    return git("rev-parse", "HEAD", cwd=directory).stdout.strip()


@pytest.fixture
def pushes(account: Account) -> Callable[[int], Sequence[dict[str, Any]]]:
    """Collects the details of CodeCommit events: call it with how many to wait for."""
    sqs, events = account.client("sqs"), account.client("events")
    rule = f"pushes-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=rule, Attributes=open_to_services())["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.codecommit"]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": arn}])

    def collect(count: int) -> Sequence[dict[str, Any]]:
        details: list[dict[str, Any]] = []
        while len(details) < count:
            messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10, MaxNumberOfMessages=10).get("Messages", [])
            assert messages, f"only {len(details)} of {count} events came"
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                details.append(json.loads(message["Body"])["detail"])
        return details

    return collect


def test_what_is_pushed_can_be_cloned(account: Account, name: str, clone: Path, tmp_path: Path) -> None:
    git("clone", "--quiet", address(account, name), str(tmp_path / "second"))

    assert (tmp_path / "second" / "README.md").read_text() == "first\n"


def test_a_push_is_an_event_with_the_commits_before_and_after(account: Account, name: str, clone: Path, pushes: Any) -> None:
    before = git("rev-parse", "HEAD", cwd=clone).stdout.strip()
    after = commit(clone, {"settings.py": "X = 2\n"}, "second")
    git("push", "--quiet", "origin", "main", cwd=clone)

    detail = pushes(1)[0]

    assert (detail["event"], detail["referenceName"], detail["referenceType"]) == ("referenceUpdated", "main", "branch")
    assert (detail["oldCommitId"], detail["commitId"], detail["repositoryName"]) == (before, after, name)


def test_new_and_deleted_references_are_events(clone: Path, pushes: Any) -> None:
    git("push", "--quiet", "origin", "main:feature/x", cwd=clone)
    git("push", "--quiet", "origin", "--delete", "feature/x", cwd=clone)
    git("tag", "v1", cwd=clone)
    git("push", "--quiet", "origin", "v1", cwd=clone)

    seen = {(detail["event"], detail["referenceType"], detail["referenceName"]) for detail in pushes(3)}

    assert seen == {
        ("referenceCreated", "branch", "feature/x"),
        ("referenceDeleted", "branch", "feature/x"),
        ("referenceCreated", "tag", "v1"),
    }


def test_a_push_that_changes_nothing_is_no_event(account: Account, clone: Path, pushes: Any) -> None:
    git("push", "--quiet", "origin", "main", cwd=clone)
    after = commit(clone, {"settings.py": "X = 3\n"}, "third")
    git("push", "--quiet", "origin", "main", cwd=clone)

    assert [detail["commitId"] for detail in pushes(1)] == [after]


def test_a_large_push_arrives_whole(account: Account, name: str, clone: Path) -> None:
    """More than git's 1 MiB `http.postBuffer`, so the pack is sent in chunks."""
    content = base64.b64encode(random.Random(1).randbytes(4_000_000)).decode()
    head = commit(clone, {"data/large.txt": content}, "large")
    git("push", "--quiet", "origin", "main", cwd=clone)

    stored = account.client("codecommit").get_file(repositoryName=name, filePath="data/large.txt")
    assert (stored["commitId"], stored["fileContent"].decode()) == (head, content)


def test_a_file_that_is_longer_than_an_answer_may_be_is_not_told(account: Account, name: str, clone: Path) -> None:
    commit(clone, {"data/longer.txt": "x" * (6 * 1024**2 + 1)}, "longer")
    git("push", "--quiet", "origin", "main", cwd=clone)

    with pytest.raises(ClientError, match=r"FileTooLargeException.*data/longer.txt has 6,291,457 bytes"):
        account.client("codecommit").get_file(repositoryName=name, filePath="data/longer.txt")


def test_many_references_are_fetched_with_a_compressed_request(account: Account, name: str, clone: Path, tmp_path: Path) -> None:
    """git compresses what it says it has once that is more than a kilobyte."""
    git("clone", "--quiet", address(account, name), str(tmp_path / "other"))
    for number in range(40):
        commit(tmp_path / "other", {"notes.txt": f"{number}\n"}, f"note {number}")
    head = commit(clone, {"settings.py": "X = 4\n"}, "fourth")
    git("push", "--quiet", "origin", "main", cwd=clone)

    git("fetch", "--quiet", "origin", cwd=tmp_path / "other")

    assert git("rev-parse", "origin/main", cwd=tmp_path / "other").stdout.strip() == head


@pytest.mark.parametrize("password", ["wrong", ""])
def test_git_needs_the_secret(account: Account, name: str, password: str, tmp_path: Path) -> None:
    refused = git("clone", address(account, name, password or "x" * 40), str(tmp_path / "clone"), check=False)

    assert refused.returncode != 0
    assert "Authentication failed" in refused.stderr


def test_an_unknown_repository_is_not_found(account: Account, tmp_path: Path) -> None:
    refused = git("clone", address(account, "nobody"), str(tmp_path / "clone"), check=False)

    assert "not found" in refused.stderr


def test_differences_name_each_changed_file(account: Account, name: str, clone: Path) -> None:
    before = git("rev-parse", "HEAD", cwd=clone).stdout.strip()
    (clone / "README.md").unlink()
    after = commit(clone, {"settings.py": "X = 2\n", "docs/new page.md": "new\n"}, "second")
    git("push", "--quiet", "origin", "main", cwd=clone)
    codecommit = account.client("codecommit")

    changes = codecommit.get_differences(repositoryName=name, beforeCommitSpecifier=before, afterCommitSpecifier=after)["differences"]

    paths = {(change["changeType"], (change.get("afterBlob") or change["beforeBlob"])["path"]) for change in changes}
    assert paths == {("D", "README.md"), ("M", "settings.py"), ("A", "docs/new page.md")}
    every_file = codecommit.get_differences(repositoryName=name, afterCommitSpecifier="main")["differences"]
    assert {change["changeType"] for change in every_file} == {"A"}
    first_page = codecommit.get_differences(repositoryName=name, beforeCommitSpecifier=before, afterCommitSpecifier=after, MaxResults=2)
    assert (len(first_page["differences"]), "NextToken" in first_page) == (2, True)


def test_branches_and_commits_are_described(account: Account, name: str, clone: Path) -> None:
    codecommit = account.client("codecommit")
    head = git("rev-parse", "HEAD", cwd=clone).stdout.strip()

    assert codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"] == head
    assert codecommit.list_branches(repositoryName=name)["branches"] == ["main"]
    described = codecommit.get_commit(repositoryName=name, commitId=head)["commit"]
    assert (described["message"], described["author"]["name"], described["parents"]) == ("first\n", "Ada", [])
    with pytest.raises(codecommit.exceptions.BranchDoesNotExistException):
        codecommit.get_branch(repositoryName=name, branchName="develop")
    with pytest.raises(codecommit.exceptions.CommitDoesNotExistException):
        codecommit.get_commit(repositoryName=name, commitId="0" * 40)


def test_a_deleted_repository_is_gone_and_its_name_is_free(account: Account, name: str, clone: Path) -> None:
    codecommit = account.client("codecommit")
    codecommit.delete_repository(repositoryName=name)

    assert name not in [repository["repositoryName"] for repository in codecommit.list_repositories()["repositories"]]
    codecommit.create_repository(repositoryName=name)
    assert codecommit.list_branches(repositoryName=name)["branches"] == []
