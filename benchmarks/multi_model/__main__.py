"""Fifty models on one instance of a multi-model endpoint: how long a warm one takes to answer, beside an endpoint of its own.

    python -m benchmarks.multi_model [--models 50] [--rounds 20] [--requests 500]

The registered abalone version is put fifty times below the prefix of a multi-model container whose program is
pipelines/fleet/steps/members.py, and once behind an endpoint of its own, in one local account; both have one ml.m5.xlarge. All fifty are
asked once, which loads them; then one client asks the two endpoints in turn, round by round, one row a request, on the fleet another model
each time. Compared are the medians of the rounds' p99, in milliseconds, as the client sees them. Output: a table, and
benchmarks/results/multi_model.json. Exit code 1 if the fleet's is more than 1.3 times the other, or if a model was unloaded.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.machine import describe_machine, scheduling
from benchmarks.registered import registered_abalone
from benchmarks.role import ROLE, make_role
from local_account.account import Account
from local_account.context import AccountSettings
from local_account.endpoints.multi_model import MultiModelVariant
from local_account.endpoints.registry import Endpoints
from pipelines.fleet import program

RESULT = Path(__file__).resolve().parents[1] / "results" / "multi_model.json"
BUCKET, OWN, FLEET, INSTANCE_TYPE = "models", "own", "fleet", "ml.m5.xlarge"
ROW = b"0.455,0.365,0.095,0.514,0.2245,0.101,0.15,M"
MOST_TIMES = 1.3
_INSTALLS = {"PIP_NO_BUILD_ISOLATION": "0"}
MEMBER = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code", **_INSTALLS}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.multi_model", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=50, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    parser.add_argument("--requests", type=int, default=500, help="of a round and an endpoint (default: %(default)s)")
    given = parser.parse_args(arguments)
    with registered_abalone() as registered:
        archive = registered.archive
    with tempfile.TemporaryDirectory() as scratch, Account(AccountSettings(state_directory=Path(scratch, "account"), port=0)) as account:
        make_role(account.client("iam"))
        targets = [f"small-{number}/1.tar.gz" for number in range(given.models)]
        _put(account, archive, targets)
        _create(account, OWN, {"ModelDataUrl": f"s3://{BUCKET}/own.tar.gz", "Environment": MEMBER})
        submitted = {"SAGEMAKER_PROGRAM": program.PROGRAM, "SAGEMAKER_SUBMIT_DIRECTORY": f"s3://{BUCKET}/program.tar.gz"}
        _create(account, FLEET, {"Mode": "MultiModel", "ModelDataUrl": f"s3://{BUCKET}/fleet/", "Environment": submitted | _INSTALLS})
        return _report(_measure(account, targets, given.rounds, given.requests))


def _put(account: Account, archive: bytes, targets: Sequence[str]) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="own.tar.gz", Body=archive)
    s3.put_object(Bucket=BUCKET, Key="program.tar.gz", Body=program.packed())
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        files = {item.name: found.read() for item in opened if (found := opened.extractfile(item)) is not None}
    member = program.packed({**files, "environment.json": json.dumps(MEMBER).encode()})
    for target in targets:
        s3.put_object(Bucket=BUCKET, Key=f"fleet/{target}", Body=member)


def _create(account: Account, name: str, container: Mapping[str, Any]) -> None:
    sagemaker = account.client("sagemaker")
    sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": "xgboost:3.2-0", **container}, ExecutionRoleArn=ROLE)
    variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": INSTANCE_TYPE, "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig={"Delay": 1})


def _measure(account: Account, targets: Sequence[str], rounds: int, requests: int) -> dict[str, Any]:
    runtime = account.client("sagemaker-runtime")

    def ask(endpoint: str, **target: str) -> bytes:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=ROW, **target)
        return bytes(answer["Body"].read())

    started = time.perf_counter()
    answers = {ask(FLEET, TargetModel=target) for target in targets}
    loading_seconds = time.perf_counter() - started
    assert answers == {ask(OWN)}, "the models of the fleet answer something else"
    before = _processes(account)
    resident_gib = sum(psutil.Process(process).memory_info().rss for process in before) / 2**30
    asked: dict[str, Callable[[int], bytes]] = {
        OWN: lambda number: ask(OWN),
        FLEET: lambda number: ask(FLEET, TargetModel=targets[number % len(targets)]),
    }
    p99: dict[str, list[float]] = {name: [] for name in asked}
    for turn in range(rounds + 1):
        for name in sorted(asked, reverse=bool(turn % 2)):
            taken = _milliseconds(asked[name], requests)
            if turn:  # the first round is a rehearsal
                p99[name].append(round(float(np.percentile(taken, 99)), 3))
    return {
        "models": len(targets),
        "loading_seconds": round(loading_seconds, 2),
        "resident_gib": round(resident_gib, 2),
        "p99_ms": p99,
        "times": round(statistics.median(p99[FLEET]) / statistics.median(p99[OWN]), 3),
        "unloaded": len(before - _processes(account)),
        "scheduling": scheduling(),
    }


def _milliseconds(ask: Callable[[int], bytes], requests: int) -> list[float]:
    taken = []
    for number in range(requests):
        started = time.perf_counter()
        ask(number)
        taken.append(1000 * (time.perf_counter() - started))
    return taken


def _processes(account: Account) -> set[int]:
    """Of the models that are loaded."""
    (variant,) = Endpoints.at(account.context).by_name[FLEET].variants()
    assert isinstance(variant, MultiModelVariant)
    (instance,) = variant.instances
    return set(variant.processes(instance))


def _report(found: Mapping[str, Any]) -> int:
    medians = {name: statistics.median(values) for name, values in found["p99_ms"].items()}
    print(
        f"{found['models']} models loaded in {found['loading_seconds']} s, {found['resident_gib']} GiB, {found['unloaded']} unloaded since"
    )
    print(f"p99 of an endpoint of its own: {medians[OWN]:.2f} ms; of a warm model on the fleet: {medians[FLEET]:.2f} ms")
    print(f"{found['times']:.2f} times; allowed: {MOST_TIMES}")
    RESULT.write_text(json.dumps({"machine": describe_machine(), **found}, indent=1) + "\n", encoding="utf-8")
    return int(found["times"] > MOST_TIMES or bool(found["unloaded"]))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
