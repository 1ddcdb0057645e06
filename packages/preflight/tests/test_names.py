"""Names that are taken, buckets that were left, and the private network."""

from __future__ import annotations

import pytest

from preflight import leftovers, names, network
from preflight.application import Words
from preflight.finding import NotSeenError, Sign

from .aws_account import Aws, Refused, denied, deployed, found, only, quota, quotas, signs, situation, stack

WHEN, ARN = "2026-11-27T00:00:00Z", "arn:aws:sagemaker:eu-west-1:111122223333:x/mlops"
#: Type -> the property that names it, and an account in which the name is taken.
TAKEN = {
    "AWS::KMS::Alias": ("AliasName", {"kms:ListAliases": {"Aliases": [{"AliasName": "taken"}]}}),
    "AWS::SageMaker::ModelPackageGroup": (
        "ModelPackageGroupName",
        {
            "sagemaker:DescribeModelPackageGroup": {
                "ModelPackageGroupName": "taken",
                "ModelPackageGroupArn": ARN,
                "CreationTime": WHEN,
                "CreatedBy": {},
                "ModelPackageGroupStatus": "Completed",
            }
        },
    ),
    "AWS::CodeCommit::Repository": ("RepositoryName", {"codecommit:GetRepository": {"repositoryMetadata": {"repositoryName": "taken"}}}),
    "AWS::Logs::LogGroup": ("LogGroupName", {"logs:DescribeLogGroups": {"logGroups": [{"logGroupName": "taken"}]}}),
    "AWS::SageMaker::Endpoint": (
        "EndpointName",
        {
            "sagemaker:DescribeEndpoint": {
                "EndpointName": "taken",
                "EndpointArn": ARN,
                "EndpointStatus": "InService",
                "CreationTime": WHEN,
                "LastModifiedTime": WHEN,
            }
        },
    ),
    "AWS::CodeBuild::Project": ("Name", {"codebuild:BatchGetProjects": {"projects": [{"name": "taken"}]}}),
    "AWS::CodePipeline::Pipeline": ("Name", {"codepipeline:GetPipeline": {}}),
    "AWS::Events::Rule": ("Name", {"events:DescribeRule": {"Name": "taken"}}),
    "AWS::Scheduler::Schedule": ("Name", {"scheduler:GetSchedule": {"Name": "taken"}}),
    "AWS::Lambda::Function": ("FunctionName", {"lambda:GetFunctionConfiguration": {"FunctionName": "taken"}}),
    "AWS::CloudWatch::Alarm": ("AlarmName", {"cloudwatch:DescribeAlarms": {"MetricAlarms": [{"AlarmName": "taken"}]}}),
    "AWS::S3::Bucket": ("BucketName", {"s3:HeadBucket": {}}),
    "AWS::IAM::Role": (
        "RoleName",
        {
            "iam:GetRole": {
                "Role": {"Path": "/", "RoleName": "taken", "RoleId": "AROAEXAMPLE12345678", "Arn": ARN + "-role", "CreateDate": WHEN}
            }
        },
    ),
    "AWS::DynamoDB::Table": ("TableName", {"dynamodb:DescribeTable": {"Table": {"TableName": "taken"}}}),
    "AWS::ECR::Repository": ("RepositoryName", {"ecr:DescribeRepositories": {"repositories": [{"repositoryName": "taken"}]}}),
    "AWS::SageMaker::Pipeline": ("PipelineName", {"sagemaker:DescribePipeline": {"PipelineName": "taken"}}),
    "AWS::SecretsManager::Secret": ("Name", {"secretsmanager:DescribeSecret": {"Name": "taken"}}),
    "AWS::SNS::Topic": ("TopicName", {"sns:ListTopics": {"Topics": [{"TopicArn": "arn:aws:sns:eu-west-1:111122223333:taken"}]}}),
    "AWS::SQS::Queue": ("QueueName", {"sqs:GetQueueUrl": {"QueueUrl": "https://sqs.eu-west-1.amazonaws.com/111122223333/taken"}}),
    "AWS::SSM::Parameter": ("Name", {"ssm:GetParameter": {"Parameter": {"Name": "taken"}}}),
    "AWS::CloudWatch::Dashboard": ("DashboardName", {"cloudwatch:GetDashboard": {"DashboardName": "taken"}}),
}


