"""An AWS account of hand-made answers, and templates for it. Requests and answers are held to botocore's own models."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
from botocore.validate import ParamValidator

from preflight.account import Account
from preflight.application import App
from preflight.assembly import Stack
from preflight.finding import Finding
from preflight.situation import Check, Situation

REGION, ACCOUNT = "eu-west-1", "111122223333"
IDENTITY = {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/ada", "UserId": "AIDAEXAMPLE"}
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:3.2-0"


_SESSION = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)


class Refused:
    """An answer that is an error of the service."""

    def __init__(self, code: str, message: str = "no", status: int = 400) -> None:
        self.parsed = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
        self.status = status


def denied(action: str) -> Refused:
    return Refused("AccessDeniedException", f"{IDENTITY['Arn']} is not authorized to perform: {action}", 403)


#: What an account answers that has nothing, and is asked for what it has not got.
NOTHING = {
    "sts:GetCallerIdentity": IDENTITY,
    "ssm:GetParameter": Refused("ParameterNotFound"),
    "iam:GetRole": Refused("NoSuchEntity", status=404),
    "s3:HeadBucket": Refused("404", status=404),
    "cloudformation:DescribeStacks": Refused("ValidationError", "Stack with id mlops does not exist"),
    "cloudformation:DescribeStackResources": Refused("ValidationError", "Stack for mlops does not exist"),
    "cloudformation:ListStackResources": {"StackResourceSummaries": []},
    "cloudwatch:DescribeAlarms": {"MetricAlarms": []},
    "cloudwatch:GetDashboard": Refused("ResourceNotFound", status=404),
    "codebuild:BatchGetProjects": {"projects": []},
    "codecommit:ListRepositories": {"repositories": []},
    "codecommit:GetRepository": Refused("RepositoryDoesNotExistException"),
    "codepipeline:GetPipeline": Refused("PipelineNotFoundException"),
    "kms:ListAliases": {"Aliases": []},
    "lambda:GetFunctionConfiguration": Refused("ResourceNotFoundException", status=404),
    "events:DescribeRule": Refused("ResourceNotFoundException"),
    "scheduler:GetSchedule": Refused("ResourceNotFoundException", status=404),
    "logs:DescribeLogGroups": {"logGroups": []},
    "sagemaker:ListEndpoints": {"Endpoints": []},
    "sagemaker:DescribeEndpoint": Refused("ValidationException", "Could not find endpoint"),
    "sagemaker:DescribeModelPackageGroup": Refused("ValidationException", "ModelPackageGroup does not exist."),
    "service-quotas:ListServiceQuotas": {"Quotas": []},
    "service-quotas:ListAWSDefaultServiceQuotas": {"Quotas": []},
    "service-quotas:ListRequestedServiceQuotaChangeHistoryByQuota": {"RequestedQuotas": []},
    "pricing:GetProducts": {"PriceList": []},
    "ecr:BatchGetImage": {"images": [], "failures": []},
    "ec2:DescribeVpcs": {"Vpcs": []},
    "dynamodb:DescribeTable": Refused("ResourceNotFoundException"),
    "ecr:DescribeRepositories": Refused("RepositoryNotFoundException"),
    "iam:SimulatePrincipalPolicy": {"EvaluationResults": []},
    "sagemaker:DescribePipeline": Refused("ResourceNotFound"),
    "secretsmanager:DescribeSecret": Refused("ResourceNotFoundException"),
    "sns:ListTopics": {"Topics": []},
    "sqs:GetQueueUrl": Refused("AWS.SimpleQueueService.NonExistentQueue"),
}


class Aws:
    """`answers` by `service:Operation`, beside NOTHING; a function gets the request's members. `calls` are what was asked."""

    _clients: ClassVar[dict[tuple[str, str], Any]] = {}
    _asked: ClassVar[Aws]

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        self.answers: dict[str, Any] = {**NOTHING, **(answers or {})}
        self.calls: list[str] = []

    def account(self) -> Account:
        return Account(REGION, self.client)

    def client(self, service: str, region: str) -> Any:
        Aws._asked = self  # a client takes long to make, so that tests share them
        if (service, region) not in self._clients:
            client = _SESSION.client(service, region_name=region)
            client.meta.events.register("before-parameter-build.*.*", _remember)
            client.meta.events.register("before-call.*.*", lambda model, context, **_: Aws._asked._answer(service, model, context))
            self._clients[service, region] = client
        return self._clients[service, region]

    def _answer(self, service: str, model: Any, context: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        name = f"{service}:{model.name}"
        self.calls.append(name)
        answer = self.answers[name]
        answer = answer(context["asked"]) if callable(answer) else answer
        if isinstance(answer, Refused):
            return SimpleNamespace(status_code=answer.status), answer.parsed
        problems = ParamValidator().validate(answer, model.output_shape)
        assert not problems.has_errors(), problems.generate_report()
        return SimpleNamespace(status_code=200), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}


