"""Updates an endpoint under traffic in every way that there is, again and again, until each has seen so many requests; counts what failed.

    python -m benchmarks.updates [--requests 10000] [--kind canary --kind serverless]

A small model on four instances, asked without a pause by four clients, in a local account whose clock runs at its own pace. What the model
is makes no difference to who answers. Nothing is wrong with what is deployed: every request has to be answered, and of those that a queue
took each has to have its answer in S3 in the end. The ways: benchmarks/updates/kinds.py.
Output: a table, and benchmarks/results/updates.json, which keeps what other kinds had. Exit code 1 if a request failed.
"""

from __future__ import annotations

import argparse
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
from benchmarks.updates.kinds import (
    BUCKET,
    CLIENTS,
    COMPONENT,
    KINDS,
    PATIENCE_SECONDS,
    QUEUED,
    ROW,
    configure,
    create,
    delete,
    endpoint_of,
    update,
)
from local_account.account import Account
from local_account.context import AccountSettings
from packages.local_account.tests.endpoint_models import create_model
from packages.local_account.tests.roles import make_roles

RESULT = Path(__file__).resolve().parents[1] / "results" / "updates.json"


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
            component = {"InferenceComponentName": COMPONENT} if self.endpoint == COMPONENT else {}
            runtime.invoke_endpoint(**given, **component, Body=ROW)["Body"].read()

    def collect(self, s3: Any) -> None:
        """What the queue never answered has failed: it is waited for as long as there are new answers."""
        missing, latest = set(self.owed), time.monotonic()
        while missing and time.monotonic() < latest + PATIENCE_SECONDS:
            there = missing & {f"s3://{BUCKET}/{item['Key']}" for item in _objects(s3, "out/")}
            missing, latest = missing - there, time.monotonic() if there else latest
            time.sleep(2)
        reasons = [s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read().decode() for item in _objects(s3, "failed/")]
        self.answered -= len(missing)
        self.errors += [*reasons, *(f"no answer at {address}" for address in missing)][: len(missing)]


def _objects(s3: Any, prefix: str) -> list[dict[str, Any]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [item for page in pages for item in page.get("Contents", [])]


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
        configure(account)
        measured = {kind: _measure(kind, account, given.requests) for kind in given.kind or KINDS}
    return _report(measured)


def _measure(kind: str, account: Account, requests: int) -> dict[str, Any]:
    """One update after the other while clients ask, until they have asked so often; the endpoint goes with the kind."""
    endpoint = endpoint_of(kind)
    create(account, endpoint)
    traffic = Traffic(endpoint)
    threads = [threading.Thread(target=traffic.ask, args=(account.client("sagemaker-runtime"),), daemon=True) for _ in range(CLIENTS)]
    began, updates = time.monotonic(), 0
    for thread in threads:
        thread.start()
    while traffic.answered + len(traffic.errors) < requests:
        updates += 1
        update(account, kind, endpoint, updates)
    traffic.stop.set()
    for thread in threads:
        thread.join(timeout=60)
    traffic.collect(account.client("s3"))
    delete(account, endpoint)
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
