"""Writes sampled requests and answers of an endpoint to S3 in the format and layout of SageMaker's data capture.

In: the endpoint configuration's `DataCaptureConfig` and each invocation. Out: JSON lines at
`<destination>/<endpoint>/<variant>/yyyy/mm/dd/hh/<mm-ss-milliseconds>-<uuid>.jsonl`, in UTC, read by the monitoring pipeline.
Source: SageMaker Developer Guide, "Capture data from real-time endpoint".
"""

from __future__ import annotations

import base64
import json
import logging
import random
import threading
import uuid
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from local_account.context import Context
from local_account.roles import Role

_log = logging.getLogger(__name__)

#: Captured lines wait at most this long for more of them, in real seconds; SageMaker waits longer.
FLUSH_SECONDS = 1.0


def encode(data: bytes, content_type: str, headers: Mapping[str, Any]) -> tuple[str, str]:
    """(data, encoding): text for the CSV and JSON types that the configuration lists, base64 for all others, as without any list."""
    media_type = content_type.split(";")[0].strip().lower()
    for encoding, listed in (("CSV", headers.get("CsvContentTypes")), ("JSON", headers.get("JsonContentTypes"))):
        if media_type in [name.lower() for name in listed or []]:
            return data.decode("utf-8", "replace"), encoding
    return base64.b64encode(data).decode(), "BASE64"


class DataCapture:
    """Captures for one endpoint. `close` writes what is left."""

    def __init__(self, context: Context, role: Role, endpoint_name: str, configuration: Mapping[str, Any]) -> None:
        self._context, self._role, self._endpoint_name = context, role, endpoint_name
        self._percentage = float(configuration["InitialSamplingPercentage"])
        bucket, _, prefix = str(configuration["DestinationS3Uri"]).removeprefix("s3://").partition("/")
        self._bucket, self._prefix = bucket, prefix.strip("/")
        key = configuration.get("KmsKeyId")
        self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        self._modes = {option["CaptureMode"] for option in configuration["CaptureOptions"]}
        self._headers = configuration.get("CaptureContentTypeHeader") or {}
        self._lock, self._closed = threading.Lock(), threading.Event()
        self._lines: dict[str, list[str]] = defaultdict(list)
        self._writer = context.in_background(self._write_regularly)

    def record(self, variant: str, request: tuple[bytes, str], answer: tuple[bytes, str], metadata: Mapping[str, Any]) -> None:
        """Keep an invocation if the sample falls on it. `request` and `answer` are (body, content type)."""
        if random.random() * 100 >= self._percentage:
            return
        captured = {}
        for mode, name, (body, content_type) in (("Input", "endpointInput", request), ("Output", "endpointOutput", answer)):
            if mode in self._modes or "InputAndOutput" in self._modes:
                data, encoding = encode(body, content_type, self._headers)
                captured[name] = {"observedContentType": content_type, "mode": mode.upper(), "data": data, "encoding": encoding}
        event = {"eventId": str(uuid.uuid4()), **metadata, "inferenceTime": f"{self._context.clock.now():%Y-%m-%dT%H:%M:%SZ}"}
        line = json.dumps({"captureData": captured, "eventMetadata": event, "eventVersion": "0"}, separators=(",", ":"))
        with self._lock:
            self._lines[variant].append(line)

    def _write_regularly(self) -> None:
        while not (self._closed.wait(FLUSH_SECONDS) or self._context.stopping.is_set()):
            self._flush()

    def _flush(self) -> None:
        with self._lock:
            captured, self._lines = self._lines, defaultdict(list)
        for variant, lines in captured.items():
            now = self._context.clock.now()
            name = f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
            key = "/".join(filter(None, (self._prefix, self._endpoint_name, variant, f"{now:%Y/%m/%d/%H}", name)))
            body = "".join(f"{line}\n" for line in lines).encode()
            try:
                self._role.client("s3").put_object(Bucket=self._bucket, Key=key, Body=body, **self._encryption)
            except Exception as error:  # as in SageMaker, a failing capture never fails the endpoint
                _log.warning("data capture of %s could not write s3://%s/%s: %s", self._endpoint_name, self._bucket, key, error)

    def close(self) -> None:
        """Stop, and write what is left."""
        self._closed.set()
        self._writer.join()
        self._flush()


def start(context: Context, role: Role, endpoint_name: str, configuration: Mapping[str, Any] | None) -> DataCapture | None:
    """Data capture as configured, in the name of the model's role, or None where it is absent or disabled."""
    if not configuration or str(configuration.get("EnableCapture", True)).lower() == "false":
        return None
    return DataCapture(context, role, endpoint_name, configuration)


def summary(configuration: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The `DataCaptureConfig` that DescribeEndpoint shows."""
    if not configuration:
        return None
    enabled = str(configuration.get("EnableCapture", True)).lower() != "false"
    return {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": int(configuration["InitialSamplingPercentage"]),
        "DestinationS3Uri": configuration["DestinationS3Uri"],
        "KmsKeyId": configuration.get("KmsKeyId") or "",
    }
