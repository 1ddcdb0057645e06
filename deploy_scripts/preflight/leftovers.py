"""What an earlier deployment left that stands in nobody's way: its names cannot clash, but whoever deploys should know of it."""

from __future__ import annotations

from collections.abc import Iterator

from deploy_scripts.preflight.finding import Finding, passed
from deploy_scripts.preflight.situation import Situation
from deploy_scripts.preflight.stack_states import status_of


def check_leftovers(situation: Situation) -> Iterator[Finding]:
    """SageMaker pipelines: builds make them, no stack. With nothing deployed they are an earlier deployment's, whose roles are gone."""
    if any(status_of(situation, stack) for stack in situation.stacks):
        return
    models = [situation.project.names.model(name) for name in situation.models]
    names = {name for model in models for name in (model.training_pipeline, model.batch_pipeline)}
    # The API's prefix is a name itself, which ends with a letter or a digit.
    summaries = situation.account.read_all("sagemaker", "list_pipelines", "PipelineSummaries", PipelineNamePrefix=situation.project.name)
    if left := [item["PipelineName"] for item in summaries if item["PipelineName"] in names]:
        yield passed("left behind", f"SageMaker pipelines of an earlier deployment: {', '.join(left)}", "the next build takes them over")
