"""`python -m capacity`: a page on good input; one line, exit code 2 and no page on bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from capacity.__main__ import main

from .endpoint_template import template


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    path = tmp_path / "endpoint.template.json"
    path.write_text(json.dumps(template()))
    return path


GIVEN = ["--slo-p99-ms", "300", "--max-rps-per-instance", "40", "--price", "ml.m5.large=0.115"]


def run(tmp_path: Path, stack: Path, *more: str) -> tuple[int, Path]:
    page = tmp_path / "page.html"
    return main(["--template", str(stack), "--output", str(page), "--no-recommend", *GIVEN, *more]), page


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
        *GIVEN,
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
    assert (
        "As CloudFormation" in shown
        and "AWS::ApplicationAutoScaling::ScalableTarget" in shown
        and "at most 0.5 % slower than the SLO and 2 h broken" in shown
    )
    html = page.read_text()
    assert "What would do better" in html and "at most 0.5 % slower than the SLO and 2 h broken" in html


def test_less_than_what_is_configured_costs_and_no_worse(tmp_path: Path, stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    traffic = ["--traffic", "ramp:peak=150,base=10,days=0.1", "--no-worse-than-configured", "--routing", "RANDOM"]
    assert main([*GIVEN, "--template", str(stack), "--output", str(page), *traffic]) == 0
    shown = capsys.readouterr().out
    assert "on average" in shown and "What is configured, there:" in shown and '"RoutingStrategy": "RANDOM"' in shown
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
        (["--instance", "ml.abacus=x.json"], "no price for ml.abacus; known: ml.m5.large; allowed: --price ml.abacus=USD"),
        (["--price", "ml.m5.large"], "price of ml.m5.large is ''; allowed: USD an hour"),
        (["--price", "ml.m5.large=-1"], "price of ml.m5.large is '-1'"),
        (["--prices", "none.json"], "prices none.json cannot be read"),
        (["--max-rps-per-instance", "0"], "no service time is given; allowed: --service FILE"),
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


def test_prices_come_from_a_file_too_and_a_project_writes_the_recommendation_in_its_own_form(
    tmp_path: Path, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps({"ml.m5.large": 10.0}))
    arguments = ["--template", str(stack), "--output", str(tmp_path), "--traffic", "constant:peak=20,days=0.02", "--prices", str(prices)]
    code = main(
        [*arguments, "--slo-p99-ms", "300", "--service-mean-ms", "20"],
        declare=lambda candidate: f"at most {candidate.max_capacity} of {candidate.option.instance_type}",
        declared="Put into force by",
    )
    shown = capsys.readouterr().out
    assert code == 0 and "ml.m5.large, 10 USD/h" in shown
    assert re.search(r"Put into force by:\n\nat most \d+ of ml.m5.large", shown)
    assert "Put into force by" in (tmp_path / "index.html").read_text()
