"""Asks what was just deployed in a stage, for real: is it the right version, does it answer rightly and fast enough?

An endpoint: live config and package; the archive is the evaluated one (exit 2); answers to each content type that the version takes; equal
to the evaluated scores on the golden rows; the metric on them; a wrong content type is refused; latency of single rows against models/, but
for an asynchronous one, which is asked through its queue. A model on a multi-model fleet: what clients were told, which offer.py asked
before, and in production its alarms for a while (baking.py). A batch model: the package of the deployed model, the archive, and a transform
job with it on the golden rows. The first failed check ends it (exit 1).
Columns, problem, classes and metric are the version's own, so one that goes back is judged by what it was made for.
Input: MODEL, STAGE, MODEL_PACKAGE_ARN. Output: lines; where versions are tested also a short load (staging_load.py), and all of it on the
approver's page (review/). That a version served production is what CodePipeline remembers of this execution. Next: approve, or production.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from build_scripts import golden, invocation, version_contract
from build_scripts.command_line import ProblemError, VerdictError, add_model_option, add_package_option, parser, read_settings, run
from build_scripts.evaluated_artifact import require_unchanged
from build_scripts.golden import Golden
from build_scripts.invocation import body, read_answer
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import describe
from build_scripts.version_contract import Contract
from capacity import measure
from deploy_scripts import checks, verification_job
from deploy_scripts.baking import bake
from deploy_scripts.deployments import outputs_of
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.live_endpoint import deployed_config, fleet_seconds, package_of, served_package
from deploy_scripts.queued_requests import AsynchronousClient
from deploy_scripts.regional_copy import registered_in
from deploy_scripts.review import publishing
from deploy_scripts.served import describe_served, package_served
from deploy_scripts.stack_states import describe_stack
from deploy_scripts.staging_load import loads
from deploy_scripts.way_back import DEPLOYED
from settings_schema import Asynchronous, Batch, Endpoint, Member, ServingNames
from settings_schema.fleet import OnFleet
from settings_schema.rollout import TOLD
from settings_schema.serving import OnEndpoint

WARM_UP_REQUESTS, WARM_UP_SECONDS = 5, 5
#: Asked once more before it is called too slow: a pause of the machine that asks is not the endpoint's.
LATENCY_ROUNDS, BETWEEN_ROUNDS_SECONDS = 2, 5
ROUND_SECONDS = 60
#: SageMaker gives a container 60 s for an answer (API reference, InvokeEndpoint). An answer that does not come is not asked for five times.
_RUNTIME = Config(read_timeout=65, retries={"mode": "standard", "total_max_attempts": 2})


class EndpointClient:
    """Invocations of one endpoint."""

    def __init__(self, runtime: Any, name: str, component: str | None = None, target: str | None = None) -> None:
        """Of an endpoint that models share, which to ask: a `component`, or a `target`, an archive of a multi-model fleet."""
        self._runtime, self._name = runtime, component or target or name
        named = {"InferenceComponentName": component, "TargetModel": target}
        self._address = {"EndpointName": name, **{key: value for key, value in named.items() if value}}

    def ask(self, body: bytes, content_type: str) -> bytes:
        """Raises VerdictError for an answer that does not come."""
        request = {**self._address, "Body": body, "ContentType": content_type, "Accept": invocation.accepted_for(content_type)}
        try:
            answer = self._runtime.invoke_endpoint(**request, InferenceId=invocation.check_id())
            content: bytes = answer["Body"].read()
        except ReadTimeoutError as error:
            raise VerdictError(f"too slow: no answer of {self._name} within {_RUNTIME.read_timeout} s") from error
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


class Client(Protocol):
    """Asks an endpoint in its own way."""

    def ask(self, body: bytes, content_type: str) -> bytes: ...

    def status_for(self, body: bytes, content_type: str) -> int | None: ...


def check_answers(endpoint: Client, known: Golden, contract: Contract, kinds: Sequence[str]) -> Iterator[str]:
    """One line per check. `kinds`: the content types that the version takes. Raises VerdictError at the first that fails."""
    count = len(known.rows)
    asked = {kind: endpoint.ask(body(known.rows, kind, contract), kind) for kind in kinds}
    answers = {kind: read_answer(content, count, contract, invocation.accepted_for(kind)) for kind, content in asked.items()}
    for kind, answer in answers.items():
        yield checks.as_evaluated(kind, answer, known)
    yield checks.metric(known, answers[invocation.CSV], contract)
    yield checks.refused(endpoint.status_for(b"\x00", "application/x-nothing-we-know"))


def check_latency(endpoint: EndpointClient, known: Golden, limit_ms: int) -> str:
    single = [invocation.csv_body([row]) for row in known.rows]
    return latency_line(lambda index: endpoint.milliseconds(single[index % len(single)], invocation.CSV), limit_ms)


def latency_line(ask: Callable[[int], float], limit_ms: int, pause: Callable[[float], None] = time.sleep) -> str:
    """Latency against the limit, in seconds for a version that is clearly slow or fast: slow_answers.py.

    `ask` sends request number n and returns its milliseconds. Raises VerdictError if every round is too slow.
    """
    _until_warm(ask)
    for rounds_left in reversed(range(LATENCY_ROUNDS)):
        try:
            return _round(ask, limit_ms)
        except VerdictError:
            if not rounds_left:
                raise
        pause(BETWEEN_ROUNDS_SECONDS)
    raise AssertionError("LATENCY_ROUNDS is at least 1")


def _until_warm(ask: Callable[[int], float]) -> None:
    """The first answers of a container are slower, and do not count."""
    spent_ms, index = 0.0, 0
    while index < WARM_UP_REQUESTS and spent_ms < WARM_UP_SECONDS * 1000:
        spent_ms, index = spent_ms + ask(index), index + 1


def _round(ask: Callable[[int], float], limit_ms: int) -> str:
    """Until it is clear, or ROUND_SECONDS are over."""
    asked: list[float] = []
    while True:
        asked.append(ask(len(asked)))
        line = checks.latency(asked, limit_ms, is_last=sum(asked) >= ROUND_SECONDS * 1000)
        if line is not None:
            return line


def deployed_line(place: EnvironmentPlace, names: ServingNames, serving: OnEndpoint | Batch, package: str) -> str:
    """What is deployed is what was meant. Raises ProblemError where nothing is, VerdictError where it is another one."""
    sagemaker = place.client("sagemaker")
    if isinstance(serving, Batch):
        model_name = batch_model(place, names)
        return checks.deployed_model(names.stack, model_name, package_of(sagemaker, model_name), package)
    if isinstance(serving, Member):
        told = member_outputs(place, names)
        return checks.deployed_model(names.stack, told[TOLD], told.get(DEPLOYED), package)
    endpoint = describe_served(sagemaker, names, serving)
    if endpoint is None:
        kind = "component" if isinstance(serving, OnFleet) else "endpoint"
        raise ProblemError(f"{kind} {names.endpoint} does not exist; deploy it first")
    if isinstance(serving, OnFleet):
        return checks.deployed_model(names.stack, endpoint["ModelName"], package_served(sagemaker, endpoint), package)
    wanted_config = deployed_config(place.client("cloudformation"), names.stack)
    return checks.deployed(endpoint, served_package(sagemaker, endpoint), package, wanted_config)


def address(names: ServingNames, serving: OnEndpoint) -> tuple[str, str | None]:
    """The endpoint to ask, and the inference component, if it is one on a fleet."""
    if isinstance(serving, Member):
        return names.fleet(serving.fleet).endpoint, None
    return (names.fleet(serving.fleet).endpoint, names.component) if isinstance(serving, OnFleet) else (names.endpoint, None)


def member_outputs(place: EnvironmentPlace, names: ServingNames) -> dict[str, str]:
    """Of the stack of a model on a multi-model fleet: what clients are told. Raises ProblemError where they are told nothing."""
    stack = describe_stack(place.client("cloudformation"), names.stack)
    outputs = outputs_of(stack) if stack else {}
    if TOLD not in outputs:
        raise ProblemError(f"stack {names.stack} does not exist, or has no output {TOLD}; deploy it first")
    return outputs


def batch_model(place: EnvironmentPlace, names: ServingNames) -> str:
    """SageMaker's name of the model that a batch stack scores with."""
    stacks = found(place.client("cloudformation").describe_stacks, StackName=names.stack)
    name = outputs_of(stacks["Stacks"][0]).get("ModelName") if stacks else None
    if name is None:
        raise ProblemError(f"stack {names.stack} does not exist, or has no output ModelName; deploy it first")
    return name


