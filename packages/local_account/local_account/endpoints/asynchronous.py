"""InvokeEndpointAsync: takes a request into the endpoint's queue, and says where its answer will be.

In: the call, from the gateway. Out: `Response` (202), or ServiceError. Next: `backlog.py`. Source: API reference of InvokeEndpointAsync.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from local_account.context import Context
from local_account.endpoints.backlog import Queued
from local_account.endpoints.registry import Endpoint, Endpoints
from local_account.endpoints.runtime import not_offered
from local_account.errors import ServiceError
from local_account.response import Response

_TTL_SECONDS, _TIMEOUT_SECONDS = 21_600, 900
_HEADERS = {"ContentType": "content-type", "Accept": "accept", "CustomAttributes": "x-amzn-sagemaker-custom-attributes"}


def invoke(context: Context, given: Mapping[str, Any]) -> Response:
    """On the gateway's event loop. Raises ServiceError for what the service refuses before it queues anything."""
    name = given["EndpointName"]
    endpoint = Endpoints.at(context).by_name.get(name)
    if endpoint is None or endpoint.fleet is None or endpoint.backlog is None:
        raise not_offered(context, name)
    if ("InputLocation" in given) == bool(given.get("Body")):
        raise ServiceError("ValidationError", "Provide exactly one of Body and InputLocation.")
    request = _queued(context, endpoint, given)
    endpoint.backlog.put(request)
    headers = {"content-type": "application/json", "x-amzn-sagemaker-outputlocation": request.output}
    if request.failure:
        headers["x-amzn-sagemaker-failurelocation"] = request.failure
    return Response(202, json.dumps({"InferenceId": request.inference_id}).encode(), headers)


def _queued(context: Context, endpoint: Endpoint, given: Mapping[str, Any]) -> Queued:
    assert endpoint.backlog is not None  # noqa: S101 - its caller has looked
    output, identity = endpoint.backlog.configuration["OutputConfig"], str(uuid.uuid4())
    inference_id = given.get("InferenceId") or identity
    headers = {header: given[member] for member, header in _HEADERS.items() if member in given}
    return Queued(
        inference_id=inference_id,
        headers={**headers, "x-amzn-sagemaker-inference-id": inference_id},
        body=None if "InputLocation" in given else given["Body"],
        input=given.get("InputLocation", ""),
        output=f"{output['S3OutputPath'].rstrip('/')}/{identity}.out",
        failure=f"{output['S3FailurePath'].rstrip('/')}/{identity}-error.out" if output.get("S3FailurePath") else "",
        received=context.clock.now(),
        ttl_seconds=float(given.get("RequestTTLSeconds", _TTL_SECONDS)),
        timeout_seconds=float(given.get("InvocationTimeoutSeconds", _TIMEOUT_SECONDS)),
    )
