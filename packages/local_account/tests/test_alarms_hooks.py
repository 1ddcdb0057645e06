"""What endpoints, monitoring and scaling rely on inside MiniStack and moto, beyond the signatures that test_hooks_contract.py pins."""

from __future__ import annotations

import inspect
import re

import pytest
from ministack.services import cloudwatch
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, FakeScheduledAction
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse


@pytest.mark.parametrize("hook", ["_evaluate_alarm", "_put_metric_alarm", "_dispatch_alarm_actions", "_set_alarm_state"])
def test_ministack_looks_its_own_functions_up_by_name_when_it_calls_them(hook: str) -> None:
    source = inspect.getsource(cloudwatch)
    assert f"def {hook}(" in source and source.count(f"{hook}(") + source.count(f": {hook},") >= 2


def test_ministack_s_cloudwatch_asks_the_time_and_nothing_else_of_that_module() -> None:
    asked = set(re.findall(r"\btime\.(\w+)", inspect.getsource(cloudwatch)))
    assert asked == {"time"}


def test_moto_has_the_operations_that_are_replaced() -> None:
    for name in ("register_scalable_target", "put_scaling_policy", "put_scheduled_action", "describe_scaling_policies"):
        assert callable(getattr(ApplicationAutoScalingResponse, name)), name


def test_moto_records_have_the_attributes_that_are_written() -> None:
    assert "self.policies" in inspect.getsource(ApplicationAutoscalingBackend.__init__)
    assert {"schedule", "timezone", "scalable_target_action"} <= set(inspect.signature(FakeScheduledAction.__init__).parameters)
