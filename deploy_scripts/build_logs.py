"""Finds what a build said when one of its commands failed: CodePipeline tells the command and its exit status only.

The reason, such as a permission that the build's role lacks, is in the build's log. Input: the id of a build. Output: the line.
Used by status.py and roll_back.py.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

_REFUSED = "is not authorized to perform"
#: How the scripts of this project, and Python's own errors, begin their last line.
_MARKS = ("error: ", "FAILED ")
_LAST_LINES = 500


def reason(codebuild: Any, logs: Any, build_id: str) -> str:
    """The last line that names a permission, else the last that begins as an error; empty where nobody said anything.

    Where it may not be read that is said: the action's own reason is an exit status, of which nobody learns anything.
    """
    try:
        builds = codebuild.batch_get_builds(ids=[build_id])["builds"]
        place = builds[0].get("logs", {}) if builds else {}
        if not place.get("groupName"):
            return ""
        events = logs.get_log_events(logGroupName=place["groupName"], logStreamName=place["streamName"], limit=_LAST_LINES)["events"]
    except ClientError as error:  # no such build, or no log yet: the action's own reason is shown anyway
        refused = error.response["Error"]["Code"].startswith("AccessDenied")
        return f"(its build's log may not be read with these credentials: {error.operation_name})" if refused else ""
    lines = [line.strip() for event in events for line in event["message"].splitlines()]
    return _last(lines, lambda line: _REFUSED in line) or _last(lines, lambda line: line.startswith(_MARKS))


def _last(lines: list[str], wanted: Any) -> str:
    return next((line for line in reversed(lines) if wanted(line)), "")
