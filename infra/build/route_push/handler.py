"""Lambda: decides what a push to CodeCommit starts.

Input: the event "CodeCommit Repository State Change". Output: `{"started": <execution id>}` or `{"started": None}`
with the reason in `reason`. Environment: BUILD_PIPELINE_NAME, SOURCE_ACTION_NAME, DOCUMENTATION_PATTERNS.
Next in the journey: build_scripts/buildspec.yml, run by the pipeline this starts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import boto3

#: Variable of the build pipeline (infra/build/build_pipeline.py), and its value where nobody says who pushed.
PUSHED_BY, UNKNOWN = "PushedBy", "unknown"


@dataclass(frozen=True)
class Decision:
    """Whether the pushed commit is built, and why."""

    build: bool
    reason: str


def plan(event: Mapping[str, Any], changed_paths: Sequence[str], documentation: Sequence[str]) -> Decision:
    """`changed_paths` are the files that differ between the old and the new commit; `documentation` are shell patterns.

    Without an old commit (the first push, a branch that came back) there is nothing to compare, so the commit is built.
    """
    if not event["detail"].get("oldCommitId"):
        return Decision(True, "first commit of the branch")
    code = [path for path in changed_paths if not any(fnmatchcase(path, pattern) for pattern in documentation)]
    if code:
        return Decision(True, f"changed: {', '.join(code[:5])}{' and more' if len(code) > 5 else ''}")
    return Decision(False, "only documentation changed" if changed_paths else "no file changed")


def changed_paths(client: Any, detail: Mapping[str, Any]) -> Iterable[str]:
    """Old and new names of every file that differs between the event's two commits."""
    if not detail.get("oldCommitId"):
        return
    request = {
        "repositoryName": detail["repositoryName"],
        "beforeCommitSpecifier": detail["oldCommitId"],
        "afterCommitSpecifier": detail["commitId"],
    }
    while True:
        page = client.get_differences(**request)
        for difference in page["differences"]:
            yield from {blob["path"] for blob in (difference.get("beforeBlob"), difference.get("afterBlob")) if blob}
        if not page.get("NextToken"):
            return
        request["NextToken"] = page["NextToken"]


def start_build(client: Any, event: Mapping[str, Any], pipeline_name: str, source_action: str) -> str:
    """Builds exactly the pushed commit. The event's id as token: a redelivered event starts nothing new.

    Who pushed is remembered with the execution: whoever approves a version may have to be somebody else (infra/model/check_approvers/).
    """
    execution = client.start_pipeline_execution(
        name=pipeline_name,
        clientRequestToken=event["id"],
        variables=[{"name": PUSHED_BY, "value": event["detail"].get("callerUserArn") or UNKNOWN}],
        sourceRevisions=[{"actionName": source_action, "revisionType": "COMMIT_ID", "revisionValue": event["detail"]["commitId"]}],
    )
    return str(execution["pipelineExecutionId"])


def handler(event: Mapping[str, Any], context: object) -> dict[str, str | None]:
    paths = sorted(set(changed_paths(boto3.client("codecommit"), event["detail"])))
    decision = plan(event, paths, os.environ["DOCUMENTATION_PATTERNS"].split(","))
    started = None
    if decision.build:
        started = start_build(boto3.client("codepipeline"), event, os.environ["BUILD_PIPELINE_NAME"], os.environ["SOURCE_ACTION_NAME"])
    print(f"{event['detail']['commitId']}: {'build ' + started if started else 'nothing started'}, {decision.reason}")
    return {"started": started, "reason": decision.reason}
