"""No member of a SageMaker request is dropped: it is acted on, told by Describe as it was given, or refused by name."""

from __future__ import annotations

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.endpoints.fleet import RoutingStrategy, Variant
from local_account.errors import ServiceError

from . import sagemaker_requests as small
from .endpoint_models import create_model, variant

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
VPC = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
CONTAINER = {"Image": small.IMAGE, "ModelDataUrl": "s3://models/m/model.tar.gz"}
SPECIFICATION = {"Containers": [CONTAINER], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}


@pytest.fixture(scope="module")
def sagemaker(account: Account) -> Any:
    small.publish(account.client("s3"), {"noop.py": "pass\n", "train.py": "pass\n"})
    return account.client("sagemaker")


@pytest.fixture(scope="module")
def model(account: Account, sagemaker: Any) -> str:
    return create_model(account, "served")


# ------------------------------------------------------------------------------------------------- by name


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"Outputs": [{"OutputName": "f", "FeatureStoreOutput": {"FeatureGroupName": "g"}}]}, r"Outputs\.FeatureStoreOutput"),
        ({"Outputs": [{"OutputName": "f", "AppManaged": True}]}, r"Outputs\.AppManaged true"),
    ],
)
def test_an_output_that_would_not_be_written_is_refused_by_name(sagemaker: Any, change: dict[str, Any], named: str) -> None:
    request = {**small.processing("noop"), "ProcessingOutputConfig": change, "ProcessingJobName": small.new_name("job")}
    with pytest.raises(ClientError, match=f"NotImplemented.*ProcessingOutputConfig\\.{named}"):
        sagemaker.create_processing_job(**request)
    with pytest.raises(ClientError, match="Could not find"):
        sagemaker.describe_processing_job(ProcessingJobName=request["ProcessingJobName"])


def test_a_pipeline_whose_step_would_be_refused_is_not_created(sagemaker: Any) -> None:
    outputs = [{"OutputName": "f", "FeatureStoreOutput": {"FeatureGroupName": {"Get": "Execution.PipelineName"}}}]
    arguments = {**small.processing("noop"), "ProcessingOutputConfig": {"Outputs": outputs}}
    with pytest.raises(ClientError, match=r"NotImplemented.*CreateProcessingJob with .*FeatureStoreOutput"):
        small.create_pipeline(sagemaker, [{"Name": "A", "Type": "Processing", "Arguments": arguments}])


# --------------------------------------------------------------------------------------- what Describe tells


def test_describe_tells_everything_that_a_model_was_created_with(sagemaker: Any, model: str) -> None:
    given = {
        "ModelName": small.new_name("m"),
        "PrimaryContainer": {
            **CONTAINER,
            "ModelDataUrl": sagemaker.describe_model(ModelName=model)["PrimaryContainer"]["ModelDataUrl"],
            "ContainerHostname": "first",
            "Mode": "SingleModel",
            "ImageConfig": {"RepositoryAccessMode": "Vpc"},
            "Environment": {"a": "b"},
        },
        "InferenceExecutionConfig": {"Mode": "Serial"},
        "ExecutionRoleArn": small.ROLE,
        "VpcConfig": VPC,
        "EnableNetworkIsolation": True,
    }
    arn = sagemaker.create_model(**given, Tags=[{"Key": "team", "Value": "a"}])["ModelArn"]
    described = sagemaker.describe_model(ModelName=given["ModelName"])
    assert {name: described[name] for name in given} == given
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "a"}]


def test_describe_tells_everything_that_an_endpoint_configuration_was_created_with(sagemaker: Any, model: str) -> None:
    given = {
        "EndpointConfigName": small.new_name("c"),
        "ProductionVariants": [
            {**variant(model), "VolumeSizeInGB": 10, "ModelDataDownloadTimeoutInSeconds": 60, "EnableSSMAccess": False}
            | {"ContainerStartupHealthCheckTimeoutInSeconds": 60, "InferenceAmiVersion": "al2-ami-sagemaker-inference-gpu-2"}
        ],
        "KmsKeyId": KEY,
        "ExecutionRoleArn": small.ROLE,
        "VpcConfig": VPC,
        "EnableNetworkIsolation": True,
    }
    sagemaker.create_endpoint_config(**given)
    described = sagemaker.describe_endpoint_config(EndpointConfigName=given["EndpointConfigName"])
    assert {name: described[name] for name in given} == given


