"""One account, several projects and models: nothing of one reaches what another has, whatever its request says and whatever it is called.

A wildcard after a name covers every name that begins so. What another one's roles are granted is what must be out of reach: each of these
ARNs, with the other's tags, is asked for with each of our statements, whose other conditions are met; the local account's engine decides.
Rules must not match its events, alarms not watch its metrics.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from infra.serving.serving_stack import MADE_FOR
from local_account.authorization import policies
from local_account.authorization.actions import action
from local_account.authorization.evaluation import decide
from local_account.authorization.principals import Principal
from local_account.authorization.requests import Check
from tests.example_models import ABALONE, ARRESTS, PROJECT
from tests.infra.acceptances import STAR_RESOURCES
from tests.infra.cases import named
from tests.infra.conftest import resources_of
from tests.infra.grants import Role, Statement, Templates, matches, roles, text

ACCOUNT, REGION = "111122223333", "us-east-1"
OTHERS = (f"{PROJECT.name}-x", f"{PROJECT.name}2")
MODELS = ("abalone", "abalone-large", "arrests", "arrests-large", "tried")
_SAGEMAKER = r"(TrainingRole|InferenceRole|MonitoringRole|SizingRole)"
#: What is within reach all the same: (role, action, resource), patterns -> the reason.
SHARED = {
    (_SAGEMAKER, r"logs:.*", r".*:log-group:/aws/sagemaker/(Processing|Training|Transform)Jobs.*"): (
        "SageMaker writes the logs of all jobs of an account into the same three groups"
    ),
    (r"SizingRole", r"logs:.*", r".*:log-group:/aws/sagemaker/InferenceRecommendationsJobs.*"): (
        "Inference Recommender writes the logs of all jobs of an account into one group"
    ),
    (_SAGEMAKER, r"ecr:.*", r"arn:aws:ecr:.*:repository/sagemaker-.*"): "AWS's images belong to AWS, and are read only",
    (r"RemoveUnused", r"sagemaker:ListTags", r".*:(model|endpoint-config)/.*"): "whose a model is, its tags say, and nothing else",
    (r"DeploymentRole", r"iam:CreateServiceLinkedRole", r".*:role/aws-service-role/.*"): "an account has one such role, which AWS defines",
}
#: The same between models of one project.
SHARED_BY_MODELS = {
    (r".*", r"kms:.*", r".*:key/.*"): "the project's key, and each environment's",
    (r".*", r"sqs:SendMessage", r".*DeadLetters.*"): "an environment's dead letters",
    (r"DeployPipelineRole", r"sns:Publish", r".*Alerts.*"): "an approval is asked for where every alarm speaks",
    (r"StartRetraining", r"sns:Publish", r".*Alerts.*"): "what is missing to learn from is told where every alarm speaks",
    (r"VerifyRole", r"codepipeline:ListPipelineExecutions", r".*--build"): "which commits a version brings, all models' builds know",
    (r"StartDeployment", r"sns:Publish", r".*Alerts.*"): "that production goes back, or cannot, is told where every alarm speaks",
    (r"ExperimentFunctionRole", r"sns:Publish", r".*Alerts.*"): "that an experiment has ended is told where every alarm speaks",
    (r"MonitoringRole", r"sns:Publish", r".*Alerts.*"): "what the watch has found is told where every alarm of the environment speaks",
    (
        r".*",
        r"s3:(GetBucket\w+|ListBucket\w*)",
        r"arn:aws:s3:::[^/]*",
    ): "where a bucket is; what is listed, the prefix in the condition says",
    (
        r"(TrainingRole|RenderRole|StartDeployment|MonitoringRole)",
        r"s3:GetObject",
        r".*/code/.*",
    ): "published code and templates are of one repository",
    (r"(Deploy|Return)PipelineRole", r"codecommit:.*", r".*:shop"): "one repository for all models",
    (r"(StartDeployment|StartRetraining)", r"codepipeline:.*", r".*:shop--build"): "one build for all models",
}


@dataclass(frozen=True)
class Neighbour:
    """Another project, or another model of ours: what it has, its tags and its key's alias, which no request chooses."""

    name: str
    arns: list[str]
    tags: dict[str, str]
    key_alias: str = PROJECT.names.key_alias


@pytest.fixture(scope="module")
def own(templates: Templates) -> dict[str, Role]:
    return roles(templates)


