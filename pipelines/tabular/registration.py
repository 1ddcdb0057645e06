"""Registers the selected model with its evidence: metrics, baselines, lineage and the model card.

Input: the Select and Evaluate steps. Output: the RegisterModel step. Everything a person needs to judge a
version is reachable from the registry; the version is deployed by the `*-deploy` CodePipeline once approved.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pipelines.tabular.target import Target  # isort: skip - before every other import of the SDK

from sagemaker.core.drift_check_baselines import DriftCheckBaselines
from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
from sagemaker.core.shapes import ModelPackageModelCard
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import Parameter
from sagemaker.mlops.workflow import ModelStep, ProcessingStep
from sagemaker.serve.model_builder import ModelBuilder

from pipelines.tabular.jobs import SERVICE_RETRY, output_of
from settings import DataSet

CONTENT_TYPES = ["text/csv", "application/json"]
#: A stage may use any of these; `deploy_scripts/render.py` refuses others before CloudFormation does.
INSTANCE_TYPES = ["ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge", "ml.c5.large", "ml.c5.xlarge", "ml.c5.2xlarge", "ml.t2.medium"]
TRANSFORM_TYPES = ["ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge", "ml.c5.xlarge"]


def register_step(
    target: Target,
    *,
    dataset: DataSet,
    model: ProcessingStep,
    evaluate: ProcessingStep,
    facts: Mapping[str, Any],
    approval_status: Parameter,
) -> ModelStep:
    """`facts`: CustomerMetadataProperties. AWS allows 50 entries, keys of 128 and values of 256 characters."""
    builder = ModelBuilder(
        s3_model_data_url=Join(on="/", values=[output_of(model, "model"), "model.tar.gz"]),
        image_uri=target.image,
        sagemaker_session=target.session,
        role_arn=target.role,
        # The archive carries code/inference.py, so no repacking job is needed.
        env_vars={"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
    )

    def evidence(name: str) -> MetricsSource:
        return MetricsSource(s3_uri=Join(on="/", values=[output_of(evaluate, "evaluation"), name]), content_type="application/json")

    request = builder.register(
        model_package_group_name=target.model_package_group,
        content_types=CONTENT_TYPES,
        response_types=CONTENT_TYPES,
        inference_instances=INSTANCE_TYPES,
        transform_instances=TRANSFORM_TYPES,
        approval_status=approval_status,
        model_metrics=ModelMetrics(
            model_statistics=evidence("evaluation.json"),
            model_constraints=evidence("model_constraints.json"),
            model_data_statistics=evidence("statistics.json"),
            model_data_constraints=evidence("constraints.json"),
            bias=evidence("bias.json"),
            explainability=evidence("explainability.json"),
        ),
        drift_check_baselines=DriftCheckBaselines(
            model_statistics=evidence("evaluation.json"),
            model_constraints=evidence("model_constraints.json"),
            model_data_statistics=evidence("statistics.json"),
            model_data_constraints=evidence("constraints.json"),
            bias_post_training_constraints=evidence("bias.json"),
            explainability_constraints=evidence("explainability.json"),
        ),
        customer_metadata_properties=dict(facts),
        model_card=ModelPackageModelCard(
            model_card_content=_card(target, dataset, facts),
            model_card_status="PendingReview",
        ),
        domain="MACHINE_LEARNING",
        task="REGRESSION" if dataset.problem == "regression" else "CLASSIFICATION",
    )
    return ModelStep(name="Register", step_args=request, retry_policies=[SERVICE_RETRY])


def _card(target: Target, dataset: DataSet, facts: Mapping[str, Any]) -> Join:
    """The model card as JSON whose `{fact}` places SageMaker fills in when the step runs.

    Schema: "Model package model card schema (Studio)" of the SageMaker guide. Only facts without quotes or
    backslashes are used, so that the result stays valid JSON.
    """
    sensitive = (
        f"Groups of {dataset.facet.column} are compared for bias; see the report."
        if dataset.facet
        else "No sensitive attribute is declared."
    )
    card = {
        "model_overview": {"model_creator": target.project},
        "intended_uses": {
            "purpose_of_model": f"Predict {dataset.target} of {dataset.name} ({dataset.problem}).",
            "intended_uses": "Rows with the columns of the data contract: " + ", ".join(dataset.features),
            "factors_affecting_model_efficiency": "Inputs outside the training ranges; see the drift baselines.",
            "risk_rating": "Unknown",
        },
        "training_details": {
            "training_observations": "Algorithm {algorithm}; data sha256 {data-sha256}; code {code-hash}; commit {git-commit}.",
        },
        "evaluation_details": [
            {
                "name": "Held-out test rows",
                "evaluation_observation": "Gate: {metric} against threshold {threshold}. Report: {report-url}",
                "metric_groups": [
                    {"name": "quality", "metric_data": [{"name": dataset.metric, "type": "number", "value": "{metric-value}"}]}
                ],
            }
        ],
        "additional_information": {
            "ethical_considerations": sensitive,
            "caveats_and_recommendations": "Compare with the version in production in the report before approving.",
        },
    }
    # The schema wants a number there, and SageMaker's Join makes text: the quotes around that one place go.
    text = json.dumps(card, sort_keys=True).replace('"{metric-value}"', "{metric-value}")
    return Join(on="", values=_fill(text, facts))


def _fill(text: str, facts: Mapping[str, Any]) -> list[Any]:
    """Splits at every `{fact}` of `facts` and puts its variable in its place."""
    pieces: list[Any] = [text]
    for name, value in facts.items():
        place = "{" + name + "}"
        next_pieces: list[Any] = []
        for piece in pieces:
            parts = piece.split(place) if isinstance(piece, str) else [piece]
            for index, part in enumerate(parts):
                next_pieces += [value, part] if index else [part]
        pieces = next_pieces
    return [piece for piece in pieces if not isinstance(piece, str) or piece]