def test_describe_tells_everything_that_jobs_were_created_with(sagemaker: Any) -> None:
    processing = {
        **small.processing("noop"),
        "ProcessingJobName": small.new_name("p"),
        "NetworkConfig": {"EnableNetworkIsolation": True, "EnableInterContainerTrafficEncryption": True, "VpcConfig": VPC},
    }
    processing["ProcessingResources"] = {"ClusterConfig": {**small.CLUSTER["ClusterConfig"], "VolumeKmsKeyId": KEY}}
    sagemaker.create_processing_job(**processing)
    described = sagemaker.describe_processing_job(ProcessingJobName=processing["ProcessingJobName"])
    assert {name: described[name] for name in processing} == processing

    training = {
        **small.training_definition(),
        "TrainingJobName": small.new_name("t"),
        "HyperParameters": small.script_mode("train.py"),
        "VpcConfig": VPC,
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": True,
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120, "MaxPendingTimeInSeconds": 7200},
        "RetryStrategy": {"MaximumRetryAttempts": 1},
        "ProfilerConfig": {"DisableProfiler": True},
    }
    sagemaker.create_training_job(**training)
    described = sagemaker.describe_training_job(TrainingJobName=training["TrainingJobName"])
    assert {name: described[name] for name in training} == training


def test_what_a_job_writes_is_encrypted_with_the_key_that_its_output_names(account: Account, sagemaker: Any) -> None:
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3 = account.client("s3")
    s3.put_object(Bucket=small.BUCKET, Key="code/write.py", Body="import sys; open(sys.argv[1] + '/a.txt', 'w').write('a')\n")
    request = small.processing(
        "write", "/opt/ml/processing/output/out", outputs=[small.s3_output("out", f"s3://{small.BUCKET}/written")]
    ) | {"ProcessingJobName": small.new_name("p")}
    request["ProcessingOutputConfig"]["KmsKeyId"] = key
    sagemaker.create_processing_job(**request)
    described = small.wait(lambda: sagemaker.describe_processing_job(ProcessingJobName=request["ProcessingJobName"]), "ProcessingJobStatus")
    assert described["ProcessingJobStatus"] == "Completed", described
    assert s3.head_object(Bucket=small.BUCKET, Key="written/a.txt")["SSEKMSKeyId"] == key


# ------------------------------------------------------------------------------------------------ containers


def register(sagemaker: Any, specification: dict[str, Any], **more: Any) -> str:
    group = small.new_name("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    arn: str = sagemaker.create_model_package(
        ModelPackageGroupName=group, InferenceSpecification=specification, ModelApprovalStatus="Approved", **more
    )["ModelPackageArn"]
    return arn


def test_a_package_of_two_containers_is_registered_and_refused_where_a_model_is_made_of_it(sagemaker: Any) -> None:
    two = {**SPECIFICATION, "Containers": [CONTAINER, {**CONTAINER, "ModelDataUrl": "s3://nowhere/second.tar.gz"}]}
    arn = register(sagemaker, two)
    assert len(sagemaker.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]["Containers"]) == 2
    with pytest.raises(ClientError, match=r"NotImplemented.*model package with 2 containers"):
        sagemaker.create_model(ModelName="of-two", ExecutionRoleArn=small.ROLE, PrimaryContainer={"ModelPackageName": arn})
    with pytest.raises(ClientError, match=r"NotImplemented.*with 2 Containers"):
        sagemaker.create_model(ModelName="of-two", ExecutionRoleArn=small.ROLE, Containers=[CONTAINER, CONTAINER])
    with pytest.raises(ClientError, match="Could not find model"):
        sagemaker.describe_model(ModelName="of-two")


@pytest.mark.parametrize(
    ("container", "named"),
    [
        ({**CONTAINER, "Mode": "MultiModel", "MultiModelConfig": {"ModelCacheSetting": "Disabled"}}, "ModelCacheSetting Disabled"),
        (
            {"Image": "i", "ModelDataSource": {"S3DataSource": {"S3Uri": "s3://m/", "S3DataType": "S3Prefix", "CompressionType": "None"}}},
            "CompressionType None",
        ),
    ],
)
def test_a_container_that_would_be_served_as_another_is_refused(sagemaker: Any, container: dict[str, Any], named: str) -> None:
    with pytest.raises(ClientError, match=f"NotImplemented.*{named}"):
        sagemaker.create_model(ModelName="other", PrimaryContainer=container)
    if "ModelDataSource" in container:
        with pytest.raises(ClientError, match=f"NotImplemented.*{named}"):
            arn = register(sagemaker, {**SPECIFICATION, "Containers": [container]})
            sagemaker.create_model(ModelName="other", PrimaryContainer={"ModelPackageName": arn})


