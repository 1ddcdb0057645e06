"""The account, read only: every operation that preflight may call, with the permission it needs.

In: boto3 clients. Out: answers, or `NotSeenError` with the permission that is lacking. A check has no other way to AWS than `read`, and
`read` knows no operation that is not in `READS`, so nothing can be written. Next: the checks, `identity.py` first.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from preflight.errors import explain, is_missing
from preflight.finding import NotSeenError

#: (boto3 service, method) -> IAM action. Source of the actions: AWS's Service Authorization Reference; a test holds them to it.
READS: Mapping[tuple[str, str], str] = {
    ("cloudformation", "describe_stack_resources"): "cloudformation:DescribeStackResources",
    ("cloudformation", "describe_stacks"): "cloudformation:DescribeStacks",
    ("cloudformation", "list_stack_resources"): "cloudformation:ListStackResources",
    ("cloudwatch", "describe_alarms"): "cloudwatch:DescribeAlarms",
    ("cloudwatch", "get_dashboard"): "cloudwatch:GetDashboard",
    ("codebuild", "batch_get_projects"): "codebuild:BatchGetProjects",
    ("codecommit", "get_repository"): "codecommit:GetRepository",
    ("codecommit", "list_repositories"): "codecommit:ListRepositories",
    ("codeconnections", "get_connection"): "codeconnections:GetConnection",
    ("codepipeline", "get_pipeline"): "codepipeline:GetPipeline",
    ("ec2", "describe_availability_zones"): "ec2:DescribeAvailabilityZones",
    ("ec2", "describe_vpc_endpoint_services"): "ec2:DescribeVpcEndpointServices",
    ("ec2", "describe_vpc_endpoints"): "ec2:DescribeVpcEndpoints",
    ("ec2", "describe_vpcs"): "ec2:DescribeVpcs",
    ("ecr", "batch_get_image"): "ecr:BatchGetImage",
    ("ecr", "describe_repositories"): "ecr:DescribeRepositories",
    ("events", "describe_rule"): "events:DescribeRule",
    ("dynamodb", "describe_table"): "dynamodb:DescribeTable",
    ("iam", "get_role"): "iam:GetRole",
    ("iam", "simulate_principal_policy"): "iam:SimulatePrincipalPolicy",
    ("kms", "list_aliases"): "kms:ListAliases",
    ("lambda", "get_function_configuration"): "lambda:GetFunctionConfiguration",
    ("logs", "describe_log_groups"): "logs:DescribeLogGroups",
    ("pricing", "get_products"): "pricing:GetProducts",
    ("s3", "head_bucket"): "s3:ListBucket",
    ("sagemaker", "describe_endpoint"): "sagemaker:DescribeEndpoint",
    ("sagemaker", "describe_endpoint_config"): "sagemaker:DescribeEndpointConfig",
    ("sagemaker", "describe_model_package_group"): "sagemaker:DescribeModelPackageGroup",
    ("sagemaker", "describe_pipeline"): "sagemaker:DescribePipeline",
    ("sagemaker", "list_endpoints"): "sagemaker:ListEndpoints",
    ("scheduler", "get_schedule"): "scheduler:GetSchedule",
    ("secretsmanager", "describe_secret"): "secretsmanager:DescribeSecret",
    ("service-quotas", "list_aws_default_service_quotas"): "servicequotas:ListAWSDefaultServiceQuotas",
    ("service-quotas", "list_requested_service_quota_change_history_by_quota"): (
        "servicequotas:ListRequestedServiceQuotaChangeHistoryByQuota"
    ),
    ("service-quotas", "list_service_quotas"): "servicequotas:ListServiceQuotas",
    ("sns", "list_topics"): "sns:ListTopics",
    ("sqs", "get_queue_url"): "sqs:GetQueueUrl",
    ("ssm", "get_parameter"): "ssm:GetParameter",
    ("sts", "get_caller_identity"): "sts:GetCallerIdentity",
}
#: Where AWS answers for every region. Source: "Using the AWS Price List Query API", endpoints; IAM has one.
_ANSWERS_FOR_ALL = {"pricing": "us-east-1"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "UnauthorizedException", "403"}
_NOT_EMULATED = "NotImplemented"
_NAMES = {"service-quotas": "Service Quotas", "pricing": "Price List", "ecr": "ECR", "ec2": "EC2", "codeconnections": "CodeConnections"}
#: How a local account is reached, which asks nobody else.
_LOCAL = ("http://127.0.0.1:", "http://localhost:")

Client = Callable[[str, str], Any]


def local_address() -> str | None:
    """Where a local account answers, if the environment names one."""
    address = os.environ.get("AWS_ENDPOINT_URL", "")
    return address if address.startswith(_LOCAL) else None


class Account:
    """`region` is what is looked at. `client(service, region)` makes a boto3 client."""

    def __init__(self, region: str, client: Client) -> None:
        self.region = region
        self._client = client
        self._answers: dict[str, Any] = {}

    def read(self, service: str, operation: str, **request: Any) -> Any:
        """The answer. The same question is asked once. Raises NotSeenError; ClientError where there is no such thing."""
        return self._asked(service, operation, None, request)

    def read_all(self, service: str, operation: str, member: str, **request: Any) -> list[Any]:
        """`member` of every page."""
        items: list[Any] = self._asked(service, operation, member, request)
        return items

    def find(self, service: str, operation: str, **request: Any) -> Any:
        """None if there is no such thing."""
        try:
            return self.read(service, operation, **request)
        except ClientError as error:
            if is_missing(error):
                return None
            raise NotSeenError(explain(error)) from error

    def _asked(self, service: str, operation: str, member: str | None, request: Mapping[str, Any]) -> Any:
        permission = READS[service, operation]  # a KeyError here is a check that would do more than read
        question = json.dumps([service, operation, member, request], sort_keys=True)
        if question not in self._answers:
            try:
                client = self._client(service, _ANSWERS_FOR_ALL.get(service, self.region))
                if member is not None and client.can_paginate(operation):
                    pages = client.get_paginator(operation).paginate(**request)
                    answer: Any = [item for page in pages for item in page.get(member, [])]
                else:
                    answer = getattr(client, operation)(**request)
                    answer = answer if member is None else answer.get(member, [])
            except ParamValidationError:
                raise
            except (ClientError, BotoCoreError) as error:
                _raise_if_unseen(error, service, permission)
                raise
            self._answers[question] = answer
        return self._answers[question]


def _raise_if_unseen(error: ClientError | BotoCoreError, service: str, permission: str) -> None:
    """What says nothing about the account's resources becomes NotSeenError; the rest is the caller's."""
    if isinstance(error, BotoCoreError):
        raise NotSeenError(f"no answer to {permission}: {' '.join(str(error).split())}") from error
    code = str(error.response["Error"].get("Code"))
    if code == _NOT_EMULATED:
        raise NotSeenError(f"the local account has no {_NAMES.get(service, service)}") from error
    if code in _DENIED:
        raise NotSeenError(f"these credentials lack {permission}", permission) from error
    if not is_missing(error):
        raise NotSeenError(explain(error)) from error


def policy() -> dict[str, Any]:
    """An IAM policy that allows exactly what preflight reads. GetCallerIdentity needs no permission."""
    actions = sorted(set(READS.values()) - {"sts:GetCallerIdentity"})
    statement = {"Sid": "Preflight", "Effect": "Allow", "Action": actions, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}
