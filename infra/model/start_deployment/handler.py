"""Lambda: starts the deploy pipeline, and decides what no pushed code may: which version, from which commit, and whether a person is asked.

The registry says which version should run; events only wake this. What has served production, and which commits were built and tested, is
what CodePipeline remembers of its own executions, which nothing that a push brings can write (docs/decisions/0093-*.md).
Input: a version's approval changed; the build pipeline or the deploy pipeline succeeded; or, by hand, `{"package": <ARN>}` or nothing.
Output: `{"started": <execution id or None>, "reason": ...}`. Environment: see `Names`. Next: deploy_scripts/render.buildspec.yml.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

#: Variables of the deploy pipeline (infra/model/deploy_pipeline.py).
PACKAGE, RETURNING = "ModelPackageArn", "Returning"


@dataclass(frozen=True)
class Stack:
    """`role` is assumed to look at it, where it is in another account."""

    name: str
    region: str
    role: str = ""


@dataclass(frozen=True)
class Names:
    """`stacks` serve the model. Their templates are at `code/templates/<commit>/<stack>.template.json` of `bucket`."""

    group: str
    build_pipeline: str
    deploy_pipeline: str
    source_action: str
    bucket: str
    stacks: tuple[Stack, ...]

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Names:
        return cls(
            group=variables["MODEL_PACKAGE_GROUP"],
            build_pipeline=variables["BUILD_PIPELINE_NAME"],
            deploy_pipeline=variables["DEPLOY_PIPELINE_NAME"],
            source_action=variables["SOURCE_ACTION_NAME"],
            bucket=variables["ARTIFACT_BUCKET"],
            stacks=tuple(Stack(**given) for given in json.loads(variables["SERVING_STACKS"])),
        )


@dataclass(frozen=True)
class Version:
    """An approved version. `commit` is what its metadata says, which pushed code wrote: a claim, until it is among the built ones."""

    arn: str
    created: datetime
    commit: str = ""


@dataclass(frozen=True)
class Release:
    """An execution of the deploy pipeline that ended well, so this version served production, deployed by that commit."""

    package: str
    commit: str
    started: datetime


@dataclass(frozen=True)
class Decision:
    """`commit` is checked out for the deployment's scripts, settings and templates. `returning`: production needs no second approval."""

    start: bool
    reason: str
    commit: str = ""
    returning: bool = False


def plan_version(version: Version | None, releases: Sequence[Release], built: Sequence[str], *, under_way: bool = False) -> Decision:
    """What goes out when an approval changed. `releases` and `built`, the commits whose build succeeded, are newest first.

    A version that served production goes back with what production runs now: both were approved by a person. Another one goes out with the
    commit that made it, or with production's own where that is newer, so that no later push comes along. `under_way`: it is being deployed.
    """
    if version is None:
        return Decision(False, "no version is approved; approving one deploys it")
    if under_way:
        return Decision(False, f"{_name(version)} is already on its way")
    if releases and has_served(version, releases):
        return Decision(True, f"{_name(version)} served production before", releases[0].commit, returning=True)
    known = [version.commit, *(release.commit for release in releases[:1])]
    commit = next((commit for commit in built if commit in known), None) or (built[0] if built else None)
    if commit is None:
        return Decision(False, "no commit was built yet, so nothing says how to deploy; the first push is built")
    return Decision(True, f"{_name(version)} is approved", commit)


def plan_settings(
    version: Version | None, releases: Sequence[Release], built: Sequence[str], changed: Sequence[str], *, under_way: bool = False
) -> Decision:
    """What goes out after a build or a deployment: the approved version with the newest commit, if that has other endpoint templates.

    `changed`: the stacks whose kept template of that commit is not the deployed one. Code that was pushed asks a person. `under_way`: that
    commit is being deployed, and may wait for that person.
    """
    if version is None:
        return Decision(False, "no version is approved yet; approving one deploys it")
    if not built or (releases and releases[0].commit == built[0]):
        return Decision(False, "production runs the newest commit that was built")
    if under_way:
        return Decision(False, f"{built[0]} is already on its way")
    if not changed:
        return Decision(False, "the endpoint templates are the ones deployed")
    return Decision(True, f"{_name(version)} goes out with a changed {', '.join(changed)}", built[0])


