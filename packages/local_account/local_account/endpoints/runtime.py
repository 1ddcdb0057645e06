"""InvokeEndpoint: routes a request to one instance and answers as the SageMaker runtime does.

In: the request's headers (lower-case names) and body, from the gateway. Out: `Response`; counters in `traffic.py`, lines in
`data_capture.py`. Errors keep the shape that botocore parses; sources: API reference of InvokeEndpoint.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from local_account.context import Context
from local_account.endpoints import components
from local_account.endpoints.fleet import Fleet, Instance, Variant
from local_account.endpoints.instance_client import InstanceGoneError, NotConnectedError, Reply
from local_account.endpoints.multi_model import NotLoadedError
from local_account.endpoints.registry import Endpoint, Endpoints
from local_account.endpoints.traffic import Measure
from local_account.errors import NotEmulatedError, ServiceError
from local_account.response import Response

INVOCATION_TIMEOUT_SECONDS = 60.0
#: An instance that is gone is replaced within about a second.
_ATTEMPTS, _RETRY_SECONDS = 6, 0.2

_PREFIX = "x-amzn-sagemaker-"
TARGET_MODEL = f"{_PREFIX}target-model"
#: Names the model of an endpoint that several share.
COMPONENT = f"{_PREFIX}inference-component"
_log = logging.getLogger(__name__)
#: Requests to shadows that are under way.
_copies: set[asyncio.Future[None]] = set()


@dataclass(frozen=True)
class Served:
    """An answer, whose status 0 means that there was none in time, and where it is from; no `instance` if the variant had none."""

    endpoint: Endpoint
    variant: Variant
    instance: Instance | None
    answer: Reply
    measured: Mapping[Measure, float] = field(default_factory=dict)


async def invoke(context: Context, endpoint_name: str, headers: Mapping[str, str], body: bytes) -> Response:
    """Answer one invocation. Never raises for what a client or a model can do wrong."""
    try:
        return await _invoke(context, endpoint_name, headers, body)
    except ServiceError as error:
        content = json.dumps({"message": error.message, "Message": error.message}).encode()
        return Response(error.status, content, {"content-type": "application/json", "x-amzn-errortype": error.code})


async def _invoke(context: Context, endpoint_name: str, headers: Mapping[str, str], body: bytes) -> Response:
    started = time.perf_counter()
    _check(headers)
    served = await _serve(context, endpoint_name, headers, body)
    endpoint, variant, answer = served.endpoint, served.variant, served.answer
    _count(context, served, time.perf_counter() - started)
    if not 200 <= answer.status < 300:
        return _model_error(context, endpoint, answer, served.instance)
    capture(endpoint, variant, headers, body, answer)
    return Response(200, answer.body, _answer_headers(variant, answer))


def _count(context: Context, served: Served, seconds: float) -> None:
    """An invocation that has ended after so many seconds."""
    variant, answer = served.variant, served.answer
    served.endpoint.traffic.ended(
        variant.name,
        int(context.clock.now().timestamp() // 60),
        answer.status,
        instances=len(variant.instances),
        model_latency=answer.seconds * 1e6,
        overhead_latency=(seconds - answer.seconds) * 1e6,
        measured=served.measured,
    )


def _copy_to_shadow(context: Context, endpoint: Endpoint, fleet: Fleet, variant: Variant, headers: Mapping[str, str], body: bytes) -> None:
    """Beside the request, whose answer does not wait for the shadow's. Source: SageMaker guide, "Shadow tests"."""
    shadow = fleet.shadow_of(variant)
    if shadow is not None:
        task = asyncio.ensure_future(_ask_shadow(context, endpoint, shadow, headers, body))
        _copies.add(task)  # an event loop keeps no reference to a task
        task.add_done_callback(_copies.discard)


