"""The pipeline that watches is written without the SageMaker SDK, and is what the SDK would make of the same job."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from pipelines.monitoring import pipeline
from pipelines.offline_session import OfflineSession, no_metadata_service
from pipelines.tabular.target import Target
from tests.example_models import ABALONE, ARRESTS, PROJECT, STAGING
from tests.pipelines.conftest import PLACE

NAMES = ABALONE.names(PROJECT).at(STAGING.name)


#: The SDK looks up a role that is no ARN, and uploads what is no address.
CODE, ROLE = "s3://artifacts/code/0123456789abcdef", "arn:aws:iam::111122223333:role/shop--abalone--try--monitoring"


def defined(*, in_vpc: bool = True) -> dict[str, Any]:
    watch = ABALONE.watch
    assert watch is not None
    return dict(json.loads(pipeline.definition(NAMES, watch, is_batch=False, in_vpc=in_vpc)))


@no_metadata_service()
def by_the_sdk() -> dict[str, Any]:
    """One processing job as its Processor and ProcessingStep write it, with the same texts for what CloudFormation puts in."""
    from sagemaker.core.network import NetworkConfig
    from sagemaker.core.processing import Processor
    from sagemaker.core.workflow.execution_variables import ExecutionVariables
    from sagemaker.core.workflow.parameters import ParameterString
    from sagemaker.core.workflow.pipeline_definition_config import PipelineDefinitionConfig
    from sagemaker.mlops.workflow import Pipeline, ProcessingStep

    from pipelines.retries import JOB_RETRY, SERVICE_RETRY
    from pipelines.tabular.jobs import step_input

    session = OfflineSession(PLACE.region, PLACE.artifact_bucket)
    since, until = ParameterString("From", default_value="due"), ParameterString("To", default_value="due")
    processor = Processor(
        role=ROLE,
        image_uri="${ModelImage}",
        instance_type="ml.m5.large",
        instance_count=1,
        entrypoint=["python3", "/opt/ml/processing/input/code/monitor.py"],
        volume_size_in_gb=30,
        volume_kms_key="${Key}",
        max_runtime_in_seconds=4 * 60 * 60,
        base_job_name="shop--abalone--monitor",
        sagemaker_session=session,
        env=pipeline.variables(NAMES, is_batch=False),
        tags=[{"Key": key, "Value": value} for key, value in NAMES.tags.items()],
        network_config=NetworkConfig(subnets=["${Subnets}"], security_group_ids=["${SecurityGroup}"]),
    )
    arguments = processor.run(
        inputs=[step_input("code", f"{CODE}/steps/")],
        arguments=["--now", ExecutionVariables.START_DATETIME, "--from", since, "--to", until],
    )
    step = ProcessingStep(name="Monitor", step_args=arguments, retry_policies=[SERVICE_RETRY, JOB_RETRY])
    made = Pipeline(
        name="watch",
        parameters=[since, until],
        steps=[step],
        sagemaker_session=session,
        pipeline_experiment_config=None,
        pipeline_definition_config=PipelineDefinitionConfig(use_custom_job_prefix=True),
    )
    return dict(json.loads(made.definition()))


def test_it_is_what_the_sdk_makes_of_the_same_job() -> None:
    assert Target  # which says where the SDK may look before it is imported
    written = json.dumps(defined()).replace("${MonitoringCode}", CODE).replace("${Role}", ROLE)
    ours, theirs = json.loads(written), by_the_sdk()
    assert ours["Steps"] == theirs["Steps"]
    assert ours["Parameters"] == theirs["Parameters"]
    assert ours["Version"] == theirs["Version"]


def test_it_asks_for_no_network_of_its_own_where_there_is_none() -> None:
    assert "NetworkConfig" not in defined(in_vpc=False)["Steps"][0]["Arguments"]


def test_it_names_no_account_region_or_version() -> None:
    text = json.dumps(defined())
    assert not re.search(r"\d{12}|us-east-1|arn:aws", text)


def test_the_time_of_a_run_is_when_it_was_started() -> None:
    given = defined()["Steps"][0]["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert given[given.index("--now") + 1] == {"Get": "Execution.StartDateTime"}


@pytest.mark.parametrize(
    ("is_batch", "reads"),
    [(False, {"CAPTURE_PREFIX": "capture/shop--arrests--try/"}), (True, {"PREDICTIONS_PREFIX": "predictions/arrests/"})],
)
def test_the_job_is_told_what_answers_it_looks_at(is_batch: bool, reads: dict[str, str]) -> None:
    given = pipeline.variables(ARRESTS.names(PROJECT).at(STAGING.name), is_batch=is_batch)
    assert reads.items() <= given.items()
    assert ("CAPTURE_PREFIX" in given, "BATCH_INPUT_PREFIX" in given) == (not is_batch, is_batch)


def test_synthesizing_it_imports_no_sdk() -> None:
    """Its import takes as long as all the rest of a synthesis."""
    program = "import sys, infra.serving.model_watch, pipelines.monitoring.pipeline; print('sagemaker' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
