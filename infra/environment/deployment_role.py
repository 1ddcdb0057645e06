"""Role with which CloudFormation deploys the endpoint stacks: their resource types, by name where a name is known.

What it needs are the `permissions` of the handlers in AWS's schemas of these types, as far as we set the properties that need them;
tests/infra/test_deployment_roles.py holds it to that.
"""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from constructs import Construct

from infra.arns import Arns
from infra.endpoint.endpoint_alarms import OTHERS, ROLLBACK
from infra.endpoint.variant_autoscaling import LOAD
from infra.foundation.foundation_stack import FoundationStack
from infra.foundation.project_key import FOR_AWS_RESOURCES
from infra.ownership import is_ours, makes_as_ours, not_another_s
from infra.service_role import ServiceRole
from settings import Environment, Project

_SCALING = "sagemaker.application-autoscaling.amazonaws.com"
#: What Application Auto Scaling tries in the caller's name before it registers a target.
_TRIED = (
    *("sagemaker:DescribeEndpoint", "sagemaker:DescribeEndpointConfig", "sagemaker:UpdateEndpointWeightsAndCapacities"),
    *("cloudwatch:DescribeAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"),
)


class EndpointDeploymentRole(ServiceRole):
    """It cannot touch IAM, except to hand the inference role to SageMaker and to make the service-linked scaling role."""

    def __init__(
        self, scope: Construct, construct_id: str, *, project: Project, foundation: FoundationStack, environments: Sequence[Environment]
    ) -> None:
        super().__init__(
            scope, construct_id, service="cloudformation.amazonaws.com", description=f"Deploys the endpoints of {project.name}"
        )
        self._arns = Arns(self, project)
        self._host(project, environments)
        self._scale(project)
        self._watch(project, environments)
        self._encrypt(foundation)

    def _host(self, project: Project, environments: Sequence[Environment]) -> None:
        """CloudFormation names models and configurations, so the project's tag says which are ours: as they are made, and as they are."""
        configurations, kinds = self._arns.hosting_configurations(), ("Model", "EndpointConfig")
        making = [*(f"sagemaker:Create{kind}" for kind in kinds), "sagemaker:AddTags"]
        self.allow("MakeConfigurations", making, configurations, makes_as_ours(project))
        # Whom a roll-back within seconds cannot delete yet, `unused_configurations.py` deletes later.
        changes = [*(f"sagemaker:Delete{kind}" for kind in kinds), "sagemaker:AddTags", "sagemaker:DeleteTags"]
        self.allow("ChangeConfigurations", changes, configurations, is_ours(project))
        # CloudFormation also asks for what may be gone, which has no tags. Configurations are read with TryScaling.
        reading = ["sagemaker:DescribeModel", "sagemaker:ListTags"]
        self.allow("ReadConfigurations", reading, configurations, not_another_s(project))
        actions = [f"sagemaker:{verb}Endpoint" for verb in ("Create", "Update")]
        endpoints = [self._arns.endpoint(environment) for environment in environments]
        self.allow("Endpoints", actions, endpoints)
        # Also authorised on the configuration that the endpoint gets. It was made a second ago, when its tags may not count yet
        # (`_wait_until` of the SageMaker SDK's sagemaker/core/helper/session_helper.py waits minutes for them).
        self.allow("UseConfigurations", actions, configurations[1:], not_another_s(project))
        verbs = ("DeleteEndpoint", "AddTags", "DeleteTags", "ListTags")
        self.allow("OwnEndpoints", [f"sagemaker:{verb}" for verb in verbs], endpoints)
        self.allow("Versions", ["sagemaker:DescribeModelPackage"], [self._arns.model_packages()])

    def _scale(self, project: Project) -> None:
        """`TryScaling` is on `*`: the service tries with no name, or one that it makes up, and refuses the target if it may not.

        No condition can narrow that: the requests bear no tag, and `aws:CalledVia` does not name Application Auto Scaling.
        Sources: Application Auto Scaling user guide, "Permissions validation for API calls on target resources" and, for SageMaker,
        "Identity-based policy examples"; github.com/aws-controllers-k8s/community/issues/2110 shows such a name.
        """
        self.allow("TryScaling", list(_TRIED), ["*"])
        stack = cdk.Stack.of(self)
        targets = stack.format_arn(service="application-autoscaling", resource="scalable-target", resource_name="*")
        verbs = {"ScalableTarget": ("Register", "Deregister"), "ScalingPolicy": ("Put", "Delete"), "ScheduledAction": ("Put", "Delete")}
        actions = [f"application-autoscaling:{verb}{kind}" for kind, pair in verbs.items() for verb in pair]
        tags = [f"application-autoscaling:{verb}" for verb in ("TagResource", "UntagResource", "ListTagsForResource")]
        self.allow("Scaling", actions + tags, [targets], not_another_s(project))
        kinds = ("ScalableTargets", "ScalingPolicies", "ScheduledActions")
        described = [f"application-autoscaling:Describe{kind}" for kind in kinds]
        self.allow("DescribeScaling", [*described, "cloudwatch:GetMetricData"], ["*"])  # take no resource
        linked = stack.format_arn(service="iam", region="", resource="role", resource_name=f"aws-service-role/{_SCALING}/*")
        self.allow("ScalingRole", ["iam:CreateServiceLinkedRole"], [linked], {"StringEquals": {"iam:AWSServiceName": _SCALING}})

    def _watch(self, project: Project, environments: Sequence[Environment]) -> None:
        names = [project.endpoint_name(environment) for environment in environments]
        ours = [self._arns.alarm(f"{name}-{what}") for name in names for what in (*ROLLBACK, *OTHERS, LOAD)]
        tagging = ("TagResource", "UntagResource", "ListTagsForResource")  # the alarms themselves are made with TryScaling
        self.allow("Alarms", [f"cloudwatch:{verb}" for verb in tagging], ours)
        groups = [arn for name in names for arn in self._arns.log_group(f"/aws/sagemaker/Endpoints/{name}")]
        verbs = ("CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy", "AssociateKmsKey", "DisassociateKmsKey")
        reading = ("GetDataProtectionPolicy", "TagResource", "UntagResource", "ListTagsForResource")
        self.allow("LogGroups", [f"logs:{verb}" for verb in (*verbs, *reading)], groups)
        kinds = ("LogGroups", "IndexPolicies", "ResourcePolicies")
        self.allow("DescribeLogGroups", [f"logs:Describe{kind}" for kind in kinds], ["*"])  # take no resource

    def _encrypt(self, foundation: FoundationStack) -> None:
        foundation.inference_role.grant_pass_role(self)
        foundation.key.grant(self, "kms:DescribeKey")
        self.allow("Volumes", ["kms:CreateGrant"], [foundation.key.key_arn], FOR_AWS_RESOURCES)
