"""Names that the templates give, and that somebody else or an earlier, retained deployment has already.

CloudFormation refuses to create what exists. A name is the stack's own if the stack lists it; everything else in the templates is named by
CloudFormation and cannot clash. A name is looked for where its resource would be: a rule on its event bus, a schedule in its group.
Types with a name: `KINDS`; a test holds it to the templates. What a template names of another type is said, not looked for.
Next: `leftovers.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from preflight.account import Account
from preflight.assembly import Place, Stack
from preflight.finding import Finding, NotSeenError, failed, not_seen, passed, unseen
from preflight.situation import Situation
from preflight.stack_states import resources_of

#: How many of the types without an entry are named in one line.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Within:
    """What names of a type are unique in: `property` names it in templates and requests, `option` in the CLI; left out it is `default`.

    `identifier`: the stack's physical id of one that is elsewhere than in the default, of `{name}` and `{within}`.
    """

    property: str
    option: str
    identifier: str = "{name}"
    default: str = "default"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a type is named and found, and what to do about one that is in the way. Commands have `{name}` and `{stack}`.

    `exists` takes the account, the name, and the request's member of `within`, if it is not the default.
    """

    property: str
    exists: Callable[..., bool]
    advice: str
    commands: tuple[str, ...] = ()
    within: Within | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """A name of a template. `within`: where it would be, empty in the default; None if that is known only once it is deployed."""

    kind: str
    logical_id: str
    name: str
    within: str | None = ""

    @property
    def where(self) -> dict[str, str]:
        """The member of a request that says where."""
        place = KINDS[self.kind].within
        return {place.property: self.within} if place and self.within else {}


def _found(service: str, operation: str, parameter: str) -> Callable[..., bool]:
    return lambda account, name, **where: account.find(service, operation, **{parameter: name}, **where) is not None


def _listed(service: str, operation: str, member: str, key: str, **request: str) -> Callable[[Account, str], bool]:
    """`request` may have `{name}`."""

    def exists(account: Account, name: str) -> bool:
        given = {parameter: value.format(name=name) for parameter, value in request.items()}
        return any(item[key] == name for item in account.read_all(service, operation, member, **given))

    return exists


