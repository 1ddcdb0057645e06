"""Exports: a name is one stack's, and what another stack imports neither changes nor goes.

MiniStack lets a second stack take a name over, changes an export under the stacks that import it, and never forgets one that its stack has
dropped. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html: "You can't delete a stack if
another stack references one of its outputs", "You can't modify or remove an output value that is referenced by another stack".
Used by `__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from local_account import hooks
from local_account.cloudformation.operations import Answer, Params, error, stack_of


def install() -> None:
    """Hold the outputs of each operation against the exports that there are, once its resources are there; an error rolls it back."""
    from ministack.services.cloudformation import stacks

    def resolve(original: Callable[..., Any], outputs: Mapping[str, Any], *rest: Any) -> Any:
        resolved, exported = original(outputs, *rest)
        _exchange(str(rest[-1]), [output["ExportName"] for output in resolved if "ExportName" in output], exported)
        return resolved, exported

    stacks._resolve_stack_outputs = hooks.around(stacks._resolve_stack_outputs, resolve)


def _exchange(stack_id: str, names: list[str], exported: Mapping[str, Any]) -> None:
    """Let go of what the stack no longer exports. Raises ValueError, before anything is changed, if it may not export as it wants."""
    from ministack.services.cloudformation import _exports

    for name in names:
        owner = _exports.get(name, {}).get("StackId", stack_id)
        if owner != stack_id or names.count(name) > 1:
            raise ValueError(f"Export with name {name} is already exported by stack {_name_of(owner)}")
    before = {name: export for name, export in _exports.items() if export["StackId"] == stack_id}
    for name, export in before.items():
        if name not in exported and (users := importers(name)):
            raise ValueError(f"Export {name} cannot be deleted as it is in use by {', '.join(users)}")
        if name in exported and exported[name]["Value"] != export["Value"] and (users := importers(name)):
            raise ValueError(f"Export {name} cannot be updated as it is in use by {', '.join(users)}")
    for name in before.keys() - exported.keys():
        _exports.pop(name, None)


def importers(name: str) -> list[str]:
    """The stacks that import an export, whatever their state is."""
    from ministack.services.cloudformation import _stacks, handlers

    return [
        other
        for other, stack in sorted(_stacks.items())
        if stack["StackStatus"] != "DELETE_COMPLETE" and name in handlers._imported_export_names(stack, other)
    ]


def refuse_deletion(params: Params) -> Answer | None:
    """A rule for DeleteStack. AWS begins the deletion and cancels it with these words; here it does not begin."""
    stack = stack_of(params)
    for output in stack.get("Outputs", []) if stack else []:
        if (name := output.get("ExportName")) and (users := importers(name)):
            return error("ValidationError", f"Delete canceled. Cannot delete export {name} as it is in use by {', '.join(users)}.")
    return None


def _name_of(stack_id: str) -> str:
    return stack_id.split(":stack/")[-1].split("/")[0]