async def _ask_shadow(context: Context, endpoint: Endpoint, shadow: Variant, headers: Mapping[str, str], body: bytes) -> None:
    """What it answers is counted and captured, and nobody gets it. A copy that no instance takes is lost."""
    started = time.perf_counter()
    endpoint.traffic.began(shadow.name)
    answer, instance, _ = await _forward(endpoint, shadow, headers, body)
    if answer is None:
        endpoint.traffic.abandoned(shadow.name)
        return
    _count(context, Served(endpoint, shadow, instance, answer), time.perf_counter() - started)
    if 200 <= answer.status < 300:
        capture(endpoint, shadow, headers, body, answer)


def _check(headers: Mapping[str, str]) -> None:
    """Raises ServiceError for what no endpoint answers."""
    for option in ("target-container-hostname", "session-id", "enable-explanations"):
        if f"{_PREFIX}{option}" in headers:
            raise NotEmulatedError("sagemaker-runtime", f"InvokeEndpoint with {_PREFIX}{option}")


async def _serve(context: Context, endpoint_name: str, headers: Mapping[str, str], body: bytes) -> Served:
    """Try until an instance has seen the request; it is in flight at the answer's variant, until the caller ends it there.

    Each attempt chooses anew: a deployment may have replaced the fleet that the attempt before chose.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        endpoint, fleet = _choose(context, endpoint_name, headers.get(COMPONENT))
        variant = fleet.pick(headers.get(f"{_PREFIX}target-variant"))
        _require_payload(variant, body)
        _require_target(endpoint_name, variant, headers.get(TARGET_MODEL))
        if attempt == 1:
            _copy_to_shadow(context, endpoint, fleet, variant, headers, body)
        endpoint.traffic.began(variant.name)
        try:
            answer, instance, measured = await _forward(endpoint, variant, headers, body)
            if answer is None:
                await asyncio.sleep(_RETRY_SECONDS)  # a crashed instance is being replaced, or the whole fleet was
        except BaseException:
            endpoint.traffic.abandoned(variant.name)
            raise
        if answer is not None:
            break
        if attempt < _ATTEMPTS:
            endpoint.traffic.abandoned(variant.name)
    return Served(endpoint, variant, instance, answer or Reply(503, {}, b"no instance of the variant answered"), measured)


def _require_payload(variant: Variant, body: bytes) -> None:
    if len(body) > variant.max_payload_bytes:
        allowed = f"Member must have length less than or equal to {variant.max_payload_bytes}"
        raise ServiceError("ValidationError", f"1 validation error detected: Value at 'body' failed to satisfy constraint: {allowed}", 413)


def _require_target(endpoint_name: str, variant: Variant, target_model: str | None) -> None:
    """In the service's words: issues 1026 of aws/amazon-sagemaker-examples and 166 of aws/sagemaker-tensorflow-serving-container."""
    if variant.is_multi_model and target_model is None:
        raise ServiceError("ValidationError", f"Request {uuid.uuid4()} is missing a target model header.")
    if target_model is not None and not variant.is_multi_model:
        problem = "is not a multi-model endpoint and does not support target model header"
        raise ServiceError("ValidationError", f"Endpoint {endpoint_name} {problem}.")


def not_offered(context: Context, endpoint_name: str) -> ServiceError:
    """Of an invocation, streamed or asynchronous, of an endpoint that answers at once and as a whole; in the service's words."""
    known = Endpoints.at(context).by_name.get(endpoint_name)
    return _error_of(context, endpoint_name, "does not support this inference type" if known and known.serving() else "not found")


def _error_of(context: Context, endpoint_name: str, problem: str) -> ServiceError:
    return ServiceError("ValidationError", f"Endpoint {endpoint_name} of account {context.settings.account_id} {problem}.")


def _choose(context: Context, endpoint_name: str, component: str | None) -> tuple[Endpoint, Fleet]:
    """The fleet that gets a request at this moment. Raises ServiceError without one."""
    endpoint = Endpoints.at(context).by_name.get(endpoint_name)
    endpoint = components.invoked(context, endpoint, component) if endpoint is not None else None
    fleet = endpoint.serving() if endpoint is not None else None
    if endpoint is None or fleet is None:
        raise _error_of(context, endpoint_name, "not found")
    if endpoint.backlog is not None:
        raise ServiceError("ValidationError", f"Endpoint {endpoint_name} is asynchronous; invoke it with InvokeEndpointAsync.")
    return endpoint, fleet


