"""Updates an endpoint under traffic in every way that there is, again and again, until each has seen so many requests; counts what failed.

    python -m benchmarks.updates [--requests 10000] [--kind canary --kind serverless]

A small model on four instances, asked without a pause by four clients, in a local account whose clock runs at its own pace. What the model
is makes no difference to who answers. Nothing is wrong with what is deployed: every request has to be answered. `another type` takes the
scaling away, changes the instance type and registers it again, as the pipelines do in two updates of a stack
(deploy_scripts/type_change.py). `serverless` has containers in place of instances, and of `asynchronous` each request that the queue took
has to have its answer in S3 in the end. Output: a table, and benchmarks/results/updates.json, which keeps what other kinds had.
Exit code 1 if a request failed.
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from local_account.account import Account
from local_account.context import AccountSettings
from packages.local_account.tests.endpoint_models import create_configuration, create_endpoint, create_model, variant, wait_until_settled
from packages.local_account.tests.roles import make_roles

RESULT = Path(__file__).resolve().parents[1] / "results" / "updates.json"
ENDPOINT, SERVERLESS, QUEUED = "updated", "serverless", "asynchronous"
VARIANT, INSTANCES, CLIENTS = "AllTraffic", 4, 4
BUCKET, PATIENCE_SECONDS = "queue", 300
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
    SERVERLESS: blue_green("ALL_AT_ONCE"),
    QUEUED: blue_green("CANARY", CanarySize=_HALF),
}


@dataclass
class Traffic:
    """What the clients have got. `owed`: where answers are to lie that a queue has promised."""

    endpoint: str
    answered: int = 0
    errors: list[str] = field(default_factory=list)
    owed: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def ask(self, runtime: Any) -> None:
        while not self.stop.is_set():
            try:
                self._ask_once(runtime)
                self.answered += 1
            except Exception as error:  # whatever a client gets instead of an answer
                self.errors.append(f"{type(error).__name__}: {error}")

    def _ask_once(self, runtime: Any) -> None:
        given = {"EndpointName": self.endpoint, "ContentType": "text/csv"}
        if self.endpoint == QUEUED:
            self.owed.append(runtime.invoke_endpoint_async(**given, InputLocation=f"s3://{BUCKET}/in/row.csv")["OutputLocation"])
        else:
            runtime.invoke_endpoint(**given, Body=ROW)["Body"].read()

    def collect(self, s3: Any) -> None:
        """What the queue never answered has failed."""
        deadline, missing = time.monotonic() + PATIENCE_SECONDS, set(self.owed)
        while missing and time.monotonic() < deadline:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="out/")
            missing -= {f"s3://{BUCKET}/{item['Key']}" for page in pages for item in page.get("Contents", [])}
            time.sleep(0.5)
        self.answered -= len(missing)
        self.errors += [f"no answer at {address}" for address in missing]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.updates", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=10_000, help="of each kind of update (default: %(default)s)")
    parser.add_argument("--kind", action="append", choices=KINDS, help="of update; again for another one (default: all)")
    given = parser.parse_args(arguments)
    if given.requests < 1:
        parser.error(f"--requests is {given.requests}; allowed: 1 or more")
    with tempfile.TemporaryDirectory() as scratch, Account(AccountSettings(state_directory=Path(scratch, "account"), port=0)) as account:
        make_roles(account)
        create_model(account, "served")
        _configure(account)
        measured = {kind: _measure(kind, account, given.requests) for kind in given.kind or KINDS}
    return _report(measured)


def _configure(account: Account) -> None:
    """Two configurations for each endpoint, between which it is updated, and one of another instance type."""
    account.client("s3").create_bucket(Bucket=BUCKET)
    account.client("s3").put_object(Bucket=BUCKET, Key="in/row.csv", Body=ROW)
    create = account.client("sagemaker").create_endpoint_config
    output, containers = {"S3OutputPath": f"s3://{BUCKET}/out"}, {"MemorySizeInMB": 2048, "MaxConcurrency": 2 * CLIENTS}
    for name in ("first", "second"):
        create_configuration(account, f"{ENDPOINT}-{name}", variant("served", count=INSTANCES))
        idle = {"VariantName": VARIANT, "ModelName": "served", "ServerlessConfig": containers}
        create_configuration(account, f"{SERVERLESS}-{name}", idle)
        queued = variant("served", count=INSTANCES)
        create(EndpointConfigName=f"{QUEUED}-{name}", ProductionVariants=[queued], AsyncInferenceConfig={"OutputConfig": output})
    create_configuration(account, "other", variant("served", count=INSTANCES) | {"InstanceType": "ml.m5.xlarge"})


def _measure(kind: str, account: Account, requests: int) -> dict[str, Any]:
    """One update after the other while clients ask, until they have asked so often; the endpoint goes with the kind."""
    endpoint = kind if kind in (SERVERLESS, QUEUED) else ENDPOINT
    create_endpoint(account, endpoint, f"{endpoint}-first")
    configurations = itertools.cycle((f"{endpoint}-second", f"{endpoint}-first"))
    sagemaker, scaling, traffic = account.client("sagemaker"), account.client("application-autoscaling"), Traffic(endpoint)
    threads = [threading.Thread(target=traffic.ask, args=(account.client("sagemaker-runtime"),), daemon=True) for _ in range(CLIENTS)]
    began, updates = time.monotonic(), 0
    for thread in threads:
        thread.start()
    while traffic.answered + len(traffic.errors) < requests:
        configuration = next(configurations)
        if kind == "another type":
            configuration = "other" if updates % 2 == 0 else f"{endpoint}-first"
            scaling.register_scalable_target(**_TARGET, MinCapacity=INSTANCES, MaxCapacity=INSTANCES)
            scaling.deregister_scalable_target(**_TARGET)
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=configuration, DeploymentConfig=KINDS[kind])
        described = wait_until_settled(account, endpoint)
        assert described["EndpointConfigName"] == configuration, described.get("FailureReason")
        updates += 1
    traffic.stop.set()
    for thread in threads:
        thread.join(timeout=60)
    traffic.collect(account.client("s3"))
    sagemaker.delete_endpoint(EndpointName=endpoint)
    asked = traffic.answered + len(traffic.errors)
    print(f"{kind}: {updates} updates, {asked} requests, {len(traffic.errors)} failed", flush=True)
    seconds = round(time.monotonic() - began, 1)
    return {"updates": updates, "requests": asked, "failed": len(traffic.errors), "seconds": seconds, "errors": traffic.errors[:3]}


def _report(measured: Mapping[str, Mapping[str, Any]]) -> int:
    print(f"\n{'':16}{'updates':>9}{'requests':>10}{'failed':>8}")
    for kind, result in measured.items():
        print(f"{kind:16}{result['updates']:9}{result['requests']:10}{result['failed']:8}")
    before = json.loads(RESULT.read_text(encoding="utf-8"))["kinds"] if RESULT.is_file() else {}
    kinds = {kind: {**before, **measured}[kind] for kind in KINDS if kind in before or kind in measured}
    content = {"machine": describe_machine(), "load_average": round(os.getloadavg()[0], 1), "kinds": kinds}
    RESULT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 1 if any(result["failed"] for result in measured.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
