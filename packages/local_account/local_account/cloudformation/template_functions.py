"""The functions of a template: which there are, what they take, and what each refers to.

MiniStack takes an unknown function for a value, a reference to nothing for the text of its name, and drops what stands beside a function.
Functions: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html. The sentences are those that
AWS answers, so that they can be searched for. Used by `template_rules.py`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple

from local_account.cloudformation.templates import TemplateError

_LISTS_OF_STRINGS = "(2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
#: Function -> fewest and most elements of its argument (None: one value), and what AWS says of another number.
_ARGUMENTS: Mapping[str, tuple[int, int, str] | None] = {
    "Ref": None,
    "Fn::Base64": None,
    "Fn::Cidr": (3, 3, "Template error: Fn::Cidr needs an IP block, a count and the bits of a subnet here."),
    "Fn::FindInMap": (
        3,
        4,
        "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value",
    ),
    "Fn::GetAtt": (
        2,
        2,
        "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute",
    ),
    "Fn::GetAZs": None,
    "Fn::GetStackOutput": None,
    "Fn::If": (3, 3, "Template error: Fn::If requires a list argument with three elements"),
    "Fn::ImportValue": None,
    "Fn::Join": (2, 2, f"Template error: every Fn::Join object requires two parameters, (1) a string delimiter and {_LISTS_OF_STRINGS}"),
    "Fn::Select": (2, 2, "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"),
    "Fn::Split": (
        2,
        2,
        "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function "
        "that returns a string to be split.",
    ),
    "Fn::Sub": None,
    "Fn::ToJsonString": None,  # what the transform of language extensions leaves to the stack
}
_CONDITION_ARGUMENTS: Mapping[str, tuple[int, int, str]] = {
    "Fn::And": (2, 10, "Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters."),
    "Fn::Equals": (2, 2, "Template error: every Fn::Equals object requires a list of 2 string parameters."),
    "Fn::Not": (1, 1, "Template error: every Fn::Not object requires a list with exactly 1 boolean parameter."),
    "Fn::Or": (2, 10, "Template error: every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters."),
}
#: "You can use the following functions in the Fn::Equals condition": FindInMap, Join, Ref, Select, Split, Sub.
_IN_CONDITIONS = frozenset({"Fn::FindInMap", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub", "Ref"})
#: Functions whose value is never a list.
_ONE_TEXT = frozenset({"Fn::Base64", "Fn::GetStackOutput", "Fn::Join", "Fn::Sub", "Fn::ToJsonString"})
_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_.:]+")


class Reference(NamedTuple):
    """What a function refers to: `attribute` is None for the thing itself."""

    name: str
    attribute: str | None
    function: str


def conditions_used(value: Any) -> Iterator[str]:
    """The condition of every Fn::If."""
    for function, argument in functions(value):
        if function == "Fn::If" and isinstance(argument, list) and argument and isinstance(argument[0], str):
            yield argument[0]


def references(value: Any, conditions: Mapping[str, bool] | None = None) -> Iterator[Reference]:
    """Everything that a value refers to; with `conditions` only what counts then: of an Fn::If the branch that is taken."""
    if isinstance(value, list):
        for item in value:
            yield from references(item, conditions)
    if not isinstance(value, Mapping):
        return
    for function, argument in value.items():
        if function == "Ref" and isinstance(argument, str):
            yield Reference(argument, None, function)
        elif function == "Fn::GetAtt":
            name, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
            yield Reference(name, attribute, function)
        elif function == "Fn::Sub":
            yield from _of_text(argument, conditions)
        elif function == "Fn::If" and conditions is not None and argument[0] in conditions:
            yield from references(argument[1 if conditions[argument[0]] else 2], conditions)
        else:
            yield from references(argument, conditions)


def check_lists(value: Any, lists: Container[str]) -> None:
    """Raises TemplateError where Fn::Join or Fn::Select get one text: MiniStack would join its letters.

    `lists` are the parameters of list types. What an attribute, a mapping, an import or a condition gives is known only later.
    """
    for function, argument in functions(value):
        given = argument[1] if function in ("Fn::Join", "Fn::Select") else []
        kind, of = next(iter(given.items())) if isinstance(given, Mapping) and len(given) == 1 else ("", None)
        one = kind in _ONE_TEXT or (kind == "Ref" and of not in lists and of != "AWS::NotificationARNs")
        if one or not isinstance(given, (list, Mapping)):
            raise TemplateError(str((_ARGUMENTS[function] or ("",))[-1]))


def _of_text(argument: Any, conditions: Mapping[str, bool] | None) -> Iterator[Reference]:
    text, given = (*argument, {})[:2] if isinstance(argument, list) else (argument, {})
    for variable in _VARIABLE.findall(text):
        if not variable.startswith("!") and variable not in given:
            name, _, attribute = variable.partition(".")
            yield Reference(name, attribute or None, "Fn::Sub")
    yield from references(list(given.values()), conditions)


def check(value: Any, section: str) -> None:
    """Raises TemplateError for the first function in a value of Resources, Outputs or Conditions that CloudFormation would refuse."""
    for function, argument in functions(value):
        if section == "Conditions":
            if function not in {*_IN_CONDITIONS, *_CONDITION_ARGUMENTS, "Condition"}:
                raise TemplateError(f"Template error: Cannot use {function} in Conditions")
        elif function not in _ARGUMENTS:
            if function in _CONDITION_ARGUMENTS:
                raise TemplateError(f"Template error: {function} is for the Conditions of a template, not for its {section}")
            raise TemplateError(
                f"Template Error: Encountered unsupported function: {function} Supported functions are: [{', '.join(_ARGUMENTS)}]"
            )
        _check_argument(function, argument)


def functions(value: Any) -> Iterator[tuple[str, Any]]:
    """Every function in a value with its argument, outer ones first. Raises TemplateError for one that is not alone in its object."""
    if isinstance(value, list):
        for item in value:
            yield from functions(item)
    if not isinstance(value, Mapping):
        return
    for name, argument in value.items():
        if name == "Ref" or str(name).startswith("Fn::"):
            if len(value) > 1:
                others = ", ".join(str(other) for other in value if other != name)
                raise TemplateError(f"Template format error: {name} must be the only member of its object; beside it there is {others}")
            yield name, argument
        yield from functions(argument)


def _check_argument(function: str, argument: Any) -> None:
    if function == "Ref":
        if not isinstance(argument, str):
            raise TemplateError("Template format error: every Ref object must have a single String value.")
    elif function == "Fn::Sub":
        _check_text(argument)
    elif function == "Fn::GetStackOutput":
        _check_output(argument)
    elif function == "Fn::GetAtt":
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(part, str) and part for part in parts):
            raise TemplateError(str((_ARGUMENTS["Fn::GetAtt"] or ("",))[-1]))
    elif bounds := {**_ARGUMENTS, **_CONDITION_ARGUMENTS}.get(function):
        fewest, most, sentence = bounds
        if not isinstance(argument, list) or not fewest <= len(argument) <= most:
            raise TemplateError(sentence)
        if function in ("Fn::Join", "Fn::Split") and not isinstance(argument[0], str):
            raise TemplateError(sentence)
        if function == "Fn::Select" and not isinstance(argument[0], Mapping) and not str(argument[0]).isdecimal():
            raise TemplateError(sentence)
        if function == "Fn::If" and not isinstance(argument[0], str):
            raise TemplateError("Template error: Fn::If requires a list argument with the first element being a condition")


def _check_text(argument: Any) -> None:
    text, given = (*argument, {})[:2] if isinstance(argument, list) and argument else (argument, {})
    if not isinstance(text, str) or not isinstance(given, Mapping) or (isinstance(argument, list) and len(argument) > 2):
        raise TemplateError(
            "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, "
            "and an optional second argument to specify a mapping of values to replace in the string"
        )
    for variable in _VARIABLE.findall(text):
        if not variable.startswith("!") and not _VARIABLE_NAME.fullmatch(variable):
            raise TemplateError(
                "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and "
                f"colons; here it is ${{{variable}}}"
            )


def _check_output(argument: Any) -> None:
    """Members: cfn-lint's schema of the function."""
    given = set(argument) if isinstance(argument, Mapping) else set()
    if not {"StackName", "OutputName"} <= given or given - {"StackName", "OutputName", "Region", "RoleArn"}:
        raise TemplateError("Template error: Fn::GetStackOutput requires StackName and OutputName, and may have Region and RoleArn")
    if "RoleArn" in given:
        raise TemplateError("Template error: the local account reads outputs of the same account only; Fn::GetStackOutput has a RoleArn")
