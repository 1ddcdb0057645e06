"""Watches the alarms on a version of a multi-model fleet once clients were told of it: if one is on, the verification fails.

SageMaker undoes no such release, since it sees none, and CodePipeline's action of CloudFormation takes no rollback triggers (its reference
has no such field). So the pipeline watches; a verification that fails takes production back (infra/model/start_deployment/way_back.py).
The alarms are the version's own, so none was on before. Used by verify.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from build_scripts.command_line import VerdictError
from settings_schema.rollout import ROLLBACK_ALARMS

POLL_SECONDS = 5.0


def bake(cloudwatch: Any, outputs: Mapping[str, str], seconds: float, pause: Callable[[float], None] = time.sleep) -> str:
    """A line. `outputs`: of the model's stack. Raises VerdictError as soon as an alarm is on."""
    names = outputs[ROLLBACK_ALARMS].split(",")
    left = seconds
    while True:
        alarms = cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
        on = [f"{alarm['AlarmName']} ({alarm.get('StateReason', 'no reason given')})" for alarm in alarms if alarm["StateValue"] == "ALARM"]
        if on:
            raise VerdictError(f"in ALARM while clients ask this version: {'; '.join(sorted(on))}")
        if left <= 0:
            return f"alarms: none of {len(names)} on for {seconds:g} s of clients' requests"
        pause(min(POLL_SECONDS, left))
        left -= POLL_SECONDS
