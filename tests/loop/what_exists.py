"""Everything that an account has, as `service: name`, but what the whole account shares."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from demo.terminal import Terminal

#: What to list, by service: operation, member of its answer, and the name of each item (None: the item is the name).
LISTS = {
    "cloudformation": [("describe_stacks", "Stacks", "StackName")],
    "sagemaker": [
        ("list_endpoints", "Endpoints", "EndpointName"),
        ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
        ("list_models", "Models", "ModelName"),
        ("list_model_package_groups", "ModelPackageGroupSummaryList", "ModelPackageGroupName"),
        ("list_pipelines", "PipelineSummaries", "PipelineName"),
    ],
    "s3": [("list_buckets", "Buckets", "Name")],
    "kms": [("list_aliases", "Aliases", "AliasName")],
    "logs": [("describe_log_groups", "logGroups", "logGroupName")],
    "codecommit": [("list_repositories", "repositories", "repositoryName")],
    "codepipeline": [("list_pipelines", "pipelines", "name")],
    "codebuild": [("list_projects", "projects", None)],
    "cloudwatch": [("describe_alarms", "MetricAlarms", "AlarmName"), ("list_dashboards", "DashboardEntries", "DashboardName")],
    "scheduler": [("list_schedules", "Schedules", "Name")],
    "events": [("list_rules", "Rules", "Name")],
    "sns": [("list_topics", "Topics", "TopicArn")],
    "sqs": [("list_queues", "QueueUrls", None)],
    "lambda": [("list_functions", "Functions", "FunctionName")],
    "iam": [("list_roles", "Roles", "RoleName")],
}
SCALING = ("describe_scalable_targets", "describe_scaling_policies", "describe_scheduled_actions")
#: The bootstrap's own resources, the log groups of SageMaker's jobs, AWS's own role for scaling.
SHARED = re.compile(r"CDKToolkit|cdk-hnb659fds-.*|/aws/sagemaker/\w+Jobs|AWSServiceRoleFor\w+")


def what_exists(terminal: Terminal) -> set[str]:
    """In the terminal's account and region."""
    return what_is_there(terminal.client)


def what_is_there(client: Callable[[str], Any]) -> set[str]:
    """`client` makes clients of an account and region."""
    found = set()
    for service, lists in LISTS.items():
        for operation, member, name in lists:
            items = getattr(client(service), operation)().get(member, [])
            found |= {f"{service}: {item[name] if name else item}" for item in items}
    for operation in SCALING:
        answer = getattr(client("application-autoscaling"), operation)(ServiceNamespace="sagemaker")
        found |= {f"scaling: {item['ResourceId']}" for member in answer.values() if isinstance(member, list) for item in member}
    return {item for item in found if not SHARED.fullmatch(item.partition(": ")[2])}