def _alarm(account: Account, name: str) -> bool:
    return bool(account.read_all("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=[name]))


def _topic(account: Account, name: str) -> bool:
    return any(item["TopicArn"].rsplit(":", 1)[-1] == name for item in account.read_all("sns", "list_topics", "Topics"))


def _project(account: Account, name: str) -> bool:
    return bool(account.read("codebuild", "batch_get_projects", names=[name])["projects"])


KINDS: Mapping[str, Kind] = {
    "AWS::S3::Bucket": Kind(
        "BucketName",
        _found("s3", "head_bucket", "Bucket"),
        "an earlier deployment kept it. To keep it, import it into the stack. To drop it, copy what you need (`aws s3 sync`), empty it in "
        "the console with all versions, and delete it,",
        ("npx cdk import {stack}", "aws s3api delete-bucket --bucket {name}"),
    ),
    "AWS::IAM::Role": Kind(
        "RoleName",
        _found("iam", "get_role", "RoleName"),
        "detach its policies in the console, and delete it,",
        ("aws iam delete-role --role-name {name}",),
    ),
    "AWS::KMS::Alias": Kind(
        "AliasName",
        _listed("kms", "list_aliases", "Aliases", "AliasName"),
        "the key stays, and what it encrypted stays readable; delete the alias,",
        ("aws kms delete-alias --alias-name {name}",),
    ),
    "AWS::SageMaker::ModelPackageGroup": Kind(
        "ModelPackageGroupName",
        _found("sagemaker", "describe_model_package_group", "ModelPackageGroupName"),
        "the registry of an earlier deployment. To keep its versions, import it (the CLI asks for each resource: give the "
        "group's ARN, leave the others empty). To drop them, delete them in the console and then the group. Take one way,",
        ("npx cdk import {stack}", "aws sagemaker delete-model-package-group --model-package-group-name {name}"),
    ),
    "AWS::CodeCommit::Repository": Kind(
        "RepositoryName",
        _found("codecommit", "get_repository", "repositoryName"),
        "the repository of an earlier deployment. Your clone has its history (compare with `git ls-remote`); delete it,",
        ("aws codecommit delete-repository --repository-name {name}",),
    ),
    "AWS::Logs::LogGroup": Kind(
        "LogGroupName",
        _listed("logs", "describe_log_groups", "logGroups", "logGroupName", logGroupNamePrefix="{name}"),
        "SageMaker or an earlier deployment made it. Export what you need, then delete it,",
        ("aws logs delete-log-group --log-group-name {name}",),
    ),
    "AWS::SageMaker::Endpoint": Kind(
        "EndpointName",
        _found("sagemaker", "describe_endpoint", "EndpointName"),
        "somebody's endpoint, which serves. Once nobody calls it, delete it,",
        ("aws sagemaker delete-endpoint --endpoint-name {name}",),
    ),
    "AWS::CodeBuild::Project": Kind("Name", _project, "delete it,", ("aws codebuild delete-project --name {name}",)),
    "AWS::CodePipeline::Pipeline": Kind(
        "Name", _found("codepipeline", "get_pipeline", "name"), "delete it,", ("aws codepipeline delete-pipeline --name {name}",)
    ),
    "AWS::Lambda::Function": Kind(
        "FunctionName",
        _found("lambda", "get_function_configuration", "FunctionName"),
        "delete it,",
        ("aws lambda delete-function --function-name {name}",),
    ),
    "AWS::Events::Rule": Kind(
        "Name",
        _found("events", "describe_rule", "Name"),
        "delete it,",
        ("aws events delete-rule --name {name}",),
        Within("EventBusName", "--event-bus-name", "{within}|{name}"),
    ),
    "AWS::Scheduler::Schedule": Kind(
        "Name",
        _found("scheduler", "get_schedule", "Name"),
        "delete it,",
        ("aws scheduler delete-schedule --name {name}",),
        Within("GroupName", "--group-name"),
    ),
    "AWS::CloudWatch::Alarm": Kind("AlarmName", _alarm, "delete it,", ("aws cloudwatch delete-alarms --alarm-names {name}",)),
    "AWS::DynamoDB::Table": Kind(
        "TableName",
        _found("dynamodb", "describe_table", "TableName"),
        "an earlier deployment kept it. To keep its items, import it into the stack. To drop them, delete it,",
        ("npx cdk import {stack}", "aws dynamodb delete-table --table-name {name}"),
    ),
    "AWS::ECR::Repository": Kind(
        "RepositoryName",
        lambda account, name: account.find("ecr", "describe_repositories", repositoryNames=[name]) is not None,
        "an earlier deployment kept it. To keep its images, import it into the stack. To drop them, delete it,",
        ("npx cdk import {stack}", "aws ecr delete-repository --repository-name {name} --force"),
    ),
    "AWS::SageMaker::Pipeline": Kind(
        "PipelineName",
        _found("sagemaker", "describe_pipeline", "PipelineName"),
        "delete it,",
        ("aws sagemaker delete-pipeline --pipeline-name {name}",),
    ),
    "AWS::SecretsManager::Secret": Kind(  # one that is scheduled for deletion is described, too, and in the way
        "Name",
        _found("secretsmanager", "describe_secret", "SecretId"),
        "delete it at once, without the days in which it could be restored,",
        ("aws secretsmanager delete-secret --secret-id {name} --force-delete-without-recovery",),
    ),
    "AWS::SNS::Topic": Kind("TopicName", _topic, "delete it in the console,"),
    "AWS::SQS::Queue": Kind("QueueName", _found("sqs", "get_queue_url", "QueueName"), "delete it in the console,"),
    "AWS::SSM::Parameter": Kind("Name", _found("ssm", "get_parameter", "Name"), "delete it,", ("aws ssm delete-parameter --name {name}",)),
    "AWS::CloudWatch::Dashboard": Kind(
        "DashboardName",
        _found("cloudwatch", "get_dashboard", "DashboardName"),
        "delete it,",
        ("aws cloudwatch delete-dashboards --dashboard-names {name}",),
    ),
}
#: Named in the templates, but within a resource of the same stack: they cannot be there without it.
WITHIN_ANOTHER = ("AWS::ApplicationAutoScaling::ScalingPolicy", "AWS::IAM::Policy")


#: How a property ends that names its resource.
_ENDINGS = re.compile(r"(Name|Identifier|Id)$")


def check_names(situation: Situation) -> Iterator[Finding]:
    """A line for each name in the way, and one for the rest."""
    free = own = 0
    blind: dict[str, NotSeenError] = {}
    others = {f"{kind} {name}" for stack in situation.stacks for kind, name in _not_known(situation, stack)}
    for stack in situation.stacks:
        ours = resources_of(situation, stack)
        for item in named(situation, stack):
            if item.logical_id in ours:
                own += 1
                continue
            if item.within is None:
                others.add(f"{item.kind} {item.name}")
                continue
            try:
                if KINDS[item.kind].exists(situation.account, item.name, **item.where):
                    yield _in_the_way(situation, stack, item)
                else:
                    free += 1
            except NotSeenError as error:
                blind.setdefault(error.reason, error)
    for reason in blind.values():
        yield not_seen("names", reason)
    if others:
        shown = ", ".join(sorted(others)[:_SHOWN]) + (f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else "")
        yield unseen("names", f"not looked for: {shown}", "look in the console whether these exist")
    yield passed(
        "names", f"{free} are free, {own} are the deployed stacks' own; all others CloudFormation chooses, or only a deployment knows"
    )


def named(situation: Situation, stack: Stack) -> Iterator[Named]:
    """What a template names of the types in `KINDS`."""
    place = _place(situation, stack)
    for kind, entry in KINDS.items():
        for logical_id, properties in stack.resources(kind).items():
            if name := place.text(properties.get(entry.property)):
                yield Named(kind, logical_id, name, _within(stack, place, entry.within, properties))


def _place(situation: Situation, stack: Stack) -> Place:
    return situation.place.knowing({"AWS::StackName": stack.name})


def _within(stack: Stack, place: Place, within: Within | None, properties: Mapping[str, Any]) -> str | None:
    """Of a bus or group of the same template its name there; one that CloudFormation names is known only once it is deployed."""
    given = properties.get(within.property) if within else None
    if within is None or given is None:
        return ""
    (reference, *_) = given.values() if isinstance(given, Mapping) else [None]
    logical_id = reference[0] if isinstance(reference, list) else reference
    container = stack.resources().get(logical_id.partition(".")[0], {}) if isinstance(logical_id, str) else {}
    name = place.text(container.get("Name")) if container else place.text(given)
    return "" if name == within.default else name


def _not_known(situation: Situation, stack: Stack) -> Iterator[tuple[str, str]]:
    """Type and name of what a template names and `KINDS` does not have."""
    place = _place(situation, stack)
    for resource in stack.template.get("Resources", {}).values():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind.startswith("AWS::") and kind not in (*KINDS, *WITHIN_ANOTHER):
            for key, value in properties.items():
                if _names_itself(kind, key) and (name := place.text(value)):
                    yield kind, name


def _names_itself(kind: str, key: str) -> bool:
    """Whether a property names its own resource, and not one that it refers to, as CloudFormation's types spell them.

    `Name`; or before Name, Identifier or Id the type or its last words, with or without the service's: DBInstance.DBInstanceIdentifier,
    SecurityGroup.GroupName, SubnetGroup.CacheSubnetGroupName. By the registry's schemas (primaryIdentifier) most types do;
    a few choose a word of their own (KeyPair.KeyName).
    """
    own = kind.lower().replace("::", "")
    stem, count = _ENDINGS.subn("", key)
    return key == "Name" or bool(count and stem and own.endswith((key.lower(), stem.lower())))


def _in_the_way(situation: Situation, stack: Stack, item: Named) -> Finding:
    entry, words, name = KINDS[item.kind], situation.app.words, item.name
    what = item.kind.rsplit("::", 1)[-1]
    advice, templates = words.kept.get(item.kind, (entry.advice, entry.commands))
    identifier, there, option = name, "", ""
    if entry.within and item.within:
        identifier = entry.within.identifier.format(name=name, within=item.within)
        there, option = f" ({entry.within.property} {item.within})", f" {entry.within.option} {item.within}"
    try:
        owner = situation.account.find("cloudformation", "describe_stack_resources", PhysicalResourceId=identifier)
    except NotSeenError:
        owner = None
    if owner and owner["StackResources"]:
        of = owner["StackResources"][0]["StackName"]
        return failed(
            "names",
            f"{what} {name}{there} belongs to stack {of}",
            f"another deployment has this name: delete that stack, or {words.rename}",
        )
    commands = [command.format(name=name, stack=stack.name) + option for command in templates]
    return failed("names", f"{what} {name}{there} exists, and is not of stack {stack.name}", f"{advice} or {words.rename}", *commands)
