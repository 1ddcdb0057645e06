"""Who asks: each thing that the account starts is a session of its own role, and a person an administrator with a name."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.errors import ServiceError
from local_account.roles import sagemaker_role

from .. import sagemaker_requests as small
from ..roles import make_role, trust
from ..stacks import Stack, template

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


def session_of(role: str, name: str) -> str:
    return f"arn:aws:sts::111122223333:assumed-role/{role}/{name}"


def test_the_person_at_the_keyboard_is_an_administrator_with_a_name(account: Account) -> None:
    assert account.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::111122223333:user/administrator"


@pytest.mark.parametrize("key", ["111122223333", "test", "AKIAIOSFODNN7EXAMPLE"])
def test_nobody_is_the_accounts_root(account: Account, key: str) -> None:
    settings = account.settings
    session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=settings.secret, region_name="us-east-1")
    with pytest.raises(ClientError) as refused:
        session.client("sts", endpoint_url=settings.endpoint_url).get_caller_identity()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_temporary_credentials_are_none_without_their_token(account: Account) -> None:
    credentials = sagemaker_role(account.context, small.ROLE, "arn:x").credentials
    session = boto3.Session(credentials.access_key, credentials.secret, region_name="us-east-1")
    with pytest.raises(ClientError, match="security token"):
        session.client("s3", endpoint_url=account.settings.endpoint_url).list_buckets()


def test_a_build_is_a_session_of_its_projects_role(account: Account) -> None:
    make_role(account, "builder", trusted=trust(["codebuild.amazonaws.com"]))
    spec = {
        "version": 0.2,
        "env": {"exported-variables": ["WHO"]},
        "phases": {"build": {"commands": [f'export WHO=$(python -c "{WHO}")']}},
    }
    codebuild = account.client("codebuild")
    codebuild.create_project(
        name="who",
        source={"type": "NO_SOURCE", "buildspec": json.dumps(spec)},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:8.0", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole="arn:aws:iam::111122223333:role/builder",
    )
    started = codebuild.start_build(projectName="who")["build"]["id"]
    build = codebuild.batch_get_builds(ids=[started])["builds"][0]
    while not build["buildComplete"]:
        time.sleep(0.1)
        build = codebuild.batch_get_builds(ids=[started])["builds"][0]
    (who,) = build["exportedEnvironmentVariables"]
    assert who["value"] == session_of("builder", f"AWSCodeBuild-{started.split(':')[1]}")


def function(account: Account, name: str, source: str, role: str) -> Any:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", source)
    functions = account.client("lambda")
    functions.create_function(
        FunctionName=name, Runtime="python3.12", Handler="index.handler", Role=role, Code={"ZipFile": content.getvalue()}
    )
    return json.loads(functions.invoke(FunctionName=name)["Payload"].read())


def test_a_function_is_a_session_of_its_execution_role(account: Account) -> None:
    role = make_role(account, "function-role", trusted=trust(["lambda.amazonaws.com"]))
    source = "import boto3\ndef handler(event, context):\n    return boto3.client('sts').get_caller_identity()['Arn']\n"
    assert function(account, "who", source, role) == session_of("function-role", "who")


# IAM user guide, "AWS global condition context keys": CloudFormation asks with the permissions of its caller, and says so.
@pytest.mark.parametrize(
    ("condition", "with_a_role", "is_made"),
    [
        ({"ForAnyValue:StringEquals": {"aws:CalledVia": ["cloudformation.amazonaws.com"]}}, False, True),
        ({"StringEquals": {"aws:CalledViaFirst": "cloudformation.amazonaws.com"}}, False, True),
        ({"StringEquals": {"aws:CalledViaLast": "cloudformation.amazonaws.com"}}, False, True),
        ({"Bool": {"aws:ViaAWSService": "true"}}, False, True),
        ({"Bool": {"aws:ViaAWSService": "false"}}, False, False),
        ({"ForAnyValue:StringEquals": {"aws:CalledVia": ["dynamodb.amazonaws.com"]}}, False, False),
        ({"Bool": {"aws:ViaAWSService": "true"}}, True, False),
    ],
)
def test_what_cloudformation_asks_for_its_caller_is_known_by_that(
    account: Account, condition: dict[str, Any], with_a_role: bool, is_made: bool
) -> None:
    stacks = {"Effect": "Allow", "Action": ["cloudformation:*", "iam:PassRole"], "Resource": "*"}
    topics = {"Effect": "Allow", "Action": "sns:*", "Resource": "*", "Condition": condition}
    name = small.new_name("via")
    arn = make_role(account, name, stacks, topics)
    caller = sagemaker_role(account.context, arn, "arn:x")
    options = {"RoleARN": arn} if with_a_role else {}
    body = template({"Topic": {"Type": "AWS::SNS::Topic"}})
    caller.client("cloudformation").create_stack(StackName=name, TemplateBody=body, **options)
    assert (Stack(account, name).settle() == "CREATE_COMPLETE") is is_made


def test_a_direct_request_is_via_no_service(account: Account) -> None:
    direct = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": {"Bool": {"aws:ViaAWSService": "false"}}}
    caller = sagemaker_role(account.context, make_role(account, "direct", direct), "arn:x")
    caller.client("s3").list_buckets()


# STS API reference, AssumeRole, DurationSeconds; IAM user guide, "Methods to assume a role": role chaining.
def test_a_session_lasts_as_long_as_its_role_allows(account: Account) -> None:
    everybody = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": everybody})
    iam, sts = account.client("iam"), account.client("sts")
    short = iam.create_role(RoleName="an-hour", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    long = iam.create_role(RoleName="two-hours", AssumeRolePolicyDocument=document, MaxSessionDuration=7200)["Role"]["Arn"]
    with pytest.raises(ClientError, match="exceeds the MaxSessionDuration set for this role") as refused:
        sts.assume_role(RoleArn=short, RoleSessionName="me", DurationSeconds=3601)
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    sts.assume_role(RoleArn=long, RoleSessionName="me", DurationSeconds=7200)

    chained = sagemaker_role(account.context, make_role(account, "chained"), "arn:x").client("sts")
    chained.assume_role(RoleArn=long, RoleSessionName="me", DurationSeconds=3600)
    with pytest.raises(ClientError, match="1 hour session limit for roles assumed by role chaining"):
        chained.assume_role(RoleArn=long, RoleSessionName="me", DurationSeconds=3601)


def processing(account: Account, name: str, script: str, **more: Any) -> dict[str, Any]:
    """The description of a processing job that runs a Python script; what it writes to the message file is its ExitMessage."""
    sagemaker = account.client("sagemaker")
    sagemaker.create_processing_job(
        ProcessingJobName=name,
        AppSpecification={"ImageUri": "image", "ContainerEntrypoint": ["python3", "-c", script]},
        ProcessingResources={"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
        **{"RoleArn": small.ROLE, **more},
    )
    return small.wait(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")


SAY = "import os, pathlib; say = pathlib.Path('/opt/ml/output/message').write_text; "


def test_a_job_is_a_session_of_its_role(account: Account) -> None:
    script = f"{SAY}import boto3; say(boto3.client('sts').get_caller_identity()['Arn'])"
    assert processing(account, "who", script)["ExitMessage"] == session_of("jobs", "SageMaker")


def test_a_job_without_a_network_has_neither_credentials_nor_an_address(account: Account) -> None:
    script = f"{SAY}say(' '.join(sorted(n for n in os.environ if n.startswith('AWS_'))) or 'none')"
    described = processing(account, "alone", script, NetworkConfig={"EnableNetworkIsolation": True})
    names = described["ExitMessage"].split()
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"} & set(names)


@pytest.mark.parametrize("role", ["functions-only", "nobody"])
def test_a_job_is_not_made_with_a_role_that_sagemaker_may_not_assume(account: Account, role: str) -> None:
    if role != "nobody":
        make_role(account, role, trusted=trust(["lambda.amazonaws.com"]))
    sagemaker, arn = account.client("sagemaker"), f"arn:aws:iam::111122223333:role/{role}"
    training = {**small.training_definition(RoleArn=arn), "TrainingJobName": f"by-{role}", "HyperParameters": small.script_mode("x.py")}
    making: dict[str, Callable[[], Any]] = {
        "ProcessingJob": lambda: processing(account, f"by-{role}", "pass", RoleArn=arn),
        "TrainingJob": lambda: sagemaker.create_training_job(**training),
    }
    for kind, make in making.items():
        with pytest.raises(ClientError, match=f"Could not assume role {arn}") as refused:
            make()
        assert refused.value.response["Error"]["Code"] == "ValidationException"
        listed = {"ProcessingJob": sagemaker.list_processing_jobs, "TrainingJob": sagemaker.list_training_jobs}[kind]()
        assert f"by-{role}" not in [summary[f"{kind}Name"] for summary in listed[f"{kind}Summaries"]]


def test_a_transform_job_is_not_made_with_a_model_whose_role_is_gone(account: Account) -> None:
    role = make_role(account, "scoring")
    account.client("s3").create_bucket(Bucket="model-of-nobody")
    account.client("s3").put_object(Bucket="model-of-nobody", Key="model.tar.gz", Body=b"x")
    sagemaker = account.client("sagemaker")
    container = {"Image": small.IMAGE, "ModelDataUrl": "s3://model-of-nobody/model.tar.gz"}
    sagemaker.create_model(ModelName="orphan", ExecutionRoleArn=role, PrimaryContainer=container)
    account.client("iam").delete_role_policy(RoleName="scoring", PolicyName="permissions")
    account.client("iam").delete_role(RoleName="scoring")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://model-of-nobody/"}}
    with pytest.raises(ClientError, match=f"Could not assume role {role}"):
        sagemaker.create_transform_job(
            TransformJobName="orphaned",
            ModelName="orphan",
            TransformInput={"DataSource": source, "ContentType": "text/csv"},
            TransformOutput={"S3OutputPath": "s3://model-of-nobody/out"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        )


def test_a_trust_policy_may_ask_for_whom_the_service_works(account: Account) -> None:
    only = {"ArnLike": {"aws:SourceArn": "arn:aws:sagemaker:us-east-1:111122223333:pipeline/*"}}
    role = make_role(account, "for-pipelines", trusted=trust(["sagemaker.amazonaws.com"], only))
    assert sagemaker_role(account.context, role, "arn:aws:sagemaker:us-east-1:111122223333:pipeline/p").credentials.token
    with pytest.raises(ServiceError, match="sts:AssumeRole"):
        _ = sagemaker_role(account.context, role, "arn:aws:sagemaker:us-east-1:111122223333:training-job/j").credentials


def test_a_role_can_be_assumed_only_by_whom_it_trusts(account: Account) -> None:
    role = make_role(account, "trusts-nobody-here", trusted=trust(["lambda.amazonaws.com"]))
    with pytest.raises(ClientError, match="sts:AssumeRole"):
        account.client("sts").assume_role(RoleArn=role, RoleSessionName="me")
