"""What outlives every model: key, buckets, registry group, alert topic and the roles of jobs and endpoints.

Exports its names for stacks that are deployed apart from the app (infra/endpoint). Next: infra/model_build/model_build_stack.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.foundation.alert_topic import AlertTopic
from infra.foundation.exports import export_name
from infra.foundation.inference_role import InferenceRole
from infra.foundation.pipeline_role import PipelineRole
from infra.foundation.project_buckets import ProjectBuckets
from infra.foundation.project_key import ProjectKey
from settings import Environment, Project

if TYPE_CHECKING:
    from infra.foundation.network import Network


class FoundationStack(cdk.Stack):
    """Kept, and protected from deletion, as long as `Project.retain_data` is set."""

    def __init__(
        self, scope: Construct, construct_id: str, *, project: Project, environments: Sequence[Environment], **options: Any
    ) -> None:
        description = f"{project.name}: key, buckets, model registry, alerts and roles"
        super().__init__(scope, construct_id, description=description, termination_protection=project.retain_data, **options)
        self._project = project
        removal_policy = cdk.RemovalPolicy.RETAIN if project.retain_data else cdk.RemovalPolicy.DESTROY
        self._key = ProjectKey(self, "Key", project=project, removal_policy=removal_policy)
        self._buckets = ProjectBuckets(self, "Buckets", project=project, key=self._key, removal_policy=removal_policy)
        self._register_models(project, removal_policy)
        self._alerts = AlertTopic(self, "Alerts", project=project, key=self._key)
        given: dict[str, Any] = {"project": project, "environments": environments, "buckets": self._buckets, "key": self._key}
        self._pipeline_role = PipelineRole(self, "PipelineRole", **given)
        self._inference_role = InferenceRole(self, "InferenceRole", **given)
        self._network = self._private_network(project) if project.in_vpc else None
        self._export(project)

    @property
    def key(self) -> kms.IKey:
        return self._key

    @property
    def data_bucket(self) -> s3.IBucket:
        return self._buckets.data

    @property
    def artifact_bucket(self) -> s3.IBucket:
        return self._buckets.artifacts

    @property
    def run_objects(self) -> str:
        """ARN pattern of what the training pipeline's runs write."""
        return self._buckets.run_objects(self._project)

    @property
    def alerts(self) -> AlertTopic:
        return self._alerts

    @property
    def pipeline_role(self) -> PipelineRole:
        return self._pipeline_role

    @property
    def inference_role(self) -> InferenceRole:
        return self._inference_role

    @property
    def network_environment(self) -> dict[str, str]:
        """Environment variables that put the jobs of the SageMaker pipelines into the VPC; empty without one."""
        if self._network is None:
            return {}
        return {"VPC_SUBNET_IDS": ",".join(self._network.subnet_ids), "VPC_SECURITY_GROUP_IDS": self._network.security_group_id}

    @property
    def availability_zones(self) -> list[str]:
        """Overrides the CDK's look-up of the account's zones: CloudFormation chooses them at deploy time."""
        return [cdk.Fn.select(index, cdk.Fn.get_azs()) for index in range(2)]

    def _private_network(self, project: Project) -> Network:
        from infra.foundation.network import Network  # EC2 is by far the largest part of the CDK, and most projects need none of it

        return Network(self, "Network", project=project, key=self._key, buckets=[self.data_bucket, self.artifact_bucket])

    def _register_models(self, project: Project, removal_policy: cdk.RemovalPolicy) -> None:
        group = sagemaker.CfnModelPackageGroup(
            self,
            "Models",
            model_package_group_name=project.model_package_group,
            model_package_group_description=f"Versions of the {project.name} model; approving one deploys it",
        )
        group.apply_removal_policy(removal_policy)

    def _export(self, project: Project) -> None:
        values = {
            "DataBucketName": self.data_bucket.bucket_name,
            "ArtifactBucketName": self.artifact_bucket.bucket_name,
            "KeyArn": self._key.key_arn,
            "PipelineRoleArn": self._pipeline_role.role_arn,
            "InferenceRoleArn": self._inference_role.role_arn,
            "AlertTopicArn": self._alerts.topic_arn,
        }
        if self._network is not None:
            values["SubnetIds"] = ",".join(self._network.subnet_ids)
            values["SecurityGroupId"] = self._network.security_group_id
        for name, value in values.items():
            cdk.CfnOutput(self, name, value=value, export_name=export_name(project, name))
