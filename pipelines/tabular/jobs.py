"""Builds the jobs of the pipeline: a script in the XGBoost image, and a tuned algorithm.

Input: a `Target` and a model. Output: steps for `pipeline.py`. Nothing here knows what a script does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.tabular.target import PROGRAM_ENVIRONMENT, Target  # isort: skip - before every other import of the SDK

from sagemaker.core.network import NetworkConfig
from sagemaker.core.parameter import ContinuousParameter, IntegerParameter
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import (
    HyperbandStrategyConfig,
    HyperParameterTuningJobStrategyConfig,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    Tag,
)
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, PropertyFile
from sagemaker.core.workflow.parameters import Parameter
from sagemaker.mlops.workflow import CacheConfig, ProcessingStep, TuningStep
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import CheckpointConfig, Compute, InputData, Networking, OutputDataConfig, StoppingCondition
from sagemaker.train.tuner import HyperparameterTuner

from pipelines import spark_image
from pipelines.retries import JOB_RETRY, SERVICE_RETRY
from settings_schema import Algorithm, DataSet, Model, Range, Training
from settings_schema.steps import steps_module

#: What SageMaker's tuner takes of a program in the XGBoost image.
CONTRACT = steps_module("tuner_contract")
PROCESSING = "/opt/ml/processing"
CODE = f"{PROCESSING}/input/code"
MAX_RUNTIME_SECONDS = 4 * 60 * 60  # of a processing job
VOLUME_GIB = 30

#: Thirty days: a weekly retraining finds the work of the last push, and nothing older than the data's usual life.
CACHED = CacheConfig(enable_caching=True, expire_after="P30D")


def step_input(name: str, uri: Any) -> ProcessingInput:
    """An S3 prefix as the folder `/opt/ml/processing/input/<name>`."""
    source = ProcessingS3Input(
        s3_uri=uri,
        local_path=f"{PROCESSING}/input/{name}",
        s3_data_type="S3Prefix",
        s3_input_mode="File",
        s3_data_distribution_type="FullyReplicated",
    )
    return ProcessingInput(input_name=name, s3_input=source)


def script_step(
    target: Target,
    name: str,
    *,
    instance: tuple[Parameter, Parameter | int],
    arguments: Sequence[Any],
    inputs: Mapping[str, Any],
    outputs: Sequence[str],
    cached: bool = True,
    property_files: Sequence[PropertyFile] = (),
    depends_on: Sequence[Any] = (),
    on_spark: bool = False,
) -> ProcessingStep:
    """Runs `steps/<name>.py`: each input is a folder, each output a folder `/opt/ml/processing/output/<output>`.

    The scripts arrive together, as one input, so that a script finds its sibling modules. `on_spark`: runs `steps/<name>_on_spark.py` in
    SageMaker's Spark image, with the packages that it lacks as an input.
    """
    script, (instance_type, instance_count) = name.lower(), instance
    network = NetworkConfig(subnets=list(target.subnets), security_group_ids=list(target.security_group_ids)) if target.subnets else None
    processor = Processor(
        role=target.role,
        image_uri=spark_image.uri(target.region) if on_spark else target.image,
        instance_type=instance_type,
        instance_count=instance_count,
        entrypoint=["python3", f"{CODE}/submit_spark.py", f"{script}_on_spark.py"] if on_spark else ["python3", f"{CODE}/{script}.py"],
        volume_size_in_gb=VOLUME_GIB,
        volume_kms_key=target.kms_key,
        output_kms_key=target.kms_key,
        max_runtime_in_seconds=MAX_RUNTIME_SECONDS,
        base_job_name=target.names.job(name),
        sagemaker_session=target.session,
        # failure.py writes the reason where SageMaker reads a processing job's ExitMessage.
        env={"AWS_DEFAULT_REGION": target.region, "PYTHONUNBUFFERED": "1", "SM_OUTPUT_DIR": "/opt/ml/output"},
        tags=target.tags,
        network_config=network,
    )
    packages = {"packages": f"s3://{target.bucket}/{spark_image.wheels_prefix()}/"} if on_spark else {}
    sources = {"code": f"{target.code_uri}/steps/", **packages, **inputs}
    step_args = processor.run(
        arguments=list(arguments),
        inputs=[step_input(channel, uri) for channel, uri in sources.items()],
        outputs=[_step_output(target, name, output) for output in outputs],
    )
    return ProcessingStep(
        name=name,
        step_args=step_args,
        cache_config=CACHED if cached else None,
        property_files=list(property_files),
        depends_on=list(depends_on),
        retry_policies=[SERVICE_RETRY, JOB_RETRY],
    )


def _step_output(target: Target, step: str, name: str) -> ProcessingOutput:
    destination = ProcessingS3Output(
        s3_uri=target.output_uri(step.lower(), name), local_path=f"{PROCESSING}/output/{name}", s3_upload_mode="EndOfJob"
    )
    return ProcessingOutput(output_name=name, s3_output=destination)


def output_of(step: ProcessingStep, name: str) -> Any:
    """The S3 URI that a step's output folder was uploaded to."""
    return step.properties.ProcessingOutputConfig.Outputs[name].S3Output.S3Uri