def naming(kind: str):
    return [stack("mlops", {"Thing": (kind, {TAKEN[kind][0]: "taken"})})]


@pytest.mark.parametrize("kind", TAKEN)
def test_a_name_that_exists_outside_of_the_stack_fails_and_says_how_to_free_it(kind):
    free = found(names.check_names, situation(stacks=naming(kind)))
    taken = found(names.check_names, situation(Aws(TAKEN[kind][1]), stacks=naming(kind)))
    assert (signs(free), signs(taken)) == ("✓", "✗✓")
    assert "taken exists" in taken[0].found
    assert "console" in taken[0].advice or any("taken" in command for command in taken[0].commands)
    assert "name it otherwise" in taken[0].advice


@pytest.mark.parametrize("kind", TAKEN)
def test_a_name_that_the_deployed_stack_has_itself_is_fine(kind):
    aws = Aws({**TAKEN[kind][1], **deployed(("Thing", "taken"))})
    line = only(names.check_names, situation(aws, stacks=naming(kind)))
    assert line.sign is Sign.PASSED
    assert "1 are the deployed stacks' own" in line.found


def test_every_type_that_can_be_named_is_tried_here():
    assert set(TAKEN) == set(names.KINDS)


def test_a_log_group_that_only_begins_like_the_name_is_another_one():
    aws = Aws({"logs:DescribeLogGroups": {"logGroups": [{"logGroupName": "taken-too"}]}})
    assert signs(found(names.check_names, situation(aws, stacks=naming("AWS::Logs::LogGroup")))) == "✓"


def test_what_another_stack_owns_is_not_told_to_be_deleted_by_hand():
    owner = {"StackName": "theirs-foundation", "LogicalResourceId": "K", "ResourceType": "AWS::KMS::Alias"}
    described = {"StackResources": [{**owner, "Timestamp": WHEN, "ResourceStatus": "CREATE_COMPLETE"}]}
    aws = Aws({**TAKEN["AWS::KMS::Alias"][1], "cloudformation:DescribeStackResources": described})
    line, _ = found(names.check_names, situation(aws, stacks=naming("AWS::KMS::Alias")))
    assert (line.sign, line.commands) == (Sign.FAILED, ())
    assert "theirs-foundation" in line.found


def test_one_permission_that_is_lacking_hides_its_own_names_only():
    aws = Aws({**TAKEN["AWS::CodeBuild::Project"][1], "kms:ListAliases": denied("kms:ListAliases")})
    lines = found(names.check_names, situation(aws, stacks=[*naming("AWS::KMS::Alias"), *naming("AWS::CodeBuild::Project")]))
    assert signs(lines) == "✗?✓"
    assert "kms:ListAliases" in lines[1].advice


def test_a_name_that_cloudformation_makes_is_not_asked_for():
    aws = Aws()
    unnamed = [stack("mlops", {"Alias": ("AWS::KMS::Alias", {"AliasName": {"Ref": "Parameter"}})})]
    assert signs(found(names.check_names, situation(aws, stacks=unnamed))) == "✓"
    assert "kms:ListAliases" not in aws.calls


def test_a_name_of_a_type_that_is_not_known_here_is_said_to_be_unseen():
    resources = {
        "Pool": ("AWS::Cognito::UserPool", {"UserPoolName": "ada"}),
        "Open": ("AWS::Cognito::UserPool", {}),
        "Own": ("Custom::Own", {"Name": "n"}),
    }
    unseen, rest = found(names.check_names, situation(stacks=[stack("mlops", resources)]))
    assert (unseen.sign, unseen.found) == (Sign.UNSEEN, "not looked for: AWS::Cognito::UserPool ada")
    assert rest.sign is Sign.PASSED


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("AWS::RDS::DBInstance", "DBInstanceIdentifier"),
        ("AWS::EC2::SecurityGroup", "GroupName"),
        ("AWS::ElastiCache::ReplicationGroup", "ReplicationGroupId"),
        ("AWS::ElastiCache::SubnetGroup", "CacheSubnetGroupName"),
        ("AWS::ApiGatewayV2::DomainName", "DomainName"),
        ("AWS::EKS::Cluster", "Name"),
    ],
)
def test_what_names_its_resource_is_seen_as_a_name_however_the_type_spells_it(kind, key):
    unseen, _ = found(names.check_names, situation(stacks=[stack("mlops", {"Thing": (kind, {key: "orders"})})]))
    assert unseen.found == f"not looked for: {kind} orders"


