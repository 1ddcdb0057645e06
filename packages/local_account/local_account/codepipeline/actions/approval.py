"""Manual approval: waits for PutApprovalResult, and tells the notification topic that it does.

The wait is in real time, also in an account whose clock runs faster: a person decides.
https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals-json-format.html
"""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

from botocore.exceptions import ClientError

from local_account.codepipeline.actions.job import ActionError, Job
from local_account.codepipeline.records import now

_DEFAULT_TIMEOUT_MINUTES = 7 * 24 * 60


CONFIGURATION: tuple[str, ...] = ("NotificationArn", "CustomData", "ExternalEntityLink")
REQUIRED: tuple[str, ...] = ()


def run(job: Job) -> None:
    minutes = int(job.run.declaration.get("timeoutInMinutes") or _DEFAULT_TIMEOUT_MINUTES)
    with job.changed:
        job.run.token = str(uuid.uuid4())
        job.changed.notify_all()
    if job.configuration.get("NotificationArn"):
        _notify(job, minutes)
    try:
        # The operation PutApprovalResult takes the token away and sets the status.
        job.wait_until(lambda: job.run.token is None, timeout_seconds=60.0 * minutes)
    finally:
        job.run.token = None
    if job.run.status == "Failed":
        raise ActionError("ApprovalRejected", job.run.summary or "Rejected without a comment")


def _notify(job: Job, minutes: int) -> None:
    approval = {
        "pipelineName": job.pipeline_name,
        "stageName": job.run.stage_name,
        "actionName": job.run.name,
        "token": job.run.token,
        "expires": (now() + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%MZ"),
        "externalEntityLink": job.configuration.get("ExternalEntityLink"),
        "customData": job.configuration.get("CustomData"),
    }
    try:
        job.role.client("sns").publish(
            TopicArn=job.configuration["NotificationArn"],
            Subject=f"APPROVAL NEEDED: AWS CodePipeline {job.pipeline_name}"[:100],
            Message=json.dumps({"region": job.context.settings.region, "approval": approval}),
        )
    except ClientError as error:
        raise ActionError("ConfigurationError", f"cannot notify {job.configuration['NotificationArn']}: {error}") from error
