"""Lambda: code that is there, in a language that runs here; versions that exist; payloads that are JSON.

Error texts: the API reference's errors of CreateFunction, PublishVersion, CreateAlias and Invoke, and what the service answers.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from local_account.api.rules.rule import is_there, require_json, rule
from local_account.context import Context
from local_account.errors import NotEmulatedError, ServiceError

_INVALID = "InvalidParameterValueException"


def runs_here(runtime: str) -> bool:
    """Whether this machine can run a function of a runtime: Python always can, Node.js where it is installed."""
    return runtime.startswith("python3.") or (runtime.startswith("nodejs") and shutil.which("node") is not None)


@rule("lambda", "CreateFunction", "UpdateFunctionConfiguration")
def _runtime(context: Context, request: Mapping[str, Any]) -> None:
    runtime = request.get("Runtime")
    if runtime and not runs_here(runtime):
        raise NotEmulatedError("lambda", f"a function with Runtime {runtime}, which does not run on this machine")


@rule("lambda", "CreateFunction")
def _code(context: Context, request: Mapping[str, Any]) -> None:
    code = request.get("Code") or {}
    if not request.get("Runtime") or not request.get("Handler"):
        raise ServiceError(_INVALID, "Runtime and Handler are mandatory parameters for functions created with deployment packages.")
    _source(context, code, "Please provide a source for function code.")


@rule("lambda", "UpdateFunctionCode")
def _new_code(context: Context, request: Mapping[str, Any]) -> None:
    _source(context, request, "Please provide a source for function code.")


@rule("lambda", "PublishLayerVersion")
def _layer(context: Context, request: Mapping[str, Any]) -> None:
    _source(context, request.get("Content") or {}, "Please provide a source for layer content.")


def _source(context: Context, code: Mapping[str, Any], missing: str) -> None:
    """Raises as Lambda does for code that is neither given nor where the request says."""
    in_s3 = bool(code.get("S3Bucket") and code.get("S3Key"))
    if bool(code.get("ZipFile")) == in_s3:
        raise ServiceError(
            _INVALID, missing if not in_s3 else "Please do not provide other FunctionCode parameters when providing a ZipFile."
        )
    if not in_s3:
        return
    version = {"VersionId": code["S3ObjectVersion"]} if code.get("S3ObjectVersion") else {}
    try:
        context.client("s3").get_object(Bucket=code["S3Bucket"], Key=code["S3Key"], **version)["Body"].close()
    except ClientError as error:
        reason = error.response["Error"]
        raise ServiceError(
            _INVALID, f"Error occurred while GetObject. S3 Error Code: {reason['Code']}. S3 Error Message: {reason['Message']}"
        ) from error


@rule("lambda", "CreateAlias", "UpdateAlias")
def _version_of_alias(context: Context, request: Mapping[str, Any]) -> None:
    version, name = request.get("FunctionVersion"), request["FunctionName"]
    ask = context.client("lambda").get_function_configuration
    if version and not (version == "$LATEST" or (version.isdecimal() and is_there(ask, FunctionName=name, Qualifier=version))):
        arn = name if name.startswith("arn:") else context.arn("lambda", f"function:{name}")
        raise ServiceError("ResourceNotFoundException", f"Function not found: {arn}:{version}", 404)


@rule("lambda", "Invoke")
def _payload(context: Context, request: Mapping[str, Any]) -> None:
    refused = ServiceError("InvalidRequestContentException", "Could not parse request body into json.")
    require_json(request.get("Payload") or "null", refused)
