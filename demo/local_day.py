"""Lives through a trace of traffic in a running account, minute by minute, with the account's own time standing still.

In: an endpoint with its policies, requests per minute. Out: instances per minute, every decision with the rule that made it,
what a deployment in the middle did to the capacity; and `simulated`, what the simulator decides on the same trace.
Used by `day.py` and by tests/journeys/test_scaling_day.py. Next: `day_page.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from capacity import service
from capacity.bounds import Decision
from capacity.model import Assumptions, Configuration
from capacity.simulate import simulate
from capacity.traffic import Traffic
from demo.errors import StageError
from local_account.account import Account
from local_account.endpoints.registry import Endpoint, Endpoints
from local_account.monitoring import alarm_loop, heartbeat, store
from local_account.monitoring.store import Datum
from local_account.scaling.activities import Activities
from local_account.scaling.control_loop import ControlLoop
from settings_schema.names import VARIANT

_MINUTE = 60.0
_SETTLE_TIMEOUT_SECONDS = 120.0
_POLL_SECONDS = 0.002
#: What this day feeds to policies and alarms.
METRICS = ("Invocations", "InvocationsPerInstance")

#: Minutes are points here: what is asked for has happened by the next one. The simulator is told the same.
AT_ONCE = Assumptions(
    provisioning_seconds=0.0,
    scale_in_seconds=0.0,
    metric_delay_seconds=0.0,
    high_resolution_delay_seconds=0.0,
    alarm_action_seconds=0.0,
)


@dataclass(frozen=True)
class Deployment:
    """A new configuration in the middle: instances before and after it, and how many it asks for itself."""

    minute: int
    configuration: str
    asks_for: int
    before: int = 0
    after: int = 0

    @property
    def keeps_capacity(self) -> bool:
        return self.before == self.after


def stop_time(account: Account) -> None:
    """From here on, metrics, alarms and scaling know only the time that `LocalDay` tells them."""
    from ministack.core.responses import set_request_account_id, set_request_region

    heartbeat.Actions.at(account.context).every.clear()
    set_request_account_id(account.settings.account_id)  # what `heartbeat.run` does for its own thread
    set_request_region(account.settings.region)


class LocalDay:
    """`requests[i]` arrive in minute `i` after `start` (Unix seconds, a whole minute). The variant is the one of every endpoint stack."""

    def __init__(self, account: Account, endpoint: str, requests: Sequence[float], start: float, deployment: Deployment) -> None:
        self.endpoint, self.requests, self.start, self.deployment = endpoint, requests, start, deployment
        self.counts: list[int] = []
        self.decisions: list[Decision] = []
        self._account, self._context = account, account.context
        self._loop, self._alarms = ControlLoop(account.context), alarm_loop.AlarmLoop.at(account.context)
        self._told = 0

    def live(self, tell: Callable[[LocalDay, int], None] = lambda day, minute: None) -> None:
        """Every minute in turn; `tell` is called after each, with what has happened so far."""
        stop_time(self._account)
        self._decide(self.start)
        before = self.running()
        for minute, requests in enumerate(self.requests):
            if minute == self.deployment.minute:
                self._deploy()
            now = self.running()
            # As in the simulator: new instances serve a minute after they were asked for, removed ones stop at once.
            self._publish(minute, requests, requests / min(before, now))
            before = now
            self._decide(self.start + (minute + 1) * _MINUTE)
            self.counts.append(self.running())
            tell(self, minute)

    def running(self) -> int:
        """Instances, each a process that answered its health check."""
        return sum(len(variant.instances) for variant in self._registered().variants())

    def _registered(self) -> Endpoint:
        return Endpoints.at(self._context).by_name[self.endpoint]

    def _publish(self, minute: int, requests: float, per_instance: float) -> None:
        dimensions = {"EndpointName": self.endpoint, "VariantName": VARIANT}
        at = self.start + minute * _MINUTE
        values = zip(METRICS, (requests, per_instance), strict=True)
        store.put(self._context, "AWS/SageMaker", [Datum(name, dimensions, at, "None", [value]) for name, value in values])

    def _decide(self, now: float) -> None:
        self._alarms.evaluate(now)
        self._loop.step(now)
        self._settle()
        records = Activities.at(self._context).records
        for record in records[self._told :]:
            if record["decision"] and record["endpoint"] == self.endpoint:
                old, new = record["decision"].split(" -> ")
                moment = datetime.fromisoformat(record["time"]).timestamp()
                self.decisions.append(Decision(moment, int(old), int(new), record["rule"], record["kind"], record["cause"]))
        self._told = len(records)

    def _deploy(self) -> None:
        """Update the endpoint to the other configuration, retaining what scaling has made of the variant."""
        before = self.running()
        self._account.client("sagemaker").update_endpoint(
            EndpointName=self.endpoint, EndpointConfigName=self.deployment.configuration, RetainAllVariantProperties=True
        )
        self._settle()
        asked = self.deployment
        self.deployment = Deployment(asked.minute, asked.configuration, asked.asks_for, before, self.running())

    def _settle(self) -> None:
        """Wait until nothing is changing any more. Raises StageError if the endpoint fails, or does not settle."""
        record, deadline = self._registered().record, time.monotonic() + _SETTLE_TIMEOUT_SECONDS
        while record["EndpointStatus"] != "InService":
            if record["EndpointStatus"] == "Failed" or time.monotonic() > deadline:
                raise StageError(f"endpoint {self.endpoint} is {record['EndpointStatus']}: {record['FailureReason'] or 'no reason given'}")
            time.sleep(_POLL_SECONDS)
        if record["FailureReason"]:
            raise StageError(f"endpoint {self.endpoint}: {record['FailureReason']}")


def simulated(configuration: Configuration, requests: Sequence[float], start: float) -> list[Decision]:
    """What the simulator decides on the same trace, asked once a minute as the account's control loop is.

    A deployment takes no time in it, and a request 1 ms, so that nothing waits.
    """
    traffic = Traffic(rate=np.array(requests) / _MINUTE, step_seconds=_MINUTE, start=start)
    one_ms = service.given(1.0)
    return list(simulate(configuration, traffic, one_ms, slo_seconds=1.0, assumptions=AT_ONCE, tick_seconds=_MINUTE).decisions)


def told(decisions: Sequence[Decision], start: float, minutes: int) -> list[tuple[int, int, int, str]]:
    """Minute, old and new count, and rule of each decision before the end of the trace, to compare two records."""
    listed = [(round((one.time - start) / _MINUTE), one.old, one.new, one.rule) for one in decisions]
    return [one for one in listed if one[0] < minutes]