def test_what_no_model_here_is_made_of_is_refused_by_name(sagemaker: Any) -> None:
    group = small.new_name("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    named = [{"Name": "special", "Containers": [CONTAINER]}]
    with pytest.raises(ClientError, match=r"NotImplemented.*CreateModelPackage with AdditionalInferenceSpecifications"):
        sagemaker.create_model_package(ModelPackageGroupName=group, AdditionalInferenceSpecifications=named)
    with pytest.raises(ClientError, match=r"NotImplemented.*CreateModelPackage with ModelPackageName"):
        sagemaker.create_model_package(ModelPackageName="alone", InferenceSpecification=SPECIFICATION)


def test_a_name_that_is_taken_is_refused_and_what_is_there_stays(sagemaker: Any, model: str) -> None:
    before = sagemaker.describe_model(ModelName=model)
    with pytest.raises(ClientError, match="already existing model"):
        sagemaker.create_model(ModelName=model, PrimaryContainer={"Image": "other"})
    assert sagemaker.describe_model(ModelName=model)["PrimaryContainer"] == before["PrimaryContainer"]
    for containers in ({}, {"PrimaryContainer": CONTAINER, "Containers": [CONTAINER]}, {"PrimaryContainer": {"Environment": {"a": "b"}}}):
        with pytest.raises(ClientError, match="ValidationException"):
            sagemaker.create_model(ModelName="none", **containers)


# -------------------------------------------------------------------------------------------------- variants


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (
            {"ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 4}},
            "ValidationException.*ManagedInstanceScaling is only supported for inference component endpoints",
        ),
        ({"CoreDumpConfig": {"DestinationS3Uri": "s3://bucket/dumps"}}, r"NotImplemented.*ProductionVariants\.CoreDumpConfig"),
        ({"EnableSSMAccess": True}, r"NotImplemented.*EnableSSMAccess true"),
        ({"ModelName": "no-such-model"}, "ValidationException.*Could not find model"),
        ({"InstanceType": None}, "ValidationException.*needs InstanceType"),
        ({"ModelName": None}, "ValidationException.*has no ModelName, so ExecutionRoleArn is needed"),
    ],
)
def test_a_variant_that_would_run_as_another_is_refused(sagemaker: Any, model: str, change: dict[str, Any], error: str) -> None:
    changed = {name: value for name, value in {**variant(model), **change}.items() if value is not None}
    with pytest.raises(ClientError, match=error):
        sagemaker.create_endpoint_config(EndpointConfigName="refused", ProductionVariants=[changed])
    with pytest.raises(ClientError, match="Could not find"):
        sagemaker.describe_endpoint_config(EndpointConfigName="refused")


@pytest.mark.parametrize(
    "more",
    [
        {"ExplainerConfig": {"ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "1"}}}}},
        {"MetricsConfig": {"EnableEnhancedMetrics": True}},
    ],
)
def test_a_configuration_that_would_do_less_than_it_says_is_refused(sagemaker: Any, model: str, more: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match=f"NotImplemented.*{next(iter(more))}"):
        sagemaker.create_endpoint_config(EndpointConfigName="refused", ProductionVariants=[variant(model)], **more)


def test_an_instance_gets_the_time_to_start_that_its_variant_says(tmp_path: Path) -> None:
    stopped: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers /ping
        launcher: Any = SimpleNamespace(start=lambda *_: (7, silent.getsockname()[1]), stop=stopped.append)
        model: Any = SimpleNamespace(directory=tmp_path, environment={}, credentials=None)
        impatient = Variant("AllTraffic", 1.0, model, launcher, lambda number: tmp_path, RoutingStrategy.RANDOM, health_check_seconds=0.1)
        with pytest.raises(ServiceError, match="did not pass the ping health check"):
            impatient.scale_to(1)
    assert stopped == [7]
