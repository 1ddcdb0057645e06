"""The definition of the SageMaker pipeline that watches a model in one environment: one job, which judges the windows that are due.

A template's text: what is `${...}` CloudFormation puts in (`Fn::Sub`), so it names no account, region or version, and whoever synthesizes
it gets the same bytes. It is written without the SageMaker SDK, whose import takes longer than all of a synthesis; a test compares it with
what the SDK makes. The job finds and writes its files itself, because which ones a window has is not known before.

Parameters: `From` and `To`, the UTC times of windows that are to be judged (again), or `due`: what is due. SageMaker takes no empty text
(aws/sagemaker-python-sdk, sagemaker/mlops/local/pipeline_entities.py, and its #4016).
Input: names and settings. Output: JSON for infra/serving/model_watch.py. Next: pipelines/monitoring/steps/monitor.py.
"""

from __future__ import annotations

import json
from typing import Any

from settings_schema import METRICS, DataSet, Experiment, Monitoring, ServingNames
from settings_schema.serving import has_own_disk

DUE = "due"
FROM, TO = "From", "To"
STEP = "Monitor"
#: Parameters of the template that a deployment fills: deploy_scripts/render.py.
PACKAGE, VERSION, IMAGE, CODE = "ModelPackageArn", "ModelVersion", "ModelImage", "MonitoringCode"
#: Parameters of a template with a place for an experiment: its second version, and when it began (infra/serving/challenger_variant.py).
CHALLENGER_VERSION, BEGAN = "ChallengerVersion", "ExperimentBegan"
#: What the template's stack puts in beside its parameters.
ROLE, BUCKET, KEY, ALERTS, SUBNETS, SECURITY_GROUP = "Role", "Bucket", "Key", "Alerts", "Subnets", "SecurityGroup"
DATA_BUCKET = "DataBucket"  # of the project, perhaps in another account and region; its name ends with them
_CODE_FOLDER = "/opt/ml/processing/input/code"
_VOLUME_GIB = 30
_MAX_RUNTIME_SECONDS = 4 * 60 * 60


def definition(
    names: ServingNames,
    watch: Monitoring,
    *,
    is_batch: bool,
    in_vpc: bool,
    experiment: Experiment | None = None,
    data: DataSet | None = None,
) -> str:
    """Its JSON, with `${...}` for what only the stack knows. `data`: of a model with an experiment."""
    job = _job(names, watch, is_batch=is_batch, in_vpc=in_vpc)
    job["Environment"] |= _of_experiment(experiment, data) if experiment and data else {}
    step = {
        "Name": STEP,
        "Type": "Processing",
        "Arguments": job,
        "RetryPolicies": _RETRIES,
    }
    parameters = [{"Name": name, "Type": "String", "DefaultValue": DUE} for name in (FROM, TO)]
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters, "Steps": [step]})


def _job(names: ServingNames, watch: Monitoring, *, is_batch: bool, in_vpc: bool) -> dict[str, Any]:
    """A request of CreateProcessingJob. `--now` is when the run was started, not when an instance was found for it."""
    cluster = {
        "InstanceType": watch.instance_type,
        "InstanceCount": 1,
        "VolumeSizeInGB": _VOLUME_GIB,
        **({} if has_own_disk(watch.instance_type) else {"VolumeKmsKeyId": _put_in(KEY)}),
    }
    source = {
        "S3Uri": f"{_put_in(CODE)}/steps/",
        "LocalPath": _CODE_FOLDER,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }
    now = {"Get": "Execution.StartDateTime"}
    asked = ["--now", now, "--from", {"Get": f"Parameters.{FROM}"}, "--to", {"Get": f"Parameters.{TO}"}]
    network = {"SecurityGroupIds": [_put_in(SECURITY_GROUP)], "Subnets": [_put_in(SUBNETS)]}
    return {
        "ProcessingJobName": names.monitoring_job,
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {
            "ImageUri": _put_in(IMAGE),
            "ContainerArguments": asked,
            "ContainerEntrypoint": ["python3", f"{_CODE_FOLDER}/{STEP.lower()}.py"],
        },
        "RoleArn": _put_in(ROLE),
        "ProcessingInputs": [{"InputName": "code", "S3Input": source}],
        "Environment": variables(names, is_batch=is_batch),
        **({"NetworkConfig": {"EnableNetworkIsolation": False, "VpcConfig": network}} if in_vpc else {}),
        "StoppingCondition": {"MaxRuntimeInSeconds": _MAX_RUNTIME_SECONDS},
        "Tags": [{"Key": key, "Value": value} for key, value in names.tags.items()],
    }


