"""Environment variables of a build. Of one name, the start of the build wins over the project, and that over the buildspec.

https://docs.aws.amazon.com/codebuild/latest/userguide/build-env-ref-env-vars.html
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_account.codebuild.buildspec import Buildspec, BuildspecError
from local_account.codebuild.source import Source
from local_account.context import Context
from local_account.roles import Role


def build_environment(
    role: Role, project: Mapping[str, Any], record: Mapping[str, Any], source: Source, spec: Buildspec, tools: Path
) -> dict[str, str]:
    """`tools`: the folder of the build's `python`. Raises BuildspecError for a parameter or secret that cannot be read."""
    inherited = role.context.process_environment(role.credentials)
    environment = {
        **inherited,
        "PATH": f"{tools}{os.pathsep}{inherited.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(tools.parent),
        "PYTHONUNBUFFERED": "1",
        "CI": "true",
    }
    environment |= spec.variables
    environment |= {name: _parameter(role, key) for name, key in spec.parameter_store.items()}
    environment |= {name: _secret(role, reference) for name, reference in spec.secrets_manager.items()}
    for variable in (project.get("environment") or {}).get("environmentVariables") or []:
        environment[variable["name"]] = _declared(role, variable)
    return environment | _service_variables(role.context, record, source)


def _service_variables(context: Context, record: Mapping[str, Any], source: Source) -> dict[str, str]:
    variables = {
        "CODEBUILD_BUILD_ARN": record["arn"],
        "CODEBUILD_BUILD_ID": record["id"],
        "CODEBUILD_BUILD_IMAGE": (record.get("environment") or {}).get("image", ""),
        "CODEBUILD_BUILD_NUMBER": str(record["buildNumber"]),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_INITIATOR": source.initiator or record["initiator"],
        "CODEBUILD_KMS_KEY_ID": record.get("encryptionKey", ""),
        "CODEBUILD_LOG_PATH": record["logs"]["streamName"],
        "CODEBUILD_RESOLVED_SOURCE_VERSION": source.revision,
        "CODEBUILD_SOURCE_REPO_URL": source.location,
        "CODEBUILD_SOURCE_VERSION": source.version,
        "CODEBUILD_SRC_DIR": str(source.directory),
        "CODEBUILD_START_TIME": str(int(time.time() * 1000)),
        "AWS_DEFAULT_REGION": context.settings.region,
        "AWS_REGION": context.settings.region,
    }
    return variables | {f"CODEBUILD_SRC_DIR_{name}": str(directory) for name, directory in source.secondary.items()}


def _declared(role: Role, variable: Mapping[str, str]) -> str:
    read = {"PARAMETER_STORE": _parameter, "SECRETS_MANAGER": _secret}.get(variable.get("type", ""))
    return read(role, variable["value"]) if read else str(variable["value"])


def _parameter(role: Role, name: str) -> str:
    try:
        return str(role.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    except ClientError as error:
        raise BuildspecError(f"parameter {name!r} of the Parameter Store cannot be read: {error}") from error


def _secret(role: Role, reference: str) -> str:
    """`secret-id:json-key:version-stage:version-id`, the last three optional; an ARN has colons of its own."""
    parts = reference.split(":")
    id_parts = 7 if reference.startswith("arn:") else 1
    secret_id = ":".join(parts[:id_parts])
    json_key, stage, version = ([*parts[id_parts:], "", "", ""])[:3]
    request = {"SecretId": secret_id} | ({"VersionStage": stage} if stage else {}) | ({"VersionId": version} if version else {})
    try:
        value = str(role.client("secretsmanager").get_secret_value(**request)["SecretString"])
        return str(json.loads(value)[json_key]) if json_key else value
    except (ClientError, KeyError, ValueError) as error:
        raise BuildspecError(f"secret {reference!r} cannot be read: {error}") from error
