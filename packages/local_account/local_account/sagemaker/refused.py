"""Values of SageMaker's requests that the local account does not act on although it knows their member: refused by name.

Members as a whole are in `api/lists/sagemaker.yaml`; a rule here is about one value, such as `Mode=MultiModel`. A version of a model may
have what no model here can be made of, as in AWS, so `CONTAINER` is for the moment when a model is made of it. Used by `requests.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from local_account.errors import NotEmulatedError

_MODEL = ("Mode=MultiModel", "ModelDataSource.S3DataSource.CompressionType=None")
_S3_SOURCE = ("ModelAccessConfig", "HubAccessConfig", "ManifestS3Uri", "ETag", "ManifestEtag")
#: Of a container in a model package. A rule without a value is about the member as a whole.
CONTAINER = (
    *_MODEL,
    "AdditionalModelDataSources",
    "AdditionalS3DataSource",
    *(f"ModelDataSource.S3DataSource.{name}" for name in _S3_SOURCE),
)

#: A data source is a prefix here, and a job one instance, which shares with no other.
_OTHER_DATA = ("ManifestFile", "AugmentedManifestFile", "Converse")
_CHANNEL = (
    *("CompressionType=Gzip", "RecordWrapperType=RecordIO", "InputMode=Pipe", "InputMode=FastFile"),
    *(f"DataSource.S3DataSource.S3DataType={kind}" for kind in _OTHER_DATA),
    "DataSource.S3DataSource.S3DataDistributionType=ShardedByS3Key",
)
#: Of what CreateTrainingJob and the definition of a tuning job's trials have in common.
_TRAINING = (
    *("AlgorithmSpecification.TrainingInputMode=Pipe", "AlgorithmSpecification.TrainingInputMode=FastFile"),
    *(f"InputDataConfig.{rule}" for rule in _CHANNEL),
    *("OutputDataConfig.CompressionType=NONE", "ResourceConfig.InstanceCount>1"),
)

RULES: Mapping[str, tuple[str, ...]] = {
    "CreateModel": (
        *(f"{container}.{rule}" for container in ("PrimaryContainer", "Containers") for rule in _MODEL),
        "InferenceExecutionConfig.Mode=Direct",
    ),
    "CreateEndpointConfig": (
        "ProductionVariants.EnableSSMAccess=true",
        "ProductionVariants.RoutingConfig.RoutingStrategy=PREFIX_AWARE",
    ),
    "CreateProcessingJob": (
        *("ProcessingInputs.AppManaged=true", "ProcessingOutputConfig.Outputs.AppManaged=true"),
        *("ProcessingInputs.S3Input.S3InputMode=Pipe", "ProcessingInputs.S3Input.S3CompressionType=Gzip"),
        *("ProcessingInputs.S3Input.S3DataType=ManifestFile", "ProcessingInputs.S3Input.S3DataDistributionType=ShardedByS3Key"),
        "ProcessingResources.ClusterConfig.InstanceCount>1",
    ),
    "CreateTrainingJob": (
        *_TRAINING,
        "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries=true",
        *("ProfilerConfig.DisableProfiler=false", "RemoteDebugConfig.EnableRemoteDebug=true"),
        "SessionChainingConfig.EnableSessionTagChaining=true",
    ),
    "CreateHyperParameterTuningJob": (
        "HyperParameterTuningJobConfig.Strategy=Hyperband",
        *(f"TrainingJobDefinition.{rule}" for rule in _TRAINING),
    ),
    "CreateTransformJob": (
        *("TransformInput.CompressionType=Gzip", "TransformInput.SplitType=RecordIO", "TransformInput.SplitType=TFRecord"),
        *(f"TransformInput.DataSource.S3DataSource.S3DataType={kind}" for kind in _OTHER_DATA),
    ),
    "CreateModelPackage": ("CertifyForMarketplace=true",),
    "DescribeModelPackage": ("IncludedData=MetadataOnly",),
}


def refuse(operation: str, request: Mapping[str, Any]) -> None:
    """Raises NotImplemented that names the first member of a request that is not acted on."""
    refuse_by(RULES.get(operation, ()), operation, request)


def refuse_by(rules: Sequence[str], operation: str, request: Mapping[str, Any]) -> None:
    for rule in rules:
        path, sign, value = re.fullmatch(r"([^=>]+)([=>]?)(.*)", rule).groups()  # type: ignore[union-attr]  # as every rule is
        for found in _given(request, path.split(".")):
            if not sign or (_is_more(found, int(value)) if sign == ">" else _as_text(found) == value):
                raise NotEmulatedError("sagemaker", f"{operation} with {path}{f' {_as_text(found)}' if sign else ''}")


def _is_more(found: Any, limit: int) -> bool:
    """Of a number: what a pipeline's parameter stands for is known, and asked again, when the step runs."""
    return isinstance(found, int | float) and found > limit


def _given(value: Any, segments: Sequence[str]) -> Iterator[Any]:
    """What a request has at a path, in each item of the lists on the way."""
    if isinstance(value, list):
        for item in value:
            yield from _given(item, segments)
    elif not segments:
        if value not in (None, {}):
            yield value
    elif isinstance(value, Mapping):
        yield from _given(value.get(segments[0]), segments[1:])


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
