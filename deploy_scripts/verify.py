"""Asks the endpoint that was just deployed, for real: is it the right version, does it answer rightly and fast enough?

Checks: live config and package; the archive is the evaluated one (exit 2); answers to CSV and JSON; equal to the evaluated scores on
the golden rows; the metric on them; a wrong content type is refused; latency of single rows against settings.py. The first failed check
ends it (exit 1).
Columns, problem, classes and metric are the version's own, so one that goes back is judged by what it was made for.
Input: STAGE, ENDPOINT_NAME, MODEL_PACKAGE_ARN. Output: lines. It writes nothing down: that a version served production is what
CodePipeline remembers of this execution. Next: approve, or production.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from build_scripts import golden, invocation, version_contract
from build_scripts.command_line import ProblemError, VerdictError, parser, run
from build_scripts.evaluated_artifact import require_unchanged
from build_scripts.golden import Golden
from build_scripts.invocation import body, read_answer
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import describe
from build_scripts.version_contract import Contract
from deploy_scripts import checks
from deploy_scripts.live_endpoint import deployed_config, describe_endpoint, served_package
from settings import ENVIRONMENTS, PROJECT, Environment

LATENCY_REQUESTS = 100
LATENCY_ROUNDS = 3
WARM_UP_REQUESTS = 5


class Endpoint:
    """Invocations of one endpoint."""

    def __init__(self, runtime: Any, name: str) -> None:
        self._runtime, self._name = runtime, name

    def ask(self, body: bytes, content_type: str) -> bytes:
        answer = self._runtime.invoke_endpoint(EndpointName=self._name, Body=body, ContentType=content_type, Accept="application/json")
        content: bytes = answer["Body"].read()
        return content

    def status_for(self, body: bytes, content_type: str) -> int | None:
        """The container's status of a refused request; None if it was answered."""
        try:
            self.ask(body, content_type)
        except ClientError as error:
            status: int = error.response.get("OriginalStatusCode") or error.response["ResponseMetadata"]["HTTPStatusCode"]
            return status
        return None

    def milliseconds(self, body: bytes, content_type: str) -> float:
        started = time.perf_counter()
        self.ask(body, content_type)
        return (time.perf_counter() - started) * 1000


def check_answers(endpoint: Endpoint, known: Golden, contract: Contract, environment: Environment) -> list[str]:
    """One line per check. Raises VerdictError at the first that fails."""
    count = len(known.rows)
    kinds = (invocation.CSV, invocation.JSON)
    answers = {kind: read_answer(endpoint.ask(body(known.rows, kind, contract), kind), count, contract) for kind in kinds}
    lines = [
        *(checks.as_evaluated(kind, answer, known) for kind, answer in answers.items()),
        checks.metric(known, answers[invocation.CSV], contract),
        checks.refused(endpoint.status_for(b"\x00", "application/x-nothing-we-know")),
    ]
    single = [invocation.csv_body([row]) for row in known.rows]
    for index in range(WARM_UP_REQUESTS):
        endpoint.ask(single[index % count], invocation.CSV)
    return [*lines, latency_line(lambda index: endpoint.milliseconds(single[index % count], invocation.CSV), environment.p99_latency_ms)]


def latency_line(ask: Callable[[int], float], limit_ms: int) -> str:
    """Latency against the limit. Asked again before it is called too slow: a pause of the machine that asks is not the endpoint's.

    `ask` sends request number n and returns its milliseconds. Raises VerdictError if every round is too slow.
    """
    for rounds_left in reversed(range(LATENCY_ROUNDS)):
        try:
            return checks.latency([ask(index) for index in range(LATENCY_REQUESTS)], limit_ms)
        except VerdictError:
            if not rounds_left:
                raise
    raise AssertionError("LATENCY_ROUNDS is at least 1")


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    environment = next((item for item in ENVIRONMENTS if item.name == given.stage), None)
    if environment is None:
        raise ProblemError(f"--stage is {given.stage!r}; allowed: {', '.join(item.name for item in ENVIRONMENTS)}")
    if not given.package:
        raise ProblemError("MODEL_PACKAGE_ARN is not set; give --package")
    project = ProjectEnvironment()
    sagemaker, name = project.client("sagemaker"), given.endpoint or PROJECT.endpoint_name(environment)
    endpoint = describe_endpoint(sagemaker, name)
    if endpoint is None:
        raise ProblemError(f"endpoint {name} does not exist; deploy it first")
    wanted_config = deployed_config(project.client("cloudformation"), PROJECT.endpoint_stack(environment))
    print(checks.deployed(endpoint, served_package(sagemaker, endpoint), given.package, wanted_config), flush=True)
    version, s3 = describe(sagemaker, given.package), project.client("s3")
    print(require_unchanged(s3, version), flush=True)
    contract = version_contract.read(s3, version)
    known = golden.read(s3, version, contract)
    for line in check_answers(Endpoint(project.client("sagemaker-runtime"), name), known, contract, environment):
        print(line, flush=True)
    print(f"version {version.number} serves {environment.name}")
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    options.add_argument("--stage", default=os.environ.get("STAGE"), help="staging or production (default: STAGE)")
    options.add_argument(
        "--endpoint", default=os.environ.get("ENDPOINT_NAME"), help="the endpoint (default: ENDPOINT_NAME, or the stage's)"
    )
    options.add_argument("--package", default=os.environ.get("MODEL_PACKAGE_ARN"), help="the version's ARN (default: MODEL_PACKAGE_ARN)")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
