"""The private parts of MiniStack and moto that endpoints, monitoring and scaling stand on: a version that moves one fails here."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from ministack.services import cloudwatch, sqs
from ministack.services.cloudformation import provisioners
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, FakeScheduledAction
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.sagemaker.models import FakeEndpoint, FakeEndpointConfig
from moto.sagemaker.responses import SageMakerResponse


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (cloudwatch._store_datum, ["namespace", "name", "dims", "ts", "unit", "value", "values", "counts", "stat_values"]),
        (cloudwatch._calc_stats, ["points"]),
        (cloudwatch._stat_value, ["stats", "stat_name", "points"]),
        (cloudwatch._dims_key, ["dims"]),
        (cloudwatch._record_history, ["alarm_name", "old_state", "new_state", "reason", "alarm_type", "reason_data"]),
        (cloudwatch._evaluate_parent_alarms, ["child", "seen"]),
    ],
)
def test_ministack_functions_that_are_called_take_what_they_are_given(function: Any, parameters: list[str]) -> None:
    assert list(inspect.signature(function).parameters) == parameters


@pytest.mark.parametrize("hook", ["_evaluate_alarm", "_put_metric_alarm", "_dispatch_alarm_actions", "_set_alarm_state"])
def test_ministack_looks_its_own_functions_up_by_name_when_it_calls_them(hook: str) -> None:
    source = inspect.getsource(cloudwatch)
    assert f"def {hook}(" in source and source.count(f"{hook}(") + source.count(f": {hook},") >= 2


def test_ministack_keeps_alarms_points_and_queues_where_they_are_read() -> None:
    for store in (cloudwatch._alarms, cloudwatch._metrics, sqs._queues):
        assert hasattr(store, "get") and hasattr(store, "values")
    assert callable(provisioners._cw_metric_alarm_record)


def test_moto_has_the_operations_that_are_replaced() -> None:
    for name in ("create_endpoint", "update_endpoint_weights_and_capacities", "delete_endpoint", "create_model", "create_model_package"):
        assert callable(getattr(SageMakerResponse, name)), name
    for name in ("register_scalable_target", "put_scaling_policy", "put_scheduled_action", "describe_scaling_policies"):
        assert callable(getattr(ApplicationAutoScalingResponse, name)), name


def test_moto_records_have_the_attributes_that_are_written() -> None:
    endpoint = inspect.getsource(FakeEndpoint.__init__)
    for attribute in ("endpoint_status", "failure_reason", "production_variants", "endpoint_config_name", "data_capture_config"):
        assert f"self.{attribute}" in endpoint, attribute
    assert "self.production_variants" in inspect.getsource(FakeEndpointConfig.__init__)
    assert "self.policies" in inspect.getsource(ApplicationAutoscalingBackend.__init__)
    assert {"schedule", "timezone", "scalable_target_action"} <= set(inspect.signature(FakeScheduledAction.__init__).parameters)
