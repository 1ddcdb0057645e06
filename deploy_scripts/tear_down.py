"""Deletes what no stack owns: the SageMaker pipelines, the registered versions, and what earlier deployments left.

    python -m deploy_scripts.tear_down

Builds make the pipelines, runs register versions, and CloudFormation cannot delete a model package group that has any. Models and
endpoint configurations of earlier deployments are kept by CloudFormation (infra/endpoint/endpoint_stack.py).
README.md, "Tear down", says when: after every other stack. A push or the schedule would bring the pipelines back, and a
deleted version wakes the deploy pipeline, which rolls out the one approved before.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, parser, run
from build_scripts.missing import is_missing
from build_scripts.project_environment import ProjectEnvironment
from settings import ENVIRONMENTS, PROJECT

ENDPOINT_TAG = "made-for-endpoint"  # as infra/endpoint/endpoint_stack.py sets it
_POLL_SECONDS = 1.0
_ACTIVE = ("Executing", "Stopping")


def stacks_left(cloudformation: Any) -> list[str]:
    """The stacks that have to go first, as far as they still exist."""
    endpoints = [PROJECT.endpoint_stack(environment) for environment in ENVIRONMENTS]
    names = [*endpoints, f"{PROJECT.name}-model-deploy", f"{PROJECT.name}-model-build"]
    return [name for name in names if _found(cloudformation.describe_stacks, StackName=name)]


def pipelines(sagemaker: Any) -> list[str]:
    names = (PROJECT.sagemaker_pipeline, PROJECT.batch_pipeline)
    return [name for name in names if _found(sagemaker.describe_pipeline, PipelineName=name)]


def versions(sagemaker: Any, group: str) -> list[str]:
    """ARNs of all versions, also of those whose registration failed; none where the group is gone already."""
    if not _found(sagemaker.describe_model_package_group, ModelPackageGroupName=group):
        return []
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    return [summary["ModelPackageArn"] for page in pages for summary in page["ModelPackageSummaryList"]]


def delete_pipeline(sagemaker: Any, name: str) -> None:
    """Stop its runs, which it cannot be deleted with, and delete it and the models that the runs made for batch transforms."""
    for execution in _executions(sagemaker, name, "Executing"):
        print(f"stopping {execution}")
        sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution)
    while _executions(sagemaker, name, *_ACTIVE):
        time.sleep(_POLL_SECONDS)
    if name == PROJECT.batch_pipeline:
        for execution in _executions(sagemaker, name):
            for model in _models(sagemaker, execution):
                _found(sagemaker.delete_model, ModelName=model)
    sagemaker.delete_pipeline(PipelineName=name)


def _executions(sagemaker: Any, name: str, *statuses: str) -> list[str]:
    """ARNs of the pipeline's runs with one of these statuses, or of all."""
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=name)
    found = [summary for page in pages for summary in page["PipelineExecutionSummaries"]]
    return [item["PipelineExecutionArn"] for item in found if not statuses or item["PipelineExecutionStatus"] in statuses]


def _models(sagemaker: Any, execution: str) -> list[str]:
    """Names of the models that a run made."""
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=execution)
    made = [step.get("Metadata", {}).get("Model", {}) for page in pages for step in page["PipelineExecutionSteps"]]
    return [model["Arn"].rsplit("/", 1)[-1] for model in made if "Arn" in model]


def left_by_deployments(sagemaker: Any) -> tuple[list[str], list[str]]:
    """Names of the endpoint configurations and of the models that were made for the project's endpoints, which are gone by now."""
    endpoints = {PROJECT.endpoint_name(environment) for environment in ENVIRONMENTS}

    def ours(operation: str, items: str, kind: str) -> list[str]:
        summaries = [item for page in sagemaker.get_paginator(operation).paginate() for item in page[items]]
        return [item[f"{kind}Name"] for item in summaries if endpoints & _endpoints_of(sagemaker, item[f"{kind}Arn"])]

    return ours("list_endpoint_configs", "EndpointConfigs", "EndpointConfig"), ours("list_models", "Models", "Model")


def _endpoints_of(sagemaker: Any, arn: str) -> set[str]:
    return {tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"] if tag["Key"] == ENDPOINT_TAG}


def _found(call: Callable[..., Any], **request: str) -> bool:
    """False if AWS answers that there is no such thing."""
    try:
        call(**request)
    except ClientError as error:
        if is_missing(error):
            return False
        raise
    return True


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    project = ProjectEnvironment()
    left = stacks_left(project.client("cloudformation"))
    if PROJECT.retain_data:
        raise ProblemError("Project.retain_data is True in settings.py, which keeps the versions; set it to False to delete them")
    if left:
        raise ProblemError(f"these stacks have to go first: {', '.join(left)}; README.md, 'Tear down', has the commands")
    sagemaker, group = project.client("sagemaker"), project.model_package_group
    doomed, (configurations, models) = pipelines(sagemaker), left_by_deployments(sagemaker)
    print(f"pipelines: {', '.join(doomed) or 'none'}; versions of {group}: {len(versions(sagemaker, group))}")
    print(f"left by earlier deployments: {len(configurations)} endpoint configurations, {len(models)} models")
    if not (given.yes or _person_agrees()):
        print("nothing changed")
        return 0
    for name in doomed:
        delete_pipeline(sagemaker, name)
    for arn in versions(sagemaker, group):  # again, because a run may have registered one more until it stopped
        _found(sagemaker.delete_model_package, ModelPackageName=arn)
    for name in configurations:
        _found(sagemaker.delete_endpoint_config, EndpointConfigName=name)
    for name in models:
        _found(sagemaker.delete_model, ModelName=name)
    print("deleted; now the foundation stack can go")
    return 0


def _person_agrees() -> bool:
    """Raises ProblemError where nobody is there to ask."""
    if not sys.stdin.isatty():
        raise ProblemError("this deletes for good, and there is no terminal to ask; add --yes if it is meant")
    return input("Delete them for good? [y/N] ").strip().lower() in ("y", "yes")


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    options.add_argument("--yes", action="store_true", help="do not ask")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
