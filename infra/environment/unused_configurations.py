"""The function that deletes what earlier deployments left: remove_unused/, once a day; and ends a watch that is to be retired.

It may delete only what has the tag of one of the models that serve here, and nobody else may delete for it. By hand, and before its stack
goes: `aws lambda invoke` with its name, which is fixed for that; from the project's account by its ARN, as deploy_scripts/retirement.py
does. Next: remove_unused/handler.py.
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.event_function import EventFunction
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
        self._allow(function, context.places.of(environment), context.project.names.model("*").at(environment.name))
        if context.places.is_elsewhere(environment):
            self._let_the_project_in(function, context)
        function.wake_at(self, "Daily", "Deletes what earlier deployments left", cron=CRON, time_zone="Etc/UTC")

    @staticmethod
    def _let_the_project_in(function: EventFunction, context: Context) -> None:
        """Whoever retires a model there, and has the permission of their own account too: the role of the CDK's bootstrap invokes nothing.

        Source: "Granting Lambda function access to resources in other accounts" of the Lambda developer guide.
        """
        function.add_permission("Project", principal=iam.AccountPrincipal(context.places.home.account))

    @staticmethod
    def _allow(function: EventFunction, place: Place, every: ServingNames) -> None:
        """Endpoints and stacks by their names; what CloudFormation named by the tag that says what it was made for.

        Of every model, so that nothing here changes with a model that comes or goes while the function runs.
        """
        configurations = place.hosting_configurations()
        function.allow("ListAll", ["sagemaker:ListModels", "sagemaker:ListEndpointConfigs"], ["*"])  # take no resource
        function.allow("Whose", ["sagemaker:ListTags"], configurations)
        function.allow("InUse", ["sagemaker:DescribeEndpoint"], [place.sagemaker("endpoint", every.endpoint)])
        function.allow("OnFleets", ["sagemaker:DescribeInferenceComponent"], [place.sagemaker("inference-component", every.component)])
        function.allow("Deployed", ["cloudformation:DescribeStacks", "cloudformation:DescribeStackResources"], [place.stack(every.stack)])
        ours = {"StringLike": {f"aws:ResourceTag/{MADE_FOR}": every.endpoint}}
        function.allow("Models", ["sagemaker:DescribeEndpointConfig"], configurations[1:], ours)
        function.allow("Delete", ["sagemaker:DeleteModel", "sagemaker:DeleteEndpointConfig"], configurations, ours)
        function.allow("Watches", ["sagemaker:ListPipelineExecutions"], [place.sagemaker("pipeline", every.monitoring_pipeline)])
        runs = place.sagemaker("pipeline", f"{every.monitoring_pipeline}/execution/*")
        function.allow("EndWatches", ["sagemaker:StopPipelineExecution"], [runs])
