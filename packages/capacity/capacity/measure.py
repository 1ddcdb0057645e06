"""`python -m capacity.measure`: what one instance of a SageMaker endpoint can do.

    python -m capacity.measure --endpoint my-endpoint --payload row.csv --p99-ms 200 --output load.json

Sends requests from a rising number of senders, bounded in time and in rate, to the one endpoint that is named, in whichever account the
environment names. Output: max RPS per instance, the value for target tracking that the SageMaker guide computes from it (max RPS x
safety x 60: "Load testing your auto scaling configuration"), and with `--output` the service times for `python -m capacity --service`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from capacity.load import RATE_LIMIT, SECONDS_LIMIT, SENDERS_LIMIT, Bounds, Stage, run_stages, summarise
from capacity.model import CapacityError, require

#: For the client that sends: what is refused or throttled is counted, not tried again.
CLIENT = Config(retries={"max_attempts": 0}, max_pool_connections=SENDERS_LIMIT)
#: Begins the inference ids of what is sent, so that whoever judges an endpoint's captured requests can leave it out.
INFERENCE_ID_PREFIX = "load-test--"
_OVERLOAD = ("ThrottlingException", "ServiceUnavailable")


@dataclass(frozen=True)
class Target:
    """An endpoint that serves, and the instances that share its load. `instance_type`: of its first variant, if its config is there."""

    endpoint: str
    instance_count: int
    instance_type: str | None = None


def add_options(options: argparse.ArgumentParser) -> None:
    """Of every load test, whoever chooses the endpoint."""
    add = options.add_argument
    add("--seconds", type=float, default=60.0, help=f"longest time in all, up to {SECONDS_LIMIT} (default: %(default)g)")
    add("--max-rps", type=float, default=200.0, help=f"highest rate in all, up to {RATE_LIMIT} (default: %(default)g)")
    add("--max-senders", type=int, default=32, help=f"most requests at once, up to {SENDERS_LIMIT} (default: %(default)s)")
    add("--safety", type=float, default=0.5, help="share of the maximum to plan with (default: %(default)g)")
    add("--content-type", default="text/csv", help="default: %(default)s")
    add("--output", type=Path, help="write the result as JSON, for `python -m capacity --service`")


def bounds_of(options: argparse.Namespace) -> Bounds:
    """Refuses, with a CapacityError, bounds that do not bound and an output that cannot be written."""
    require(0 < options.safety <= 1, f"--safety is {options.safety:g}; allowed: more than 0, at most 1")
    require(not (options.output and options.output.is_dir()), f"--output {options.output} is a directory; allowed: a file")
    return Bounds(seconds=options.seconds, max_rps=options.max_rps, max_senders=options.max_senders, p99_ms=options.p99_ms)


def payload_of(path: Path) -> bytes:
    """The body of a request. Raises CapacityError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CapacityError(f"payload {path} cannot be read: {error.strerror}") from error


def target_of(sagemaker: Any, endpoint: str) -> Target:
    """Raises CapacityError for an endpoint that is not there or does not serve."""
    described = _found(sagemaker.describe_endpoint, EndpointName=endpoint)
    if described is None:
        raise CapacityError(f"endpoint {endpoint} does not exist there; deploy it, or name another")
    require(described["EndpointStatus"] == "InService", f"endpoint {endpoint} is {described['EndpointStatus']}; allowed: InService")
    count = sum(variant.get("CurrentInstanceCount", 1) for variant in described.get("ProductionVariants", [{}]))
    config = _found(sagemaker.describe_endpoint_config, EndpointConfigName=described["EndpointConfigName"])
    instance_type = config["ProductionVariants"][0].get("InstanceType") if config else None  # one that was deleted goes on serving
    return Target(endpoint, max(1, count), instance_type)


def _found(call: Callable[..., Any], **request: str) -> Any:
    """None if there is no such thing, for which SageMaker models no error: it says it in words."""
    try:
        return call(**request)
    except ClientError as error:
        details = error.response["Error"]
        if details.get("Code") == "ValidationException" and "could not find" in str(details.get("Message")).lower():
            return None
        raise


def sender(runtime: Any, endpoint: str, content_type: str, bodies: Sequence[bytes]) -> Callable[[], None]:
    """Sends one request: the next of `bodies`, and again from the first.

    A refusal of the request itself (4xx) ends the test with a CapacityError; throttling and 5xx are counted.
    """
    lock, endless = threading.Lock(), itertools.cycle(bodies)

    def send() -> None:
        with lock:
            body = next(endless)
        try:
            name = f"{INFERENCE_ID_PREFIX}{uuid.uuid4()}"
            runtime.invoke_endpoint(EndpointName=endpoint, ContentType=content_type, Body=body, InferenceId=name)["Body"].read()
        except ClientError as error:
            if _is_overload(error):
                raise ConnectionError(error.response["Error"]["Code"]) from error
            raise CapacityError(f"{endpoint} refuses the request: {error.response['Error']['Message']}") from error
        except BotoCoreError as error:
            raise ConnectionError(str(error)) from error

    return send


def _is_overload(error: ClientError) -> bool:
    """A container's own status is in the answer beside SageMaker's: ModelError and OriginalStatusCode (botocore's model)."""
    code, status = error.response["Error"]["Code"], error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return bool(code in _OVERLOAD or (error.response.get("OriginalStatusCode", status) if code == "ModelError" else status) >= 500)


def measure(runtime: Any, target: Target, bodies: Sequence[bytes], options: argparse.Namespace) -> dict[str, Any]:
    """The result as JSON, also written to `--output`; says what each stage got. Raises CapacityError."""
    bounds = bounds_of(options)
    print(f"{target.endpoint}: {target.instance_count} instance(s), at most {bounds.seconds:g} s and {bounds.max_rps:g} requests/s")
    stages = run_stages(sender(runtime, target.endpoint, options.content_type, bodies), bounds, _show)
    result = {
        "endpoint": target.endpoint,
        "instance_type": target.instance_type,
        **summarise(stages, bounds, options.safety, target.instance_count),
    }
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    best = result["max_rps_per_instance"]
    print(f"Max RPS per instance {best:.1f} (limited by the {result['limited_by']})")
    per_minute = f"{result['target_invocations_per_instance']:.0f} invocations per instance and minute"
    print(f"Target tracking: {best:.1f} x {options.safety:g} x 60 = {per_minute}")
    return result


def _show(stage: Stage) -> None:
    print(
        f"  {stage.senders:3d} at once: {stage.rps:8.1f} requests/s, p50 {stage.quantile_ms(0.5):7.1f} ms, "
        f"p99 {stage.quantile_ms(0.99):7.1f} ms, {stage.errors} errors",
        flush=True,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(prog="python -m capacity.measure", description=(__doc__ or "").split("\n\n")[0])
    add_options(options)
    options.add_argument("--endpoint", required=True, help="the endpoint to load")
    options.add_argument("--payload", type=Path, required=True, help="file with the body of a request")
    options.add_argument("--p99-ms", type=float, required=True, help="slower than this counts as too much load")
    options.add_argument("--debug", action="store_true", help="show the traceback of an error")
    given = options.parse_args(arguments)
    try:
        bounds_of(given)  # before anything is asked or sent
        body, target = payload_of(given.payload), target_of(boto3.client("sagemaker"), given.endpoint)
        measure(boto3.client("sagemaker-runtime", config=CLIENT), target, [body], given)
    except (CapacityError, BotoCoreError, ClientError, OSError) as error:
        if given.debug:
            raise
        print(f"capacity: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
