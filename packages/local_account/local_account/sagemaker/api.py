"""SageMaker's API of one account: finds the operation that a call names, and answers. The port has held its members to AWS's model.

In: a `Call`, from the gateway. Out: `Response` in AWS JSON 1.1, or ServiceError, also for an operation that this account has not.
`operations.py` and `local_account/endpoints/` add their operations. Protocol: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from local_account.api.reading import Call
from local_account.context import Context, Part
from local_account.errors import NotEmulatedError
from local_account.moto_operations import seconds
from local_account.response import Response
from local_account.sagemaker import requests

#: An operation: the request's members in, the answer's out. The answer may have more than the operation's model has.
Operation = Callable[[dict[str, Any]], Mapping[str, Any] | None]


class Api(Part):
    """Operations by name, such as `CreateModel`."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.operations: dict[str, Operation] = {}

    def answer(self, call: Call) -> Response:
        """Answer one call. Raises ServiceError for what AWS would refuse, and for what this account has not."""
        if call.operation not in self.operations:
            raise NotEmulatedError("sagemaker", call.operation)
        given = requests.given(call.operation, call.parameters)
        answer = requests.answered(call.operation, self.operations[call.operation](given) or {})
        return Response(200, json.dumps(answer, default=seconds).encode(), {"content-type": "application/x-amz-json-1.1"})
