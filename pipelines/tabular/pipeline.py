"""The SageMaker Pipeline: what is the data? prepare -> tune each algorithm -> choose -> evaluate -> gate -> register, or say why not.

Wiring only: what each step does is in `steps/`. The definition is a pure function of the arguments, so the
same commit gives the same bytes; `build_scripts/run_pipeline.py` upserts and starts it. Next: `jobs.py`, then `registration.py`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from pipelines.offline_session import no_metadata_service  # isort: skip - before every other import of the SDK

from sagemaker.core.lambda_helper import Lambda
from sagemaker.core.workflow.conditions import ConditionEquals
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join, JsonGet, PropertyFile
from sagemaker.core.workflow.parameters import Parameter, ParameterFloat, ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_definition_config import PipelineDefinitionConfig
from sagemaker.mlops.workflow import ConditionStep, FailStep, Pipeline, ProcessingStep, TuningStep
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaStep

from pipelines.place import Place
from pipelines.tabular.jobs import PROCESSING, hyphened, models_prefix, output_of, script_step, tuning_step
from pipelines.tabular.registration import register_step
from pipelines.tabular.target import Target
from settings_schema import Algorithm, Model, Prices, Processing, Project

#: Metadata of a version that `metadata` of evaluation.json has under the same name with underscores.
MEASURED_FACTS = (
    "data-sha256",
    "data-versions",
    "data-sources",
    "data-split",
    "schema-sha256",
    "specification-sha256",
    "code-sha256",
    "model-sha256",
    "libraries",
    "algorithm",
    "hyperparameters",
    "fitted-on",
    "metric-value",
    "warnings",
    "champion",
    "instances",
)
EVALUATION = PropertyFile(name="Evaluation", output_name="evaluation", path="evaluation.json")


@no_metadata_service()
def get_pipeline(project: Project, model: Model, place: Place, *, code_uri: str, prices: Prices | None = None) -> Pipeline:
    """A model's pipeline in one account; `.definition()` is its JSON, the same bytes for the same arguments.

    code_uri: where `steps/` and `sourcedir.tar.gz` are published, ending in the hash of their content.
    prices: by which the report says what the run cost; None says hours only.
    Needs no network and no credentials, unless the place has to look itself up.
    """
    target = Target.of(project, model, place, code_uri)
    parameters = _parameters(target, model)
    data_version = _data_version(target, parameters)
    prepare = _prepare(target, parameters, data_version, model.processing)
    searches = [_search(target, algorithm, model, parameters, prepare) for algorithm in model.algorithms]
    choose = _choose(target, parameters, prepare, model.algorithms, searches)
    evaluate = _evaluate(target, parameters, data_version, prepare, choose, prices)
    register = register_step(
        target,
        model=model,
        choose=choose,
        evaluate=evaluate,
        facts=_facts(target, model, parameters, data_version, evaluate, searches),
        measured=lambda path: _measured(evaluate, path),
        approval_status=parameters["ModelApprovalStatus"],
    )
    return Pipeline(
        name=target.names.training_pipeline,
        parameters=list(parameters.values()),
        steps=[data_version, prepare, *searches, choose, evaluate, _gate(evaluate, register)],
        sagemaker_session=target.session,
        # An experiment per execution is not used: the registry holds what a person compares.
        pipeline_experiment_config=None,
        pipeline_definition_config=PipelineDefinitionConfig(use_custom_job_prefix=True),
    )


def _parameters(target: Target, model: Model) -> dict[str, Parameter]:
    """Names follow the SageMaker project templates. Of approvals only the undecided one: the role may register no other."""
    parameters: list[Parameter] = [
        ParameterString("InputDataUrl", default_value=f"s3://{target.data_bucket}/{target.names.training_data}"),
        # Runs with the same key share what they have in common; another one trains everything anew (run_pipeline --force).
        ParameterString("CacheKey", default_value="shared"),
        ParameterString("ProcessingInstanceType", default_value="ml.m5.xlarge"),
        ParameterInteger("ProcessingInstanceCount", default_value=model.processing.instance_count),  # of Prepare
        ParameterString("TrainingInstanceType", default_value="ml.m5.xlarge"),
        ParameterInteger("TrainingInstanceCount", default_value=1),
        ParameterString("ModelApprovalStatus", default_value="PendingManualApproval", enum_values=["PendingManualApproval"]),
        ParameterFloat("MetricThreshold", default_value=model.data.threshold),
        ParameterString("GitCommit", default_value="unknown"),
        ParameterString("TriggerReason", default_value="manual"),
    ]
    return {parameter.name: parameter for parameter in parameters}


def _data_version(target: Target, parameters: dict[str, Parameter]) -> LambdaStep:
    """Says what the data is now, and how the registry can record who asks. Never cached: SageMaker's cache compares addresses and
    arguments, and this is how it learns of new data.

    A function and not a job, because it answers within a second (docs/decisions/0066-the-run-asks-what-the-data-is.md).
    """
    return LambdaStep(
        name="DataVersion",
        description="The S3 versions of the files that this run learns from",
        lambda_func=Lambda(function_arn=target.data_version_function, session=target.session),
        inputs={"url": parameters["InputDataUrl"], "commit": parameters["GitCommit"], "trigger": parameters["TriggerReason"]},
        outputs=[LambdaOutput(output_name=name) for name in ("version", "uploaded", "learned", "commit", "trigger")],
    )


def _prepare(target: Target, parameters: dict[str, Parameter], data_version: LambdaStep, processing: Processing) -> ProcessingStep:
    return script_step(
        target,
        "Prepare",
        instance=(parameters["ProcessingInstanceType"], parameters["ProcessingInstanceCount"]),
        on_spark=processing.spark,
        arguments=[
            *("--data", f"{PROCESSING}/input/data"),
            *("--data-url", parameters["InputDataUrl"]),
            *("--data-version", data_version.properties.Outputs["version"]),
            *("--cache-key", parameters["CacheKey"]),
            *("--output", f"{PROCESSING}/output"),
        ],
        inputs={"data": parameters["InputDataUrl"]},
        outputs=["train", "validation", "test", "preparation"],
    )


def _search(target: Target, algorithm: Algorithm, model: Model, parameters: dict[str, Parameter], prepare: ProcessingStep) -> TuningStep:
    return tuning_step(
        target,
        algorithm,
        model=model,
        instance=(parameters["TrainingInstanceType"], parameters["TrainingInstanceCount"]),
        channels={"train": output_of(prepare, "train"), "validation": output_of(prepare, "validation")},
    )


def _choose(
    target: Target,
    parameters: dict[str, Parameter],
    prepare: ProcessingStep,
    algorithms: Sequence[Algorithm],
    searches: Sequence[TuningStep],
) -> ProcessingStep:
    best = {
        f"candidate-{hyphened(algorithm)}": search.get_top_model_s3_uri(0, target.bucket, models_prefix(target))
        for algorithm, search in zip(algorithms, searches, strict=True)
    }
    return script_step(
        target,
        "Choose",
        instance=(parameters["ProcessingInstanceType"], 1),
        arguments=[
            *("--candidates", f"{PROCESSING}/input"),
            *("--train", f"{PROCESSING}/input/train"),
            *("--validation", f"{PROCESSING}/input/validation"),
            *("--preparation", f"{PROCESSING}/input/preparation"),
            *("--output", f"{PROCESSING}/output"),
        ],
        inputs={**best, **{name: output_of(prepare, name) for name in ("train", "validation", "preparation")}},
        outputs=["model", "choice"],
    )


def _evaluate(
    target: Target,
    parameters: dict[str, Parameter],
    data_version: LambdaStep,
    prepare: ProcessingStep,
    choose: ProcessingStep,
    prices: Prices | None,
) -> ProcessingStep:
    """Not cached: the version now in production is outside of its arguments, and it must be compared with today's."""
    return script_step(
        target,
        "Evaluate",
        instance=(parameters["ProcessingInstanceType"], 1),
        arguments=[
            *("--model", f"{PROCESSING}/input/model"),
            *("--choice", f"{PROCESSING}/input/choice"),
            *("--train", f"{PROCESSING}/input/train"),
            *("--validation", f"{PROCESSING}/input/validation"),
            *("--test", f"{PROCESSING}/input/test"),
            *("--preparation", f"{PROCESSING}/input/preparation"),
            *("--threshold", parameters["MetricThreshold"].to_string()),
            *("--deploy-pipeline", target.names.deploy_pipeline),
            *("--return-pipeline", target.names.return_pipeline),
            *("--git-commit", data_version.properties.Outputs["commit"]),
            *("--trigger", data_version.properties.Outputs["trigger"]),
            *("--feedback", f"s3://{target.data_bucket}/{target.names.feedback}"),
            *("--execution", ExecutionVariables.PIPELINE_EXECUTION_ARN),
            *_price_list(prices),
            *("--output", f"{PROCESSING}/output/evaluation"),
        ],
        inputs={
            "model": output_of(choose, "model"),
            "choice": output_of(choose, "choice"),
            "train": output_of(prepare, "train"),
            "validation": output_of(prepare, "validation"),
            "test": output_of(prepare, "test"),
            "preparation": output_of(prepare, "preparation"),
        },
        outputs=["evaluation"],
        property_files=[EVALUATION],
        cached=False,
    )


