"""The function that deletes what earlier deployments left: remove_unused/, once a day.

It may delete only what has the tag of one of the models that serve here, and nobody else may delete for it. By hand, and before its stack
goes: `aws lambda invoke` with its name, which is fixed for that; from the project's account by its ARN, as deploy_scripts/retirement.py
does. Next: remove_unused/handler.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.event_function import EventFunction
from infra.function_schedule import FunctionSchedule
from infra.places import Context, Place
from infra.serving.serving_stack import MADE_FOR
from settings_schema import Environment, ServingNames

CRON = "30 4 * * ? *"


class UnusedConfigurations(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        context: Context,
        environment: Environment,
        key: kms.IKey,
        dead_letters: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        names = [model.names(context.project).at(environment.name) for model in context.settings.models.values()]
        function = EventFunction(
            self,
            "RemoveUnused",
            folder=Path(__file__).with_name("remove_unused"),
            function_name=environment.names(context.project).remove_unused_function,
            description="Deletes models and endpoint configurations that nothing uses any more",
            environment={"DEPLOYMENTS": ",".join(item.stack for item in names), "MADE_FOR_TAG": MADE_FOR},
            dead_letters=dead_letters,
            key=key,
            log_retention_days=context.project.log_retention_days,
        )
        self._allow(function, context.places.of(environment), names)
        if context.places.is_elsewhere(environment):
            self._let_the_project_in(function, context)
        FunctionSchedule(
            self,
            "Daily",
            function=function,
            dead_letters=dead_letters,
            cron=CRON,
            time_zone="Etc/UTC",
            description="Deletes what earlier deployments left",
            payload={"source": "schedule"},
        )

    @staticmethod
    def _let_the_project_in(function: EventFunction, context: Context) -> None:
        """Whoever retires a model there, and has the permission of their own account too: the role of the CDK's bootstrap invokes nothing.

        Source: "Granting Lambda function access to resources in other accounts" of the Lambda developer guide.
        """
        function.add_permission("Project", principal=iam.AccountPrincipal(context.places.home.account))

    @staticmethod
    def _allow(function: EventFunction, place: Place, names: Sequence[ServingNames]) -> None:
        """Endpoints and stacks by their names; what CloudFormation named by the tag that says what it was made for."""
        configurations = place.hosting_configurations()
        function.allow("ListAll", ["sagemaker:ListModels", "sagemaker:ListEndpointConfigs"], ["*"])  # take no resource
        function.allow("Whose", ["sagemaker:ListTags"], configurations)
        function.allow("InUse", ["sagemaker:DescribeEndpoint"], [place.sagemaker("endpoint", item.endpoint) for item in names])
        reading = ["cloudformation:DescribeStacks", "cloudformation:DescribeStackResources"]
        function.allow("Deployed", reading, [place.stack(item.stack) for item in names])
        ours = {"StringEquals": {f"aws:ResourceTag/{MADE_FOR}": [item.endpoint for item in names]}}
        function.allow("Models", ["sagemaker:DescribeEndpointConfig"], configurations[1:], ours)
        function.allow("Delete", ["sagemaker:DeleteModel", "sagemaker:DeleteEndpointConfig"], configurations, ours)
