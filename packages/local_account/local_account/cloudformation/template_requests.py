"""The template and the parameters of a request, held against the rules before the operation begins: AWS refuses at once, or not at all.

Next: `templates.py` (the text), `template_rules.py` (what it may say), `template_parameters.py` (what it is given) and
`template_conditions.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from local_account.cloudformation import template_conditions, template_parameters, template_rules, templates
from local_account.cloudformation.operations import Answer, Params, Rule, error, is_true, stack_of, text
from local_account.cloudformation.template_parameters import Given
from local_account.cloudformation.templates import Template, TemplateError

#: Operations that make or change a stack: what they are given counts, too.
_OF_STACKS = ("CreateStack", "UpdateStack", "CreateChangeSet")
_NO_TEMPLATE = "Either Template URL or Template Body must be specified."


def install() -> None:
    """Let MiniStack read templates and evaluate conditions as the rules do."""
    from ministack.services.cloudformation import changesets, engine, handlers, stacks

    handlers._parse_template = changesets._parse_template = templates.read
    engine._evaluate_conditions = handlers._evaluate_conditions = template_conditions.evaluate
    changesets._evaluate_conditions = stacks._evaluate_conditions = template_conditions.evaluate


def rules() -> Iterator[tuple[str, Rule]]:
    for operation in _OF_STACKS:
        yield operation, _rule_for_a_stack
    for operation in ("ValidateTemplate", "GetTemplateSummary"):
        yield operation, _rule_for_a_template


def _rule_for_a_stack(params: Params) -> Answer | None:
    stack = stack_of(params) or {}
    body, refused = _body(params, stack)
    if body is None:
        return refused
    try:
        _check_for_a_stack(templates.read(body), list(_given(params)), stack)
    except TemplateError as problem:
        return error("ValidationError", str(problem))
    return None


def _rule_for_a_template(params: Params) -> Answer | None:
    body, refused = _given_body(params)
    if not body:
        return refused  # MiniStack says what is missing
    try:
        template = templates.read(body)
        _check_sections(template)
        if "Transform" not in template:  # ValidateTemplate applies none, so it cannot know what becomes of the template
            _check_parts(template)
    except TemplateError as problem:
        return error("ValidationError", str(problem))
    return None


def _body(params: Params, stack: Mapping[str, Any]) -> tuple[str | None, Answer | None]:
    """The text of the one template that is given, or what is answered because there is none."""
    given = [name for name in ("TemplateBody", "TemplateURL") if text(params, name)]
    previous = ["UsePreviousTemplate"] if is_true(params, "UsePreviousTemplate") else []
    if len([*given, *previous]) > 1:
        return None, error("ValidationError", f"You must specify only one of {', '.join([*given, *previous])}.")
    if previous and stack.get("_template_body"):
        return str(stack["_template_body"]), None
    body, refused = _given_body(params)
    return body or None, refused or (None if body else error("ValidationError", _NO_TEMPLATE))


def _given_body(params: Params) -> tuple[str, Answer | None]:
    from ministack.services.cloudformation import helpers

    body, refused = helpers._resolve_template(params)
    return body or "", refused


def _given(params: Params) -> Iterator[Given]:
    number = 1
    while name := text(params, f"Parameters.member.{number}.ParameterKey"):
        place = f"Parameters.member.{number}"
        value = text(params, f"{place}.ParameterValue") if f"{place}.ParameterValue" in params else None
        yield Given(name, value, is_true(params, f"{place}.UsePreviousValue"))
        number += 1


def _check_for_a_stack(template: Template, given: list[Given], stack: Mapping[str, Any]) -> None:
    """`stack` is that which the operation changes; empty if it makes one."""
    from ministack.services import ssm
    from ministack.services.cloudformation import engine

    before: Mapping[str, Any] = stack.get("_resolved_params", {})
    _check_sections(template)
    sent = [{"Key": item.name, "Value": item.value or "", "UsePreviousValue": item.as_before} for item in given]
    template = engine._apply_transforms(template, sent, before)
    if failure := getattr(template, "error", None):  # how MiniStack says that a transform failed
        raise TemplateError(failure)
    _check_parts(template)
    _check_types(template, stack.get("_resources", {}))
    template_parameters.check_values(
        template.get("Parameters", {}), given, before, lambda name: ssm.resolve_parameter_value(name) is not None
    )
    try:
        conditions = template_conditions.evaluate(template, engine._resolve_parameters(template, sent, before))
    except (TypeError, ValueError) as problem:  # a pattern that a value does not match, a key that a mapping has not got, a list for a text
        raise TemplateError(str(problem)) from problem
    template_rules.check_references(template, conditions)


def _check_types(template: Template, made: Mapping[str, Any]) -> None:
    """MiniStack would hand a resource of one type to another."""
    common = [(name, resource) for name, resource in template["Resources"].items() if name in made]
    if changed := [name for name, resource in common if resource["Type"] != made[name]["ResourceType"]]:
        which = f"The new template modifies resource type of the following resources: [{', '.join(changed)}]"
        raise TemplateError(f"Update of resource type is not permitted. {which}")


def _check_sections(template: Template) -> None:
    from ministack.core.responses import get_account_id

    template_rules.check_sections(template, get_account_id())


def _check_parts(template: Template) -> None:
    template_parameters.check_definitions(template.get("Parameters", {}))
    template_rules.check(template)
