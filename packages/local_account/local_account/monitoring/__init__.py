"""CloudWatch as it behaves: metrics of endpoints, and alarms that are evaluated on the account's clock.

MiniStack stores metrics and alarms; this package publishes what endpoints and other services really do
(`endpoint_metrics.py`, `service_metrics.py`) and what log events hold (`embedded_metrics.py`), evaluates alarms
(`alarms.py`, `alarm_loop.py`) and beats the time for both and for `scaling` (`heartbeat.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_account.context import Context


def install(context: Context) -> None:
    """Hook MiniStack, and let time pass for every account of the process."""
    from local_account.monitoring import alarm_hooks, embedded_metrics, heartbeat, log_patterns

    alarm_hooks.install(context)
    log_patterns.install(context)
    embedded_metrics.install(context)
    context.in_background(heartbeat.run, context)


def begin(context: Context) -> None:
    """Publish and evaluate for this account and region, until they stop."""
    from local_account.monitoring import alarm_loop, endpoint_metrics, heartbeat, service_metrics

    heartbeat.on_beat(context, endpoint_metrics.Publisher(context).publish)
    services = service_metrics.ServiceMetrics(context)
    services.watch_events()
    heartbeat.on_beat(context, services.publish)
    heartbeat.on_beat(context, alarm_loop.AlarmLoop.at(context).evaluate)