@pytest.fixture(scope="module", params=OTHERS)
def other(request: pytest.FixtureRequest, variant: Any) -> Neighbour:
    """Another project with models of the same names."""
    project = PROJECT.but(name=str(request.param))
    found = {arn for role in roles(variant(project=project, models=named(ABALONE, ARRESTS))).values() for arn in reached_by(role)}
    # Its models are called like ours, so that only the project's name and tag can tell.
    tags = {**ABALONE.names(project).at("live").tags, MADE_FOR: f"{project.name}--abalone--live"}
    return Neighbour(project.name, sorted(found), tags, project.names.key_alias)


def of_model(own: Mapping[str, Role], name: str) -> dict[str, Role]:
    return {where: role for where, role in own.items() if role.owner == name}


def neighbour(own: Mapping[str, Role], name: str) -> Neighbour:
    """A model of ours, as the others must see it."""
    names = (ABALONE if name.startswith("abalone") else ARRESTS).but(name=name).names(PROJECT).at("live")
    found = {arn for role in of_model(own, name).values() for arn in reached_by(role)}
    return Neighbour(name, sorted(found), {**names.tags, MADE_FOR: names.stack})


def reached_by(role: Role) -> Iterator[str]:
    for statement in role.statements:
        if not set(statement.actions) <= set(STAR_RESOURCES):
            yield from (existing(pattern) for pattern in statement.resources)


def existing(pattern: str) -> str:
    """A resource as a pattern covers it."""
    return pattern.replace("<", "").replace(">", "").replace("*", "abc123")


def reaches(own: Mapping[str, Role], there: Neighbour) -> Iterator[tuple[str, str, str]]:
    """Role, action and ARN of whatever is allowed."""
    given = {f"aws:resourcetag/{key.lower()}": value for key, value in there.tags.items()}
    given["kms:resourcealiases"] = there.key_alias
    for role in own.values():
        for statement in role.statements:
            principal, keys = alone(statement), {**context(statement), **given}
            near = [arn for arn in there.arns if any(matches(existing_prefix(pattern), arn) for pattern in statement.resources)]
            for name in sorted(set(named_actions(statement)) - set(STAR_RESOURCES)):
                for arn in near:
                    if decide(principal, Check(name, arn, keys), REGION).allowed:
                        yield role.name, name, arn


def alone(statement: Statement) -> Principal:
    """A role that has this statement only."""
    resources = [existing_prefix(pattern) for pattern in statement.resources]
    item = {"Effect": "Allow", "Action": statement.actions, "Resource": resources, "Condition": statement.condition}
    document = json.dumps({"Statement": [item]})
    return Principal(f"arn:aws:iam::{ACCOUNT}:role/ours", "AssumedRole", ACCOUNT, (policies.policy("p", document),))


def existing_prefix(pattern: str) -> str:
    return pattern.replace("<", "").replace(">", "")


def context(statement: Statement) -> dict[str, Any]:
    """Context keys by which a statement's conditions hold, as far as a request can choose them."""
    keys: dict[str, Any] = {}
    for operator, wanted in statement.condition.items():
        for key, value in wanted.items():
            if operator == "Null":
                if value == "false":
                    keys[key.lower()] = "anything"
            else:
                first = value[0] if isinstance(value, list) else value
                keys[key.lower()] = str(first).replace("*", "abc")
    return keys


def named_actions(statement: Statement) -> Iterator[str]:
    """Actions with their wildcards filled: those of CDK's grants end with one."""
    for pattern in statement.actions:
        if "*" not in pattern:
            yield pattern
            continue
        prefix = pattern.partition(":")[0]
        for verb in EXPANDED[pattern]:
            yield action(prefix, verb).name


#: The wildcards of actions in our templates, with an action of each that reads and one that changes, where there are both.
EXPANDED = {
    "kms:GenerateDataKey*": ["GenerateDataKey"],
    "kms:ReEncrypt*": ["ReEncryptFrom", "ReEncryptTo"],
    "cloudformation:DescribeStack*": ["DescribeStacks", "DescribeStackResources"],
    "cloudformation:GetTemplate*": ["GetTemplate"],
}


def is_shared(role: str, name: str, arn: str, shared: Mapping[tuple[str, str, str], str]) -> bool:
    return any(re.search(a, role) and re.fullmatch(b, name) and re.fullmatch(c, arn) for a, b, c in shared)