def answer_lines(
    place: EnvironmentPlace,
    names: ServingNames,
    serving: OnEndpoint | Batch,
    known: Golden,
    contract: Contract,
    kinds: Sequence[str],
    target: str | None = None,
) -> Iterator[str]:
    """One line per check. What waits in a queue or for a job has no latency, and a job no content type; the rest is judged alike.

    `target`: of a multi-model fleet, the archive to ask.
    """
    if isinstance(serving, Asynchronous):
        yield from check_answers(AsynchronousClient(place, names), known, contract, kinds)
        yield "latency: not asked of a queue; its alarm judges how long the model takes"
        return
    if isinstance(serving, OnEndpoint):
        client = EndpointClient(place.client("sagemaker-runtime", _RUNTIME), *address(names, serving), target)
        yield from check_answers(client, known, contract, kinds)
        yield check_latency(client, known, serving.p99_latency_ms)
        return
    assert isinstance(serving, Batch)  # noqa: S101 - there is no other way to serve
    answer = verification_job.answers(place, names, serving, batch_model(place, names), known, contract)
    yield checks.as_evaluated("batch", answer, known)
    yield checks.metric(known, answer, contract)


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    model, environment = settings.model(given.model), settings.environment(given.stage)
    names, project = model.names(settings.project).at(environment.name), ProjectEnvironment(settings.project)
    place, serving = EnvironmentPlace(project, environment, names), model.serving[environment.name]
    there = registered_in(project, given.package, place.region)
    if there is None:
        raise ProblemError(f"{given.package} has no copy in {place.region}, which render.py makes; deploy it again")
    said = [_said(deployed_line(place, names, serving, there))]
    version, s3 = describe(project.client("sagemaker"), given.package), project.client("s3")
    said.append(_said(require_unchanged(s3, version)))
    contract = version_contract.read(s3, version)
    known = golden.read(s3, version, contract)
    told = member_outputs(place, names) if isinstance(serving, Member) else {}
    lines = answer_lines(place, names, serving, known, contract, invocation.kinds_of(version), told.get(TOLD))
    said += [_said(line) for line in lines]
    if isinstance(serving, Member) and environment == settings.production and not given.returns:
        said.append(_said(bake(place.client("cloudwatch"), told, serving.bake_seconds)))
    if environment == settings.staging:
        found = tested(place, names, serving, model.serving[settings.production.name], known, said)
        question = publishing.question_of_build(project, settings, model.name, given.package)
        print(f"for the approver: {publishing.publish(question, found)}", flush=True)
    print(f"version {version.number} of {model.name} serves {environment.name}")
    return 0


