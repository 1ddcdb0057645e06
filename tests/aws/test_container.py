"""The image that the pipeline names: has the lock's versions, and imports every step."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from build_scripts.project_environment import ProjectEnvironment
from build_scripts.publish import code_files, publish
from settings_schema import ModelNames
from settings_schema.reading import Settings

PACKAGES = ("xgboost", "sklearn", "pandas", "numpy", "scipy", "pyarrow", "matplotlib", "jinja2", "boto3")
_REPORT = (
    "import importlib, json, pathlib, sys;"
    "sys.path.insert(0, '/opt/ml/processing/input/code');"
    f"found = {{n: importlib.import_module(n).__version__ for n in {PACKAGES!r}}};"
    "[importlib.import_module(m) for m in ('prepare', 'train', 'choose', 'evaluate', 'inference')];"
    "found['python'] = '.'.join(map(str, sys.version_info[:2]));"
    "pathlib.Path('/opt/ml/processing/output/found.json').write_text(json.dumps(found))"
)
LOCAL_NAMES = {"sklearn": "scikit-learn", "xgboost": "xgboost-cpu"}


@pytest.fixture(scope="module")
def found(settings: Settings, project: ProjectEnvironment) -> dict[str, str]:
    """Versions that a processing job sees in the image of the upserted pipeline of the first model."""
    model = next(iter(settings.models.values()))
    names = model.names(settings.project)
    sagemaker, s3 = project.client("sagemaker"), project.client("s3")
    definition = json.loads(sagemaker.describe_pipeline(PipelineName=names.training_pipeline)["PipelineDefinition"])
    prepare = next(step for step in definition["Steps"] if step["Name"] == "Prepare")["Arguments"]
    code, _ = publish(s3, project.artifact_bucket, code_files(model), project.key_arn)
    name = f"{names.job('versions')}-{uuid.uuid4().hex[:8]}"
    output = f"s3://{project.artifact_bucket}/tests/{name}"
    sagemaker.create_processing_job(ProcessingJobName=name, **_job(project, names, prepare["AppSpecification"]["ImageUri"], code, output))
    deadline = time.monotonic() + 15 * 60
    while (job := sagemaker.describe_processing_job(ProcessingJobName=name))["ProcessingJobStatus"] == "InProgress":
        assert time.monotonic() < deadline, f"processing job {name} still runs after 15 minutes"
        time.sleep(15)
    assert job["ProcessingJobStatus"] == "Completed", job.get("FailureReason")
    body: dict[str, str] = json.load(s3.get_object(Bucket=project.artifact_bucket, Key=f"tests/{name}/found.json")["Body"])
    return body


def _job(project: ProjectEnvironment, names: ModelNames, image: str, code: str, output: str) -> dict[str, Any]:
    source = {"S3Uri": f"{code}/steps/", "LocalPath": "/opt/ml/processing/input/code", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    target = {"S3Uri": output, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    return {
        "RoleArn": project.role_arn(names.pipeline_role),
        "AppSpecification": {"ImageUri": image, "ContainerEntrypoint": ["python3", "-c", _REPORT]},
        "ProcessingInputs": [{"InputName": "code", "S3Input": source}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "found", "S3Output": target}], "KmsKeyId": project.key_arn},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.t3.medium", "InstanceCount": 1, "VolumeSizeInGB": 30, "VolumeKmsKeyId": project.key_arn}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 900},
    }


@pytest.mark.parametrize("package", [name for name in PACKAGES if name not in ("matplotlib", "jinja2", "boto3")])
def test_the_container_has_the_version_that_the_lock_pins(found, package):
    from importlib.metadata import version

    assert found[package] == version(LOCAL_NAMES.get(package, package))


def test_the_container_has_what_the_report_is_made_with(found):
    assert found["matplotlib"]
    assert found["jinja2"]
