"""Registers the chosen model with its evidence: metrics, baselines, lineage and the model card.

Input: the Choose and Evaluate steps. Output: the RegisterModel step. Everything a person needs to judge a
version is reachable from the registry; the version is deployed by the model's deploy pipeline once approved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipelines.tabular.target import PROGRAM_ENVIRONMENT, Target  # isort: skip - before every other import of the SDK

from sagemaker.core.drift_check_baselines import DriftCheckBaselines
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.shapes import ModelPackageModelCard
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import Parameter
from sagemaker.mlops.workflow import ModelStep, ProcessingStep
from sagemaker.serve.model_builder import ModelBuilder

from pipelines.retries import SERVICE_RETRY
from pipelines.tabular.jobs import output_of
from pipelines.tabular.model_card import model_card
from pipelines.xgboost_image import PROGRAM
from settings_schema import Model, Problem

CONTENT_TYPES = ["text/csv", "application/json", "application/jsonlines"]
#: A stage may use any of these; `deploy_scripts/render.py` refuses others before CloudFormation does.
INSTANCE_TYPES = ["ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge", "ml.c5.large", "ml.c5.xlarge", "ml.c5.2xlarge", "ml.t2.medium"]
TRANSFORM_TYPES = ["ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge", "ml.c5.xlarge"]


def register_step(
    target: Target,
    *,
    model: Model,
    choose: ProcessingStep,
    evaluate: ProcessingStep,
    facts: Mapping[str, Any],
    measured: Callable[[str], Any],
    approval_status: Parameter,
) -> ModelStep:
    """`facts`: CustomerMetadataProperties. AWS allows 50 entries, keys of 128 and values of 256 characters.

    `measured`: the variable for a place of evaluation.json.
    """
    builder = ModelBuilder(
        s3_model_data_url=Join(on="/", values=[output_of(choose, "model"), "model.tar.gz"]),
        image_uri=target.image,
        sagemaker_session=target.session,
        role_arn=target.role,
        # The archive carries code/inference.py, so no repacking job is needed.
        env_vars={**PROGRAM, **PROGRAM_ENVIRONMENT},
    )

    def evidence(name: str) -> MetricsSource:
        return MetricsSource(s3_uri=Join(on="/", values=[output_of(evaluate, "evaluation"), name]), content_type="application/json")

    # What a version was measured by is what its drift is later measured against.
    measures = {
        "model_statistics": evidence("evaluation.json"),
        "model_constraints": evidence("model_constraints.json"),
        "model_data_statistics": evidence("statistics.json"),
        "model_data_constraints": evidence("constraints.json"),
    }
    bias, explainability = evidence("bias.json"), evidence("explainability.json")
    request = builder.register(
        model_package_group_name=target.names.model_package_group,
        content_types=CONTENT_TYPES,
        response_types=CONTENT_TYPES,
        inference_instances=INSTANCE_TYPES,
        transform_instances=TRANSFORM_TYPES,
        approval_status=approval_status,
        model_metrics=ModelMetrics(**measures, bias=bias, explainability=explainability),
        drift_check_baselines=DriftCheckBaselines(
            **measures, bias_post_training_constraints=bias, explainability_constraints=explainability
        ),
        customer_metadata_properties=dict(facts),
        model_card=ModelPackageModelCard(
            model_card_content=model_card(target, model, facts, measured),
            model_card_status="PendingReview",
        ),
        domain="MACHINE_LEARNING",
        task="REGRESSION" if model.data.problem is Problem.REGRESSION else "CLASSIFICATION",
    )
    return ModelStep(name="Register", step_args=request, retry_policies=[SERVICE_RETRY])
