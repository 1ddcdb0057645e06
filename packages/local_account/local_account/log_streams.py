"""Puts the output of a build or a job into a stream of CloudWatch Logs, in the name of its role.

In: lines. Used by `codebuild/build_log.py` and `sagemaker/jobs/cloudwatch_logs.py`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from local_account.roles import Role

_MOST_EVENTS_PER_CALL = 5000  # PutLogEvents accepts 10,000 events and 1 MiB


def append(role: Role, group: str, stream: str, lines: Sequence[str]) -> None:
    """Add lines to a stream, which is made where it is not there, and its group, too. Raises what a client and a role raise."""
    logs, names = role.client("logs"), {"logGroupName": group, "logStreamName": stream}
    for first in range(0, len(lines), _MOST_EVENTS_PER_CALL):
        now = int(time.time() * 1000)
        # The service refuses empty events.
        events = [{"timestamp": now, "message": line or " "} for line in lines[first : first + _MOST_EVENTS_PER_CALL]]
        try:
            logs.put_log_events(**names, logEvents=events)
        except logs.exceptions.ResourceNotFoundException:
            _make(logs, names)
            logs.put_log_events(**names, logEvents=events)


def _make(logs: Any, names: dict[str, str]) -> None:
    try:
        logs.create_log_stream(**names)
    except logs.exceptions.ResourceNotFoundException:  # a group that is there needs no permission to make one
        logs.create_log_group(logGroupName=names["logGroupName"])
        logs.create_log_stream(**names)
