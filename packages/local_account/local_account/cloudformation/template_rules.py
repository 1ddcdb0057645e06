"""Holds a template against what CloudFormation asks of it before it makes anything.

MiniStack reads what it knows and drops the rest: a section, an attribute of a resource, a condition or a policy that is misspelt has no
effect then, and the stack is complete. AWS refuses such a template at once, and makes no stack. What AWS has and nothing here acts on
(hooks, macros, creation and update policies) is refused by name. In: a template as `templates.read` gives it. Out: nothing, or
TemplateError in the words of AWS. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html.
Next: `template_functions.py`.
"""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from local_account.cloudformation import template_functions
from local_account.cloudformation.template_functions import Reference, conditions_used, references
from local_account.cloudformation.templates import SECTIONS, Template, TemplateError

LANGUAGE_EXTENSIONS = "AWS::LanguageExtensions"
#: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html
_PSEUDO_PARAMETERS = frozenset(
    f"AWS::{name}" for name in ("AccountId", "NoValue", "NotificationARNs", "Partition", "Region", "StackId", "StackName", "URLSuffix")
)
_NOT_IN_TEXT = frozenset({"AWS::NoValue", "AWS::NotificationARNs"})
#: A condition is evaluated without knowing its stack here.
_NOT_IN_CONDITIONS = frozenset({"AWS::StackId", "AWS::StackName"})
_ATTRIBUTES = frozenset(
    {"Type", "Properties", "DependsOn", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Metadata", "CreationPolicy", "UpdatePolicy"}
)
_OUTPUT_MEMBERS = frozenset({"Value", "Description", "Export", "Condition"})
#: What the local account has no effect for.
_NOT_HERE = {"Hooks": "hooks (blue/green deployments of Amazon ECS)", "Globals": f"a transform other than {LANGUAGE_EXTENSIONS}"}
#: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html, and its sibling
_POLICIES = {
    "DeletionPolicy": frozenset({"Delete", "Retain", "RetainExceptOnCreate", "Snapshot"}),
    "UpdateReplacePolicy": frozenset({"Delete", "Retain", "Snapshot"}),
}
_LIST_TYPE = re.compile(r"List<|CommaDelimitedList")
_DYNAMIC_REFERENCE = re.compile(r"\{\{resolve:([^:}]*)")
_NAME = re.compile(r"[A-Za-z0-9]+")
_FORMAT = "Template format error:"


def check_sections(template: Template, account_id: str) -> None:
    """What can be said before a transform is applied. Raises TemplateError."""
    if unknown := sorted(str(name) for name in template if name not in SECTIONS):
        raise TemplateError(f"Invalid template property or properties [{', '.join(unknown)}]")
    if path := _null(template, ""):
        raise TemplateError(f"{_FORMAT} [{path}] 'null' values are not allowed in templates")
    if str(template.get("AWSTemplateFormatVersion", "2010-09-09")) != "2010-09-09":
        raise TemplateError(f"{_FORMAT} unsupported value for AWSTemplateFormatVersion; the one version is 2010-09-09")
    if not isinstance(template.get("Description", ""), str):
        raise TemplateError(f"{_FORMAT} Template description must be a string.")
    _check_transforms(template, account_id)
    for section, what in _NOT_HERE.items():
        if section in template:
            raise TemplateError(f"The local account does not act on section {section} of a template: {what}.")
    for section in ("Resources", "Outputs", "Parameters", "Mappings", "Conditions", "Rules"):
        if not isinstance(template.get(section, {}), dict):
            raise TemplateError(f"{_FORMAT} [/{section}] must be an object.")
    if not template.get("Resources"):
        raise TemplateError(f"{_FORMAT} At least one Resources member must be defined.")


def _null(value: Any, path: str) -> str | None:
    """Where the first null is."""
    if value is None:
        return path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return next((found for key, item in items if (found := _null(item, f"{path}/{key}"))), None)


def _check_transforms(template: Template, account_id: str) -> None:
    """Macros are Lambda functions that rewrite a template; the account has none, and of AWS's own it applies one."""
    declared = template.get("Transform", [])
    for entry in declared if isinstance(declared, list) else [declared]:
        name = entry.get("Name") if isinstance(entry, dict) else entry
        if not isinstance(name, str):
            raise TemplateError(f"{_FORMAT} [/Transform] must be a name or a list of names.")
        if not name.startswith("AWS::"):
            raise TemplateError(f"No transform named {account_id}::{name} found.")
        if name != LANGUAGE_EXTENSIONS:
            raise TemplateError(f"The local account does not apply transform {name}; the one that it applies is {LANGUAGE_EXTENSIONS}.")


def check(template: Template) -> None:
    """Everything that holds whatever the parameters are; after the transforms. Raises TemplateError."""
    resources, conditions, parameters = template["Resources"], template.get("Conditions", {}), template.get("Parameters", {})
    lists = [name for name, definition in parameters.items() if _LIST_TYPE.search(definition["Type"])]
    _check_names(template)
    for logical_id, resource in resources.items():
        _check_resource(logical_id, resource)
    for name, output in template.get("Outputs", {}).items():
        _check_output(name, output)
    _check_conditions(template)
    for section in ("Resources", "Outputs"):
        for value in template.get(section, {}).values():
            template_functions.check(value, section)
            template_functions.check_lists(value, lists)
            _check_dynamic_references(value)
            if "Condition" in value and str(value["Condition"]) not in conditions:
                raise TemplateError(
                    f"{_FORMAT} Unresolved condition dependency {value['Condition']} in the {section} block of the template"
                )
            for name in conditions_used(value):
                if name not in conditions:
                    raise TemplateError(f"Template error: unresolved condition dependency {name} in Fn::If")
    _check_rules(template)
    check_references(template, None)


def check_references(template: Template, conditions: Mapping[str, bool] | None) -> None:
    """Raises TemplateError if something refers to nothing, or in a circle; with `conditions`, if it refers to what they leave out."""
    resources = active(template["Resources"], conditions)
    known = {*resources, *template.get("Parameters", {}), *_PSEUDO_PARAMETERS}
    for section, members in (("Resources", resources), ("Outputs", active(template.get("Outputs", {}), conditions))):
        found = [reference for member in members.values() for reference in _of(member, conditions)]
        for reference in found:
            if reference.function == "Fn::GetAtt" and reference.name not in template["Resources"]:
                raise TemplateError(f"Template error: instance of Fn::GetAtt references undefined resource {reference.name}")
            if reference.attribute and reference.name not in template["Resources"]:
                whole = f"{reference.name}.{reference.attribute}"
                raise TemplateError(f"Template error: instance of Fn::Sub references invalid resource attribute {whole}")
        if missing := sorted({reference.name for reference in found if not _resolves(reference, known)}):
            raise TemplateError(f"{_FORMAT} Unresolved resource dependencies [{', '.join(missing)}] in the {section} block of the template")
    if conditions is None and template.get("Conditions"):
        return  # a circle may be broken by a condition
    _check_order(resources, conditions)


def _resolves(reference: Reference, known: set[str]) -> bool:
    return reference.name in known and not (reference.function == "Fn::Sub" and reference.name in _NOT_IN_TEXT)


def active(members: Mapping[str, Any], conditions: Mapping[str, bool] | None) -> dict[str, Any]:
    """Those resources or outputs that the conditions leave; all of them without conditions."""
    return {name: member for name, member in members.items() if conditions is None or conditions.get(member.get("Condition"), True)}


def _of(member: Mapping[str, Any], conditions: Mapping[str, bool] | None) -> Iterator[Reference]:
    yield from references({name: value for name, value in member.items() if name != "DependsOn"}, conditions)
    if conditions is None:  # to wait for what the conditions leave out is to wait for nothing
        yield from (Reference(name, None, "DependsOn") for name in _depends_on(member))


def _depends_on(member: Mapping[str, Any]) -> list[str]:
    given = member.get("DependsOn", [])
    return given if isinstance(given, list) else [given]


def _check_order(resources: Mapping[str, Any], conditions: Mapping[str, bool] | None) -> None:
    graph = {
        logical_id: {name for name in (*(found.name for found in _of(resource, conditions)), *_depends_on(resource)) if name in resources}
        for logical_id, resource in resources.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        raise TemplateError(f"Circular dependency between resources: [{', '.join(sorted(set(error.args[1])))}]") from error


# ------------------------------------------------------------------------------------------------ parts of a template


def _check_names(template: Template) -> None:
    for section, singular in (("Resources", "Resource"), ("Outputs", "Outputs"), ("Parameters", "Parameter"), ("Mappings", "Mapping")):
        for name in template.get(section, {}):
            if not _NAME.fullmatch(str(name)):
                raise TemplateError(f"{_FORMAT} {singular} name {name} is non alphanumeric.")
    for name, mapping in template.get("Mappings", {}).items():
        if not isinstance(mapping, dict) or not all(isinstance(attributes, dict) for attributes in mapping.values()):
            raise TemplateError(f"{_FORMAT} [/Mappings/{name}] Every Mappings attribute must be a map of maps.")
    if twice := sorted(set(template["Resources"]) & set(template.get("Parameters", {}))):
        raise TemplateError(f"{_FORMAT} Duplicate names in Resources and Parameters: [{', '.join(twice)}]")


def _check_resource(logical_id: str, resource: Any) -> None:
    place = f"[/Resources/{logical_id}]"
    if not isinstance(resource, dict):
        raise TemplateError(f"{_FORMAT} {place} resource definition is malformed")
    if not isinstance(resource.get("Type"), str) or not resource["Type"]:
        raise TemplateError(f"{_FORMAT} {place} Every Resources object must contain a Type member.")
    if unknown := sorted(str(name) for name in resource.keys() - _ATTRIBUTES):
        raise TemplateError(f"Invalid template resource property '{unknown[0]}'")
    for attribute in ("CreationPolicy", "UpdatePolicy"):
        if attribute in resource:
            raise TemplateError(f"The local account does not act on {attribute} of resource {logical_id}: none of its types has one.")
    if not isinstance(resource.get("Properties", {}), dict):
        raise TemplateError(f"{_FORMAT} {place} Properties must be an object.")
    depends_on = _depends_on(resource)
    if not all(isinstance(name, str) for name in depends_on):
        raise TemplateError(f"{_FORMAT} {place} Every DependsOn value must be a string or a list of strings.")
    for attribute, allowed in _POLICIES.items():
        _check_policy(logical_id, resource, attribute, allowed)


def _check_policy(logical_id: str, resource: Mapping[str, Any], attribute: str, allowed: frozenset[str]) -> None:
    policy = resource.get(attribute, "Delete")
    if not isinstance(policy, str):
        raise TemplateError(f"{_FORMAT} Every {attribute} member must be a string.")
    if policy not in allowed:
        raise TemplateError(f"{_FORMAT} Unrecognized {attribute} {policy} for resource {logical_id}")
    if policy == "Snapshot":  # no type of this account has any
        what = "deletion policy" if attribute == "DeletionPolicy" else "update replace policy"
        raise TemplateError(f"Template error: resource type {resource['Type']} does not support {what} Snapshot")


def _check_output(name: str, output: Any) -> None:
    if not isinstance(output, dict) or "Value" not in output:
        raise TemplateError(f"{_FORMAT} Every Outputs member must contain a Value object")
    if unknown := sorted(str(member) for member in output.keys() - _OUTPUT_MEMBERS):
        raise TemplateError(f"Invalid template output property '{unknown[0]}'")
    value = output["Value"]
    if isinstance(value, list) or (isinstance(value, dict) and len(value) != 1):
        raise TemplateError(f"{_FORMAT} The Value field of every Outputs member must evaluate to a String.")
    if "Export" in output and (not isinstance(output["Export"], dict) or set(output["Export"]) != {"Name"}):
        raise TemplateError(f"{_FORMAT} Output {name} is malformed. The Name field of every Export member must be specified.")


def _check_conditions(template: Template) -> None:
    conditions = template.get("Conditions", {})
    used: dict[str, set[str]] = {}
    for name, definition in conditions.items():
        template_functions.check(definition, "Conditions")
        used[name] = set(_conditions_of(definition))
        for other in used[name] - conditions.keys():
            raise TemplateError(f"Template error: unresolved condition dependency {other} in Condition")
        for reference in references(definition):
            if reference.name in _NOT_IN_CONDITIONS:
                raise TemplateError(f"The local account does not evaluate {reference.name} in a condition ({name}).")
            if not _resolves(reference, {*template.get("Parameters", {}), *_PSEUDO_PARAMETERS}):
                where = "Cannot reference resources in the Conditions block of the template"
                raise TemplateError(f"{_FORMAT} Unresolved dependencies [{reference.name}]. {where}")
    try:
        graphlib.TopologicalSorter(used).prepare()
    except graphlib.CycleError as error:
        raise TemplateError(f"{_FORMAT} Circular dependency between conditions: [{', '.join(sorted(set(error.args[1])))}]") from error


def _conditions_of(definition: Any) -> Iterator[str]:
    """The other conditions that one is made of. Raises TemplateError for what is neither true nor false."""
    function, argument = next(iter(definition.items())) if isinstance(definition, dict) and len(definition) == 1 else ("", None)
    if function == "Condition" and isinstance(argument, str):
        yield argument
    elif function in ("Fn::And", "Fn::Or", "Fn::Not"):
        for part in argument or ():
            yield from _conditions_of(part)
    elif function != "Fn::Equals":
        raise TemplateError(f"{_FORMAT} Conditions can only be boolean operations on parameters and other conditions")


def _check_dynamic_references(value: Any) -> None:
    """A reference to a service that has none would stay the text that it is.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
    """
    for text in _texts(value):
        for service in _DYNAMIC_REFERENCE.findall(text):
            if service not in ("ssm", "ssm-secure", "secretsmanager"):
                raise TemplateError(f"Template error: dynamic reference to {service}; there are ssm, ssm-secure and secretsmanager")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(item)


def _check_rules(template: Template) -> None:
    """MiniStack evaluates rules, but passes over one that asks for what is in the account."""
    for function, _ in template_functions.functions(template.get("Rules", {})):
        if function in ("Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"):
            raise TemplateError(f"The local account does not evaluate {function} in the Rules of a template.")
