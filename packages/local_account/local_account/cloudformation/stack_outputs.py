"""Fn::GetStackOutput: the value of another stack's output, also in another region; nothing is exported, and nothing is held.

MiniStack reads it of the stack's own region only, and without asking anybody. CloudFormation asks `cloudformation:DescribeStacks` in the
deployer's name. Source: CloudFormation template reference, "Fn::GetStackOutput"; cfn-lint's schema of the function.
`RoleArn`, by which another account's stack is read, is refused by name (`template_functions.py`). Used by `__init__.py`.
"""

from __future__ import annotations

import functools
from typing import Any

from local_account.cloudformation import deployer
from local_account.cloudformation.templates import TemplateError
from local_account.context import Context
from local_account.errors import ServiceError

_FUNCTION = "Fn::GetStackOutput"


def install(context: Context) -> None:
    from ministack.services.cloudformation import changesets, engine, handlers, stacks

    original = getattr(engine._resolve_refs, "__wrapped__", engine._resolve_refs)  # an earlier account of this process has put its own

    @functools.wraps(original)
    def resolve(value: Any, *template: Any) -> Any:
        if isinstance(value, dict) and _FUNCTION in value:
            return _output(context, {name: resolve(item, *template) for name, item in value[_FUNCTION].items()})
        return original(value, *template)

    engine._resolve_refs = resolve
    changesets._resolve_refs = handlers._resolve_refs = stacks._resolve_refs = resolve  # each has a name of its own for it


def _output(context: Context, given: dict[str, str]) -> str:
    """Raises TemplateError, which fails the operation, where there is no such stack or output, or the deployer may not look at it."""
    from ministack.services.cloudformation import _stacks

    here = context.here
    region = given.get("Region") or here.settings.region
    there = here.places.at(here.settings.account_id, region)
    name, output = given["StackName"], given["OutputName"]
    try:
        deployer.require_at(there, "cloudformation", "DescribeStacks", {"StackName": name})
    except ServiceError as error:
        raise TemplateError(error.message) from error
    stack = there.keyring.here(lambda: _stacks.get(name)) or {}
    for item in stack.get("Outputs", []):
        if item["OutputKey"] == output and stack["StackStatus"] != "DELETE_COMPLETE":
            return str(item["OutputValue"])
    raise TemplateError(f"Template error: stack {name} in {region} has no output {output}, or does not exist")
