"""What the synthesized roles may do: their statements, with every reference written out, and a match of actions and ARNs.

It knows nothing of conditions: a statement that has some still counts as allowing. Account 111122223333 in us-east-1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cfnlint

Templates = Mapping[str, Mapping[str, Any]]
_PSEUDO = {"AWS::AccountId": "111122223333", "AWS::Region": "us-east-1", "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
_DATA = Path(cfnlint.__file__).parent / "data"


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text(value: Any, stack: str, templates: Templates) -> str:
    """A value with its intrinsic functions written out. A resource of ours is `<its name>` or, without one, `<its logical id>`."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Ref":
        return _PSEUDO.get(argument) or _named(templates[stack]["Resources"].get(argument, {}), argument)
    if function == "Fn::GetAtt":
        return _attribute(stack, *argument, templates)
    if function == "Fn::Join":
        return str(argument[0]).join(text(part, stack, templates) for part in argument[1])
    if function == "Fn::ImportValue":
        return _imported(argument, templates)
    return json.dumps(value)


_NAMES = ("RoleName", "Name", "ProjectName", "FunctionName", "PipelineName", "LogGroupName", "RepositoryName", "AlarmName", "EndpointName")


def _named(resource: Mapping[str, Any], logical_id: str) -> str:
    if resource.get("Type") == "AWS::SNS::Topic":  # whose Ref is its ARN
        return f"arn:aws:sns:us-east-1:111122223333:<{logical_id}>"
    found = [resource.get("Properties", {}).get(name) for name in _NAMES]
    return next((name for name in found if isinstance(name, str)), f"<{logical_id}>")


def _attribute(stack: str, logical_id: str, attribute: str, templates: Templates) -> str:
    resource = templates[stack]["Resources"][logical_id]
    name = _named(resource, logical_id)
    if attribute != "Arn":
        return name
    service, path = {
        "AWS::S3::Bucket": ("s3:::", ""),
        "AWS::IAM::Role": ("iam::111122223333:", "role/"),
        "AWS::Logs::LogGroup": ("logs:us-east-1:111122223333:", "log-group:"),
        "AWS::KMS::Key": ("kms:us-east-1:111122223333:", "key/"),
        "AWS::Lambda::Function": ("lambda:us-east-1:111122223333:", "function:"),
        "AWS::SQS::Queue": ("sqs:us-east-1:111122223333:", ""),
        "AWS::Events::Rule": ("events:us-east-1:111122223333:", "rule/"),
        "AWS::CodeBuild::Project": ("codebuild:us-east-1:111122223333:", "project/"),
        "AWS::CodeCommit::Repository": ("codecommit:us-east-1:111122223333:", ""),
    }.get(resource["Type"], ("", ""))
    suffix = ":*" if resource["Type"] == "AWS::Logs::LogGroup" else ""
    return f"arn:aws:{service}{path}{name}{suffix}"


def _imported(name: str, templates: Templates) -> str:
    for stack, template in templates.items():
        for output in template.get("Outputs", {}).values():
            if output.get("Export", {}).get("Name") == name:
                return text(output["Value"], stack, templates)
    raise KeyError(name)


@dataclass(frozen=True)
class Statement:
    actions: list[str]
    resources: list[str]
    condition: dict[str, Any] = field(default_factory=dict)
    sid: str = ""

    def covers(self, action: str, resource: str | None) -> bool:
        """`resource` None: any."""
        named = any(matches(pattern, action, ignore_case=True) for pattern in self.actions)
        return named and (resource is None or any(matches(pattern, resource) for pattern in self.resources))


def matches(pattern: str, given: str, *, ignore_case: bool = False) -> bool:
    """IAM's wildcards: `*` any characters, `?` one."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, given, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


@dataclass(frozen=True)
class Role:
    """A role with all the statements that allow it something."""

    name: str
    stack: str
    service: str
    statements: list[Statement]

    def may(self, action: str, resource: str | None = None) -> bool:
        return bool(self.allowing(action, resource))

    def allowing(self, action: str, resource: str | None = None) -> list[Statement]:
        return [statement for statement in self.statements if statement.covers(action, resource)]


def roles(templates: Templates) -> dict[str, Role]:
    """By `<stack>/<logical id>`."""
    found = {}
    for stack, template in templates.items():
        for logical_id, resource in template["Resources"].items():
            if resource["Type"] == "AWS::IAM::Role":
                documents = [policy["PolicyDocument"] for policy in resource["Properties"].get("Policies", [])]
                documents += list(_attached(stack, logical_id, templates))
                principal = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
                service = principal.get("Service", "")
                own = [statement for document in documents for statement in _statements(document, stack, templates)]
                found[f"{stack}/{logical_id}"] = Role(logical_id, stack, service if isinstance(service, str) else "", own)
    return found


def _attached(stack: str, role: str, templates: Templates) -> Iterator[Mapping[str, Any]]:
    for resource in templates[stack]["Resources"].values():
        if resource["Type"] == "AWS::IAM::Policy" and {"Ref": role} in resource["Properties"].get("Roles", []):
            yield resource["Properties"]["PolicyDocument"]


def _statements(document: Mapping[str, Any], stack: str, templates: Templates) -> Iterator[Statement]:
    for item in document["Statement"]:
        if item["Effect"] == "Allow":
            resources = [text(resource, stack, templates) for resource in as_list(item["Resource"])]
            yield Statement(as_list(item["Action"]), resources, item.get("Condition", {}), item.get("Sid", ""))


def only(found: Mapping[str, Role], part: str) -> Role:
    """The one role whose `<stack>/<logical id>` contains `part`."""
    (role,) = [role for name, role in found.items() if part in name]
    return role


def handlers(kind: str) -> dict[str, list[str]]:
    """AWS's published schema of a resource type: handler (create, read, ...) -> the actions that it calls as the deploying role."""
    for file in (_DATA / "schemas" / "resources").glob("*.json"):
        content = file.read_text(encoding="utf-8")
        if f'"{kind}"' in content:
            schema = json.loads(content)
            if schema.get("typeName") == kind:
                return {name: handler["permissions"] for name, handler in schema.get("handlers", {}).items()}
    raise KeyError(kind)


def authorization() -> dict[str, Any]:
    """AWS's service authorization reference as cfn-lint ships it: service -> `Actions` (with their resource types) and `Resources`."""
    reference: dict[str, Any] = json.loads((_DATA / "AdditionalSpecs" / "Policies.json").read_text(encoding="utf-8"))
    return reference


def is_met_without_tags(condition: Mapping[str, Any] | None) -> bool:
    """Whether a condition holds for a resource whose tags do not count yet: there is none, or it asks only where there are tags."""
    return all(operator.endswith("IfExists") for operator in condition or {})
