"""What a template makes CloudFormation read and call, in the deployer's name: parameters, secrets, the providers of custom resources.

MiniStack looks into its own records and runs the provider itself, so that who may only work on stacks could read every secret. Sources:
CloudFormation user guide, "Get values stored in other services using dynamic references" (`ssm:GetParameters`,
`secretsmanager:GetSecretValue`), "Specify existing resources at runtime with CloudFormation-supplied parameter types", and "Create custom
provisioning logic with custom resources" (`lambda:InvokeFunction`, `sns:Publish` on the ServiceToken). Installed by `__init__.py`.
Next: `deployer.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from local_account import hooks
from local_account.cloudformation import deployer
from local_account.cloudformation.templates import TemplateError
from local_account.context import Context
from local_account.errors import ServiceError


def install(context: Context) -> None:
    from ministack.services import secretsmanager, ssm
    from ministack.services.cloudformation import custom_resource

    asking: tuple[tuple[Any, str, Callable[..., None]], ...] = (
        (ssm, "resolve_parameter_value", functools.partial(_parameter, context)),
        (secretsmanager, "resolve_secret_string", functools.partial(_secret, context)),
        (custom_resource, "invoke_custom_resource", functools.partial(_provider, context)),
    )
    for module, name, ask in asking:
        setattr(module, name, hooks.around(getattr(module, name), functools.partial(_ask_first, ask)))


def _ask_first(ask: Callable[..., None], original: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        ask(*arguments, **options)
    except ServiceError as error:
        raise TemplateError(error.message) from error
    return original(*arguments, **options)


def _parameter(context: Context, name: str, version: str | None = None, decrypt: bool = False) -> None:
    deployer.require(context, "ssm", "GetParameters", {"Names": [name], "WithDecryption": decrypt})


def _secret(context: Context, secret_id: str, *version: Any) -> None:
    deployer.require(context, "secretsmanager", "GetSecretValue", {"SecretId": secret_id})


def _provider(context: Context, request_type: str, logical_id: str, properties: Mapping[str, Any], *names: Any, **options: Any) -> None:
    require_provider(context, properties)


def require_provider(context: Context, properties: Mapping[str, Any]) -> None:
    """Raises ServiceError for a deployer that may not call the function or topic behind a custom resource."""
    token = str(properties.get("ServiceToken", ""))
    if token.split(":")[2:3] == ["sns"]:
        deployer.require(context, "sns", "Publish", {"TopicArn": token})
    elif token:
        deployer.require(context, "lambda", "Invoke", {"FunctionName": token})
