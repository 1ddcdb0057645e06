"""Measures what one instance of an endpoint can do: `python -m deploy_scripts.load_test --model abalone --environment staging`.

Sends requests from a rising number of senders, bounded in time and in rate, to the one endpoint that is named, in whichever
account it lives (real or local). Output: max RPS per instance, the value for target tracking that the SageMaker
guide computes from it (max RPS x safety x 60), and with `--output` the service-time distribution for `python -m capacity
--service`. Formula: SageMaker guide, "Load testing your auto scaling configuration".
"""

from __future__ import annotations

import argparse
import itertools
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.config import Config

from build_scripts import command_line, golden, invocation, version_contract
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.live_endpoint import describe_endpoint, endpoint_of, first_variant, served_version
from settings_schema import TargetTracking

QUANTILES = 200
PLATEAU = 1.1  # more senders that add less than this factor have met the limit
SECONDS_LIMIT, RATE_LIMIT, SENDERS_LIMIT = 3600, 5000, 64


class LoadTestError(command_line.ProblemError):
    """One line for the user: what was given or happened, and what is allowed."""


@dataclass(frozen=True)
class Stage:
    """What a number of senders got. Latencies are as the client sees them, in milliseconds."""

    senders: int
    seconds: float
    requests: int
    errors: int
    latencies_ms: tuple[float, ...]

    @property
    def rps(self) -> float:
        return (self.requests - self.errors) / self.seconds

    def quantile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Limiter:
    """Lets at most `rate` requests a second pass, evenly spaced, over all senders."""

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._gap, self._now, self._next = 1.0 / rate, now, 0.0
        self._lock = threading.Lock()

    def delay(self) -> float:
        """Seconds to wait before sending the next request."""
        with self._lock:
            now = self._now()
            self._next = max(self._next, now)
            wait = self._next - now
            self._next += self._gap
            return wait


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m deploy_scripts.load_test", description=(__doc__ or "").split("\n\n")[0])
    add = result.add_argument
    command_line.add_model_option(result)
    add("--environment", help="which of the model's endpoints (default: the first environment's, where versions are tested)")
    add("--endpoint", help="another endpoint than the model's")
    add("--seconds", type=float, default=60.0, help=f"longest time in all, up to {SECONDS_LIMIT} (default: %(default)g)")
    add("--max-rps", type=float, default=200.0, help=f"highest rate in all, up to {RATE_LIMIT} (default: %(default)g)")
    add("--max-senders", type=int, default=32, help=f"most requests at once, up to {SENDERS_LIMIT} (default: %(default)s)")
    add("--p99-ms", type=float, help="slower than this counts as too much load (default: Endpoint.p99_latency_ms of who serves)")
    add("--safety", type=float, default=0.5, help="share of the maximum to plan with (default: %(default)g)")
    add("--payload", type=Path, help="file with the body of a request (default: the version's golden rows, one after the other)")
    add("--content-type", default=invocation.CSV, help="default: %(default)s")
    add("--output", type=Path, help="write the result as JSON, for `python -m capacity --service`")
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def check(options: argparse.Namespace) -> None:
    """Refuse bounds that do not bound."""
    bounds = (
        ("--seconds", options.seconds, SECONDS_LIMIT),
        ("--max-rps", options.max_rps, RATE_LIMIT),
        ("--max-senders", options.max_senders, SENDERS_LIMIT),
    )
    for name, value, limit in bounds:
        if not 0 < value <= limit:
            raise LoadTestError(f"{name} is {value:g}; allowed: more than 0, at most {limit}")
    if options.p99_ms is not None and not options.p99_ms > 0:
        raise LoadTestError(f"--p99-ms is {options.p99_ms:g}; allowed: more than 0")
    if not 0 < options.safety <= 1:
        raise LoadTestError(f"--safety is {options.safety:g}; allowed: more than 0, at most 1")
    known = (invocation.CSV, invocation.JSON)
    if options.payload is None and options.content_type not in known:
        raise LoadTestError(f"--content-type is {options.content_type!r}; without --payload allowed: {', '.join(known)}")
    if options.output and options.output.is_dir():
        raise LoadTestError(f"--output {options.output} is a directory; allowed: a file")


