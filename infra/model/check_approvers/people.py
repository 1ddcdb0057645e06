"""Whether those who approved are different people, none of whom pushed or wrote the commit: pure. Used by handler.py.

A person is who the last part of an ARN names: the user, or the session of a role. IAM Identity Center names these after its users; whoever
may assume a role otherwise chooses the session's name, unless its trust policy asks for one (`sts:RoleSessionName`). So this is as good as
those names are, and a name that a tool makes up is refused. An author is known by ARN where the code is in CodeCommit, and by the
address in the commit, which git takes from whoever writes it.
Sources: "IAM JSON policy elements: aws:userid, RoleSessionName" of the IAM user guide; botocore, credentials.py (`botocore-session-`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Beginning of the session's name that the SDKs make up where none is given.
_NOBODY = ("botocore-session-", "aws-sdk-", "aws-go-sdk-", "session-")


@dataclass(frozen=True)
class Author:
    """Of a commit: `arn` of who pushed it, or `email` of who wrote it."""

    commit: str
    arn: str = ""
    email: str = ""


def person(arn: str) -> str:
    """In small letters; empty where an ARN says nobody."""
    name = arn.rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower()
    return "" if name.startswith(_NOBODY) else name


def judge(approvers: Mapping[str, str], authors: Sequence[Author], wanted: int) -> str:
    """Why the approvals do not stand; empty where they do. `approvers`: name of the approval -> ARN. `wanted`: so many people."""
    if len(approvers) < wanted:
        return f"{wanted} approvals are needed, {len(approvers)} given"
    if not any(author.arn or author.email for author in authors):
        return "nobody knows who pushed or wrote the commit, so whether somebody else approved cannot be told"
    people: dict[str, str] = {}
    for approval, arn in approvers.items():
        name = person(arn)
        if not name:
            return (
                f"{approval} was given by {arn or 'nobody that CodePipeline names'}, which names no person: use a session named after one"
            )
        if name in people:
            return f"{people[name]} and {approval} were both given by {arn}; another person has to give one of them{_AGAIN}"
        for author in authors:
            if _is(author, arn, name):
                return f"{approval} was given by {arn}, who {_did(author)} commit {author.commit[:12]}; another person has to{_AGAIN}"
        people[name] = approval
    return ""


_AGAIN = ": run the stage again (RetryStageExecution, ALL_ACTIONS), which asks anew"


def _is(author: Author, arn: str, name: str) -> bool:
    """An address is held to the whole of a name and to its first part: jane@example.com is jane. Rather too often than not."""
    if author.arn:
        return author.arn == arn or person(author.arn) == name
    email = author.email.lower()
    return bool(email) and name in (email, email.partition("@")[0])


def _did(author: Author) -> str:
    return f"pushed (as {author.arn})" if author.arn else f"wrote (as {author.email})"
