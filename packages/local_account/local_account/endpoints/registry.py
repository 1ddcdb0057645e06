"""The endpoints of one account: their fleets, traffic counters and data capture, and what DescribeEndpoint tells of each.

`operations.py` changes it when an API call arrives, `lifecycle.py` while a deployment runs; `runtime.py` and `monitoring` read it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from local_account.context import Context, Part
from local_account.endpoints.backlog import Backlog
from local_account.endpoints.data_capture import DataCapture
from local_account.endpoints.fleet import Fleet, Variant
from local_account.endpoints.launcher import Launcher
from local_account.endpoints.sharing import Shared
from local_account.endpoints.traffic import Traffic

#: What a configuration and DescribeEndpoint call the variants that answer, and those that get copies.
KINDS = ("ProductionVariants", "ShadowProductionVariants")


class Endpoint:
    """One endpoint. `record` has what DescribeEndpoint tells of it; the rest is what really runs.

    `capture_source` is the configuration whose data capture it runs with.
    """

    is_listed = True

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record
        self.capture_source = str(record["EndpointConfigName"])
        self.traffic = Traffic()
        self.fleet: Fleet | None = None
        self.candidate: Fleet | None = None
        self.candidate_share = 0.0
        self.capture: DataCapture | None = None
        self.backlog: Backlog | None = None  # of an asynchronous endpoint
        self.shared: Shared | None = None  # of one whose models are inference components
        self.deleted = threading.Event()
        self.changing = threading.Lock()  # held while the set of processes changes

    @property
    def name(self) -> str:
        return str(self.record["EndpointName"])

    @property
    def status(self) -> str:
        return str(self.record["EndpointStatus"])

    @property
    def log_group(self) -> str:
        return f"/aws/sagemaker/Endpoints/{self.name}"

    def dimensions(self, variant: str) -> dict[str, str]:
        """Of its metrics."""
        return {"EndpointName": self.name, "VariantName": variant}

    def describe(self) -> dict[str, Any]:
        if self.shared is not None:
            self.record["ProductionVariants"][0] |= dict.fromkeys(("DesiredInstanceCount", "CurrentInstanceCount"), self.shared.instances)
        return {**self.record, **{kind: [dict(variant) for variant in self.record[kind]] for kind in KINDS if self.record.get(kind)}}

    def fleets(self) -> list[Fleet]:
        return [fleet for fleet in (self.fleet, self.candidate) if fleet is not None]

    def serving(self) -> Fleet | None:
        """The fleet for one request: the candidate by its share of the traffic, else the endpoint's own. None before there is one."""
        candidate = self.candidate  # read once: the deployment may end on its own thread meanwhile
        return candidate if candidate is not None and random.random() < self.candidate_share else self.fleet

    def variants(self) -> Iterable[Variant]:
        return [variant for fleet in self.fleets() for variant in fleet.all()]

    def variant_record(self, name: str) -> dict[str, Any]:
        """What DescribeEndpoint says of a variant. Raises StopIteration for a variant that is not there."""
        return next(variant for variant in self.record["ProductionVariants"] if variant["VariantName"] == name)

    def refresh_record(self) -> None:
        """Let DescribeEndpoint tell the instances that are running now."""
        now = {variant.name: variant.describe() for variant in self.fleet.all()} if self.fleet else {}
        for kind in KINDS:
            for variant in self.record.get(kind) or []:
                variant |= now.get(variant["VariantName"], {"CurrentInstanceCount": 0})


class Endpoints(Part):
    """All endpoints of one account, by name."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.by_name: dict[str, Endpoint] = {}
        self.components: dict[str, Endpoint] = {}  # components.py
        self.launcher = Launcher(context, self._instance_ended)

    def all(self) -> list[Endpoint]:
        """Also the inference components."""
        return [*self.by_name.values(), *self.components.values()]

    def _instance_ended(self, pid: int, code: int) -> None:
        """Replace a serving instance that ended by itself, as SageMaker replaces an unhealthy one."""
        for endpoint in self.all():
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


def variants_of(configuration: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those of a configuration, of either kind."""
    return [variant for kind in KINDS for variant in configuration.get(kind) or []]


def records(configuration: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """What DescribeEndpoint tells of a configuration's variants, of either kind."""
    return {kind: [_record(variant) for variant in configuration.get(kind) or []] for kind in KINDS if configuration.get(kind)}


def _record(variant: Mapping[str, Any]) -> dict[str, Any]:
    weight = float(variant.get("InitialVariantWeight", 1.0))
    given = {"VariantName": variant["VariantName"], "CurrentInstanceCount": 0, "CurrentWeight": weight, "DesiredWeight": weight}
    if "ServerlessConfig" in variant:
        return {**given, "CurrentServerlessConfig": variant["ServerlessConfig"], "DesiredServerlessConfig": variant["ServerlessConfig"]}
    if "ManagedInstanceScaling" in variant:
        given["ManagedInstanceScaling"] = variant["ManagedInstanceScaling"]
    return {**given, "DesiredInstanceCount": desired_counts([variant])[variant["VariantName"]]}


def desired_counts(variants: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Variant name -> DesiredInstanceCount, of an endpoint's or a configuration's variants. A serverless variant has no instances."""
    return {
        variant["VariantName"]: int(variant.get("DesiredInstanceCount", variant.get("InitialInstanceCount", 0))) for variant in variants
    }