def tuning_step(
    target: Target,
    algorithm: Algorithm,
    *,
    model: Model,
    instance: tuple[Parameter, Parameter],
    channels: Mapping[str, Any],
) -> TuningStep:
    """Searches the hyperparameters of one algorithm with SageMaker's tuner; every trial runs `steps/train.py`."""
    dataset, tuning = model.data, model.tuning
    hyperband = _hyperband(algorithm) if tuning.strategy == "Hyperband" and algorithm.most_rounds > 1 else None
    tuner = HyperparameterTuner(
        _trainer(target, algorithm, instance, model.training),
        objective_metric_name=objective(dataset),
        objective_type="Maximize" if dataset.more_is_better else "Minimize",
        hyperparameter_ranges={name: _range(name, values) for name, values in sorted(algorithm.tuned.items())},
        strategy="Random" if tuning.strategy == "Hyperband" and hyperband is None else tuning.strategy,
        strategy_config=hyperband,
        max_jobs=tuning.trials,
        max_parallel_jobs=tuning.parallel_trials,
        max_runtime_in_seconds=tuning.max_minutes and tuning.max_minutes * 60,
        early_stopping_type="Auto" if tuning.early_stopping else "Off",
        random_seed=tuning.seed,
        base_tuning_job_name=target.names.job(hyphened(algorithm)),
        tags=target.tags,
    )
    inputs = [InputData(channel_name=name, data_source=uri, content_type="application/x-npz") for name, uri in channels.items()]
    return SecuredTuningStep(
        target,
        {CONTRACT.ALGORITHM_VARIABLE: algorithm.name, **({CONTRACT.EACH_ROUND_VARIABLE: "1"} if hyperband else {})},
        name=tuning_step_name(algorithm),
        step_args=tuner.tune(inputs=inputs),
        cache_config=CACHED,
        retry_policies=[SERVICE_RETRY, JOB_RETRY],
    )


class SecuredTuningStep(TuningStep):  # type: ignore[misc] # the SDK ships no types
    """A tuning step whose trials keep the trainer's environment, volume key and VPC: the SDK's tuner (3.27.0) drops all three."""

    def __init__(self, target: Target, environment: Mapping[str, str], **options: Any) -> None:
        super().__init__(**options)
        self._target, self._environment = target, environment

    @property
    def arguments(self) -> Any:
        request = super().arguments
        trial = request["TrainingJobDefinition"]
        trial["Environment"] = {**PROGRAM_ENVIRONMENT, **self._environment}
        trial["ResourceConfig"]["VolumeKmsKeyId"] = self._target.kms_key
        if self._target.subnets:
            trial["VpcConfig"] = {"Subnets": list(self._target.subnets), "SecurityGroupIds": list(self._target.security_group_ids)}
        return request


