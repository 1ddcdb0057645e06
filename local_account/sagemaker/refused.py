"""Members of requests that the local account does not act on: refused by name, since a member that is dropped is a made-up success.

A rule is a path such as `Containers[].MultiModelConfig`; with `=value` it is about that value only. What is in no rule is acted on,
or stored and described where nothing in this account could depend on it (encryption at rest, networks, billing). Operations that AWS
has and this account has not are refused by `api.py`. Used by `requests.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from local_account.errors import NotEmulatedError

_S3_SOURCE = ("ModelAccessConfig", "HubAccessConfig")
#: Of a container of a model, wherever it is from: CreateModel or a model package.
CONTAINER = (
    *("Mode=MultiModel", "MultiModelConfig", "AdditionalModelDataSources", "ContainerMetricsConfig", "AdditionalS3DataSource"),
    "ModelDataSource.S3DataSource.CompressionType=None",
    *(f"ModelDataSource.S3DataSource.{name}" for name in (*_S3_SOURCE, "ManifestS3Uri", "ETag", "ManifestEtag")),
)
_MODEL_CONTAINER = tuple(rule for rule in CONTAINER if rule != "AdditionalS3DataSource")

_CHANNEL = (
    *("DataSource.FileSystemDataSource", "DataSource.DatasetSource", "ShuffleConfig"),
    *("CompressionType=Gzip", "RecordWrapperType=RecordIO", "InputMode=Pipe"),
    *("DataSource.S3DataSource.S3DataType=AugmentedManifestFile", "DataSource.S3DataSource.S3DataType=Converse"),
    *(f"DataSource.S3DataSource.{name}" for name in ("AttributeNames", "InstanceGroupNames", *_S3_SOURCE)),
)
_TRAINING_RESOURCES = (
    *("KeepAlivePeriodInSeconds", "InstanceGroups", "TrainingPlanArn", "InstancePlacementConfig"),
    *("InstancePreferences", "SelectedInstanceType", "SelectedInstanceCount"),
)
#: Of what CreateTrainingJob and the definition of a tuning job's trials have in common.
_TRAINING = (
    *("AlgorithmSpecification.AlgorithmName", "AlgorithmSpecification.TrainingInputMode=Pipe"),
    *(f"InputDataConfig[].{rule}" for rule in _CHANNEL),
    "OutputDataConfig.CompressionType=NONE",
    *(f"ResourceConfig.{rule}" for rule in _TRAINING_RESOURCES),
)
_EXPERIMENT = "ExperimentConfig"
_RANGES = "AutoParameters"

RULES: Mapping[str, tuple[str, ...]] = {
    "CreateModel": (
        *(f"PrimaryContainer.{rule}" for rule in _MODEL_CONTAINER),
        *(f"Containers[].{rule}" for rule in _MODEL_CONTAINER),
        "InferenceExecutionConfig.Mode=Direct",
    ),
    "CreateEndpointConfig": (
        *("AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants", "MetricsConfig"),
        *(f"ProductionVariants[].{name}" for name in ("ServerlessConfig", "InstancePools", "VariantInstanceProvisionTimeoutInSeconds")),
        *(f"ProductionVariants[].{name}" for name in ("AcceleratorType", "CoreDumpConfig", "CapacityReservationConfig")),
        *("ProductionVariants[].EnableSSMAccess=true", "ProductionVariants[].RoutingConfig.PrefixAwareRoutingConfig"),
        "ProductionVariants[].RoutingConfig.RoutingStrategy=PREFIX_AWARE",
    ),
    "CreateEndpoint": ("DeploymentConfig.RollingUpdatePolicy",),
    "UpdateEndpoint": ("DeploymentConfig.RollingUpdatePolicy",),
    "UpdateEndpointWeightsAndCapacities": ("DesiredWeightsAndCapacities[].ServerlessUpdateConfig",),
    "CreateProcessingJob": (
        *("ProcessingInputs[].DatasetDefinition", "ProcessingInputs[].AppManaged=true"),
        *("ProcessingInputs[].S3Input.S3InputMode=Pipe", "ProcessingInputs[].S3Input.S3CompressionType=Gzip"),
        *("ProcessingOutputConfig.Outputs[].FeatureStoreOutput", "ProcessingOutputConfig.Outputs[].AppManaged=true"),
        *(f"ProcessingResources.ClusterConfig.{name}" for name in ("InstancePreferences", "SelectedInstanceType", "SelectedInstanceCount")),
        _EXPERIMENT,
    ),
    "CreateTrainingJob": (
        *_TRAINING,
        "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries=true",
        *("DebugHookConfig", "DebugRuleConfigurations", "TensorBoardOutputConfig", "ProfilerRuleConfigurations"),
        *("ProfilerConfig.DisableProfiler=false", "ProfilerConfig.S3OutputPath", "ProfilerConfig.ProfilingParameters"),
        *("ProfilerConfig.ProfilingIntervalInMilliseconds", "RemoteDebugConfig.EnableRemoteDebug=true"),
        *("SessionChainingConfig.EnableSessionTagChaining=true", "ServerlessJobConfig", "MlflowConfig", "ModelPackageConfig"),
        _EXPERIMENT,
    ),
    "CreateHyperParameterTuningJob": (
        *("WarmStartConfig", "TrainingJobDefinitions", "Autotune"),
        *(f"HyperParameterTuningJobConfig.{rule}" for rule in ("Strategy=Hyperband", "StrategyConfig", "TuningJobCompletionCriteria")),
        *("HyperParameterTuningJobConfig.ResourceLimits.MaxRuntimeInSeconds", f"HyperParameterTuningJobConfig.ParameterRanges.{_RANGES}"),
        *(
            f"TrainingJobDefinition.{rule}"
            for rule in (*_TRAINING, "HyperParameterTuningResourceConfig", f"HyperParameterRanges.{_RANGES}")
        ),
    ),
    "CreateTransformJob": (
        *("TransformInput.CompressionType=Gzip", "TransformInput.SplitType=RecordIO", "TransformInput.SplitType=TFRecord"),
        "TransformInput.DataSource.S3DataSource.S3DataType=AugmentedManifestFile",
        "TransformInput.DataSource.S3DataSource.S3DataType=Converse",
        "DataCaptureConfig",
        _EXPERIMENT,
    ),
    "CreateModelPackageGroup": ("ManagedConfiguration",),
    "CreateModelPackage": (
        *("ValidationSpecification", "SourceAlgorithmSpecification", "CertifyForMarketplace=true", "ManagedStorageType"),
    ),
    "DescribeModelPackage": ("IncludedData=MetadataOnly",),
    "DescribePipeline": ("PipelineVersionId",),
    "StartPipelineExecution": ("SelectiveExecutionConfig", "PipelineVersionId", "MlflowExperimentName"),
}


def refuse(operation: str, request: Mapping[str, Any]) -> None:
    """Raises NotImplemented that names the first member of a request that is not acted on."""
    refuse_by(RULES.get(operation, ()), operation, request)


def refuse_by(rules: Sequence[str], operation: str, request: Mapping[str, Any]) -> None:
    for rule in rules:
        path, _, refused_value = rule.partition("=")
        for found in given(request, path.split(".")):
            if not refused_value or as_text(found) == refused_value:
                raise NotEmulatedError("sagemaker", f"{operation} with {path}{f' {refused_value}' if refused_value else ''}")


def given(value: Any, segments: Sequence[str]) -> Iterator[Any]:
    """What a request has at a path; empty structures and lists say nothing."""
    if not segments:
        if value not in (None, [], {}):
            yield value
        return
    name = segments[0].removesuffix("[]")
    if not isinstance(value, Mapping) or value.get(name) is None:
        return
    for item in value[name] if segments[0].endswith("[]") else [value[name]]:
        yield from given(item, segments[1:])


def as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
