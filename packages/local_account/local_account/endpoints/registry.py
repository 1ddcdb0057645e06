"""The endpoints of one account: their fleets, traffic counters and data capture, and what DescribeEndpoint tells of each.

`operations.py` changes it when an API call arrives, `lifecycle.py` while a deployment runs; `runtime.py` and `monitoring` read it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local_account.context import Context, Part
from local_account.endpoints.data_capture import DataCapture
from local_account.endpoints.fleet import Fleet, Variant
from local_account.endpoints.launcher import Launcher
from local_account.endpoints.traffic import Traffic
from local_account.sagemaker.jobs.record import LONGEST_REASON


@dataclass
class Record:
    """What the API tells of an endpoint. `capture_source` is the configuration whose data capture it runs with."""

    endpoint_name: str
    arn: str
    endpoint_config_name: str
    creation_time: datetime
    production_variants: list[dict[str, Any]] = field(default_factory=list)
    endpoint_status: str = "Creating"
    failure_reason: str | None = None
    last_modified_time: datetime | None = None
    data_capture_config: dict[str, Any] | None = None
    last_deployment_config: Mapping[str, Any] | None = None
    pending_deployment_summary: dict[str, Any] | None = None
    capture_source: str = ""

    def describe(self) -> dict[str, Any]:
        return {
            "EndpointName": self.endpoint_name,
            "EndpointArn": self.arn,
            "EndpointConfigName": self.endpoint_config_name,
            "ProductionVariants": [dict(variant) for variant in self.production_variants],
            "DataCaptureConfig": self.data_capture_config,
            "EndpointStatus": self.endpoint_status,
            "FailureReason": self.failure_reason[:LONGEST_REASON] if self.failure_reason else None,
            "CreationTime": self.creation_time,
            "LastModifiedTime": self.last_modified_time or self.creation_time,
            "LastDeploymentConfig": self.last_deployment_config,
            "PendingDeploymentSummary": self.pending_deployment_summary,
        }


class Endpoint:
    """One endpoint. `record` is what the API tells of it; the rest is what really runs."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.traffic = Traffic()
        self.fleet: Fleet | None = None
        self.candidate: Fleet | None = None
        self.candidate_share = 0.0
        self.capture: DataCapture | None = None
        self.deleted = threading.Event()
        self.changing = threading.Lock()  # held while the set of processes changes

    @property
    def name(self) -> str:
        return self.record.endpoint_name

    @property
    def status(self) -> str:
        return self.record.endpoint_status

    def fleets(self) -> list[Fleet]:
        return [fleet for fleet in (self.fleet, self.candidate) if fleet is not None]

    def serving(self) -> Fleet | None:
        """The fleet for one request: the candidate by its share of the traffic, else the endpoint's own. None before there is one."""
        candidate = self.candidate  # read once: the deployment may end on its own thread meanwhile
        return candidate if candidate is not None and random.random() < self.candidate_share else self.fleet

    def variants(self) -> Iterable[Variant]:
        return [variant for fleet in self.fleets() for variant in fleet.variants.values()]

    def variant_record(self, name: str) -> dict[str, Any]:
        """What DescribeEndpoint says of a variant. Raises StopIteration for a variant that is not there."""
        return next(variant for variant in self.record.production_variants if variant["VariantName"] == name)

    def refresh_record(self) -> None:
        """Let DescribeEndpoint tell the instances that are running now."""
        for variant in self.record.production_variants:
            running = self.fleet.variants.get(variant["VariantName"]) if self.fleet else None
            variant["CurrentInstanceCount"] = len(running.instances) if running else 0
            if running:
                variant["CurrentWeight"] = running.weight
                variant["RoutingConfig"] = {"RoutingStrategy": running.routing.value}


class Endpoints(Part):
    """All endpoints of one account, by name."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.by_name: dict[str, Endpoint] = {}
        self.launcher = Launcher(context, self._instance_ended)

    def _instance_ended(self, pid: int, code: int) -> None:
        """Replace a serving instance that ended by itself, as SageMaker replaces an unhealthy one."""
        for endpoint in list(self.by_name.values()):
            for variant in endpoint.variants():
                if variant.forget(pid) and not endpoint.deleted.is_set() and not self.context.stopping.is_set():
                    self._replace(endpoint, variant, code)

    def _replace(self, endpoint: Endpoint, variant: Variant, code: int) -> None:
        log_file = self.context.log_path("endpoint", endpoint.name)
        try:
            variant.restore()
            outcome = "replaced"
        except Exception as error:  # the reason goes to the endpoint's log; its other instances serve on
            outcome = f"not replaced: {error}"
        with log_file.open("a", encoding="utf-8") as log:
            log.write(f"an instance of variant {variant.name} ended with code {code}; {outcome}\n")
        endpoint.refresh_record()


def desired_counts(variants: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Variant name -> DesiredInstanceCount, of an endpoint's or a configuration's variants."""
    return {
        variant["VariantName"]: int(variant.get("DesiredInstanceCount") or variant.get("InitialInstanceCount") or 1) for variant in variants
    }
