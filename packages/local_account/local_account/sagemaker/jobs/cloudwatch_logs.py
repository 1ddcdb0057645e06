"""Copies a job's log into CloudWatch Logs when it ends, where the console and `aws logs` look for it."""

from __future__ import annotations

import logging
import time

from local_account.errors import ServiceError
from local_account.roles import Role
from local_account.sagemaker.jobs.container import HOST
from local_account.sagemaker.jobs.record import Job

_LOG = logging.getLogger(__name__)
_MAX_LINES = 5000  # of the end; the file has everything


def publish(role: Role, job: Job) -> None:
    """Put the log into `/aws/sagemaker/<kind>`, stream `<job>/algo-1-<epoch ms>`. A failure is noted in the account's own log only."""
    from botocore.exceptions import BotoCoreError, ClientError

    context, log_path = role.context, job.log_path
    if not log_path.exists() or context.stopping.is_set():
        return
    group, stream = job.kind.log_group, f"{job.name}/{HOST}-{int(time.time() * 1000)}"
    lines = log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-_MAX_LINES:]
    moment = int(time.time() * 1000)
    events = [{"timestamp": moment, "message": line[:4000] or " "} for line in lines]
    try:
        client = role.client("logs")
        try:
            client.create_log_stream(logGroupName=group, logStreamName=stream)
        except client.exceptions.ResourceNotFoundException:
            client.create_log_group(logGroupName=group)
            client.create_log_stream(logGroupName=group, logStreamName=stream)
        for start in range(0, len(events), 1000):
            client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events[start : start + 1000])
    except (BotoCoreError, ClientError, ServiceError) as error:
        if not context.stopping.is_set():
            _LOG.warning("log of %s is not in CloudWatch Logs: %s; it is in %s", job.name, error, log_path)