def variables(names: ServingNames, *, is_batch: bool) -> dict[str, str]:
    """The job's environment: what it watches, and where. An endpoint has `CAPTURE_PREFIX`, a batch model the two others."""
    scored = {"BATCH_INPUT_PREFIX": names.batch_input, "PREDICTIONS_PREFIX": names.predictions}
    return {
        "AWS_DEFAULT_REGION": "${AWS::Region}",
        "PYTHONUNBUFFERED": "1",
        "SM_OUTPUT_DIR": "/opt/ml/output",  # where failure.py writes the reason, and SageMaker reads the job's ExitMessage
        "JOB_CONFIGURATION": "/opt/ml/config/processingjobconfig.json",  # where turn.py reads the job's name
        "MODEL": names.model,
        "ENVIRONMENT": names.environment,
        "ENDPOINT_NAME": names.endpoint,  # a batch model has none; its metrics and versions go by this name all the same
        "MODEL_PACKAGE_ARN": _put_in(PACKAGE),
        "MODEL_VERSION": _put_in(VERSION),
        "BUCKET": _put_in(BUCKET),
        "KMS_KEY_ARN": _put_in(KEY),
        "MONITORING_PREFIX": names.monitoring,
        "LABELS_PREFIX": names.labels,
        "DATA_BUCKET": _put_in(DATA_BUCKET),
        "LEARNED_PREFIX": names.learned,
        "FEEDBACK_KEY": names.feedback,
        **(scored if is_batch else {"CAPTURE_PREFIX": names.capture}),
        "METRICS_NAMESPACE": names.of_model.metrics_namespace,
        "ALERT_TOPIC_ARN": _put_in(ALERTS),
    }


def _of_experiment(experiment: Experiment, data: DataSet) -> dict[str, str]:
    """What pipelines/monitoring/steps/experiment.py goes by."""
    metric = experiment.metric or data.metric
    return {
        "CHALLENGER_VERSION": _put_in(CHALLENGER_VERSION),
        "EXPERIMENT_BEGAN": _put_in(BEGAN),
        "EXPERIMENT_METRIC": metric,
        "EXPERIMENT_MORE_IS_BETTER": str(METRICS[data.problem][metric].more_is_better).lower(),
        "EXPERIMENT_PERCENT": str(experiment.challenger_percent),
        "EXPERIMENT_LABELLED_ANSWERS": str(experiment.labelled_answers),
        "EXPERIMENT_DAYS": str(experiment.days_at_most),
    }


def _put_in(name: str) -> str:
    return f"${{{name}}}"


#: As pipelines/retries.py has them, of every pipeline's steps.
_RETRIES = [
    {"BackoffRate": 2.0, "IntervalSeconds": 10, "MaxAttempts": 3, "ExceptionType": ["Step.SERVICE_FAULT", "Step.THROTTLING"]},
    {
        "BackoffRate": 2.0,
        "IntervalSeconds": 60,
        "MaxAttempts": 3,
        "ExceptionType": ["SageMaker.RESOURCE_LIMIT", "SageMaker.JOB_INTERNAL_ERROR", "SageMaker.CAPACITY_ERROR"],
    },
]
