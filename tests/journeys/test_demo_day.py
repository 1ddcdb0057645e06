"""`make day`, on an hour of hand-made traffic: what it does with a template, what it says, and what its page shows."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo import day

#: Ten minutes before seven in Madrid: two instances are enough, then the schedule wants three, then everybody comes at once.
BEGINS = datetime(2026, 1, 5, 5, 50, tzinfo=UTC)
REQUESTS_PER_SECOND = [10.0] * 15 + [150.0] * 20 + [20.0] * 20


def template(metric: str = "SageMakerVariantInvocationsPerInstance") -> dict[str, Any]:
    """An endpoint stack with one rule of each kind, as the CDK writes it."""
    invocations = {"MetricName": "InvocationsPerInstance", "Namespace": "AWS/SageMaker", "Period": 60, "Statistic": "Sum"}
    dimensions = [{"Name": "EndpointName", "Value": "shop"}, {"Name": "VariantName", "Value": "AllTraffic"}]
    tracking = {"PredefinedMetricSpecification": {"PredefinedMetricType": metric}, "TargetValue": 1200, "ScaleInCooldown": 300}
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 900, "ScalingAdjustment": 25},
        {"MetricIntervalLowerBound": 900, "ScalingAdjustment": 50},
    ]
    opening = {
        "ScheduledActionName": "opening",
        "Schedule": "cron(0 7 ? * MON-FRI *)",
        "Timezone": "Europe/Madrid",
        "ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 8},
    }
    resources = {
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "Properties": {
                "ServiceNamespace": "sagemaker",
                "ResourceId": "endpoint/shop/variant/AllTraffic",
                "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
                "MinCapacity": 2,
                "MaxCapacity": 8,
                "ScheduledActions": [opening],
            },
        },
        "Tracking": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {
                "PolicyName": "shop-load",
                "PolicyType": "TargetTrackingScaling",
                "ScalingTargetId": {"Ref": "Target"},
                "TargetTrackingScalingPolicyConfiguration": tracking,
            },
        },
        "Steps": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "Properties": {
                "PolicyName": "shop-steps",
                "PolicyType": "StepScaling",
                "ScalingTargetId": {"Ref": "Target"},
                "StepScalingPolicyConfiguration": {
                    "AdjustmentType": "PercentChangeInCapacity",
                    "Cooldown": 120,
                    "MetricAggregationType": "Average",
                    "StepAdjustments": steps,
                },
            },
        },
        "Alarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                **invocations,
                "AlarmName": "shop-rush",
                "AlarmActions": [{"Ref": "Steps"}],
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
                "Dimensions": dimensions,
                "EvaluationPeriods": 2,
                "Threshold": 1800,
                "TreatMissingData": "notBreaching",
            },
        },
    }
    return {"Resources": resources}


def files(directory: Path, stack: dict[str, Any]) -> list[str]:
    """The command line for this stack and the hour of traffic."""
    rows = [f"{(BEGINS + timedelta(minutes=minute)).isoformat()},{rate}" for minute, rate in enumerate(REQUESTS_PER_SECOND)]
    (directory / "stack.json").write_text(json.dumps(stack), encoding="utf-8")
    (directory / "traffic.csv").write_text("\n".join(["time,requests_per_second", *rows]), encoding="utf-8")
    given = {"--template": "stack.json", "--traffic": "traffic.csv", "--out": "day"}
    return [word for option, name in given.items() for word in (option, str(directory / name))]


def rows_of(page: str) -> list[tuple[str, ...]]:
    """Time, kind, rule and instances of each row of the page's table."""
    pattern = r'number">(\d\d:\d\d)</td>.*?</span>([a-z ]+)<br><code>([\w-]+)</code></td>\s*<td class="number">([^<]+)<'
    return re.findall(pattern, page, re.DOTALL)


def test_all_three_kinds_act_and_the_page_shows_which_one_acted_when(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert day.main(files(tmp_path, template())) == 0

    page = (tmp_path / "day" / "index.html").read_text(encoding="utf-8")
    rows = rows_of(page)
    assert rows[0] == ("07:00", "scheduled", "opening", "2 → 3")
    # The rush begins at 07:05: 3000 requests a minute on each of three instances, 1200 above the threshold for two minutes.
    assert rows[1] == ("07:07", "step scaling", "shop-steps", "3 → 4")
    # Three minutes above the target ask for 4 x 3000 / 1200 = 10; the maximum is 8.
    assert rows[2] == ("07:08", "target tracking", "shop-load", "4 → 8")
    deployments = [row for row in rows if row[1] == "deployment"]
    assert [row[0::3] for row in deployments] == [("07:17", "8 → 8")], "although its configuration asks for two"
    assert rows[-1][1] == "target tracking" and int(rows[-1][3].split(" → ")[1]) == 3, "the schedule keeps three"
    for label in ("opening", "shop-steps", "shop-load", "deployment"):
        assert re.search(rf"<text[^>]*>{label}", page), f"the picture has a line for {label}"
    printed = capsys.readouterr().out
    assert "Simulator: the same decisions" in printed
    assert re.search(r"07:07 +step scaling +3 -> 4 +shop-steps", printed)


def test_without_a_template_one_line_says_what_makes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert day.main(["--template", str(tmp_path / "absent.json"), "--out", str(tmp_path / "day")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "absent.json" in line and "synth" in line
    assert not (tmp_path / "day").exists()


def test_a_policy_on_a_metric_that_the_day_does_not_have_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stack = template("SageMakerVariantConcurrentRequestsPerModelHighResolution")
    assert day.main(files(tmp_path, stack)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "shop-load" in line and "ConcurrentRequestsPerModel" in line and "InvocationsPerInstance" in line
    assert not (tmp_path / "day" / "index.html").exists()


@pytest.mark.parametrize(
    ("traffic", "reason"), [("nowhere.csv", "cannot be read"), ("constant:days=0.0007", "1 whole minutes; allowed: 2")]
)
def test_traffic_that_is_no_day_is_refused(traffic: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = files(tmp_path, template())
    assert day.main([*command, "--traffic", traffic]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert traffic in line and reason in line