def test_what_names_another_resource_is_no_name_of_this_one():
    resources = {
        "Database": ("AWS::RDS::DBInstance", {"DBSubnetGroupName": "shared", "MasterUsername": "ada", "KmsKeyId": "k"}),
        "Machine": ("AWS::EC2::Instance", {"KeyName": "ada", "ImageId": "ami-1"}),
    }
    assert signs(found(names.check_names, situation(stacks=[stack("mlops", resources)]))) == "✓"


@pytest.mark.parametrize(
    "written",
    [
        {"Fn::Sub": "${AWS::StackName}-${AWS::AccountId}-files"},
        {"Fn::Sub": ["${Stack}-${AWS::AccountId}-files", {"Stack": {"Ref": "AWS::StackName"}}]},
        {"Fn::Join": ["-", [{"Ref": "AWS::StackName"}, {"Ref": "AWS::AccountId"}, "files"]]},
    ],
)
def test_a_name_of_pseudo_parameters_is_looked_for_as_it_will_be(written):
    def there(asked):
        return {} if asked["Bucket"] == "mlops-111122223333-files" else Refused("404", status=404)

    files = stack("mlops", {"Files": ("AWS::S3::Bucket", {"BucketName": written})})
    line, _ = found(names.check_names, situation(Aws({"s3:HeadBucket": there}), stacks=[files]))
    assert "Bucket mlops-111122223333-files exists" in line.found


#: Type -> the property that says where its name is, the type of that, and an account in which the name is taken in one place only.
PLACES = {
    "AWS::Events::Rule": ("EventBusName", "AWS::Events::EventBus", "events:DescribeRule"),
    "AWS::Scheduler::Schedule": ("GroupName", "AWS::Scheduler::ScheduleGroup", "scheduler:GetSchedule"),
}


def nightly(kind, taken_in, given=None):
    """Findings for a name in the given place, where it is taken in another or the same."""
    within, container, operation = PLACES[kind]

    def there(asked):
        taken = asked.get(within, "default") == taken_in
        return {"Name": "nightly"} if taken else Refused("ResourceNotFoundException", status=404)

    properties = {"Name": "nightly"} | ({within: given} if given else {})
    resources = {"Thing": (kind, properties), "Shop": (container, {"Name": "shop"}), "Open": (container, {})}
    return found(names.check_names, situation(Aws({operation: there}), stacks=[stack("mlops", resources)]))


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("given", ["shop", {"Ref": "Shop"}, {"Fn::GetAtt": ["Shop", "Name"]}])
def test_a_name_is_looked_for_where_its_resource_would_be(kind, given):
    assert not [line for line in nightly(kind, "default", given) if line.sign is Sign.FAILED]
    line = next(line for line in nightly(kind, "shop", given) if line.sign is Sign.FAILED)
    assert "nightly" in line.found
    assert [command.split("-name ")[-1] for command in line.commands] == ["shop"]


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("given", [None, "default"])
def test_without_a_place_of_its_own_a_name_is_in_the_default_one(kind, given):
    assert nightly(kind, "default", given)[0].sign is Sign.FAILED
    assert not [line for line in nightly(kind, "shop", given) if line.sign is Sign.FAILED]


@pytest.mark.parametrize("kind", PLACES)
def test_a_name_in_a_place_that_only_a_deployment_knows_is_unseen(kind):
    unseen = nightly(kind, "default", {"Ref": "Open"})[0]
    assert unseen.sign is Sign.UNSEEN
    assert f"{kind} nightly" in unseen.found


def test_an_app_s_project_says_what_to_do_with_what_an_earlier_deployment_kept():
    words = Words(kept={"AWS::KMS::Alias": ("let it be,", ("make free-{name}",))}, rename="call it something else")
    line, _ = found(names.check_names, situation(Aws(TAKEN["AWS::KMS::Alias"][1]), stacks=naming("AWS::KMS::Alias"), words=words))
    assert (line.advice, line.commands) == ("let it be, or call it something else", ("make free-taken",))