def test_no_role_reaches_what_another_project_has(own: dict[str, Role], other: Neighbour) -> None:
    assert len(other.arns) > 50
    found = [reached for reached in reaches(own, other) if not is_shared(*reached, SHARED)]
    assert found == [], "\n".join(" ".join(reached) for reached in found)


@pytest.mark.parametrize("theirs", MODELS)
@pytest.mark.parametrize("ours", MODELS)
def test_no_role_of_a_model_reaches_what_another_model_has(own: dict[str, Role], ours: str, theirs: str) -> None:
    if ours == theirs:
        return
    there, shared = neighbour(own, theirs), {**SHARED, **SHARED_BY_MODELS}
    assert len(there.arns) > 30
    found = [reached for reached in reaches(of_model(own, ours), there) if not is_shared(*reached, shared)]
    assert found == [], "\n".join(" ".join(reached) for reached in found)


def test_every_role_of_a_model_is_marked_as_its_own(own: dict[str, Role], templates: Templates) -> None:
    """Or the test above would not look at it: what is left is the project's and the environments'."""
    unowned = {role.stack for role in own.values() if not role.owner}
    assert unowned <= {"shop--foundation", "shop--build", "shop--environment--try", "shop--environment--live"}
    assert {role.owner for role in own.values()} == {"", *MODELS}


def test_what_is_shared_is_within_reach(own: dict[str, Role], other: Neighbour) -> None:
    """An exception that nothing needs any more must go."""
    assert unneeded(SHARED, list(reaches(own, other))) == []
    pairs = (("abalone-large", "abalone"), ("arrests-large", "arrests"), ("tried", "abalone"))
    among = [reached for ours, theirs in pairs for reached in reaches(of_model(own, ours), neighbour(own, theirs))]
    assert unneeded(SHARED_BY_MODELS, among) == []


