"""What SageMaker refuses of a request by what is there and what goes together, and what a job that is isolated cannot do."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.sagemaker.jobs import isolation, script_mode
from local_account.sagemaker.pipelines import caching

from . import sagemaker_requests as small
from .roles import make_role

ALONE = """
import os, socket, sys
print("variables:", sorted(name for name in os.environ if name.startswith("AWS_")))
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname(), timeout=5)
print("it has a loopback")
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5)
    print("it reached the account")
except OSError:
    print("it has no network")
"""


@pytest.fixture(scope="module")
def sagemaker(account: Account) -> Any:
    small.publish(account.client("s3"), {"alone.py": ALONE, "train.py": "print('loss=1')\n", "requirements.txt": "nothing==1.0\n"})
    return account.client("sagemaker")


def code_of(call: Any, **request: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**request)
    return f"{error.value.response['Error']['Code']}: {error.value.response['Error']['Message']}"


# ------------------------------------------------------------------------------------------------- one name, one ARN


def test_names_that_differ_in_case_only_would_share_an_arn(sagemaker: Any) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="Prices")
    fail = small.definition([{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}])
    sagemaker.create_pipeline(PipelineName="Weekly", PipelineDefinition=fail, RoleArn=small.ROLE)

    assert "already exists" in code_of(sagemaker.create_model_package_group, ModelPackageGroupName="prices")
    twice = {"PipelineDefinition": fail, "RoleArn": small.ROLE, "ClientRequestToken": "t" * 32}
    assert "already exists" in code_of(sagemaker.create_pipeline, PipelineName="WEEKLY", **twice)


# -------------------------------------------------------------------------------------------------------- what is there


def test_a_model_is_made_of_data_that_is_there(sagemaker: Any) -> None:
    for url in (f"s3://{small.BUCKET}/none.tar.gz", "s3://none/model.tar.gz"):
        container = {"Image": small.IMAGE, "ModelDataUrl": url}
        refused = code_of(sagemaker.create_model, ModelName="m", PrimaryContainer=container, ExecutionRoleArn=small.ROLE)
        assert refused == f"ValidationException: Could not find model data at {url}."


def test_a_model_s_data_is_read_by_its_role(account: Account, sagemaker: Any) -> None:
    role = make_role(account, "reads-nothing", {"Effect": "Deny", "Action": "s3:*", "Resource": "*"})
    container = {"Image": small.IMAGE, "ModelDataUrl": f"s3://{small.BUCKET}/train.py"}
    refused = code_of(sagemaker.create_model, ModelName="m", PrimaryContainer=container, ExecutionRoleArn=role)
    assert f"Could not access model data at s3://{small.BUCKET}/train.py" in refused and role in refused


def train(sagemaker: Any, **more: Any) -> Any:
    name = small.new_name("train")
    request = {**small.training_definition(), "HyperParameters": small.script_mode("train.py"), **more}
    return lambda: sagemaker.create_training_job(TrainingJobName=name, **request), name


def test_a_training_is_made_of_data_that_is_there(sagemaker: Any) -> None:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{small.BUCKET}/none/"}
    call, _ = train(sagemaker, InputDataConfig=[{"ChannelName": "train", "DataSource": {"S3DataSource": source}}])

    assert code_of(call).startswith(f'ValidationException: No S3 objects found under S3 URL "{source["S3Uri"]}"')


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({"EnableManagedSpotTraining": True}, "ValidationException: Invalid MaxWaitTimeInSeconds"),
        (
            {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}},
            "ValidationException: Invalid MaxWaitTimeInSeconds",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "ValidationException: MaxWaitTimeInSeconds above 0 is not allowed",
        ),
        (
            {"AlgorithmSpecification": {"TrainingImage": small.IMAGE, "TrainingInputMode": "FastFile"}},
            "NotImplemented: The local account does not implement sagemaker:CreateTrainingJob with AlgorithmSpecification.TrainingInp",
        ),
    ],
)
def test_a_training_job_is_refused(sagemaker: Any, change: dict[str, Any], refused: str) -> None:
    call, _ = train(sagemaker, **change)

    assert code_of(call).startswith(refused)


def test_packages_that_the_container_would_install_are_not_left_out(sagemaker: Any) -> None:
    call, name = train(sagemaker)
    call()
    job = small.wait(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus")

    assert job["TrainingJobStatus"] == "Failed"
    assert "requirements.txt" in job["FailureReason"]


@pytest.mark.parametrize("path", ["/etc/x", "relative", "/opt/ml/../../tmp/x", "/opt/ml/processing/../model", "/opt/ml/processingx"])
def test_data_outside_of_the_folder_of_processing_is_refused(sagemaker: Any, path: str) -> None:
    item = small.s3_input("data", f"s3://{small.BUCKET}/data/")
    item["S3Input"]["LocalPath"] = path
    output = small.s3_output("out", f"s3://{small.BUCKET}/out")
    output["S3Output"]["LocalPath"] = path
    for request in (small.processing("alone", inputs=[item]), small.processing("alone", outputs=[output])):
        refused = code_of(sagemaker.create_processing_job, ProcessingJobName=small.new_name("p"), **request)
        assert refused == f"ValidationException: LocalPath {path} is not below /opt/ml/processing."


# ------------------------------------------------------------------------------------------------------ definitions


@pytest.mark.parametrize(
    ("parameter", "arguments", "named"),
    [
        ({"Name": "P", "Type": "String", "EnumValues": "abc"}, {}, "EnumValues"),
        ({"Name": "P", "Type": "String"}, {"a": {"Get": "Parameters.NOPE", "more": 1}}, "stands beside more"),
    ],
)
def test_a_definition_is_refused(sagemaker: Any, parameter: dict[str, Any], arguments: dict[str, Any], named: str) -> None:
    step = {"Name": "Ask", "Type": "Lambda", "FunctionArn": "arn:aws:lambda:us-east-1:111122223333:function:f", "Arguments": arguments}
    request = {"PipelineName": small.new_name("p"), "RoleArn": small.ROLE}
    refused = code_of(sagemaker.create_pipeline, PipelineDefinition=small.definition([step], [parameter]), **request)

    assert named in refused


def test_what_a_transform_step_is_cached_by_is_what_the_guide_lists() -> None:
    base = {"ModelName": "m", "TransformInput": {"a": 1}, "BatchStrategy": "MultiRecord", "MaxPayloadInMB": 1}
    same = {**base, "BatchStrategy": "SingleRecord", "MaxPayloadInMB": 6, "TransformOutput": {"S3OutputPath": "s3://other"}}

    assert caching.signature("Transform", base) == caching.signature("Transform", same)
    assert caching.signature("Transform", base) != caching.signature("Transform", {**base, "ModelName": "other"})


def test_a_script_is_given_what_the_containers_toolkit_gives_it() -> None:
    hyperparameters = script_mode.decoded(
        {"_mine": "1", "none": "null", "sagemaker_program": '"x"', "_tuning_objective_metric": '"loss"', "k": "[1]"}
    )

    assert script_mode.arguments(hyperparameters) == ["--_mine", "1", "-k", "[1]", "--none", ""]


# -------------------------------------------------------------------------------------------------------- isolation

namespaces = pytest.mark.skipif(not isolation.is_possible(), reason="this machine lets a process have no network of its own")


def lines_of(account: Account, kind: str, name: str) -> list[str]:
    return account.context.log_path(kind, name).read_text().splitlines()


@namespaces
def test_an_isolated_processing_job_has_no_network_and_no_credentials(account: Account, sagemaker: Any) -> None:
    request = small.processing("alone", str(account.settings.port), outputs=[small.s3_output("out", f"s3://{small.BUCKET}/alone")])
    for isolated in (True, False):
        name = small.new_name("alone")
        network = {"NetworkConfig": {"EnableNetworkIsolation": isolated}}
        sagemaker.create_processing_job(ProcessingJobName=name, **request, **network)
        job = small.wait(lambda name=name: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")  # type: ignore[misc]
        assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
        lines = lines_of(account, "processing-job", name)
        assert lines[1:] == ["it has a loopback", "it has no network" if isolated else "it reached the account"]
        assert ("AWS_SECRET_ACCESS_KEY" in lines[0]) is not isolated
        assert "AWS_REGION" in lines[0]


@namespaces
def test_an_isolated_shell_command_has_no_network_either(account: Account, sagemaker: Any) -> None:
    """Not Python, so not forked from what is warm."""
    name = small.new_name("shell")
    command = {"ContainerEntrypoint": ["sh", "-c", "cat /proc/net/dev; env"], "ImageUri": small.IMAGE}
    request = {**small.processing("alone"), "AppSpecification": command, "NetworkConfig": {"EnableNetworkIsolation": True}}
    sagemaker.create_processing_job(ProcessingJobName=name, **request)
    small.wait(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")

    lines = lines_of(account, "processing-job", name)
    assert [line.split(":")[0].strip() for line in lines if ":" in line and "=" not in line] == ["lo"]
    assert not [line for line in lines if line.startswith(("AWS_SECRET", "AWS_ENDPOINT"))]


def test_what_cannot_be_isolated_is_refused(sagemaker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "is_possible", lambda: False)
    network = {"NetworkConfig": {"EnableNetworkIsolation": True}}

    assert "no network of its own" in code_of(
        sagemaker.create_processing_job, ProcessingJobName=small.new_name("p"), **small.processing("alone"), **network
    )
    call, _ = train(sagemaker, EnableNetworkIsolation=True)
    assert "no network of its own" in code_of(call)