def test_pipelines_that_builds_made_are_named_while_no_stack_is_there():
    def described(asked):
        there = asked["PipelineName"] == "fish--training"
        return {"PipelineName": asked["PipelineName"]} if there else Refused("ResourceNotFound")

    left, made = {"sagemaker:DescribePipeline": described}, ["fish--training", "fish--batch"]
    line = only(leftovers.check_leftovers, situation(Aws(left), stacks=[stack("mlops")], pipelines=made))
    assert line.sign is Sign.PASSED
    assert line.found.endswith(": fish--training")
    assert found(leftovers.check_leftovers, situation(Aws({**left, **deployed()}), stacks=[stack("mlops")], pipelines=made)) == []
    assert found(leftovers.check_leftovers, situation(Aws(left), stacks=[stack("mlops")])) == []


# ---------------------------------------------------------------------------------------- network

LOGS = "com.amazonaws.eu-west-1.logs"
VPC = {"EnableDnsSupport": True, "EnableDnsHostnames": True}
SERVICE_NAME = {"Fn::Join": ["", ["com.amazonaws.", {"Ref": "AWS::Region"}, ".logs"]]}


def select(index):
    return {"Fn::Select": [index, {"Fn::GetAZs": ""}]}


BOTH = [select(0), select(1)]


def private(vpc=VPC, zones=BOTH, others=()):
    """A VPC whose endpoint is in subnets of these zones; it has others, too."""
    subnets = {f"S{number}": ("AWS::EC2::Subnet", {"AvailabilityZone": zone}) for number, zone in enumerate([*zones, *others])}
    where = [{"Ref": f"S{number}"} for number in range(len(zones))]
    endpoint = {"ServiceName": SERVICE_NAME, "PrivateDnsEnabled": True, "SubnetIds": where}
    return [stack("mlops", {"Vpc": ("AWS::EC2::VPC", vpc), "Logs": ("AWS::EC2::VPCEndpoint", endpoint), **subnets})]


def region(*services, zones=("eu-west-1a", "eu-west-1b", "eu-west-1c")):
    return {
        "ec2:DescribeVpcEndpointServices": {"ServiceDetails": list(services)},
        "ec2:DescribeAvailabilityZones": {"AvailabilityZones": [{"ZoneName": name} for name in zones]},
    }


def service(zones=("eu-west-1a", "eu-west-1b"), **dns):
    return {"ServiceName": LOGS, "AvailabilityZones": list(zones), **({"PrivateDnsName": "logs.eu-west-1.amazonaws.com"} | dns)}


def test_without_a_vpc_nothing_is_asked():
    aws = Aws()
    given = situation(aws, stacks=[stack("mlops")])
    assert signs(found(network.check_endpoint_services, given)) == "✓"
    assert [*found(network.check_private_dns, given), *found(network.check_vpc_quota, given), *aws.calls] == []


@pytest.mark.parametrize(
    ("offered", "sign", "word"),
    [
        ([service()], Sign.PASSED, "eu-west-1a, eu-west-1b"),
        ([], Sign.FAILED, f"{LOGS} is not offered"),
        ([service(PrivateDnsName="")], Sign.FAILED, "no private DNS"),
        ([service(zones=("eu-west-1a", "eu-west-1c"))], Sign.FAILED, "not in eu-west-1b"),
    ],
)
def test_the_region_offers_each_endpoint_in_both_zones_with_private_dns(offered, sign, word):
    line = only(network.check_endpoint_services, situation(Aws(region(*offered)), stacks=private()))
    assert line.sign is sign
    assert word in line.found
    assert sign is Sign.PASSED or "another region" in line.advice


@pytest.mark.parametrize(
    ("zones", "used"),
    [
        ([select(0), select(1)], "eu-west-1a, eu-west-1b"),  # each zone has a public subnet beside the private one of the endpoint
        ([select("0"), select(0), "eu-west-1a"], "eu-west-1a"),
        (["eu-west-1b", {"Fn::Join": ["", [{"Ref": "AWS::Region"}, "a"]]}], "eu-west-1a, eu-west-1b"),
        ([select(1)], "eu-west-1b"),
    ],
)
def test_the_zones_are_those_of_the_subnets_that_the_endpoint_is_in(zones, used):
    stacks = private(zones=zones, others=[select(0), select(1), select(2)])
    line = only(network.check_endpoint_services, situation(Aws(region(service())), stacks=stacks))
    assert line.sign is Sign.PASSED
    assert f" in {used}, with" in line.found


