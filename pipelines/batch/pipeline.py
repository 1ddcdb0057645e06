"""The batch pipeline: an approved version scores a file, and every answer comes back beside its row.

Parameters: the model package, the data (CSV without header, columns in the order of the version's contract) and where
the answers go. Output: `<file>.out`, each input row with its prediction as the last column. The package is the one
that an environment serves, so a row gets the same answer in both.
"""

from __future__ import annotations

from typing import Any

from pipelines.offline_session import OfflineSession, no_metadata_service  # isort: skip - before every other import of the SDK

from sagemaker.core.transformer import Transformer
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.core.workflow.properties import Properties
from sagemaker.mlops.workflow import Pipeline, TransformStep
from sagemaker.mlops.workflow.steps import ConfigurableRetryStep, StepTypeEnum

from pipelines.place import Place
from pipelines.retries import JOB_RETRY
from settings_schema import ModelNames

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
def get_pipeline(names: ModelNames, place: Place, *, instance_count: int = 1) -> Pipeline:
    """A model's pipeline. `ModelPackageArn` has no default: a version is named when the pipeline is started."""
    session = OfflineSession(place.region, place.artifact_bucket)
    package = ParameterString("ModelPackageArn")
    source = ParameterString("InputDataUrl", default_value=f"s3://{place.data_bucket}/{names.batch_input}")
    destination = ParameterString("OutputDataUrl", default_value=f"s3://{place.data_bucket}/{names.predictions}")
    instance_type = ParameterString("TransformInstanceType", default_value="ml.m5.large")
    tags = place.tags(names)  # by which the role's permissions tell the model's jobs from others
    role = place.role_arn(names.pipeline_role)
    request: dict[str, Any] = {"ExecutionRoleArn": role, "PrimaryContainer": {"ModelPackageName": package}, "Tags": tags}
    if place.subnets:
        request["VpcConfig"] = {"Subnets": list(place.subnets), "SecurityGroupIds": list(place.security_group_ids)}
    model = CreatePackagedModelStep("CreateModel", request)
    transformer = Transformer(
        model_name=model.properties.ModelName,
        instance_count=instance_count,  # a number: the SDK's transform request takes no variable here
        instance_type=instance_type,
        strategy="MultiRecord",
        assemble_with="Line",
        accept="text/csv",
        output_path=destination,
        output_kms_key=place.key_arn,
        volume_kms_key=place.key_arn,
        max_payload=MAX_PAYLOAD_MB,
        base_transform_job_name=names.job("batch"),
        tags=tags,
        sagemaker_session=session,
    )
    step_args = transformer.transform(data=source, content_type="text/csv", split_type="Line", join_source="Input")
    # Not cached: the same address may hold new rows, and scoring them is the point.
    score = TransformStep(name="Score", step_args=step_args, retry_policies=[JOB_RETRY])
    return Pipeline(
        name=names.batch_pipeline,
        parameters=[package, source, destination, instance_type],
        steps=[model, score],
        sagemaker_session=session,
        pipeline_experiment_config=None,
    )
