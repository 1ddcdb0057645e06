"""What the watch over a model in an environment last said of itself: how its newest run ended, and which of its alarms are on.

By SageMaker and CloudWatch, which whoever may only look may ask (the lookup role of the CDK's bootstrap decrypts nothing, so it reads no
report). Input: clients for where the model serves. Output: `WatchState`. Used by status.py; the watch: infra/serving/model_watch.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from build_scripts.follow import newest_run
from deploy_scripts.placements import at
from settings_schema import ServingNames
from settings_schema.names import DRIFT, QUALITY

#: What a run is called by a person; a run that succeeded is called by what it found.
_WORDS = {"Executing": "running", "Stopping": "stopping", "Stopped": "stopped", "Failed": "failed"}
#: Of an alarm that never had a value: no window had enough rows.
_NOTHING_YET = "INSUFFICIENT_DATA"


@dataclass(frozen=True)
class WatchState:
    """`shown`: such as `drift, 2026-11-27 04:20`, or nothing where no watch is deployed. `run`: the newest one's summary, if any."""

    shown: str = ""
    run: Mapping[str, Any] | None = None


def watch_state(names: ServingNames, sagemaker: Any, cloudwatch: Any) -> WatchState:
    alarms = {item["AlarmName"]: item["StateValue"] for item in _alarms(names, cloudwatch)}
    if not alarms:
        return WatchState()
    run = newest_run(sagemaker, names.monitoring_pipeline)
    if run is None:
        return WatchState("no run yet")
    found = _found(names, alarms) if run["PipelineExecutionStatus"] == "Succeeded" else _WORDS[run["PipelineExecutionStatus"]]
    return WatchState(f"{found}, {at(run.get('StartTime'))}".rstrip(", "), run)


def _alarms(names: ServingNames, cloudwatch: Any) -> list[dict[str, Any]]:
    """Those that are there as long as the watch is (infra/serving/drift_alarm.py)."""
    asked = [names.alarm(what) for what in (DRIFT, QUALITY)]
    listed: list[dict[str, Any]] = cloudwatch.describe_alarms(AlarmNames=asked, AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    return listed


def _found(names: ServingNames, alarms: Mapping[str, str]) -> str:
    on = [what for what in (DRIFT, QUALITY) if alarms.get(names.alarm(what)) == "ALARM"]
    nothing = all(state == _NOTHING_YET for state in alarms.values())
    return ", ".join(on) or ("nothing judged yet" if nothing else "ok")
