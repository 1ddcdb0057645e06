"""What a build said when it failed: for whoever may read its log, and for whoever may not."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy_scripts.build_logs import reason

BUILD = "shop--abalone--verify:1"


class Builds:
    """CodeBuild and CloudWatch Logs, with one build and its lines."""

    def __init__(self, *lines: str, refused: str = "") -> None:
        self._lines, self._refused = lines, refused

    def batch_get_builds(self, ids: list[str]) -> dict[str, Any]:
        assert ids == [BUILD]
        return {"builds": [{"logs": {"groupName": "group", "streamName": "stream"}}]}

    def get_log_events(self, **_: object) -> dict[str, Any]:
        if self._refused:
            raise ClientError({"Error": {"Code": self._refused, "Message": "no"}}, "GetLogEvents")
        return {"events": [{"message": f"{line}\n"} for line in self._lines]}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("error: first", "error: too slow", "Phase complete: BUILD State: FAILED"), "error: too slow"),
        (("role/x is not authorized to perform: s3:GetObject", "error: no answer"), "role/x is not authorized to perform: s3:GetObject"),
        (("all is well",), ""),
    ],
)
def test_the_line_that_says_why(lines: tuple[str, ...], said: str) -> None:
    builds = Builds(*lines)
    assert reason(builds, builds, BUILD) == said


def test_whoever_may_not_read_it_is_told_so_and_a_log_that_is_not_there_yet_says_nothing() -> None:
    closed, missing = Builds(refused="AccessDeniedException"), Builds(refused="ResourceNotFoundException")
    assert reason(closed, closed, BUILD) == "(its build's log may not be read with these credentials: GetLogEvents)"
    assert reason(missing, missing, BUILD) == ""