def test_of_subnets_that_are_made_elsewhere_no_zone_is_asked_for():
    endpoint = {"ServiceName": SERVICE_NAME, "PrivateDnsEnabled": True, "SubnetIds": ["subnet-1", {"Fn::ImportValue": "Network:Private"}]}
    stacks = [stack("mlops", {"Logs": ("AWS::EC2::VPCEndpoint", endpoint), "S": ("AWS::EC2::Subnet", {"AvailabilityZone": select(2)})})]
    assert only(network.check_endpoint_services, situation(Aws(region(service())), stacks=stacks)).sign is Sign.PASSED


def test_a_service_of_another_region_is_looked_for_there():
    """And in none of this region's zones."""
    there = "com.amazonaws.us-east-1.s3"
    endpoint = {"ServiceName": there, "ServiceRegion": "us-east-1", "PrivateDnsEnabled": True, "SubnetIds": [{"Ref": "S0"}]}
    (network_stack,) = private()
    stacks = [network_stack, stack("other", {"S3": ("AWS::EC2::VPCEndpoint", endpoint)})]
    s3 = {"ServiceName": there, "PrivateDnsName": "s3.us-east-1.amazonaws.com", "AvailabilityZones": ["us-east-1a"]}

    def offered(*of_s3):
        return {
            **region(),
            "ec2:DescribeVpcEndpointServices": lambda asked: {
                "ServiceDetails": list(of_s3) if asked.get("ServiceRegions") == ["us-east-1"] else [service()]
            },
        }

    lines = [only(network.check_endpoint_services, situation(Aws(offered(*of_s3)), stacks=stacks)) for of_s3 in ([s3], [])]
    assert signs(lines) == "✓✗"
    assert f"{there} is not offered" in lines[1].found


def test_a_vpc_that_does_not_resolve_names_fails():
    for switch in VPC:
        line = only(network.check_private_dns, situation(stacks=private({**VPC, switch: False})))
        assert line.sign is Sign.FAILED
        assert switch in line.found


@pytest.mark.parametrize(
    ("endpoint", "sign"),
    [
        ({"State": "available", "PrivateDnsEnabled": True}, Sign.PASSED),
        ({"State": "failed", "PrivateDnsEnabled": True}, Sign.FAILED),
        ({"State": "available", "PrivateDnsEnabled": False}, Sign.FAILED),
        (None, Sign.FAILED),
    ],
)
def test_deployed_endpoints_are_asked_for_themselves(endpoint, sign):
    described = [{"VpcEndpointId": "vpce-1", "ServiceName": LOGS, "VpcEndpointType": "Interface", **endpoint}] if endpoint else []
    aws = Aws({**deployed(("Logs", "vpce-1")), "ec2:DescribeVpcEndpoints": {"VpcEndpoints": described}})
    line = only(network.check_private_dns, situation(aws, stacks=private()))
    assert line.sign is sign
    assert sign is Sign.PASSED or line.commands == ("npx cdk deploy mlops",)


def test_a_region_full_of_vpcs_fails():
    limit = {"service-quotas:ListServiceQuotas": quotas(quota("VPCs per Region", 5, service="vpc"))}
    full, free = (
        only(network.check_vpc_quota, situation(Aws({**limit, "ec2:DescribeVpcs": {"Vpcs": [{}] * used}}), stacks=private()))
        for used in (5, 4)
    )
    assert signs([full, free]) == "✗✓"
    assert "--desired-value 6" in full.commands[0]


def test_a_network_that_may_not_be_looked_at_names_the_permission():
    aws = Aws({"ec2:DescribeVpcEndpointServices": denied("ec2:DescribeVpcEndpointServices")})
    with pytest.raises(NotSeenError) as refused:
        found(network.check_endpoint_services, situation(aws, stacks=private()))
    assert refused.value.permission == "ec2:DescribeVpcEndpointServices"
