"""A hand-made account for the scripts' tests: a registry, an object store and an endpoint, as plain Python.

Its project, environments and models are those of tests/example_models.py: builds run these tests, whatever a team has written.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from build_scripts import command_line
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.step_modules import load
from pipelines.tabular.specification import specification_json
from settings_schema import DataSet
from settings_schema.reading import Settings
from tests.example_models import ABALONE, ENVIRONMENTS, PRODUCTION, PROJECT, SETTINGS, STAGING, model_of

#: The model that a script is asked about where a test names none, and its names.
MODEL = ABALONE
NAMES = MODEL.names(PROJECT)
GROUP = NAMES.model_package_group
PACKAGE = f"arn:aws:sagemaker:us-east-1:111122223333:model-package/{GROUP}"


def refusal(code: str, message: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}, operation)


class Pages:
    """A paginator over one page made by `call`."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        yield self._call(**request)


class S3:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.metadata: dict[str, dict[str, str]] = {}
        self.writes: list[str] = []

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, Metadata: dict[str, str] | None = None, **_: str) -> None:  # noqa: N803 - boto3 spells them so
        self.objects[f"{Bucket}/{Key}"] = Body
        self.metadata[f"{Bucket}/{Key}"] = Metadata or {}
        self.writes.append(Key)

    def get_object(self, *, Bucket: str, Key: str, Range: str = "bytes=0-") -> dict[str, Any]:  # noqa: N803
        if f"{Bucket}/{Key}" not in self.objects:
            raise refusal("NoSuchKey", "no such key", "GetObject")
        first, last = Range.removeprefix("bytes=").split("-")
        return {"Body": io.BytesIO(self.objects[f"{Bucket}/{Key}"][int(first) : int(last) + 1 if last else None])}

    def delete_object(self, *, Bucket: str, Key: str) -> None:  # noqa: N803
        self.objects.pop(f"{Bucket}/{Key}", None)

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        if f"{Bucket}/{Key}" not in self.objects:
            raise refusal("404", "Not Found", "HeadObject")
        return {}

    def list_objects_v2(self, *, Bucket: str, Prefix: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        found = {name.split("/", 1)[1]: body for name, body in self.objects.items() if name.startswith(f"{Bucket}/{Prefix}")}
        return {"Contents": [{"Key": key, "Size": len(body)} for key, body in found.items()]}

    def list_object_versions(self, *, Bucket: str, Prefix: str) -> dict[str, Any]:  # noqa: N803
        found = self.list_objects_v2(Bucket=Bucket, Prefix=Prefix)["Contents"]
        return {"Versions": [{**item, "VersionId": "first", "IsLatest": True} for item in found]}

    def get_paginator(self, operation: str) -> Pages:
        return Pages(getattr(self, operation))


class Registry:
    """The part of SageMaker that holds versions, endpoints and pipelines."""

    def __init__(self, s3: S3 | None = None) -> None:
        self.s3 = s3 or S3()
        self.packages: dict[int, dict[str, Any]] = {}
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.executions: list[dict[str, Any]] = []
        self.components: dict[str, dict[str, Any]] = {}
        self.deleted: set[str] = set()  # "config" and "model" of every endpoint, which go on serving without

    def add(self, number: int, approval: str = "Approved", **facts: str) -> str:
        """A version whose archive, if there is none, is a small one. Its hashes are in the metadata, as the pipeline writes them."""
        code = {"inference.py": b"# answers"}
        packed = self.s3.objects.setdefault(
            f"artifacts/{number}/model.tar.gz", load("archive").pack({f"code/{name}": text for name, text in code.items()})
        )
        facts = {"model-sha256": hashlib.sha256(packed).hexdigest(), "code-sha256": load("archive").sha256(code), **facts}
        self.packages[number] = {
            "ModelPackageArn": f"{PACKAGE}/{number}",
            "ModelPackageVersion": number,
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": approval,
            "CustomerMetadataProperties": facts,
            "InferenceSpecification": {
                "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
                "SupportedContentTypes": ["text/csv", "application/json", "application/jsonlines"],
                "Containers": [{"ModelDataUrl": f"s3://artifacts/{number}/model.tar.gz"}],
            },
        }
        return f"{PACKAGE}/{number}"

    def serve(self, endpoint: str, number: int, instance_type: str = "ml.m5.large", config: str = "config-1", instances: int = 2) -> None:
        served = {"number": number, "type": instance_type, "config": config, "status": "InService", "instances": instances}
        self.endpoints[endpoint] = served

    def list_model_packages(self, *, ModelPackageGroupName: str, ModelApprovalStatus: str | None = None, **_: Any) -> dict[str, Any]:  # noqa: N803
        if ModelPackageGroupName != GROUP:
            raise refusal("ValidationException", f"ModelPackageGroup {ModelPackageGroupName} does not exist.", "ListModelPackages")
        wanted = (ModelApprovalStatus, None)
        return {
            "ModelPackageSummaryList": [
                package for package in self.packages.values() if wanted[0] in (None, package["ModelApprovalStatus"])
            ]
        }

    def list_pipeline_execution_steps(self, *, PipelineExecutionArn: str) -> dict[str, Any]:  # noqa: N803
        return {"PipelineExecutionSteps": []}

    def get_paginator(self, operation: str) -> Pages:
        return Pages(getattr(self, operation))

    def describe_model_package(self, *, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803
        number = int(ModelPackageName.rsplit("/", 1)[-1])
        if number not in self.packages:
            raise refusal("ValidationException", f"ModelPackage {ModelPackageName} does not exist.", "DescribeModelPackage")
        return self.packages[number]

    def update_model_package(self, *, ModelPackageArn: str, **changes: Any) -> None:  # noqa: N803
        self.describe_model_package(ModelPackageName=ModelPackageArn).update(changes)

    def describe_pipeline(self, *, PipelineName: str) -> dict[str, Any]:  # noqa: N803
        if PipelineName not in self.pipelines:
            raise refusal("ResourceNotFound", "Pipeline does not exist", "DescribePipeline")
        return self.pipelines[PipelineName]

    def list_pipeline_executions(self, *, PipelineName: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.describe_pipeline(PipelineName=PipelineName)
        return {"PipelineExecutionSummaries": self.executions}

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        if EndpointName not in self.endpoints:
            raise refusal("ValidationException", "Could not find endpoint", "DescribeEndpoint")
        endpoint = self.endpoints[EndpointName]
        described = {"EndpointName": EndpointName, "EndpointStatus": endpoint["status"], "EndpointConfigName": endpoint["config"]}
        return {**described, "ProductionVariants": [{"VariantName": "AllTraffic", "DesiredInstanceCount": endpoint["instances"]}]}

    def put_on_fleet(self, component: str, endpoint: str, number: int, *, copies: int = 1, wanted: int | None = None, **more: Any) -> None:
        self.components[component] = {
            "InferenceComponentName": component,
            "EndpointName": endpoint,
            "InferenceComponentStatus": "InService",
            "Specification": {"ModelName": f"model-{number}"},
            "RuntimeConfig": {"CurrentCopyCount": copies, "DesiredCopyCount": copies if wanted is None else wanted},
            **more,
        }

    def describe_inference_component(self, *, InferenceComponentName: str) -> dict[str, Any]:  # noqa: N803
        if InferenceComponentName not in self.components:
            raise refusal("ValidationException", "Could not find inference component", "DescribeInferenceComponent")
        return self.components[InferenceComponentName]

    def list_inference_components(self, *, EndpointNameEquals: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"InferenceComponents": [item for item in self.components.values() if item["EndpointName"] == EndpointNameEquals]}

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> dict[str, Any]:  # noqa: N803
        endpoint = next((item for item in self.endpoints.values() if item["config"] == EndpointConfigName), None)
        if endpoint is None or "config" in self.deleted:
            raise refusal("ValidationException", f'Could not find endpoint configuration "{EndpointConfigName}".', "DescribeEndpointConfig")
        return {"ProductionVariants": [{"ModelName": f"model-{endpoint['number']}", "InstanceType": endpoint["type"]}]}

    def describe_model(self, *, ModelName: str) -> dict[str, Any]:  # noqa: N803
        if "model" in self.deleted:
            raise refusal("ValidationException", f'Could not find model "{ModelName}".', "DescribeModel")
        return {"Containers": [{"ModelPackageName": f"{PACKAGE}/{ModelName.split('-')[1]}"}]}


def prepared(dataset: DataSet, classes: list[str] | None = None) -> dict[str, Any]:
    """contract.json of a version, as far as scripts read it: what evaluate.py keeps of the model's file, and the classes."""
    specification = json.loads(specification_json(model_of(dataset, MODEL.name)))
    return {**{name: specification[name] for name in ("model", "dataset", "preparation")}, "classes": classes, "code_sha256": "c" * 64}


def golden_csv(dataset: DataSet, rows: Sequence[Sequence[str]]) -> bytes:
    """Each row: the features, the true answer, the version's answer."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[*dataset.features, dataset.target, "prediction"], *rows])
    return text.getvalue().encode()


class Stacks:
    """The part of CloudFormation that knows which stacks there are: those of `names`, and those that are `described`."""

    def __init__(self) -> None:
        self.names = {model.names(PROJECT).stack for model in SETTINGS.models.values()}
        self.described: dict[str, dict[str, Any]] = {}
        self.resources: dict[str, list[str]] = {}  # their types
        self.templates: dict[str, dict[str, Any]] = {}

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        if StackName in self.described:
            return {"Stacks": [self.described[StackName]]}
        if StackName not in self.names:
            raise refusal("ValidationError", f"Stack with id {StackName} does not exist", "DescribeStacks")
        return {"Stacks": [{"StackName": StackName, "StackStatus": "CREATE_COMPLETE"}]}

    def get_template(self, *, StackName: str, TemplateStage: str) -> dict[str, Any]:  # noqa: N803
        return {"TemplateBody": self.templates.get(StackName, {"Resources": {}})}

    def describe_stack_resources(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"StackResources": [{"ResourceType": kind, "PhysicalResourceId": kind} for kind in self.resources.get(StackName, [])]}


class NoPipelines:
    """CodePipeline where nothing has been deployed yet."""

    def get_pipeline_state(self, *, name: str) -> dict[str, Any]:
        raise refusal("PipelineNotFoundException", f"no pipeline {name}", "GetPipelineState")

    def list_pipeline_executions(self, *, pipelineName: str) -> dict[str, Any]:  # noqa: N803
        raise refusal("PipelineNotFoundException", f"no pipeline {pipelineName}", "ListPipelineExecutions")

    def list_action_executions(self, *, pipelineName: str) -> dict[str, Any]:  # noqa: N803
        raise refusal("PipelineNotFoundException", f"no pipeline {pipelineName}", "ListActionExecutions")

    def get_paginator(self, operation: str) -> Pages:
        return Pages(getattr(self, operation))


class Alarms:
    """The part of CloudWatch that knows alarms, of which those in `on` are in ALARM, and requests: by the hour, of one endpoint."""

    def __init__(self) -> None:
        self.on: set[str] = set()
        self.requests: dict[datetime, float] = {}

    def get_metric_statistics(self, *, MetricName: str, Period: int, **_: Any) -> dict[str, Any]:  # noqa: N803
        assert (MetricName, Period) == ("Invocations", 3600)
        return {"Datapoints": [{"Timestamp": at, "Sum": count} for at, count in self.requests.items()]}

    def describe_alarms(self, *, AlarmNames: list[str]) -> dict[str, Any]:  # noqa: N803
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": "ALARM" if name in self.on else "OK"} for name in AlarmNames]}


class ScriptAccount:
    """Replaces the clients that the scripts ask for."""

    def __init__(self) -> None:
        self.s3, self.cloudformation = S3(), Stacks()
        self.sagemaker = Registry(self.s3)
        self.clients: dict[str, Any] = {"s3": self.s3, "sagemaker": self.sagemaker, "cloudformation": self.cloudformation}
        self.cloudwatch = Alarms()
        self.clients |= {"codepipeline": NoPipelines(), "cloudwatch": self.cloudwatch}

    def register(self, number: int, dataset: DataSet, rows: Sequence[Sequence[str]], classes: list[str] | None = None, **facts: str) -> str:
        """An approved version of a data set with its contract and its golden rows, whatever the model is today; its ARN."""
        self.s3.objects[f"artifacts/{number}/contract.json"] = json.dumps(prepared(dataset, classes)).encode()
        self.s3.objects[f"artifacts/{number}/golden.csv"] = golden_csv(dataset, rows)
        evidence = {
            f"{name}-url": f"s3://artifacts/{number}/{file}" for name, file in (("contract", "contract.json"), ("golden", "golden.csv"))
        }
        return self.sagemaker.add(number, **{**evidence, **facts})

    def client(self, service: str) -> Any:
        return self.clients[service]


VARIABLES = {
    "AWS_REGION": "us-east-1",
    "ARTIFACT_BUCKET": "artifacts",
    "DATA_BUCKET": "data",
    "KMS_KEY_ARN": "arn:aws:kms:us-east-1:111122223333:key/1",
    "MODEL": MODEL.name,
}


def set_values(monkeypatch: pytest.MonkeyPatch, settings: Settings = SETTINGS) -> None:
    """What every script reads in place of settings.py and models/."""
    monkeypatch.setattr(command_line, "read", lambda: settings)


def install(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    """Environment, values and clients of a hand-made account, for the duration of a test. Scripts work on MODEL, as in a build of it."""
    account = ScriptAccount()
    set_values(monkeypatch)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    for name in ("CODEBUILD_RESOLVED_SOURCE_VERSION", "REQUESTED_PACKAGE", "STAGE", "ENDPOINT_NAME", "MODEL_PACKAGE_ARN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ProjectEnvironment, "client", lambda _, service, config=None: account.client(service))
    return account


__all__ = [
    "ENVIRONMENTS",
    "MODEL",
    "NAMES",
    "PRODUCTION",
    "PROJECT",
    "S3",
    "SETTINGS",
    "STAGING",
    "Pages",
    "Registry",
    "ScriptAccount",
    "Stacks",
]