def _hyperband(algorithm: Algorithm) -> HyperParameterTuningJobStrategyConfig:
    """A trial may be stopped after a ninth of its rounds, and after its last one prints its objective once more: as one more resource."""
    rounds = algorithm.most_rounds
    resources = HyperbandStrategyConfig(min_resource=max(1, rounds // 9), max_resource=rounds + 1)
    return HyperParameterTuningJobStrategyConfig(hyperband_strategy_config=resources)


def objective(dataset: DataSet) -> str:
    """As the XGBoost image calls the metric: the tuner takes no definitions of ours."""
    return str(CONTRACT.objective(dataset.metric, dataset.problem.value))


def hyphened(algorithm: Algorithm) -> str:
    """For names that allow no underscore."""
    return algorithm.name.replace("_", "-")


def tuning_step_name(algorithm: Algorithm) -> str:
    """`gradient_boosting` -> `TuneGradientBoosting`: step names allow no underscore."""
    return "Tune" + "".join(word.capitalize() for word in algorithm.name.split("_"))


def models_prefix(target: Target) -> str:
    """Where trials leave their models. Without the execution's id, which would change a tuning step's arguments on every run."""
    return f"{target.prefix}/trials"


def _trainer(target: Target, algorithm: Algorithm, instance: tuple[Parameter, Parameter], training: Training) -> ModelTrainer:
    instance_type, instance_count = instance
    script_mode = {
        "sagemaker_program": json.dumps("train.py"),
        "sagemaker_submit_directory": json.dumps(f"{target.code_uri}/sourcedir.tar.gz"),
    }
    networking = Networking(subnets=list(target.subnets), security_group_ids=list(target.security_group_ids)) if target.subnets else None
    return ModelTrainer(
        training_image=target.image,
        role=target.role,
        sagemaker_session=target.session,
        base_job_name=target.names.job(hyphened(algorithm)),
        compute=Compute(
            instance_type=instance_type,
            instance_count=instance_count,
            volume_size_in_gb=VOLUME_GIB,
            volume_kms_key_id=target.kms_key,
            enable_managed_spot_training=training.use_spot or None,
        ),
        networking=networking,
        hyperparameters={**algorithm.fixed, **script_mode},
        stopping_condition=_stopping_condition(training),
        checkpoint_config=_checkpoints(target, algorithm) if training.use_spot else None,
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{target.bucket}/{models_prefix(target)}", kms_key_id=target.kms_key),
        tags=[Tag(key=tag["Key"], value=tag["Value"]) for tag in target.tags],
    )


def _stopping_condition(training: Training) -> StoppingCondition:
    longest = training.max_run_minutes * 60
    if not training.use_spot:
        return StoppingCondition(max_runtime_in_seconds=longest)
    return StoppingCondition(max_runtime_in_seconds=longest, max_wait_time_in_seconds=training.longest_wait_minutes * 60)


def _checkpoints(target: Target, algorithm: Algorithm) -> CheckpointConfig:
    """Where SageMaker keeps what a trial wrote to /opt/ml/checkpoints, and from where it gets it back after an interruption.

    One place for the trials of a search, as the definition of a tuning job has only one: each keeps to a folder of its own name
    (steps/checkpoints.py). Another one for each execution, because a trial gets everything that is there when it starts. The cache does
    not compare it ("Default cache key attributes by pipeline step type" of the SageMaker guide). The bucket encrypts what it is given
    with its key; CheckpointConfig names none.
    """
    place = f"s3://{target.bucket}/{target.names.checkpoints}{hyphened(algorithm)}"
    return CheckpointConfig(s3_uri=Join(on="/", values=[place, ExecutionVariables.PIPELINE_EXECUTION_ID]))


def _range(name: str, values: Range) -> ContinuousParameter | IntegerParameter:
    """Of the kind that the image declares, however the numbers are written."""
    scaling = "Logarithmic" if values.log else "Linear"
    if CONTRACT.TUNABLE[name].is_integer:
        return IntegerParameter(int(values.low), int(values.high), scaling_type=scaling)
    return ContinuousParameter(values.low, values.high, scaling_type=scaling)
