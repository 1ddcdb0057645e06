"""What a process of a multi-model container tells CloudWatch of its requests, and how it gets past the image's server."""

from __future__ import annotations

import importlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from local_account.monitoring.embedded_metrics import metrics_of

STEPS = Path(__file__).resolve().parents[2] / "pipelines" / "fleet" / "steps"
PLACE = {"METRICS_NAMESPACE": "shop/crab/Monitoring", "METRICS_ENDPOINT": "shop--crab--live", "MODEL_VERSION": "7"}


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a step as its siblings do."""
    monkeypatch.syspath_prepend(str(STEPS))
    return importlib.import_module


def test_a_line_has_the_rate_of_errors_and_the_milliseconds(steps: Any) -> None:
    written: list[str] = []
    metrics = steps("request_metrics").RequestMetrics(PLACE, written.append)
    for milliseconds, failed in ((10.0, False), (20.0, True), (30.0, False), (40.0, False)):
        metrics.ended(milliseconds, failed=failed)
    metrics.say()
    metrics.say()
    (line,) = written
    found = {datum.name: (namespace, datum) for namespace, datum in metrics_of(line, json.loads(line)["_aws"]["Timestamp"] / 1000)}
    namespace, failures = found["ServerErrors"]
    assert (namespace, failures.dimensions) == ("shop/crab/Monitoring", {"EndpointName": "shop--crab--live", "ModelVersion": "7"})
    assert sum(failures.values) / len(failures.values) == 0.25
    assert list(found["RequestMilliseconds"][1].values) == [10.0, 20.0, 30.0, 40.0]


def test_no_line_has_more_values_than_cloudwatch_takes_or_a_pipe_keeps_in_one_piece(steps: Any) -> None:
    written: list[str] = []
    metrics = steps("request_metrics").RequestMetrics(PLACE, written.append)
    for _ in range(250):
        metrics.ended(12345.67, failed=False)
    metrics.say()
    assert [len(json.loads(line)["ServerErrors"]) for line in written] == [100, 100, 50]
    assert max(map(len, written)) < 4096


def test_without_names_nothing_is_said(steps: Any) -> None:
    written: list[str] = []
    metrics = steps("request_metrics").RequestMetrics({}, written.append)
    metrics.ended(1.0, failed=True)
    metrics.say()
    assert written == []


def test_where_the_containers_output_cannot_be_written_requests_are_answered_all_the_same(
    steps: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = io.StringIO()
    monkeypatch.setattr(sys, "stdout", usual)
    monkeypatch.setenv("CONTAINER_OUTPUT", str(tmp_path / "not" / "there"))
    steps("container_output").let_metrics_out()
    metrics = steps("request_metrics").RequestMetrics(PLACE)
    metrics.ended(1.0, failed=False)
    metrics.say()
    assert usual.getvalue().startswith('{"_aws"')


def test_only_lines_of_metrics_go_past_the_server(steps: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, output = io.StringIO(), tmp_path / "output"
    monkeypatch.setattr(sys, "stdout", usual)
    monkeypatch.setenv("CONTAINER_OUTPUT", str(output))
    steps("container_output").let_metrics_out()
    sys.stdout.write('{"_aws": 1}\n')
    print("MMS worker started.")
    sys.stdout.flush()
    assert output.read_text() == '{"_aws": 1}\n'
    assert usual.getvalue() == "MMS worker started.\n"
