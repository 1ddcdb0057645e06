"""`python -m capacity`: a page on good input; one line, exit code 2 and no page on bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from endpoint_template import template

from capacity.__main__ import main


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "endpoint.template.json"
    path.write_text(json.dumps(template()))
    return path


def run(tmp_path: Path, stack: Path, *more: str) -> tuple[int, Path]:
    page = tmp_path / "page.html"
    return main(["--template", str(stack), "--output", str(page), "--no-recommend", *more]), page


def test_a_page_shows_every_decision_and_every_assumption(tmp_path: Path, stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, page = run(tmp_path, stack, "--traffic", "diurnal:peak=150,base=10", "--slo-p99-ms", "300", "--requests")
    html = page.read_text()
    assert code == 0
    for text in ("target tracking", "step scaling", "morning", "clairvoyant optimum", "provisioning_seconds", "USD", "<svg"):
        assert text in html
    shown = capsys.readouterr().out
    assert "combination" in shown and "Single requests" in shown


def test_the_recommendation_is_printed_and_drawn(tmp_path: Path, stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    arguments = [
        "--template",
        str(stack),
        "--output",
        str(page),
        "--traffic",
        "flash-crowd:peak=150,base=10,hour=1,days=0.15",
        "--slo-p99-ms",
        "300",
        "--slow-percent",
        "0.5",
        "--broken-hours",
        "2",
    ]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "autoscaling=Autoscaling(" in shown and "at most 0.5 % slower than the SLO and 2 h broken" in shown
    html = page.read_text()
    assert "What would do better" in html and "at most 0.5 % slower than the SLO and 2 h broken" in html


def test_less_than_what_is_configured_costs_and_no_worse(tmp_path: Path, stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    traffic = ["--traffic", "ramp:peak=150,base=10,days=0.1", "--slo-p99-ms", "300"]
    assert main(["--template", str(stack), "--output", str(page), *traffic, "--no-worse-than-configured", "--routing", "RANDOM"]) == 0
    shown = capsys.readouterr().out
    assert "on average" in shown and "What is configured, there:" in shown and "RequestRouting.RANDOM" in shown
    assert "What is configured, there:" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--slo-p99-ms", "20"], "below the service time"),
        (["--slo-p99-ms", "0"], "more than 0"),
        (["--slow-percent", "0"], "between 0 and 100 %"),
        (["--slo-p99-ms", "160", "--slow-percent", "0.1"], "slower without any waiting"),
        (["--broken-hours", "-1"], "0 or more"),
        (["--no-worse-than-configured", "--broken-hours", "1"], "measures its own limits"),
        (["--traffic", "tidal"], "unknown"),
        (["--traffic", "none.csv"], "cannot be read"),
        (["--template", "none.json"], "cannot be read"),
        (["--service", "none.json"], "cannot be read"),
        (["--service-mean-ms", "-1"], "more than 0"),
        (["--assume", "provisioning=5"], "'provisioning' is unknown"),
        (["--assume", "provisioning_seconds=soon"], "allowed: a number"),
        (["--instance", "ml.c5.large"], "TYPE=FILE"),
        (["--instance", "ml.abacus=x.json"], "no price for ml.abacus"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, stack: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    code, page = run(tmp_path, stack, *arguments)
    error = capsys.readouterr().err.strip()
    assert code == 2 and said in error and "\n" not in error
    assert not page.exists()


def test_a_metric_that_is_not_simulated_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed: dict[str, Any] = template()
    changed["Resources"]["Load"]["Properties"]["MetricName"] = "MoonPhase"
    path = tmp_path / "t.json"
    path.write_text(json.dumps(changed))
    code, _ = run(tmp_path, path, "--traffic", "constant:days=0.1")
    assert code == 2 and "'MoonPhase' is not simulated" in capsys.readouterr().err
