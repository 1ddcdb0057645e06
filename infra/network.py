"""Optional private network of a place: jobs and endpoints run in isolated subnets and reach AWS services through VPC endpoints only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.retained_log_group import RetainedLogGroup
from infra.service_role import ServiceRole

_SERVICES = {
    "SageMakerApi": ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_API,
    "SageMakerRuntime": ec2.InterfaceVpcEndpointAwsService.SAGEMAKER_RUNTIME,
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "Metrics": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_MONITORING,
    "Sts": ec2.InterfaceVpcEndpointAwsService.STS,
    "Kms": ec2.InterfaceVpcEndpointAwsService.KMS,
}
#: Only where a job tells somebody of what it found (pipelines/monitoring/steps/publish.py).
ALERTS = {"Sns": ec2.InterfaceVpcEndpointAwsService.SNS}


class Network(Construct):
    """Two availability zones, no internet; `buckets` are the ARNs of those that are reached, `also` services that are reached besides.

    `elsewhere`: ARNs of buckets in other regions, by region.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        log_retention_days: int,
        key: kms.IKey,
        buckets: Sequence[str],
        also: Mapping[str, ec2.InterfaceVpcEndpointAwsService] | None = None,
        elsewhere: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.vpc = self._vpc({**_SERVICES, **(also or {})})
        self._reach_s3(buckets)
        for region, there in (elsewhere or {}).items():
            self._reach_s3_of(region, there)
        self._security_group = ec2.SecurityGroup(
            self,
            "Workloads",
            vpc=self.vpc,
            description="Jobs and endpoints: TLS to the VPC endpoints, and each other",
            allow_all_outbound=False,
        )
        self._allow_traffic()
        self._log_flows(log_retention_days, key)

    @property
    def outputs(self) -> dict[str, str]:
        """What a job or a model has to name to run inside."""
        subnets = ",".join(subnet.subnet_id for subnet in self.vpc.isolated_subnets)
        return {"SubnetIds": subnets, "SecurityGroupId": self._security_group.security_group_id}

    def _vpc(self, services: Mapping[str, ec2.InterfaceVpcEndpointAwsService]) -> ec2.Vpc:
        vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=0,
            restrict_default_security_group=False,  # would add a Lambda function; nothing uses that group
            subnet_configuration=[ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24)],
        )
        for name, service in services.items():
            vpc.add_interface_endpoint(name, service=service)
        return vpc

    def _reach_s3(self, buckets: Sequence[str]) -> None:
        """Only our buckets, as our account, and the layers of container images: what runs inside can carry nothing elsewhere.

        Source: "Give SageMaker AI Training Jobs Access to Resources in Your Amazon VPC", and "Create the Amazon S3 gateway endpoint" of the
        ECR user guide for the bucket of the layers. CodeBuild runs outside of this VPC.
        """
        stack = cdk.Stack.of(self)
        endpoint = self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        self._only(endpoint, buckets)
        layers = f"arn:{stack.partition}:s3:::prod-{stack.region}-starport-layer-bucket/*"
        # ECR signs these requests, not we.
        endpoint.add_to_policy(iam.PolicyStatement(principals=[iam.AnyPrincipal()], actions=["s3:GetObject"], resources=[layers]))

    def _reach_s3_of(self, region: str, buckets: Sequence[str]) -> None:
        """A gateway endpoint serves its own region, an interface endpoint may serve another one, under the names that S3 has there.

        Source: "Cross-Region enabled AWS services" of the AWS PrivateLink guide. Whoever deploys needs `vpce:AllowMultiRegion`.
        """
        partition = "cn." if region.startswith("cn-") else ""
        endpoint = self.vpc.add_interface_endpoint(
            f"S3In{region}",
            service=ec2.InterfaceVpcEndpointService(f"{partition}com.amazonaws.{region}.s3"),
            service_region=region,
            private_dns_enabled=True,
            private_dns_only_for_inbound_resolver_endpoint=ec2.VpcEndpointPrivateDnsOnlyForInboundResolverEndpoint.ALL_RESOLVERS,
        )
        self._only(endpoint, buckets)

    def _only(self, endpoint: ec2.GatewayVpcEndpoint | ec2.InterfaceVpcEndpoint, buckets: Sequence[str]) -> None:
        own = {"StringEquals": {"aws:PrincipalAccount": cdk.Stack.of(self).account}}
        find = ["s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation"]
        use = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:AbortMultipartUpload"]
        for actions, resources in ((find, list(buckets)), (use, [f"{bucket}/*" for bucket in buckets])):
            endpoint.add_to_policy(
                iam.PolicyStatement(principals=[iam.AnyPrincipal()], actions=actions, resources=resources, conditions=own)
            )

    def _allow_traffic(self) -> None:
        # Destinations are the VPC's interface endpoints and S3's public addresses behind the gateway endpoint.
        self._security_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS services")
        self._security_group.add_egress_rule(self._security_group, ec2.Port.all_tcp(), "Instances of one distributed job")
        self._security_group.add_ingress_rule(self._security_group, ec2.Port.all_tcp(), "Instances of one distributed job")

    def _log_flows(self, log_retention_days: int, key: kms.IKey) -> None:
        group = RetainedLogGroup(self, "FlowLogs", retention_days=log_retention_days, key=key)
        role = ServiceRole(self, "FlowLogsRole", service="vpc-flow-logs.amazonaws.com", description="Writes VPC flow logs")
        self.vpc.add_flow_log("Flows", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role))