def _remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["asked"] = dict(params)


def quota(name: str, value: float, *, code: str = "L-1", service: str = "sagemaker", adjustable: bool = True) -> dict[str, Any]:
    return {"QuotaName": name, "Value": value, "QuotaCode": code, "ServiceCode": service, "Adjustable": adjustable}


def quotas(*found: Mapping[str, Any]) -> Any:
    """The answer of ListServiceQuotas, and of the defaults."""
    return lambda asked: {"Quotas": [item for item in found if item["ServiceCode"] == asked["ServiceCode"]]}


def product(instance_type: str, usd: float) -> str:
    """One line of the Price List, as GetProducts answers them."""
    price = {"pricePerUnit": {"USD": f"{usd:.10f}"}, "unit": "Hrs"}
    terms = {"OnDemand": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.RATE": price}}}}
    return json.dumps({"product": {"attributes": {"instanceName": instance_type, "regionCode": REGION}}, "terms": terms})


def stack(name: str, resources: Mapping[str, Any] | None = None, **options: Any) -> Stack:
    """`resources`: logical id -> (type, properties)."""
    made = {logical_id: {"Type": kind, "Properties": properties} for logical_id, (kind, properties) in (resources or {}).items()}
    return Stack(name, {"Resources": made}, **options)


def deployed(*resources: tuple[str, str], status: str = "CREATE_COMPLETE") -> dict[str, Any]:
    """Answers about a stack that has these resources (logical id, physical id)."""
    when = "2026-11-27T00:00:00Z"
    summaries = [
        {"LogicalResourceId": logical, "PhysicalResourceId": physical, "ResourceStatus": "CREATE_COMPLETE", "ResourceType": "AWS::X::Y"}
        | {"LastUpdatedTimestamp": when}
        for logical, physical in resources
    ]
    return {
        "cloudformation:DescribeStacks": {"Stacks": [{"StackName": "mlops", "StackStatus": status, "CreationTime": when}]},
        "cloudformation:ListStackResources": {"StackResourceSummaries": summaries},
    }


def endpoint(
    name: str = "fish", instance_type: str = "ml.m5.large", count: int = 1, scaling: tuple[int, int] | None = None, **deployment: Any
) -> dict[str, Any]:
    """Resources of an endpoint as a template has them. `scaling`: the lowest and the highest capacity; by day up to 2 more."""
    variant = {"VariantName": "v", "InstanceType": instance_type, "InitialInstanceCount": count}
    made: dict[str, Any] = {
        f"{name}Config": ("AWS::SageMaker::EndpointConfig", {"ProductionVariants": [variant]}),
        name: (
            "AWS::SageMaker::Endpoint",
            {
                "EndpointName": name,
                "EndpointConfigName": {"Fn::GetAtt": [f"{name}Config", "EndpointConfigName"]},
                "DeploymentConfig": deployment,
            },
        ),
    }
    if scaling:
        by_day = {"ScalableTargetAction": {"MinCapacity": scaling[0] + 1, "MaxCapacity": scaling[1] + 2}}
        target = {"ServiceNamespace": "sagemaker", "ResourceId": f"endpoint/{name}/variant/v", "ScheduledActions": [by_day]}
        bounds = {"MinCapacity": scaling[0], "MaxCapacity": scaling[1], "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
        made[f"{name}Scaling"] = ("AWS::ApplicationAutoScaling::ScalableTarget", {**target, **bounds})
    return made


def situation(
    aws: Aws | None = None,
    *,
    stacks: Sequence[Stack] = (),
    everywhere: Sequence[Stack] | None = None,
    trusted: str | None = None,
    arn: str = IDENTITY["Arn"],
    **known: Any,
) -> Situation:
    """`known`: fields of the App."""
    return Situation(
        app=App(name="fish", sites=lambda _: [], **known),
        account=(aws or Aws()).account(),
        identity={**IDENTITY, "Arn": arn},
        stacks=stacks,
        everywhere=stacks if everywhere is None else everywhere,
        trusted=trusted,
        is_own=trusted is None,
    )


def found(check: Check, given: Situation) -> list[Finding]:
    """The check's findings; what it cannot see is raised."""
    return list(check(given))


def only(check: Check, given: Situation) -> Finding:
    (finding,) = found(check, given)
    return finding


def signs(findings: Sequence[Finding]) -> str:
    return "".join(finding.sign for finding in findings)


def says(finding: Finding) -> str:
    """All that a person reads of it."""
    return " ".join([finding.what, finding.found, finding.advice, *finding.commands])
