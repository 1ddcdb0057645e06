"""What the synthesized roles may do: their statements, with every reference written out, and a match of actions and ARNs.

It knows nothing of conditions: a statement that has some still counts as allowing. What has no account of its own is in 111122223333,
us-east-1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint

ACCOUNT, REGION = "111122223333", "us-east-1"
_DATA = Path(cfnlint.__file__).parent / "data"


class Templates(dict[str, Any]):
    """By the stack's name, each as CloudFormation reads it. `places`: account and region of each stack."""

    def __init__(self, templates: Mapping[str, Any], places: Mapping[str, tuple[str, str]]) -> None:
        super().__init__(templates)
        self.places = dict(places)

    def place(self, stack: str) -> tuple[str, str]:
        return self.places.get(stack, (ACCOUNT, REGION))

    def pseudo(self, stack: str) -> dict[str, str]:
        account, region = self.place(stack)
        own = {"AWS::AccountId": account, "AWS::Region": region, "AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
        return {**own, "AWS::StackId": f"arn:aws:cloudformation:{region}:{account}:stack/{stack}/an-id"}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def text(value: Any, stack: str, templates: Templates) -> str:
    """A value with its intrinsic functions written out. A resource of ours is `<its name>` or, without one, `<its logical id>`."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Ref":
        return templates.pseudo(stack).get(argument) or _named(stack, argument, templates)
    if function == "Fn::Sub":
        written, own = argument if isinstance(argument, list) else (argument, {})
        return re.sub(r"\$\{([^}]+)\}", lambda found: text(own.get(found[1], {"Ref": found[1]}), stack, templates), written)
    if function == "Fn::GetStackOutput":
        return text(templates[argument["StackName"]]["Outputs"][argument["OutputName"]]["Value"], argument["StackName"], templates)
    if function == "Fn::GetAtt":
        return _attribute(stack, *argument, templates)
    if function == "Fn::Join":
        parts = argument[1]
        if isinstance(parts, dict):
            separator, whole = parts["Fn::Split"]
            parts = text(whole, stack, templates).split(separator)
        return str(argument[0]).join(text(part, stack, templates) for part in parts)
    if function == "Fn::ImportValue":
        return _imported(argument, templates)
    return json.dumps(value)


_NAMES = (
    *("BucketName", "RoleName", "Name", "ProjectName", "FunctionName", "PipelineName", "LogGroupName", "RepositoryName", "AlarmName"),
    "EndpointName",
)


def _named(stack: str, logical_id: str, templates: Templates) -> str:
    """What CloudFormation names begins with its stack's name."""
    resource = templates[stack]["Resources"].get(logical_id, {})
    if resource.get("Type") == "AWS::SNS::Topic":  # whose Ref is its ARN
        account, region = templates.place(stack)
        return f"arn:aws:sns:{region}:{account}:<{stack}-{logical_id}>"
    found = [resource.get("Properties", {}).get(name) for name in _NAMES]
    given = next((name for name in found if name), None)
    return text(given, stack, templates) if given else f"<{stack}-{logical_id}>"


def _attribute(stack: str, logical_id: str, attribute: str, templates: Templates) -> str:
    resource = templates[stack]["Resources"][logical_id]
    name = _named(stack, logical_id, templates)
    if attribute != "Arn":
        return name
    account, region = templates.place(stack)
    service, path = {
        "AWS::S3::Bucket": ("s3:::", ""),
        "AWS::IAM::Role": (f"iam::{account}:", "role/"),
        "AWS::Logs::LogGroup": (f"logs:{region}:{account}:", "log-group:"),
        "AWS::KMS::Key": (f"kms:{region}:{account}:", "key/"),
        "AWS::Lambda::Function": (f"lambda:{region}:{account}:", "function:"),
        "AWS::SQS::Queue": (f"sqs:{region}:{account}:", ""),
        "AWS::Events::Rule": (f"events:{region}:{account}:", "rule/"),
        "AWS::CodeBuild::Project": (f"codebuild:{region}:{account}:", "project/"),
        "AWS::CodeCommit::Repository": (f"codecommit:{region}:{account}:", ""),
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
    return _expression(pattern, ignore_case).fullmatch(given) is not None


@cache
def _expression(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    """Every pattern is asked about thousands of resources."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


@dataclass(frozen=True)
class Role:
    """A role with all the statements that allow it something. `owner`: the model that its tags name, or nothing."""

    name: str
    stack: str
    service: str
    statements: list[Statement]
    arn: str = ""
    owner: str = ""
    trust: dict[str, Any] = field(default_factory=dict)

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
                properties = resource["Properties"]
                documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
                documents += list(_attached(stack, logical_id, templates))
                trust = properties["AssumeRolePolicyDocument"]
                service = trust["Statement"][0]["Principal"].get("Service", "")
                own = [statement for document in documents for statement in _statements(document, stack, templates)]
                tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
                arn = text({"Fn::GetAtt": [logical_id, "Arn"]}, stack, templates)
                found[f"{stack}/{logical_id}"] = Role(
                    logical_id, stack, service if isinstance(service, str) else "", own, arn, tags.get("model", ""), trust
                )
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
