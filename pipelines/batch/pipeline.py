"""The batch pipeline: an approved version scores a file, and every answer comes back beside its row.

Parameters: the model package, the data (CSV without header, columns in the order of settings.py) and where the
answers go. Output: `<file>.out`, each input row with its prediction as the last column. The package is the one
that the endpoint serves, so a row gets the same answer in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.offline_session import OfflineSession, no_metadata_service  # isort: skip - before every other import of the SDK

from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.properties import Properties
from sagemaker.mlops.workflow import Pipeline, TransformStep
from sagemaker.mlops.workflow.retry import SageMakerJobExceptionTypeEnum, SageMakerJobStepRetryPolicy
from sagemaker.mlops.workflow.steps import ConfigurableRetryStep, StepTypeEnum

import settings
from settings import DataSet, Project

MAX_PAYLOAD_MB = 6  # what the serving container accepts


class CreatePackagedModelStep(ConfigurableRetryStep):  # type: ignore[misc] # the SDK ships no types
    """Creates a model from a registered package. The SDK (3.27.0) has a step only for models described anew."""

    def __init__(self, name: str, request: dict[str, Any]) -> None:
        super().__init__(name, StepTypeEnum.CREATE_MODEL)
        self._request = request
        self._properties = Properties(step_name=name, step=self, shape_name="DescribeModelOutput")

    @property
    def arguments(self) -> dict[str, Any]:
        return self._request

    @property
    def properties(self) -> Properties:
        return self._properties


@no_metadata_service()
def get_pipeline(
    region: str,
    role: str,
    *,
    bucket: str,
    data_bucket: str,
    kms_key: str | None = None,
    subnets: Sequence[str] = (),
    security_group_ids: Sequence[str] = (),
    project: Project = settings.PROJECT,
    project_id: str | None = None,
    dataset: DataSet = settings.DATASET,
    pipeline_name: str | None = None,
    instance_count: int = 1,
) -> Pipeline:
    """`ModelPackageArn` has no default: a version is named when the pipeline is started."""
    session = OfflineSession(region, bucket)
    package = ParameterString("ModelPackageArn")
    source = ParameterString("InputDataUrl", default_value=f"s3://{data_bucket}/batch/{dataset.name}/")
    destination = ParameterString("OutputDataUrl", default_value=f"s3://{data_bucket}/predictions/{dataset.name}/")
    instance_type = ParameterString("TransformInstanceType", default_value="ml.m5.large")
    tags = project.tags(project_id)  # by which the role's permissions tell the project's models and jobs from others
    request: dict[str, Any] = {"ExecutionRoleArn": role, "PrimaryContainer": {"ModelPackageName": package}, "Tags": tags}
    if subnets:
        request["VpcConfig"] = {"Subnets": list(subnets), "SecurityGroupIds": list(security_group_ids)}
    model = CreatePackagedModelStep("CreateModel", request)
    transformer = Transformer(
        model_name=model.properties.ModelName,
        instance_count=instance_count,  # a number: the SDK's transform request takes no variable here
        instance_type=instance_type,
        strategy="MultiRecord",
        assemble_with="Line",
        accept="text/csv",
        output_path=destination,
        output_kms_key=kms_key,
        volume_kms_key=kms_key,
        max_payload=MAX_PAYLOAD_MB,
        base_transform_job_name=f"{project.name}-batch",
        tags=tags,
        sagemaker_session=session,
    )
    step_args = transformer.transform(data=source, content_type="text/csv", split_type="Line", join_source="Input")
    # Not cached: the same address may hold new rows, and scoring them is the point.
    score = TransformStep(name="Score", step_args=step_args, retry_policies=[_retry()])
    return Pipeline(
        name=pipeline_name or f"{project.name}-batch",
        parameters=[package, source, destination, instance_type],
        steps=[model, score],
        sagemaker_session=session,
        pipeline_experiment_config=None,
    )


def _retry() -> SageMakerJobStepRetryPolicy:
    return SageMakerJobStepRetryPolicy(
        exception_types=[SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT],
        failure_reason_types=[SageMakerJobExceptionTypeEnum.INTERNAL_ERROR, SageMakerJobExceptionTypeEnum.CAPACITY_ERROR],
        interval_seconds=60,
        max_attempts=3,
    )
