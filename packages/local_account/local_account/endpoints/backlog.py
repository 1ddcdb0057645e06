"""The queue of an asynchronous endpoint: what InvokeEndpointAsync is given waits here until an instance has room for it.

In: `Queued` requests. Out: the answer at the request's output location and a message to SuccessTopic, or what went wrong at its failure
location and a message to ErrorTopic, all as the role of the endpoint's model; counters for `monitoring/endpoint_metrics.py`. It lives on
the gateway's event loop. Sources: SageMaker guide, "Asynchronous inference" (prerequisites, check predictions, monitor).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local_account.context import Context
from local_account.endpoints.fleet import Instance, Variant
from local_account.endpoints.instance_client import NotConnectedError, Reply
from local_account.endpoints.traffic import Measure
from local_account.errors import ServiceError
from local_account.roles import Role

if TYPE_CHECKING:
    from local_account.endpoints.registry import Endpoint

_log = logging.getLogger(__name__)
#: Of MaxConcurrentInvocationsPerInstance: "SageMaker chooses an optimal value". Here a container answers one request at a time.
_ONE_AT_A_TIME = 1
#: How often it is looked whether an instance has room. Real seconds.
_POLL_SECONDS = 0.05


class FailedError(Exception):
    """An invocation failed; the message is its failureReason."""


@dataclass
class Queued:
    """`headers` are those of an invocation, by lower-case name. `body`: what was sent inline; None: it lies at `input`."""

    inference_id: str
    headers: Mapping[str, str]
    body: bytes | None
    input: str
    output: str
    failure: str
    received: datetime
    ttl_seconds: float
    timeout_seconds: float
    began: float = field(default_factory=time.perf_counter)

    def age_seconds(self, now: datetime) -> float:
        return (now - self.received).total_seconds()


class Backlog:
    """Of one endpoint, whichever fleet serves it."""

    def __init__(self, context: Context, endpoint: Endpoint) -> None:
        self._context, self._endpoint = context, endpoint
        self.configuration: Mapping[str, Any] = {}
        self._role: Role | None = None
        self._waiting: deque[Queued] = deque()
        self._in_progress = 0
        self._running: set[asyncio.Task[None]] = set()
        self._dispatching = False

    def configure(self, configuration: Mapping[str, Any], role: Role) -> None:
        """`configuration`: AsyncInferenceConfig of the endpoint configuration that is deployed."""
        self.configuration, self._role = configuration, role

    @property
    def size(self) -> int:
        """`ApproximateBacklogSize`: items "that are currently being processed or yet to be processed"."""
        return len(self._waiting) + self._in_progress

    def oldest_seconds(self, now: datetime) -> float:
        """Asked by another thread, while requests come and go."""
        try:
            return self._waiting[0].age_seconds(now)
        except IndexError:
            return 0.0

    def put(self, request: Queued) -> None:
        self._waiting.append(request)
        if not self._dispatching:
            self._dispatching = True
            self._start(self._dispatch())

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _dispatch(self) -> None:
        """Until nothing waits: the oldest request to whoever has room."""
        looked = 0.0
        try:
            while self._waiting and not self._endpoint.deleted.is_set():
                if time.monotonic() >= looked + _POLL_SECONDS:  # each may have a TTL of its own, and thousands may wait
                    looked = time.monotonic()
                    self._expire()
                found = self._room() if self._waiting else None
                if found is None:
                    await asyncio.sleep(_POLL_SECONDS)
                else:
                    self._in_progress += 1
                    self._start(self._process(self._waiting.popleft(), *found))
        finally:
            self._dispatching = False

    def _expire(self) -> None:
        now = self._context.clock.now()
        for request in [item for item in self._waiting if item.age_seconds(now) > item.ttl_seconds]:
            self._waiting.remove(request)
            self._start(self._fail(request, f"The request expired: it waited longer than its TTL of {request.ttl_seconds:g} seconds."))
            self._count({("ExpiredRequests", "Count"): 1.0})

    def _room(self) -> tuple[Variant, Instance] | None:
        fleet = self._endpoint.serving()
        variant = fleet.pick() if fleet is not None else None
        client = self.configuration.get("ClientConfig") or {}
        instance = variant.acquire(int(client.get("MaxConcurrentInvocationsPerInstance", _ONE_AT_A_TIME))) if variant else None
        return (variant, instance) if variant and instance else None

    async def _process(self, request: Queued, variant: Variant, instance: Instance) -> None:
        waited = request.age_seconds(self._context.clock.now())
        try:
            answer = await self._answer(request, variant, instance)
        except NotConnectedError:  # the instance is gone, and another one has to answer
            self._waiting.appendleft(request)
        except FailedError as error:
            await self._fail(request, str(error))
            self._count({("InvocationFailures", "Count"): 1.0})
        else:
            await self._notify("SuccessTopic", request, "Completed", {"responseParameters": _response(request, answer)})
            self._count({("TimeInBacklog", "Microseconds"): waited * 1e6, ("InvocationsProcessed", "Count"): 1.0})
            self._count({("TotalProcessingTime", "Milliseconds"): (time.perf_counter() - request.began) * 1e3})
        finally:
            self._in_progress -= 1
        if self._waiting and not self._dispatching:
            self._dispatching = True
            self._start(self._dispatch())

    async def _answer(self, request: Queued, variant: Variant, instance: Instance) -> Reply:
        """Raises FailedError, or NotConnectedError if no container has seen the request."""
        from local_account.endpoints.runtime import ask, capture

        try:
            body = request.body if request.body is not None else await asyncio.to_thread(self._download, request)
            self._endpoint.traffic.began(variant.name)
            try:
                answer = await ask(instance, request.headers, body, request.timeout_seconds)
            except BaseException:
                self._endpoint.traffic.abandoned(variant.name)
                raise
        finally:
            variant.release(instance)
        self._endpoint.traffic.ended(
            variant.name,
            int(self._context.clock.now().timestamp() // 60),
            answer.status,
            instances=len(variant.instances),
            model_latency=answer.seconds * 1e6,
        )
        if not 200 <= answer.status < 300:
            original = answer.body.decode("utf-8", "replace").strip()
            side = "client" if 400 <= answer.status < 500 else "server"
            raise FailedError(f'Received {side} error ({answer.status}) from model with message "{original}". See {instance.log_file}.')
        capture(self._endpoint, variant, request.headers, body, answer)
        try:
            await asyncio.to_thread(self._upload, request.output, answer.body)
        except (BotoCoreError, ClientError, ServiceError) as error:
            self._count({("ResponseUploadFailures", "Count"): 1.0})
            raise FailedError(f"The response could not be uploaded to {request.output}: {error}") from error
        return answer

    def _download(self, request: Queued) -> bytes:
        bucket, key = _bucket_and_key(request.input)
        try:
            content: bytes = self._client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except (BotoCoreError, ClientError, ServiceError) as error:
            self._count({("RequestDownloadFailures", "Count"): 1.0})
            raise FailedError(f"The request could not be downloaded from {request.input}: {error}") from error
        return content

    def _upload(self, address: str, body: bytes) -> None:
        bucket, key = _bucket_and_key(address)
        encryption = self.configuration["OutputConfig"].get("KmsKeyId")
        more = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": encryption} if encryption else {}
        self._client("s3").put_object(Bucket=bucket, Key=key, Body=body, **more)

    async def _fail(self, request: Queued, reason: str) -> None:
        if request.failure:
            try:
                await asyncio.to_thread(self._upload, request.failure, reason.encode())
            except (BotoCoreError, ClientError, ServiceError) as error:
                _log.warning("a failure of %s could not be written to %s: %s", self._endpoint.name, request.failure, error)
        await self._notify("ErrorTopic", request, "Failed", {"failureReason": reason})

    async def _notify(self, topic: str, request: Queued, status: str, more: Mapping[str, Any]) -> None:
        arn = (self.configuration["OutputConfig"].get("NotificationConfig") or {}).get(topic)
        if not arn:
            return
        message = {**_message(self._context, self._endpoint.name, request, status), **more}
        try:
            await asyncio.to_thread(self._publish, arn, json.dumps(message))
        except (BotoCoreError, ClientError, ServiceError) as error:
            self._count({("NotificationFailures", "Count"): 1.0})
            _log.warning("%s could not tell %s: %s", self._endpoint.name, arn, error)

    def _publish(self, topic: str, message: str) -> None:
        self._client("sns").publish(TopicArn=topic, Message=message)

    def _client(self, service: str) -> Any:
        assert self._role is not None  # noqa: S101 - `configure` comes before the first request
        return self._role.client(service)

    def _count(self, measured: Mapping[Measure, float]) -> None:
        variant = str(self._endpoint.record["ProductionVariants"][0]["VariantName"])
        self._endpoint.traffic.measure(variant, int(self._context.clock.now().timestamp() // 60), measured)


def _response(request: Queued, answer: Reply) -> dict[str, str]:
    return {"contentType": answer.headers.get("content-type", "application/octet-stream"), "outputLocation": request.output}


def _message(context: Context, endpoint: str, request: Queued, status: str) -> dict[str, Any]:
    """What a topic gets: "Check prediction results" of the guide."""
    location = {"inputLocation": request.input} if request.input else {}
    return {
        "awsRegion": context.settings.region,
        "eventTime": _time(context.clock.now()),
        "receivedTime": _time(request.received),
        "invocationStatus": status,
        "requestParameters": {
            "contentType": request.headers.get("content-type", "application/octet-stream"),
            "endpointName": endpoint,
            **location,
        },
        "inferenceId": request.inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _bucket_and_key(address: str) -> tuple[str, str]:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return bucket, key
