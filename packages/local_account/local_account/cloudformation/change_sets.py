"""What counts as a change: what a stack's resources, outputs and tags would be after it.

To MiniStack a change set changes resources only, so that `cdk deploy` ends in success without the output that was added; and an update is
any other text of a template. AWS makes outputs anew, and "you can't update" conditions, mappings, metadata or the description "by
themselves" (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html and its siblings).
Used by `__init__.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from local_account import hooks
from local_account.cloudformation import template_conditions
from local_account.cloudformation.operations import Params, change_set_of, stack_of
from local_account.cloudformation.template_rules import active
from local_account.cloudformation.templates import Template

_NO_CHANGES = "The submitted information didn't contain changes."


def install() -> None:
    from ministack.services.cloudformation import changesets, handlers

    handlers._stack_has_no_updates = _has_no_updates

    def resolve(original: Callable[..., Any], template: Template, parameters: Mapping[str, Any], *names: str) -> Any:
        return original(_active(template, parameters), parameters, *names)

    changesets._resolve_props_for_diff = hooks.around(changesets._resolve_props_for_diff, resolve)


def complete(params: Params) -> None:
    """After CreateChangeSet: outputs and tags count as well, and nobody reads a value that is not to be echoed."""
    from ministack.services.cloudformation.stacks import _stack_tags_changed

    stack, change_set = stack_of(params) or {}, change_set_of(params)
    if change_set is None:
        return
    for parameter in change_set["Parameters"]:
        if change_set["_resolved_params"][parameter["ParameterKey"]].get("NoEcho"):
            parameter["ParameterValue"] = "****"
    if not change_set["StatusReason"].startswith(_NO_CHANGES) or change_set["ChangeSetType"] != "UPDATE":
        return
    changed_tags = _stack_tags_changed(stack, change_set["Tags"], change_set["_tags_given"])
    if changed_tags or _outputs_change(stack, change_set["_template"], change_set["_resolved_params"]):
        change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")


def _has_no_updates(
    stack: Mapping[str, Any],
    template: Template,
    parameters: Mapping[str, Any],
    tags: list[dict[str, Any]],
    use_previous_template: bool = False,
    tags_given: bool = False,
) -> bool:
    """In place of MiniStack's, which UpdateStack asks. A dynamic reference may have another value without anything else having changed."""
    from ministack.services.cloudformation.engine import _has_dynamic_references
    from ministack.services.cloudformation.stacks import _stack_tags_changed

    if _stack_tags_changed(stack, tags, tags_given) or (not use_previous_template and _has_dynamic_references(template)):
        return False
    return not _resources_change(stack, template, parameters) and not _outputs_change(stack, template, parameters)


def _resources_change(stack: Mapping[str, Any], template: Template, parameters: Mapping[str, Any]) -> bool:
    from ministack.services.cloudformation.changesets import _resolve_props_for_diff
    from ministack.services.cloudformation.stacks import _diff_resources

    old, new = (
        _resolve_props_for_diff(of, values, stack["StackName"], stack["StackId"])
        for of, values in ((stack["_template"], stack["_resolved_params"]), (template, parameters))
    )
    return bool(_diff_resources(old, new, stack["_resources"]))


def _active(template: Template, parameters: Mapping[str, Any]) -> Template:
    """The template without the resources that its conditions leave out: a condition that changes adds or removes some."""
    resources = active(template.get("Resources", {}), template_conditions.evaluate(template, parameters))
    return {**template, "Resources": resources}


def _outputs_change(stack: Mapping[str, Any], template: Template, parameters: Mapping[str, Any]) -> bool:
    return _outputs(stack, stack["_template"], stack["_resolved_params"]) != _outputs(stack, template, parameters)


def _outputs(stack: Mapping[str, Any], template: Template, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What the outputs of a template would be, with the resources that the stack has."""
    from ministack.services.cloudformation import engine

    conditions, mappings = template_conditions.evaluate(template, parameters), template.get("Mappings", {})
    found = {}
    for name, output in active(template.get("Outputs", {}), conditions).items():
        given = {key: copy.deepcopy(value) for key, value in output.items() if key != "Condition"}
        place = (stack["StackName"], stack["StackId"])
        try:
            found[name] = engine._resolve_refs(given, stack["_resources"], parameters, conditions, mappings, *place)
        except ValueError:  # an attribute or an export that is not there yet
            found[name] = given
    return found
