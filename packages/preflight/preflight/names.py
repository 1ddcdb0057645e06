"""Names that the templates give, and that somebody else or an earlier, retained deployment has already.

CloudFormation refuses to create what exists. A name is the stack's own if the stack lists it; everything else in the templates is named by
CloudFormation and cannot clash. Types with a name: `KINDS`; a test holds it to the templates. Next: `leftovers.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from preflight.account import Account
from preflight.assembly import Stack
from preflight.finding import Finding, NotSeenError, failed, not_seen, passed, unseen
from preflight.situation import Situation
from preflight.stack_states import resources_of

#: How many of the types without an entry are named in one line.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """How a type is named and found, and what to do about one that is in the way. Commands have `{name}` and `{stack}`."""

    property: str
    exists: Callable[[Account, str], bool]
    advice: str
    commands: tuple[str, ...] = ()


def _found(service: str, operation: str, parameter: str) -> Callable[[Account, str], bool]:
    return lambda account, name: account.find(service, operation, **{parameter: name}) is not None


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
    "AWS::Events::Rule": Kind("Name", _found("events", "describe_rule", "Name"), "delete it,", ("aws events delete-rule --name {name}",)),
    "AWS::Scheduler::Schedule": Kind(
        "Name", _found("scheduler", "get_schedule", "Name"), "delete it,", ("aws scheduler delete-schedule --name {name}",)
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


def check_names(situation: Situation) -> Iterator[Finding]:
    """A line for each name in the way, and one for the rest."""
    free = own = 0
    blind: dict[str, NotSeenError] = {}
    for stack in situation.stacks:
        ours = resources_of(situation, stack)
        for kind, logical_id, name in named(situation, stack):
            if logical_id in ours:
                own += 1
                continue
            try:
                if KINDS[kind].exists(situation.account, name):
                    yield _in_the_way(situation, stack, kind, name)
                else:
                    free += 1
            except NotSeenError as error:
                blind.setdefault(error.reason, error)
    for reason in blind.values():
        yield not_seen("names", reason)
    if others := sorted({f"{kind} {name}" for stack in situation.stacks for kind, name in _not_known(situation, stack)}):
        shown = ", ".join(others[:_SHOWN]) + (f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else "")
        yield unseen("names", f"not looked for: {shown}", "look in the console whether these exist")
    yield passed("names", f"{free} are free, {own} are the deployed stacks' own; CloudFormation chooses all others")


def named(situation: Situation, stack: Stack) -> Iterator[tuple[str, str, str]]:
    """Type, logical id and name of what a template names for the whole account."""
    for kind, entry in KINDS.items():
        for logical_id, properties in stack.resources(kind).items():
            if name := situation.place.text(properties.get(entry.property)):
                yield kind, logical_id, name


def _not_known(situation: Situation, stack: Stack) -> Iterator[tuple[str, str]]:
    """Type and name of what a template names, by a property `Name` or `<Resource>Name`, and `KINDS` does not have."""
    for resource in stack.template.get("Resources", {}).values():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind.startswith("AWS::") and kind not in (*KINDS, *WITHIN_ANOTHER):
            for key in ("Name", f"{kind.rsplit('::', 1)[-1]}Name"):
                if name := situation.place.text(properties.get(key)):
                    yield kind, name


def _in_the_way(situation: Situation, stack: Stack, kind: str, name: str) -> Finding:
    what, words = kind.rsplit("::", 1)[-1], situation.app.words
    advice, templates = words.kept.get(kind, (KINDS[kind].advice, KINDS[kind].commands))
    found = f"{what} {name} exists, and is not of stack {stack.name}"
    try:
        owner = situation.account.find("cloudformation", "describe_stack_resources", PhysicalResourceId=name)
    except NotSeenError:
        owner = None
    if owner and owner["StackResources"]:
        of = owner["StackResources"][0]["StackName"]
        return failed(
            "names", f"{what} {name} belongs to stack {of}", f"another deployment has this name: delete that stack, or {words.rename}"
        )
    commands = [command.format(name=name, stack=stack.name) for command in templates]
    return failed("names", found, f"{advice} or {words.rename}", *commands)
