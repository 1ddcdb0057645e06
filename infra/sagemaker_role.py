"""What every container that SageMaker runs for us needs: logs, metrics, its image and, in a VPC, network interfaces."""

from __future__ import annotations

import aws_cdk as cdk
from constructs import Construct

from infra.places import Place
from infra.service_role import ServiceRole


class SageMakerRole(ServiceRole):
    """Base of a pipeline's and a served model's role. `log_groups` and `namespaces` say where it may write."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        place: Place,
        role_name: str,
        description: str,
        log_groups: list[str],
        namespaces: list[str],
        in_vpc: bool,
    ) -> None:
        super().__init__(
            scope, construct_id, service="sagemaker.amazonaws.com", description=description, role_name=role_name, own_account_only=True
        )
        self._log(place, log_groups)
        self._publish_metrics(namespaces)
        self._pull_images()
        if in_vpc:
            self._use_network()

    def _log(self, place: Place, groups: list[str]) -> None:
        actions = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        self.allow("Logs", actions, [arn for group in groups for arn in place.log_group(group)])

    def _publish_metrics(self, namespaces: list[str]) -> None:
        # PutMetricData takes no resource; the namespace is what narrows it.
        self.allow("Metrics", ["cloudwatch:PutMetricData"], ["*"], {"StringLike": {"cloudwatch:namespace": namespaces}})

    def _pull_images(self) -> None:
        self.allow("ImageLogin", ["ecr:GetAuthorizationToken"], ["*"])  # takes no resource
        stack = cdk.Stack.of(self)
        # AWS publishes the framework images from accounts of its own, one per region.
        images = f"arn:{stack.partition}:ecr:{stack.region}:*:repository/sagemaker-*"
        self.allow("ImagePull", ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], [images])

    def _use_network(self) -> None:
        """The list of the SageMaker guide, "Execution roles for a job in a VPC"; EC2 makes the interfaces' names."""
        stack = cdk.Stack.of(self)
        kinds = ("network-interface", "security-group", "subnet")
        resources = [stack.format_arn(service="ec2", resource=kind, resource_name="*") for kind in kinds]
        changes = (
            "CreateNetworkInterface",
            "CreateNetworkInterfacePermission",
            "DeleteNetworkInterface",
            "DeleteNetworkInterfacePermission",
        )
        self.allow("NetworkInterfaces", [f"ec2:{change}" for change in changes], resources)
        described = ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
        self.allow("DescribeNetwork", [f"ec2:Describe{kind}" for kind in described], ["*"])  # EC2 describes take no resource
