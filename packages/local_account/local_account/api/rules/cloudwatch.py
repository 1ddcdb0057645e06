"""CloudWatch: members of an alarm that go together, values that are numbers, dashboards that are JSON.

Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, API_MetricDatum.html and
CloudWatch-Dashboard-Body-Structure.html.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from local_account.api.rules.rule import json_of, rule
from local_account.context import Context
from local_account.errors import NotEmulatedError, ServiceError

_DAY, _WEEK = 86_400, 604_800
_TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
_STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")
_PERCENTILE = re.compile(r"p(100(\.0+)?|\d{1,2}(\.\d+)?)")


@rule("cloudwatch", "PutMetricAlarm")
def _alarm(context: Context, request: Mapping[str, Any]) -> None:
    periods, needed = int(request.get("EvaluationPeriods") or 0), int(request.get("DatapointsToAlarm") or 0)
    _require(needed <= periods, "DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    treatment = request.get("TreatMissingData", "missing")
    _require(treatment in _TREATMENTS, f"Option {treatment} is not supported. Supported options for TreatMissingData are {_TREATMENTS}.")
    _require("Threshold" in request, "Threshold is required for alarms that are not based on an anomaly detection band.")
    _require(bool(request.get("MetricName")), "Exactly one of MetricName and Metrics must be given.")
    _require(bool(request.get("Namespace")) and "Period" in request, "Namespace and Period must be given with MetricName.")
    _require(bool(request.get("Statistic")) != bool(request.get("ExtendedStatistic")), "Give Statistic or ExtendedStatistic, and not both.")
    _statistic(str(request.get("Statistic") or request["ExtendedStatistic"]))
    period = int(request["Period"])
    _require(period in (10, 20, 30) or (period > 0 and period % 60 == 0), "Period must be 10, 20, 30 or a multiple of 60.")
    longest = _WEEK if period >= 3600 else _DAY
    _require(periods * period <= longest, f"Metrics cannot be checked across more than {longest} seconds (EvaluationPeriods * Period).")


def _statistic(name: str) -> None:
    if name in _STATISTICS or _PERCENTILE.fullmatch(name):
        return
    if re.fullmatch(r"(tm|wm|tc|ts|TM|WM|TC|TS|PR)(\d.*|\(.*\))|IQM", name):
        raise NotEmulatedError("cloudwatch", f"PutMetricAlarm with statistic {name}")
    raise ServiceError("ValidationError", f"The statistic {name!r} is not one of {', '.join(_STATISTICS)} or a percentile such as p99.")


@rule("cloudwatch", "GetMetricStatistics")
def _statistics(context: Context, request: Mapping[str, Any]) -> None:
    period = int(request.get("Period") or 0)
    _require(period in (1, 5, 10, 20, 30) or (period > 0 and period % 60 == 0), "Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    _require(bool(request.get("Statistics")) or bool(request.get("ExtendedStatistics")), "Statistics or ExtendedStatistics must be given.")


@rule("cloudwatch", "PutMetricData")
def _data(context: Context, request: Mapping[str, Any]) -> None:
    for number, datum in enumerate(request.get("MetricData") or [], start=1):
        place = f"MetricData.member.{number}"
        given = [name for name in ("Value", "Values", "StatisticValues") if datum.get(name) is not None]
        if len(given) != 1:
            raise ServiceError(
                "InvalidParameterCombination" if given else "MissingParameter",
                f"{place} needs exactly one of Value, Values and StatisticValues; given: {', '.join(given) or 'none'}.",
            )
        values = {
            "Value": [datum.get("Value")],
            "Values": datum.get("Values"),
            "StatisticValues": (datum.get("StatisticValues") or {}).values(),
        }
        numbers = [*(values[given[0]] or ()), *(datum.get("Counts") or ())]
        if not all(math.isfinite(float(value)) for value in numbers):
            raise ServiceError("InvalidParameterValue", f"{place}.{given[0]} has a value that is no finite number.")
        if datum.get("Counts") is not None and len(datum["Counts"]) != len(datum.get("Values") or ()):
            raise ServiceError("InvalidParameterValue", f"{place}.Counts must have as many items as Values.")


@rule("cloudwatch", "PutDashboard")
def _dashboard(context: Context, request: Mapping[str, Any]) -> None:
    invalid = ServiceError("InvalidParameterInput", "The field DashboardBody must be a valid JSON object")
    body = json_of(request.get("DashboardBody"), invalid)
    if not isinstance(body.get("widgets"), list):
        raise ServiceError("InvalidParameterInput", "The dashboard body is invalid: it should have a list 'widgets'")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ServiceError("ValidationError", message)