async def _forward(
    endpoint: Endpoint, variant: Variant, headers: Mapping[str, str], body: bytes
) -> tuple[Reply | None, Instance | None, Mapping[Measure, float]]:
    """Send to the instance that the variant's routing chooses. No answer if no instance has seen the request.

    Last: what was measured of making the instance ready for this request.
    """
    try:
        instance, measured = await variant.take(headers.get(TARGET_MODEL))
    except NotLoadedError as error:
        return error.reply, error.instance, {}
    if instance is None:
        return None, None, measured
    try:
        reply = await ask(instance, headers, body, INVOCATION_TIMEOUT_SECONDS)
    except NotConnectedError as error:
        _log.info("instance %s of %s did not answer: %s", instance.pid, endpoint.name, error)
        return None, instance, measured
    finally:
        variant.release(instance)
    return reply, instance, measured


async def ask(instance: Instance, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> Reply:
    """The container's answer, with status 0 where it takes longer. Raises NotConnectedError if it has not seen the request."""
    started = time.perf_counter()
    try:
        reply = await instance.client.post("/invocations", _forwarded(headers), body, timeout_seconds)
    except NotConnectedError:
        raise
    except TimeoutError:
        reply = Reply(0, {}, b"Your invocation timed out while waiting for a response from container primary.")
    except InstanceGoneError:  # not tried again: a request that ends one instance would end them all
        reply = Reply(500, {}, b"Worker died.")
    return replace(reply, seconds=time.perf_counter() - started)


def _forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that reach the container."""
    return {name: headers[name] for name in ("content-type", "accept", f"{_PREFIX}custom-attributes", TARGET_MODEL) if name in headers}


def _model_error(context: Context, endpoint: Endpoint, answer: Reply, instance: Instance | None) -> Response:
    """ModelError: HTTP 424 around the container's own status and message, naming the log that tells more."""
    side = "client" if 400 <= answer.status < 500 else "server"
    original = answer.body.decode("utf-8", "replace").strip()
    log = instance.log_file if instance else context.log_path("endpoint", endpoint.name)
    content: dict[str, Any] = {
        "ErrorCode": f"{'CLIENT_ERROR' if side == 'client' else 'INTERNAL_FAILURE'}_FROM_MODEL",
        "LogStreamArn": context.arn("logs", f"log-group:{endpoint.log_group}"),
        "Message": f'Received {side} error ({answer.status}) from primary with message "{original}". See {log} for more information.',
        "OriginalMessage": original,
        "OriginalStatusCode": answer.status,
    }
    return Response(424, json.dumps(content).encode(), {"content-type": "application/json", "x-amzn-errortype": "ModelError"})


def capture(endpoint: Endpoint, variant: Variant, headers: Mapping[str, str], body: bytes, answer: Reply) -> None:
    if endpoint.capture is None:
        return
    metadata: dict[str, Any] = {}
    if inference_id := headers.get(f"{_PREFIX}inference-id"):
        metadata["inferenceId"] = inference_id
    if attributes := headers.get(f"{_PREFIX}custom-attributes"):
        metadata["customAttributes"] = [attributes]
    request_type = headers.get("content-type", "application/octet-stream")
    answer_type = answer.headers.get("content-type", "application/octet-stream")
    endpoint.capture.record(variant.name, (body, request_type), (answer.body, answer_type), metadata)


def _answer_headers(variant: Variant, answer: Reply) -> dict[str, str]:
    content_type = answer.headers.get("content-type", "application/octet-stream")
    headers = {"content-type": content_type, "x-amzn-invoked-production-variant": variant.name}
    if attributes := answer.headers.get(f"{_PREFIX}custom-attributes"):
        headers[f"{_PREFIX}custom-attributes"] = attributes
    return headers
