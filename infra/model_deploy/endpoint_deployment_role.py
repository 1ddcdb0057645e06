"""Role with which CloudFormation deploys the endpoint stacks: their resource types, by name where a name is known."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from constructs import Construct

from infra.arns import Arns
from infra.foundation.foundation_stack import FoundationStack
from infra.service_role import ServiceRole
from settings import Environment, Project

_SCALING = "sagemaker.application-autoscaling.amazonaws.com"


class EndpointDeploymentRole(ServiceRole):
    """It cannot touch IAM, except to hand the inference role to SageMaker and to make the service-linked scaling role."""

    def __init__(
        self, scope: Construct, construct_id: str, *, project: Project, foundation: FoundationStack, environments: Sequence[Environment]
    ) -> None:
        super().__init__(
            scope, construct_id, service="cloudformation.amazonaws.com", description=f"Deploys the endpoints of {project.name}"
        )
        self._arns = Arns(self, project)
        self._host(environments)
        self._scale()
        self._watch(project, environments)
        self._encrypt(foundation)

    def _host(self, environments: Sequence[Environment]) -> None:
        verbs = ("Create", "Delete", "Describe")
        actions = [f"sagemaker:{verb}{kind}" for kind in ("Model", "EndpointConfig") for verb in verbs]
        tags = ["sagemaker:AddTags", "sagemaker:DeleteTags", "sagemaker:ListTags"]
        self.allow("HostingConfigurations", actions + tags, self._arns.hosting_configurations())
        actions = [f"sagemaker:{verb}Endpoint" for verb in (*verbs, "Update")] + ["sagemaker:UpdateEndpointWeightsAndCapacities"]
        # Creating and updating an endpoint is also authorised on the configuration it gets.
        resources = [self._arns.endpoint(environment) for environment in environments] + [self._arns.hosting_configurations()[1]]
        self.allow("Endpoints", actions + tags, resources)
        self.allow("Versions", ["sagemaker:DescribeModelPackage"], [self._arns.model_packages()])

    def _scale(self) -> None:
        stack = cdk.Stack.of(self)
        targets = stack.format_arn(service="application-autoscaling", resource="scalable-target", resource_name="*")
        verbs = {"ScalableTarget": ("Register", "Deregister"), "ScalingPolicy": ("Put", "Delete"), "ScheduledAction": ("Put", "Delete")}
        actions = [f"application-autoscaling:{verb}{kind}" for kind, pair in verbs.items() for verb in pair]
        tags = [f"application-autoscaling:{verb}" for verb in ("TagResource", "UntagResource", "ListTagsForResource")]
        self.allow("Scaling", actions + tags, [targets])
        kinds = ("ScalableTargets", "ScalingPolicies", "ScheduledActions")
        self.allow("DescribeScaling", [f"application-autoscaling:Describe{kind}" for kind in kinds], ["*"])  # takes no resource
        linked = stack.format_arn(service="iam", region="", resource="role", resource_name=f"aws-service-role/{_SCALING}/*")
        self.allow("ScalingRole", ["iam:CreateServiceLinkedRole"], [linked], {"StringEquals": {"iam:AWSServiceName": _SCALING}})

    def _watch(self, project: Project, environments: Sequence[Environment]) -> None:
        prefixes = [f"{project.endpoint_name(environment)}-" for environment in environments]
        # Target tracking makes alarms of its own, named after the scalable target.
        alarms = [self._arns.alarms(prefix) for prefix in (*prefixes, "TargetTracking-endpoint/")]
        verbs = ("PutMetricAlarm", "DeleteAlarms", "DescribeAlarms", "TagResource", "UntagResource", "ListTagsForResource")
        self.allow("Alarms", [f"cloudwatch:{verb}" for verb in verbs], alarms)
        groups = [self._arns.log_groups(f"/aws/sagemaker/Endpoints/{project.endpoint_name(environment)}") for environment in environments]
        verbs = ("CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy", "AssociateKmsKey", "DisassociateKmsKey")
        tags = ("TagResource", "UntagResource", "ListTagsForResource")
        self.allow("LogGroups", [f"logs:{verb}" for verb in (*verbs, *tags)], groups)
        self.allow("DescribeLogGroups", ["logs:DescribeLogGroups"], [self._arns.log_groups("")])

    def _encrypt(self, foundation: FoundationStack) -> None:
        foundation.inference_role.grant_pass_role(self)
        foundation.key.grant(self, "kms:CreateGrant", "kms:DescribeKey")