def run_stage(send: Callable[[], None], senders: int, seconds: float, limiter: Limiter) -> Stage:
    """`senders` threads, each sending its next request when the last is answered, for `seconds`."""
    until = time.monotonic() + seconds

    def work() -> tuple[list[float], int]:
        latencies, errors = [], 0
        while (wait := limiter.delay()) + time.monotonic() < until:
            time.sleep(wait)
            begin = time.perf_counter()
            try:
                send()
            except ConnectionError:
                errors += 1
                continue
            latencies.append(1000 * (time.perf_counter() - begin))
        return latencies, errors

    begin = time.monotonic()
    with ThreadPoolExecutor(senders) as pool:
        results = [future.result() for future in [pool.submit(work) for _ in range(senders)]]
    took = max(time.monotonic() - begin, 1e-9)
    latencies = tuple(latency for found, _ in results for latency in found)
    errors = sum(count for _, count in results)
    return Stage(senders, took, len(latencies) + errors, errors, latencies)


def run_stages(
    send: Callable[[], None], options: argparse.Namespace, show: Callable[[Stage], None], stage: Callable[..., Stage] = run_stage
) -> list[Stage]:
    """1, 2, 4, ... senders, until throughput no longer grows, latency exceeds the limit, or a bound is met."""
    counts = [1]
    while counts[-1] * 2 <= options.max_senders:
        counts.append(counts[-1] * 2)
    limiter, stages = Limiter(options.max_rps), []
    for count in counts:
        stages.append(stage(send, count, options.seconds / len(counts), limiter))
        last = stages[-1]
        if not last.latencies_ms:
            raise LoadTestError(f"no answer in {last.seconds:.1f} s ({last.errors} errors); more --seconds, or look at the endpoint's log")
        show(last)
        too_slow = last.quantile_ms(0.99) > options.p99_ms or last.errors > 0.01 * last.requests
        flat = len(stages) > 1 and last.rps < PLATEAU * stages[-2].rps
        if too_slow or flat or last.rps > 0.95 * options.max_rps:
            break
    return stages


def summarise(stages: Sequence[Stage], options: argparse.Namespace, instance_count: int, instance_type: str | None) -> dict[str, Any]:
    """The result as JSON. The first stage has no queue, so its latencies are the service times."""
    fine = [s for s in stages if s.quantile_ms(0.99) <= options.p99_ms and s.errors <= 0.01 * s.requests]
    if not fine:
        raise LoadTestError(
            f"even one sender sees a p99 of {stages[0].quantile_ms(0.99):.0f} ms or errors; allowed: up to --p99-ms {options.p99_ms:g}"
        )
    best = max(stage.rps for stage in fine) / instance_count
    target = TargetTracking(max_rps_per_instance=best, safety=options.safety)
    alone = sorted(stages[0].latencies_ms)
    quantiles = [alone[min(len(alone) - 1, int((i + 0.5) / QUANTILES * len(alone)))] for i in range(QUANTILES)]
    mean = sum(alone) / len(alone)
    return {
        "endpoint": options.endpoint,
        "instance_type": instance_type,
        "instance_count": instance_count,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "max_rps_per_instance": best,
        "limited_by": "rate" if max(s.rps for s in stages) > 0.95 * options.max_rps else "endpoint or senders",
        "safety": options.safety,
        "target_invocations_per_instance": target.invocations_per_instance,
        "workers": max(1, round(best * mean / 1000)),  # Little's law: requests in service = rate x service time
        "service_time_quantiles_ms": quantiles,
        "stages": [
            {**{k: v for k, v in asdict(s).items() if k != "latencies_ms"}, "rps": s.rps, "p99_ms": s.quantile_ms(0.99)} for s in stages
        ],
    }


