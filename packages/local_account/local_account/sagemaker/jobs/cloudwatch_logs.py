"""Copies a job's log into CloudWatch Logs when it ends, where the console and `aws logs` look for it."""

from __future__ import annotations

import logging
import time

from botocore.exceptions import BotoCoreError, ClientError

from local_account import log_streams
from local_account.errors import ServiceError
from local_account.roles import Role
from local_account.sagemaker.jobs.container import HOST
from local_account.sagemaker.jobs.record import Job

_LOG = logging.getLogger(__name__)
_MAX_LINES = 5000  # of the end; the file has everything


def publish(role: Role, job: Job) -> None:
    """Put the log into `/aws/sagemaker/<kind>`, stream `<job>/algo-1-<epoch ms>`. A failure is noted in the account's own log only."""
    if role.context.stopping.is_set():
        return
    lines = [line[:4000] for line in job.log.splitlines()[-_MAX_LINES:]]
    try:
        log_streams.append(role, job.kind.log_group, f"{job.name}/{HOST}-{int(time.time() * 1000)}", lines)
    except (BotoCoreError, ClientError, ServiceError) as error:
        if not role.context.stopping.is_set():
            _LOG.warning("log of %s is not in CloudWatch Logs: %s; it is in %s", job.name, error, job.log_path)
