"""Updates an endpoint under traffic in every way that there is, again and again, until each has seen so many requests; counts what failed.

    python -m benchmarks.updates [--requests 10000]

The registered abalone version on four instances, asked without a pause by four clients, in a local account whose clock runs at its own
pace. Nothing is wrong with what is deployed: every request has to be answered. `another type` takes the scaling away, changes the instance
type and registers it again, as the pipelines do in two updates of a stack (deploy_scripts/type_change.py). Output: a table, and
benchmarks/results/updates.json. Exit code 1 if a request failed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from benchmarks.machine import describe_machine
from benchmarks.registered import registered_abalone
from benchmarks.role import ROLE

RESULT = Path(__file__).resolve().parents[1] / "results" / "updates.json"
ENDPOINT, VARIANT, INSTANCES, CLIENTS = "updated", "AllTraffic", 4, 4
ROW = b"0.455,0.365,0.095,0.514,0.2245,0.101,0.15,M"
BAKE_SECONDS = 2
_HALF = {"Type": "CAPACITY_PERCENT", "Value": 50}
_TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": f"endpoint/{ENDPOINT}/variant/{VARIANT}",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


def blue_green(kind: str, **size: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": BAKE_SECONDS, **size}
    return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": 0}}


#: Kind of update -> its DeploymentConfig.
KINDS: dict[str, dict[str, Any]] = {
    "all at once": blue_green("ALL_AT_ONCE"),
    "canary": blue_green("CANARY", CanarySize=_HALF),
    "linear": blue_green("LINEAR", LinearStepSize={**_HALF, "Value": 25}),
    "rolling": {"RollingUpdatePolicy": {"MaximumBatchSize": {**_HALF, "Value": 25}, "WaitIntervalInSeconds": BAKE_SECONDS}},
    "another type": blue_green("ALL_AT_ONCE"),
}


@dataclass
class Traffic:
    """What the clients have got."""

    answered: int = 0
    errors: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, runtime: Any) -> None:
        while not self.stop.is_set():
            try:
                runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=ROW)["Body"].read()
                self.answered += 1
            except Exception as error:  # whatever a client gets instead of an answer
                self.errors.append(f"{type(error).__name__}: {error}")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.updates", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=10_000, help="of each kind of update (default: %(default)s)")
    given = parser.parse_args(arguments)
    if given.requests < 1:
        parser.error(f"--requests is {given.requests}; allowed: 1 or more")
    with registered_abalone() as registered:
        clients = _clients_of(registered.environment)
        _create(clients("sagemaker"), registered.version.arn)
        configurations = itertools.cycle(("second", "first"))
        measured = {kind: _measure(kind, clients, configurations, given.requests) for kind in KINDS}
    return _report(measured)


def _clients_of(environment: Mapping[str, str]) -> Callable[[str], Any]:
    """Clients of the account that these variables lead to. Made one at a time, as boto3 makes them."""
    os.environ.update({name: value for name, value in environment.items() if name.startswith("AWS_")})
    return boto3.Session().client


def _create(sagemaker: Any, version: str) -> None:
    sagemaker.create_model(ModelName="served", PrimaryContainer={"ModelPackageName": version}, ExecutionRoleArn=ROLE)
    for name, kind in (("first", "ml.m5.large"), ("second", "ml.m5.large"), ("other", "ml.m5.xlarge")):
        variant = {"VariantName": VARIANT, "ModelName": "served", "InstanceType": kind, "InitialInstanceCount": INSTANCES}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="first")
    _settle(sagemaker)


def _measure(kind: str, clients: Callable[[str], Any], configurations: Iterator[str], requests: int) -> dict[str, Any]:
    """One update after the other while clients ask, until they have asked so often."""
    sagemaker, scaling, traffic = clients("sagemaker"), clients("application-autoscaling"), Traffic()
    threads = [threading.Thread(target=traffic.ask, args=(clients("sagemaker-runtime"),), daemon=True) for _ in range(CLIENTS)]
    began, updates = time.monotonic(), 0
    for thread in threads:
        thread.start()
    while traffic.answered + len(traffic.errors) < requests:
        configuration = next(configurations)
        if kind == "another type":
            configuration = "other" if updates % 2 == 0 else "first"
            scaling.register_scalable_target(**_TARGET, MinCapacity=INSTANCES, MaxCapacity=INSTANCES)
            scaling.deregister_scalable_target(**_TARGET)
        sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=configuration, DeploymentConfig=KINDS[kind])
        described = _settle(sagemaker)
        assert described["EndpointConfigName"] == configuration, described.get("FailureReason")
        updates += 1
    traffic.stop.set()
    for thread in threads:
        thread.join(timeout=60)
    asked = traffic.answered + len(traffic.errors)
    print(f"{kind}: {updates} updates, {asked} requests, {len(traffic.errors)} failed", flush=True)
    seconds = round(time.monotonic() - began, 1)
    return {"updates": updates, "requests": asked, "failed": len(traffic.errors), "seconds": seconds, "errors": traffic.errors[:3]}


def _settle(sagemaker: Any) -> dict[str, Any]:
    while True:
        described: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=ENDPOINT)
        if described["EndpointStatus"] in ("InService", "Failed"):
            return described
        time.sleep(0.05)


def _report(measured: Mapping[str, Mapping[str, Any]]) -> int:
    print(f"\n{'':16}{'updates':>9}{'requests':>10}{'failed':>8}")
    for kind, result in measured.items():
        print(f"{kind:16}{result['updates']:9}{result['requests']:10}{result['failed']:8}")
    content = {"machine": describe_machine(), "load_average": round(os.getloadavg()[0], 1), "kinds": measured}
    RESULT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 1 if any(result["failed"] for result in measured.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