def sender(runtime: Any, options: argparse.Namespace, bodies: Sequence[bytes]) -> Callable[[], None]:
    """Sends one request: the next of `bodies`, and again from the first.

    A refusal of the request itself (4xx) ends the test; throttling and 5xx are counted.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    lock, endless = threading.Lock(), itertools.cycle(bodies)

    def send() -> None:
        with lock:
            body = next(endless)
        try:
            runtime.invoke_endpoint(EndpointName=options.endpoint, ContentType=options.content_type, Body=body)["Body"].read()
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            code = error.response["Error"]["Code"]
            original = error.response.get("OriginalStatusCode", status)
            if (
                (code == "ModelError" and original >= 500)
                or code in ("ThrottlingException", "ServiceUnavailable")
                or (status >= 500 and code != "ModelError")
            ):
                raise ConnectionError(code) from error
            raise LoadTestError(f"{options.endpoint} refuses the request: {error.response['Error']['Message']}") from error
        except BotoCoreError as error:
            raise ConnectionError(str(error)) from error

    return send


def place_of(options: argparse.Namespace) -> tuple[ProjectEnvironment, EnvironmentPlace]:
    """Fills in what was left out: the model's endpoint in the environment, and the latency that it may have where it serves."""
    settings = command_line.read_settings()
    environment = settings.environment(options.environment) if options.environment else settings.staging
    if options.endpoint is None or options.p99_ms is None:
        model = settings.model(options.model)
        endpoint_of(model, environment)
        options.endpoint = options.endpoint or model.names(settings.project).at(environment.name).endpoint
        options.p99_ms = options.p99_ms or float(endpoint_of(model, settings.production).p99_latency_ms)
    project = ProjectEnvironment(settings.project)
    return project, EnvironmentPlace(project, environment, Role.LOOKUP)


def run(options: argparse.Namespace) -> dict[str, Any]:
    check(options)
    payload, (project, place) = _payload(options), place_of(options)
    sagemaker = place.client("sagemaker")
    described = describe_endpoint(sagemaker, options.endpoint)
    if described is None:
        raise LoadTestError(f"endpoint {options.endpoint} does not exist in {place.region}; deploy it, or name another with --environment")
    variant = first_variant(sagemaker, described) or {}
    if described["EndpointStatus"] != "InService":
        raise LoadTestError(f"endpoint {options.endpoint} is {described['EndpointStatus']}; allowed: InService")
    count = sum(variant.get("CurrentInstanceCount", 1) for variant in described.get("ProductionVariants", [{}]))
    runtime = place.client("sagemaker-runtime", Config(retries={"max_attempts": 0}, max_pool_connections=SENDERS_LIMIT))
    print(f"{options.endpoint}: {count} instance(s), at most {options.seconds:g} s and {options.max_rps:g} requests/s")
    bodies = [payload] if payload is not None else golden_bodies(project, sagemaker, options)
    stages = run_stages(sender(runtime, options, bodies), options, _show)
    result = summarise(stages, options, max(1, count), variant.get("InstanceType"))
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def golden_bodies(project: ProjectEnvironment, sagemaker: Any, options: argparse.Namespace) -> list[bytes]:
    """One request for each golden row of the version that is served: what it surely takes, and as different as real rows are."""
    _, version = served_version(sagemaker, project, options.endpoint)
    contract = version_contract.read(project.client("s3"), version)
    rows = golden.read(project.client("s3"), version, contract).rows
    return [invocation.body([row], options.content_type, contract) for row in rows]


def _payload(options: argparse.Namespace) -> bytes | None:
    if options.payload is None:
        return None
    try:
        return bytes(options.payload.read_bytes())
    except OSError as error:
        raise LoadTestError(f"payload {options.payload} cannot be read: {error.strerror}") from error


def _show(stage: Stage) -> None:
    print(
        f"  {stage.senders:3d} at once: {stage.rps:8.1f} requests/s, p50 {stage.quantile_ms(0.5):7.1f} ms, "
        f"p99 {stage.quantile_ms(0.99):7.1f} ms, {stage.errors} errors",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    return command_line.run(_main, arguments)


def _main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    result = run(options)
    print(f"Max RPS per instance {result['max_rps_per_instance']:.1f} (limited by the {result['limited_by']})")
    print(
        f"Target tracking: {result['max_rps_per_instance']:.1f} x {options.safety:g} x 60 = "
        f"{result['target_invocations_per_instance']:.0f} invocations per instance and minute"
    )
    print(f"models/: TargetTracking(max_rps_per_instance={result['max_rps_per_instance']:.1f}, safety={options.safety:g})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
