"""Asks an asynchronous endpoint as its users do: the request into S3, InvokeEndpointAsync, and its answer, or its failure, out of S3.

Input: the environment's place, the endpoint's names. Output: an answer's bytes. What is asked lies in a folder of its own below `requests/`
and expires with the rest. An endpoint without instances starts one for the first request, which takes minutes. Used by verify.py.
Source: "Invoke an asynchronous endpoint" and "Check prediction results" of the SageMaker guide; GetObject of the
S3 API reference.
"""

from __future__ import annotations

import re
import time

from build_scripts import invocation
from build_scripts.command_line import VerdictError
from build_scripts.objects import bucket_and_key, keys
from deploy_scripts.environment_place import EnvironmentPlace
from settings_schema import ServingNames

FOLDER = "verification"
#: Of an answer: an instance that has to be started first takes some of them.
LIMIT_MINUTES = 20
_FIRST_POLL_SECONDS, _POLL_SECONDS = 0.1, 5.0
#: The container's status, in SageMaker's words for what it answered.
_STATUS = re.compile(r"error \((\d{3})\)")


class FailedRequestError(Exception):
    """What lies at the failure location. `status`: the container's, where it is named there."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        named = _STATUS.search(said)
        self.status = int(named[1]) if named else None


class AsynchronousClient:
    """Invocations of one endpoint, each waited for."""

    def __init__(self, place: EnvironmentPlace, names: ServingNames) -> None:
        self._s3, self._runtime = place.client("s3"), place.client("sagemaker-runtime")
        self._bucket, self._names = place.bucket, names

    def ask(self, body: bytes, content_type: str) -> bytes:
        """Raises VerdictError, with what lies at the failure location, and for an answer that does not come."""
        try:
            return self._answer(body, content_type)
        except FailedRequestError as error:
            raise VerdictError(f"a request of {content_type} was not answered: {error}") from error

    def _answer(self, body: bytes, content_type: str) -> bytes:
        """Raises FailedRequestError."""
        identity = invocation.check_id()
        key = f"{self._names.requests}{FOLDER}/{identity}"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
        accepted = self._runtime.invoke_endpoint_async(
            EndpointName=self._names.endpoint,
            InputLocation=f"s3://{self._bucket}/{key}",
            ContentType=content_type,
            Accept=invocation.accepted_for(content_type),
            InferenceId=identity,
        )
        return self._result(accepted["OutputLocation"], accepted["FailureLocation"])

    def status_for(self, body: bytes, content_type: str) -> int | None:
        """The container's status of a refused request; None if it was answered. A failure that names none counts as a refusal."""
        try:
            self._answer(body, content_type)
        except FailedRequestError as error:
            return error.status or 400
        return None

    def _result(self, output: str, failure: str) -> bytes:
        wait, ends = _FIRST_POLL_SECONDS, time.monotonic() + LIMIT_MINUTES * 60
        while time.monotonic() < ends:
            if (answer := self._object(output)) is not None:
                return answer
            if (said := self._object(failure)) is not None:
                raise FailedRequestError(said.decode("utf-8", "replace"))
            time.sleep(wait)
            wait = min(_POLL_SECONDS, 1.5 * wait)
        raise VerdictError(
            f"no answer of {self._names.endpoint} within {LIMIT_MINUTES} min, at {output}; does an instance start? "
            f"`python -m deploy_scripts.status --model {self._names.model}`"
        )

    def _object(self, address: str) -> bytes | None:
        """None for one that is not there yet. GetObject says so only to whoever may list the whole bucket, so it is looked for first."""
        bucket, key = bucket_and_key(address)
        if key not in keys(self._s3, bucket, key):
            return None
        content: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content