def unneeded(shared: Mapping[tuple[str, str, str], str], found: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    return [
        key for key in shared if not any(re.search(key[0], r) and re.fullmatch(key[1], a) and re.fullmatch(key[2], x) for r, a, x in found)
    ]


@pytest.mark.parametrize("model", MODELS)
def test_a_role_reaches_what_is_its_own(own: dict[str, Role], model: str) -> None:
    """Or the tests above could not fail: the same ARNs of our own model, with our own tags, are within reach."""
    for environment in ("try", "live"):
        names = ABALONE.but(name=model).names(PROJECT).at(environment)
        reaching = {
            where: role
            for where, role in of_model(own, model).items()
            if not role.stack.endswith({"try": "live", "live": "try"}[environment])
        }
        there = Neighbour(
            model, sorted({arn for role in reaching.values() for arn in reached_by(role)}), {**names.tags, MADE_FOR: names.stack}
        )
        assert set(there.arns) - {arn for _, _, arn in reaches(reaching, there)} == set()


def test_a_wildcard_after_our_name_would_be_seen(other: Neighbour) -> None:
    careless = Statement(["sagemaker:StopProcessingJob"], [f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/{PROJECT.name}*"])
    role = Role("Careless", "foundation", "sagemaker.amazonaws.com", [careless])
    assert {name for _, name, _ in reaches({"careless": role}, other)} == {"sagemaker:StopProcessingJob"}


def events_of(project: str, model: str, data_bucket: str, live_bucket: str) -> dict[str, dict[str, Any]]:
    """What happens to a model, as EventBridge tells it."""

    def event(source: str, kind: str, **detail: Any) -> dict[str, Any]:
        return {"source": source, "detail-type": kind, "account": ACCOUNT, "detail": detail}

    own, package = f"{project}--{model}", {"ModelApprovalStatus": "Approved", "UpdatedModelPackageFields": ["ModelApprovalStatus"]}
    stack = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{own}/an-id"
    marker = {"bucket": {"name": data_bucket}, "object": {"key": f"training/{model}/_SUCCESS"}}
    rows = {"bucket": {"name": live_bucket}, "object": {"key": f"batch/{model}/monday/_SUCCESS"}}
    failed = {"TransformJobName": f"{own}--live--abcdefghi", "TransformJobStatus": "Failed"}
    succeeded = {"pipeline": f"{own}--deploy", "state": "SUCCEEDED"}
    returned = {"pipeline": f"{own}--return", "state": "FAILED"}
    created = {"stack-id": stack, "status-details": {"status": "CREATE_COMPLETE"}}
    return {
        "data": event("aws.s3", "Object Created", **marker),
        "rows": event("aws.s3", "Object Created", **rows),
        "drift": event("aws.cloudwatch", "CloudWatch Alarm State Change", alarmName=f"{own}--live--drift", state={"value": "ALARM"}),
        "approval": event("aws.sagemaker", "SageMaker Model Package State Change", ModelPackageGroupName=own, **package),
        "job": event("aws.sagemaker", "SageMaker Transform Job State Change", **failed),
        "released": event("aws.codepipeline", "CodePipeline Pipeline Execution State Change", **succeeded),
        "returned": event("aws.codepipeline", "CodePipeline Pipeline Execution State Change", **returned),
        "created": event("aws.cloudformation", "CloudFormation Stack Status Change", **created),
    }


def holds(pattern: Any, value: Any) -> bool:
    """EventBridge's rules, as far as ours use them. Source: "Operators for use in event patterns" of its user guide."""
    if isinstance(pattern, dict):
        parts = {name: item for name, item in pattern.items() if name != "$or"}
        alternatives = pattern.get("$or")
        within = value if isinstance(value, dict) else {}
        return all(holds(item, within.get(name)) for name, item in parts.items()) and (
            not alternatives or any(holds(each, value) for each in alternatives)
        )
    values = value if isinstance(value, list) else [value]
    return any(_is(wanted, each) for wanted in pattern for each in values)


def _is(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(wanted == value)
    ((operator, argument),) = wanted.items()
    if operator == "exists":
        return bool((value is not None) is argument)
    if value is None:
        return False
    return matches(argument, value) if operator == "wildcard" else operator == "prefix" and value.startswith(argument)


def written_out(value: Any, stack: str, templates: Templates) -> Any:
    if isinstance(value, list):
        return [written_out(item, stack, templates) for item in value]
    if isinstance(value, dict) and not any(name.startswith(("Fn::", "Ref")) for name in value):
        return {name: written_out(item, stack, templates) for name, item in value.items()}
    return text(value, stack, templates) if isinstance(value, dict) else value


@pytest.fixture(scope="module")
def rules(templates: Templates) -> dict[str, dict[str, Any]]:
    """Event patterns by `<stack>/<logical id>`."""
    found = resources_of(templates, "AWS::Events::Rule")
    return {name: written_out(rule["EventPattern"], name.split("/")[0], templates) for name, rule in found.items()}


def stacks_woken(rules: Mapping[str, Any], event: dict[str, Any]) -> set[str]:
    return {name.split("/")[0] for name, pattern in rules.items() if holds(pattern, event)}


def buckets(project: str) -> tuple[str, str]:
    return f"{project}--data-{ACCOUNT}-{REGION}", f"{project}--live-{ACCOUNT}-{REGION}"


@pytest.mark.parametrize("model", MODELS)
def test_what_happens_to_a_model_wakes_its_own_stacks_only(rules: dict[str, Any], model: str) -> None:
    """And does wake them, or this could not fail."""
    serving = {"rows": f"shop--{model}--live", "job": f"shop--{model}--live"}
    left_out = () if model.startswith("arrests") else ("rows", "job")  # of batch models
    for what, event in events_of("shop", model, *buckets("shop")).items():
        expected = set() if what in left_out else {serving.get(what, f"shop--{model}")}
        assert stacks_woken(rules, event) == expected, what


@pytest.mark.parametrize("project", OTHERS)
@pytest.mark.parametrize("model", MODELS)
def test_what_happens_in_another_project_wakes_nothing(rules: dict[str, Any], project: str, model: str) -> None:
    for what, event in events_of(project, model, *buckets(project)).items():
        assert stacks_woken(rules, event) == set(), what


def test_an_alarm_watches_the_metrics_of_one_model_only(templates: Templates) -> None:
    """By its dimensions and namespace, which CloudWatch compares as they are."""
    watched: dict[tuple[str, ...], set[str]] = {}
    for where, alarm in resources_of(templates, "AWS::CloudWatch::Alarm").items():
        stack = where.split("/")[0]
        own = [f"{item['Name']}={text(item['Value'], stack, templates)}" for item in alarm["Dimensions"]]
        watched.setdefault((alarm["Namespace"], alarm["MetricName"], *sorted(own)), set()).add(stack)
    assert {stack for stacks in watched.values() for stack in stacks} >= {f"shop--{model}" for model in MODELS}
    assert [key for key, stacks in watched.items() if len(stacks) > 1] == []
    assert [key for key in watched if not any(part.partition("=")[2].startswith(("shop--", "<shop--")) for part in key)] == []