def _price_list(prices: Prices | None) -> list[str]:
    """In arguments of at most 256 characters (ContainerArgument of SageMaker's service model)."""
    if prices is None:
        return []
    usd = " ".join(f"{kind}={price:g}" for kind, price in sorted(prices.usd_per_hour.items()))
    return ["--prices-noted", prices.as_of, "--prices", *textwrap.wrap(usd, 256, break_on_hyphens=False)]


def _measured(evaluate: ProcessingStep, path: str) -> JsonGet:
    return JsonGet(step_name=evaluate.name, property_file=EVALUATION, json_path=path)


def _facts(
    target: Target,
    model: Model,
    parameters: dict[str, Parameter],
    data_version: LambdaStep,
    evaluate: ProcessingStep,
    searches: Sequence[TuningStep],
) -> dict[str, Any]:
    """CustomerMetadataProperties: where a version came from, enough to rebuild it with `build_scripts/reproduce.py`.

    Each value is text of the registry's alphabet: of the model's file, of what DataVersion let through, or of `metadata` in its
    evaluation.json.
    """
    evidence = output_of(evaluate, "evaluation")
    dataset, measured = model.data, list(MEASURED_FACTS)
    if dataset.decides_by is not None:
        measured += ["decision-metric", "decision-threshold"]
    jobs = {
        f"tuning-job-{hyphened(algorithm)}": search.properties.HyperParameterTuningJobName
        for algorithm, search in zip(model.algorithms, searches, strict=True)
    }
    return {
        "git-commit": data_version.properties.Outputs["commit"],
        "trigger": data_version.properties.Outputs["trigger"],
        "model": target.names.model,
        "data-url": parameters["InputDataUrl"],
        "code-uri": target.code_uri,
        "code-hash": target.code_hash,
        "image": target.image,
        "metric": dataset.metric,
        "threshold": parameters["MetricThreshold"].to_string(),
        "contract-url": Join(on="/", values=[evidence, "contract.json"]),
        "golden-url": Join(on="/", values=[evidence, "golden.csv"]),
        "report-url": Join(on="/", values=[evidence, "report.html"]),
        **{name: _measured(evaluate, f"metadata.{name.replace('-', '_')}") for name in measured},
        **{
            f"best-trial-{hyphened(algorithm)}": _measured(evaluate, f"metadata.best_trial_{algorithm.name}")
            for algorithm in model.algorithms
        },
        **jobs,
    }


def _gate(evaluate: ProcessingStep, register: Any) -> ConditionStep:
    """Registers what passes, and refuses what does not. What is already in production is neither: the run ends well without a version."""
    new = ConditionStep(
        name="CheckNew",
        conditions=[ConditionEquals(left=_measured(evaluate, "gate.is_new"), right=True)],
        if_steps=[register],
        else_steps=[],
    )
    refuse = FailStep(name="Refuse", error_message=Join(on="", values=["Not registered: ", _measured(evaluate, "gate.reasons")]))
    return ConditionStep(
        name="CheckGate",
        conditions=[ConditionEquals(left=_measured(evaluate, "gate.passed"), right=True)],
        if_steps=[new],
        else_steps=[refuse],
    )