def has_served(version: Version, releases: Sequence[Release]) -> bool:
    """A release before the version was made is of another one that had its ARN, in a group that was deleted meanwhile."""
    return any(release.package == version.arn and release.started > version.created for release in releases)


def _name(version: Version) -> str:
    return f"version {version.arn.rsplit('/', 1)[-1]}"


def approved(client: Any, group: str, requested: str | None) -> Version | None:
    """The version that was asked for, else the newest approved one; None if there is none, or if it is not approved."""
    arns = [requested] if requested else _approved_arns(client, group)
    if not arns:
        return None
    package = client.describe_model_package(ModelPackageName=arns[0])
    if package["ModelApprovalStatus"] != "Approved" or package.get("ModelPackageGroupName") != group:
        return None
    commit = (package.get("CustomerMetadataProperties") or {}).get("git-commit", "")
    return Version(package["ModelPackageArn"], package["CreationTime"], commit)


def _approved_arns(client: Any, group: str) -> list[str]:
    """Newest first. The API's own order is oldest first."""
    request = {"ModelPackageGroupName": group, "ModelApprovalStatus": "Approved", "SortBy": "CreationTime", "SortOrder": "Descending"}
    pages = client.get_paginator("list_model_packages").paginate(**request)
    found = [item for page in pages for item in page["ModelPackageSummaryList"] if item["ModelPackageStatus"] == "Completed"]
    return [item["ModelPackageArn"] for item in sorted(found, key=lambda item: item["ModelPackageVersion"], reverse=True)]


def succeeded(client: Any, pipeline: str) -> Iterator[dict[str, Any]]:
    """The executions that ended well, newest first."""
    return (execution for execution in executions(client, pipeline) if execution["status"] == "Succeeded")


def executions(client: Any, pipeline: str) -> Iterator[dict[str, Any]]:
    """Summaries, newest first, as CodePipeline lists them. It remembers twelve months."""
    for page in client.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline):
        yield from page["pipelineExecutionSummaries"]


def is_under_way(client: Any, pipeline: str, commit: str) -> bool:
    """Also true while a deployment has only begun and has no source revision: once it has succeeded, this is asked again."""
    return any(execution["status"] == "InProgress" and _commit(execution) in ("", commit) for execution in executions(client, pipeline))


def is_being_deployed(client: Any, pipeline: str, version: Version) -> bool:
    """Whether an execution that has not ended is of that version: its event came twice, or a build started it a moment before."""
    running = (execution for execution in executions(client, pipeline) if execution["status"] == "InProgress")
    return any(_package(client, pipeline, execution) == version.arn for execution in running)


def commits(client: Any, pipeline: str) -> list[str]:
    """The commits that were built and tested, newest first."""
    return [commit for execution in succeeded(client, pipeline) if (commit := _commit(execution))]


def releases_since(client: Any, pipeline: str, since: datetime) -> list[Release]:
    """Newest first: the last one, and all that began after `since`, when there was the version that they are asked about."""
    found: list[Release] = []
    for execution in succeeded(client, pipeline):
        if found and execution["startTime"] < since:
            break
        if not _commit(execution):  # nothing says what it deployed, and it decides nothing
            continue
        found.append(Release(_package(client, pipeline, execution), _commit(execution), execution["startTime"]))
    return found


def _package(client: Any, pipeline: str, execution: Mapping[str, Any]) -> str:
    detail = client.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution["pipelineExecutionId"])
    given = {variable["name"]: variable.get("resolvedValue", "") for variable in detail["pipelineExecution"].get("variables", [])}
    return str(given.get(PACKAGE, ""))


def _commit(execution: Mapping[str, Any]) -> str:
    return next((str(revision.get("revisionId", "")) for revision in execution.get("sourceRevisions", [])), "")


