"""Reads the text of a template: JSON or YAML with CloudFormation's short forms (`!Ref`, `!Sub`, `!GetAtt`).

MiniStack reads with its own loader, in Python: it takes a tag that it does not know for a broken text, and a text that is no map for an
error of its own. `read` says both in CloudFormation's words. It reads with libyaml (9 times as fast), and each text once: the rules read
it, then the operation itself. Next: `template_rules.py`.
"""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

import yaml

Template = dict[str, Any]

#: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html; Globals are those of serverless applications.
SECTIONS = (
    *("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings"),
    *("Conditions", "Transform", "Hooks", "Globals", "Resources", "Outputs"),
)
#: Functions whose short form is not `!Name` for `Fn::Name`.
_SHORT_FORMS = {"Ref": "Ref", "Condition": "Condition"}


class TemplateError(ValueError):
    """What is wrong with a template or its parameters, as CloudFormation says it in a ValidationError."""


def read(body: str) -> Template:
    """The template that a text is. Raises TemplateError with the place where it cannot be read."""
    return copy.deepcopy(_read(body))


@functools.lru_cache(maxsize=16)
def _read(body: str) -> Template:
    template = _json(body) if body.lstrip().startswith("{") else _yaml(body)
    if not isinstance(template, dict):
        raise TemplateError("Template format error: unsupported structure.")
    return template


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise TemplateError(f"Template format error: JSON not well-formed. (line {error.lineno}, column {error.colno})") from error
    except RecursionError as error:
        raise TemplateError("Template format error: JSON not well-formed. (nested too deeply)") from error


def _yaml(body: str) -> Any:
    try:
        return yaml.load(body, Loader=_Loader)  # noqa: S506  # a SafeLoader: it makes plain values only
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "no place"
        raise TemplateError(f"Template format error: YAML not well-formed. ({place})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise TemplateError("Template format error: YAML not well-formed.") from error


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml where PyYAML was built with it
    """Dates stay text, as CloudFormation reads them."""


def _short_form(loader: Any, name: str, node: yaml.Node) -> dict[str, Any]:
    """`!Name value` for the function of that name, whether there is one or not: who checks the template says so by its name."""
    function = _SHORT_FORMS.get(name, f"Fn::{name}")
    if isinstance(node, yaml.SequenceNode):
        return {function: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {function: loader.construct_mapping(node, deep=True)}
    value = loader.construct_scalar(node)
    return {function: value.split(".", 1) if function == "Fn::GetAtt" else value}


_Loader.add_multi_constructor("!", _short_form)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))
