"""Metrics of the account's other services that alarms watch: failed pipelines, and messages that wait in queues.

In: the events that services emit, and MiniStack's queues. Out: `AWS/CodePipeline` and `AWS/Sagemaker/ModelBuildingPipeline` counts
by PipelineName, `AWS/SQS` depths by QueueName. Sources: the CloudWatch pages of each service's user guide.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from local_account.context import Context
from local_account.monitoring import store
from local_account.monitoring.store import Datum

#: (source, detail type) -> namespace, where the pipeline's name and status are in the detail, status -> metric.
_COUNTED: Mapping[tuple[str, str], tuple[str, str, str, Mapping[str, str]]] = {
    ("aws.codepipeline", "CodePipeline Pipeline Execution State Change"): (
        "AWS/CodePipeline",
        "pipeline",
        "state",
        {"FAILED": "FailedPipelineExecutions", "SUCCEEDED": "SucceededPipelineExecutions"},
    ),
    ("aws.sagemaker", "SageMaker Model Building Pipeline Execution Status Change"): (
        "AWS/Sagemaker/ModelBuildingPipeline",
        "pipelineArn",
        "currentPipelineExecutionStatus",
        {"Failed": "ExecutionFailed", "Succeeded": "ExecutionSucceeded", "Executing": "ExecutionStarted"},
    ),
}


class ServiceMetrics:
    """Publishes for one account. `publish` is called at every beat."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._minute = -1
        self._lock = threading.Lock()
        self._counted: list[tuple[str, Datum]] = []

    def watch_events(self) -> None:
        """See every event that a service of this account emits from now on."""
        emit = self._context.emit

        def observed(source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
            self.count(source, detail_type, detail)
            emit(source, detail_type, detail, resources)

        setattr(self._context, "emit", observed)  # noqa: B010 - a method of one object is replaced, which types do not allow

    def count(self, source: str, detail_type: str, detail: Mapping[str, Any]) -> None:
        """Count an event if it says that a pipeline began or ended."""
        if (source, detail_type) not in _COUNTED:
            return
        namespace, name_key, status_key, metrics = _COUNTED[source, detail_type]
        metric = metrics.get(str(detail.get(status_key)))
        if metric:
            dimensions = {"PipelineName": str(detail.get(name_key)).rsplit("/", 1)[-1]}
            datum = Datum(metric, dimensions, self._context.clock.now().timestamp(), "Count", [1.0])
            with self._lock:
                self._counted.append((namespace, datum))

    def publish(self, now: float) -> None:
        """Publish what was counted; and once a minute the depth of every queue."""
        with self._lock:
            counted, self._counted = self._counted, []
        for namespace, datum in counted:
            store.put(self._context, namespace, [datum])
        if int(now // 60) > self._minute:
            self._minute = int(now // 60)
            store.put(self._context, "AWS/SQS", _queue_depths((self._minute - 1) * 60.0))


def _queue_depths(at: float) -> list[Datum]:
    """Counted here, since MiniStack's own counting also removes messages and belongs to its event loop."""
    from ministack.services import sqs

    depths, now = [], time.time()
    for queue in list(sqs._queues.values()):
        messages = list(queue["messages"])
        visible = sum(message.get("visible_at", now) <= now for message in messages)
        received = sum(message.get("visible_at", now) > now and message.get("receive_count", 0) > 0 for message in messages)
        dimensions = {"QueueName": queue["name"]}
        depths.append(Datum("ApproximateNumberOfMessagesVisible", dimensions, at, "Count", [float(visible)]))
        depths.append(Datum("ApproximateNumberOfMessagesNotVisible", dimensions, at, "Count", [float(received)]))
    return depths