def changed_stacks(s3: Any, client: Callable[[Stack], Any], names: Names, commit: str) -> list[str]:
    """Of which the deployed template is not the one that the build of this commit kept. `client` gives CloudFormation where a stack is.

    A commit without the model keeps none of its templates, and says nothing about how to deploy it.
    """
    prefix = f"code/templates/{commit}/"
    listed = s3.get_paginator("list_objects_v2").paginate(Bucket=names.bucket, Prefix=prefix)
    kept = {item["Key"] for page in listed for item in page.get("Contents", [])}
    keys = {stack: f"{prefix}{stack.name}.template.json" for stack in names.stacks}
    return [
        stack.name for stack, key in keys.items() if key in kept and _kept(s3, names.bucket, key) != _deployed(client(stack), stack.name)
    ]


def _kept(s3: Any, bucket: str, key: str) -> Any:
    return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())


def cloudformation(stack: Stack) -> Any:
    """Source: "Switching to an IAM role (AWS API)" of the IAM user guide."""
    if not stack.role:
        return boto3.client("cloudformation", region_name=stack.region)
    assumed = boto3.client("sts").assume_role(RoleArn=stack.role, RoleSessionName="start-deployment")["Credentials"]
    return boto3.client(
        "cloudformation",
        region_name=stack.region,
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )


def _deployed(client: Any, stack: str) -> Any:
    """None for a stack that does not exist. botocore parses a template in JSON."""
    try:
        body = client.get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return None
    return json.loads(body if isinstance(body, str) else json.dumps(body))


def decide(event: Mapping[str, Any], names: Names, version: Version | None, codepipeline: Any) -> Decision:
    """A person who asks for what production has means the settings, if those have changed: a deployment of them may have failed."""
    built = commits(codepipeline, names.build_pipeline)
    releases = releases_since(codepipeline, names.deploy_pipeline, version.created) if version else []
    by_hand, live = "source" not in event, version is not None and bool(releases) and releases[0].package == version.arn
    if event.get("source") == "aws.codepipeline" or (by_hand and live):
        changed = changed_stacks(boto3.client("s3"), cloudformation, names, built[0]) if version and built else []
        under_way = bool(changed) and is_under_way(codepipeline, names.deploy_pipeline, built[0])
        settings = plan_settings(version, releases, built, changed, under_way=under_way)
        if settings.start or not by_hand:
            return settings
    under_way = version is not None and is_being_deployed(codepipeline, names.deploy_pipeline, version)
    return plan_version(version, releases, built, under_way=under_way)


def request_token(client: Any, names: Names, version: Version, decision: Decision) -> str:
    """The same for all that decide the same about what the newest execution left: of two events at once only one starts something.

    What it starts is the newest execution from then on, so whoever decides later has another token, and sees what is under way.
    """
    newest = next((execution["pipelineExecutionId"] for execution in executions(client, names.deploy_pipeline)), "")
    return hashlib.sha256("|".join((version.arn, decision.commit, newest)).encode()).hexdigest()


def start(client: Any, names: Names, version: Version, decision: Decision) -> str:
    execution = client.start_pipeline_execution(
        name=names.deploy_pipeline,
        variables=[
            {"name": PACKAGE, "value": version.arn},
            {"name": RETURNING, "value": "true" if decision.returning else "false"},
        ],
        sourceRevisions=[{"actionName": names.source_action, "revisionType": "COMMIT_ID", "revisionValue": decision.commit}],
        clientRequestToken=request_token(client, names, version, decision),
    )
    return str(execution["pipelineExecutionId"])


def handler(event: Mapping[str, Any], context: object) -> dict[str, str | None]:
    names, codepipeline = Names.of(os.environ), boto3.client("codepipeline")
    version = approved(boto3.client("sagemaker"), names.group, event.get("package"))
    decision = decide(event, names, version, codepipeline)
    started = start(codepipeline, names, version, decision) if version and decision.start else None
    print(f"{f'started {started} with {decision.commit}' if started else 'nothing started'}: {decision.reason}")
    return {"started": started, "reason": decision.reason}
