"""Optional private network: jobs and endpoints run in isolated subnets and reach AWS services through VPC endpoints only."""

from __future__ import annotations

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.retained_log_group import RetainedLogGroup
from infra.service_role import ServiceRole
from settings import Project

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


class Network(Construct):
    """Two availability zones, no internet. Properties: `subnet_ids`, `security_group_id`."""

    def __init__(self, scope: Construct, construct_id: str, *, project: Project, key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        self.vpc = self._vpc()
        self._security_group = ec2.SecurityGroup(
            self,
            "Workloads",
            vpc=self.vpc,
            description="Jobs and endpoints: TLS to the VPC endpoints, and each other",
            allow_all_outbound=False,
        )
        self._allow_traffic()
        self._log_flows(project, key)

    @property
    def subnet_ids(self) -> list[str]:
        return [subnet.subnet_id for subnet in self.vpc.isolated_subnets]

    @property
    def security_group_id(self) -> str:
        return self._security_group.security_group_id

    def _vpc(self) -> ec2.Vpc:
        vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=0,
            restrict_default_security_group=False,  # would add a Lambda function; nothing uses that group
            subnet_configuration=[ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24)],
            gateway_endpoints={"S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)},
        )
        for name, service in _SERVICES.items():
            vpc.add_interface_endpoint(name, service=service)
        return vpc

    def _allow_traffic(self) -> None:
        # Destinations are the VPC's interface endpoints and S3's public addresses behind the gateway endpoint.
        self._security_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "AWS services")
        self._security_group.add_egress_rule(self._security_group, ec2.Port.all_tcp(), "Instances of one distributed job")
        self._security_group.add_ingress_rule(self._security_group, ec2.Port.all_tcp(), "Instances of one distributed job")

    def _log_flows(self, project: Project, key: kms.IKey) -> None:
        group = RetainedLogGroup(self, "FlowLogs", retention_days=project.log_retention_days, key=key)
        role = ServiceRole(self, "FlowLogsRole", service="vpc-flow-logs.amazonaws.com", description="Writes VPC flow logs")
        self.vpc.add_flow_log("Flows", destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role))
