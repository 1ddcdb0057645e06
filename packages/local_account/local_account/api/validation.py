"""Refuses a request that breaks the service's own model of its operation, with the error and the words that the service has for it.

In: a `Call`. Out: nothing, or ServiceError that names each member and rule. What a service in AWS is known not to enforce is `unenforced`
in `lists/<service>.yaml`, with the reason; `refuses_with` there is the error's code where it is not the protocol's usual one: one for
all, or one for wrong values and one for missing ones, with {} for the member's name if the operation has an error for each.
Sources of the words: what the services answer, quoted in https://github.com/awslabs/cloudfront-hosting-toolkit/issues/12 (CodePipeline),
https://github.com/NixOS/nixops/issues/328 (IAM), https://github.com/aws-samples/sagemaker-ml-workflow-with-apache-airflow/issues/3
(SageMaker, two errors), https://github.com/awslabs/aws-transit-vpc/issues/32 (Lambda). Used by `gateway.py` and `sagemaker/requests.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from local_account.api.constraints import NOT_NULL, Check, Problem, checks_of
from local_account.api.members import coverage, require_emulated, require_emulated_values
from local_account.api.reading import Call, input_shape, model
from local_account.errors import ServiceError

#: The code for a value against the model, and for one that is no such type at all, by protocol.
_USUAL = {
    "query": ("ValidationError", "MalformedInput"),
    "rest-xml": ("InvalidArgument", "MalformedXML"),
    "smithy-rpc-v2-cbor": ("ValidationError", "SerializationException"),
}


def require_allowed(call: Call) -> None:
    """Raises ServiceError for what this account does not have (NotEmulatedError), and for what AWS would not take."""
    require_emulated(call)
    require_valid(call)
    require_emulated_values(call)


def require_valid(call: Call) -> None:
    """Raises ServiceError (400) for a request that AWS's model of the operation does not allow."""
    problems = _check_of(call.service, call.operation)(call.parameters)
    if problems:
        unenforced = coverage(call.service).is_unenforced
        enforced = [problem for problem in problems if not unenforced(call.operation, problem.names)]
        if enforced:
            raise _refusal(call, enforced)


def require_valid_invocation(endpoint_name: str, headers: Mapping[str, str]) -> None:
    """As `require_valid`, for InvokeEndpoint: read from what thousands of requests a second have in hand; lower-case header names."""
    given = {name: headers[header] for header, name in _invocation_headers() if header in headers}
    require_valid(Call("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": endpoint_name, "Body": b"", **given}))


@functools.cache
def _invocation_headers() -> tuple[tuple[str, str], ...]:
    members = input_shape("sagemaker-runtime", "InvokeEndpoint").members.items()
    return tuple((shape.serialization["name"].lower(), name) for name, shape in members if shape.serialization.get("location") == "header")


@functools.cache
def _check_of(service: str, operation: str) -> Check:
    shape = input_shape(service, operation)
    return checks_of(service).of(shape) if shape is not None else lambda value: ()


def said(problems: Sequence[Problem]) -> str:
    """All of them in one line."""
    wrong_types = [problem for problem in problems if problem.is_of_type]
    if wrong_types:  # a reader of JSON stops at the first
        return str(wrong_types[0])
    return f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: {'; '.join(map(str, problems))}"


def usual_code(service: str) -> str:
    """The code with which a service refuses a wrong value."""
    usual, _ = _USUAL.get(model(service).metadata["protocol"], ("ValidationException", ""))
    return next(iter(coverage(service).refuses_with.split()), usual)


def _refusal(call: Call, problems: Sequence[Problem]) -> ServiceError:
    usual, malformed = _USUAL.get(model(call.service).metadata["protocol"], ("ValidationException", "SerializationException"))
    first = problems[0]
    if any(problem.is_of_type for problem in problems) or (call.service == "s3" and not _is_in_head(call, first)):
        return ServiceError(malformed, said(problems))
    return ServiceError(_code(call, first) or usual, said(problems))


def _is_in_head(call: Call, problem: Problem) -> bool:
    """Whether a member is part of a REST request's address or headers."""
    return not problem.names or "location" in input_shape(call.service, call.operation).members[problem.names[0]].serialization


def _code(call: Call, problem: Problem) -> str:
    codes = coverage(call.service).refuses_with.split()
    if not codes:
        return ""
    code = codes[-1] if problem.rule == NOT_NULL else codes[0]
    if "{}" not in code:
        return code
    named: str = code.format(problem.names[-1][:1].upper() + problem.names[-1][1:]) if problem.names else ""
    return named if named in _errors(call) else ""


def _errors(call: Call) -> Any:
    return {shape.name for shape in model(call.service).operation_model(call.operation).error_shapes}