def tested(
    place: EnvironmentPlace,
    names: ServingNames,
    serving: OnEndpoint | Batch,
    production: OnEndpoint | Batch,
    known: Golden,
    said: Sequence[str],
) -> dict[str, Any]:
    """What was found where versions are tested, for the approver's page. `seconds`: that the fleet took, by SageMaker's times."""
    runs_on = getattr(serving, "instance_type", type(serving).__name__)
    found = {"environment": names.environment, "instance_type": runs_on, "lines": list(said), "load": [], "seconds": None}
    if not isinstance(serving, Endpoint) or not isinstance(production, Endpoint):
        return found
    client = EndpointClient(place.client("sagemaker-runtime", measure.CLIENT), names.endpoint)
    bodies = [invocation.csv_body([row]) for row in known.rows]
    measured = loads(lambda body: client.ask(body, invocation.CSV), bodies, serving, production)
    for load in measured:
        _said(f"load: {load.rps:.1f} of {load.wanted_rps:.0f} requests/s, {load.errors} errors, p99 {load.p99_ms or float('nan'):.1f} ms")
    return {**found, "load": [load._asdict() for load in measured], "seconds": fleet_seconds(place.client("sagemaker"), names.endpoint)}


def _said(line: str) -> str:
    print(line, flush=True)
    return line


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument("--stage", default=os.environ.get("STAGE"), help="which environment (default: STAGE)")
    add_package_option(options)
    options.add_argument(
        "--returns",
        default=os.environ.get("RETURNS", ""),
        help="it went back, so that no alarm is watched meanwhile (default: RETURNS)",
    )
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
