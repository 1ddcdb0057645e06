"""Updates an endpoint under traffic in every way that there is, again and again, until each has seen so many requests; counts what failed.

    python -m benchmarks.updates [--requests 10000]

A small model on four instances, asked without a pause by four clients, in a local account whose clock runs at its own pace. What the model
is makes no difference to who answers. Nothing is wrong with what is deployed: every request has to be answered. `another type` takes the
scaling away, changes the instance type and registers it again, as the pipelines do in two updates of a stack
(deploy_scripts/type_change.py). Output: a table, and benchmarks/results/updates.json. Exit code 1 if a request failed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from local_account.account import Account
from local_account.context import AccountSettings
from packages.local_account.tests.endpoint_models import create_configuration, create_endpoint, create_model, variant, wait_until_settled
from packages.local_account.tests.roles import make_roles

RESULT = Path(__file__).resolve().parents[1] / "results" / "updates.json"
ENDPOINT, VARIANT, INSTANCES, CLIENTS = "updated", "AllTraffic", 4, 4
ROW = b"0.455,0.365,0.095,0.514,0.2245,0.101,0.15"
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
    with tempfile.TemporaryDirectory() as scratch, Account(AccountSettings(state_directory=Path(scratch, "account"), port=0)) as account:
        make_roles(account)
        create_model(account, "served")
        for name, kind in (("first", "ml.m5.large"), ("second", "ml.m5.large"), ("other", "ml.m5.xlarge")):
            create_configuration(account, name, variant("served", count=INSTANCES) | {"InstanceType": kind})
        create_endpoint(account, ENDPOINT, "first")
        configurations = itertools.cycle(("second", "first"))
        measured = {kind: _measure(kind, account, configurations, given.requests) for kind in KINDS}
    return _report(measured)


def _measure(kind: str, account: Account, configurations: Iterator[str], requests: int) -> dict[str, Any]:
    """One update after the other while clients ask, until they have asked so often."""
    sagemaker, scaling, traffic = account.client("sagemaker"), account.client("application-autoscaling"), Traffic()
    threads = [threading.Thread(target=traffic.ask, args=(account.client("sagemaker-runtime"),), daemon=True) for _ in range(CLIENTS)]
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
        described = wait_until_settled(account, ENDPOINT)
        assert described["EndpointConfigName"] == configuration, described.get("FailureReason")
        updates += 1
    traffic.stop.set()
    for thread in threads:
        thread.join(timeout=60)
    asked = traffic.answered + len(traffic.errors)
    print(f"{kind}: {updates} updates, {asked} requests, {len(traffic.errors)} failed", flush=True)
    seconds = round(time.monotonic() - began, 1)
    return {"updates": updates, "requests": asked, "failed": len(traffic.errors), "seconds": seconds, "errors": traffic.errors[:3]}


def _report(measured: Mapping[str, Mapping[str, Any]]) -> int:
    print(f"\n{'':16}{'updates':>9}{'requests':>10}{'failed':>8}")
    for kind, result in measured.items():
        print(f"{kind:16}{result['updates']:9}{result['requests']:10}{result['failed']:8}")
    content = {"machine": describe_machine(), "load_average": round(os.getloadavg()[0], 1), "kinds": measured}
    RESULT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 1 if any(result["failed"] for result in measured.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
