"""The function that deletes what earlier deployments left: remove_unused/, once a day.

It may delete only what has the tag of one of the project's endpoints, and nobody else may delete for it. By hand, and before its stack
goes: `aws lambda invoke` with its name, which is fixed for that. Next: remove_unused/handler.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.arns import Arns
from infra.endpoint.endpoint_stack import ENDPOINT_TAG
from infra.event_function import EventFunction
from infra.foundation.foundation_stack import FoundationStack
from infra.function_schedule import FunctionSchedule
from settings import Environment, Project

CRON = "30 4 * * ? *"


class UnusedConfigurations(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Project,
        foundation: FoundationStack,
        environments: Sequence[Environment],
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        stacks = {project.endpoint_name(environment): project.endpoint_stack(environment) for environment in environments}
        function = EventFunction(
            self,
            "RemoveUnused",
            folder=Path(__file__).with_name("remove_unused"),
            function_name=project.remove_unused_function,
            description="Deletes models and endpoint configurations that no endpoint uses any more",
            environment={
                "ENDPOINTS": ",".join(f"{endpoint}={stack}" for endpoint, stack in stacks.items()),
                "ENDPOINT_TAG": ENDPOINT_TAG,
            },
            dead_letters=dead_letters,
            key=foundation.key,
            log_retention_days=project.log_retention_days,
        )
        self._allow(function, Arns(self, project), environments, list(stacks))
        FunctionSchedule(
            self,
            "Daily",
            function=function,
            dead_letters=dead_letters,
            cron=CRON,
            time_zone=project.time_zone,
            description="Deletes what earlier deployments left",
            payload={"source": "schedule"},
        )

    @staticmethod
    def _allow(function: EventFunction, arns: Arns, environments: Sequence[Environment], endpoints: list[str]) -> None:
        configurations = arns.hosting_configurations()
        function.allow("ListAll", ["sagemaker:ListModels", "sagemaker:ListEndpointConfigs"], ["*"])  # take no resource
        function.allow("Whose", ["sagemaker:ListTags"], configurations)
        function.allow("InUse", ["sagemaker:DescribeEndpoint"], [arns.endpoint(environment) for environment in environments])
        stacks = [arns.endpoint_stack(environment) for environment in environments]
        function.allow("Deployed", ["cloudformation:DescribeStacks", "cloudformation:DescribeStackResources"], stacks)
        ours = {"StringEquals": {f"aws:ResourceTag/{ENDPOINT_TAG}": endpoints}}
        function.allow("Models", ["sagemaker:DescribeEndpointConfig"], configurations[1:], ours)
        function.allow("Delete", ["sagemaker:DeleteModel", "sagemaker:DeleteEndpointConfig"], configurations, ours)
