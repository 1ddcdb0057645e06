"""Removes what models and environments had, in an order in which nothing brings back what is gone.

The pipelines to production and back are closed, then: the watch's runs, what serves, what earlier deployments left of it, the SageMaker
pipelines with their runs, the versions where nothing is to be kept, and last the model's own stack. Each step finds what is still there, so
a run that was interrupted goes on. Names are whole (settings_schema/names.py): nothing of another model is touched, whatever it is called.
Used by retire.py and tear_down.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, VerdictError, explain
from build_scripts.missing import found
from build_scripts.objects import bucket_and_key, keys
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.deployments import Deployment
from deploy_scripts.environment_place import EnvironmentPlace, Role
from deploy_scripts.function_command import invocation
from deploy_scripts.regional_copy import client_in
from preflight.assembly import partition_of
from settings_schema import Environment, ModelNames, ProjectNames
from settings_schema.rollout import ARCHIVES

_POLL_SECONDS = 2.0
_RUNNING = ("Executing", "Stopping")
_REASON = "what it deploys is being retired"


def retire_models(
    project: ProjectEnvironment, models: Sequence[ModelNames], deployed: Sequence[Deployment], regions: Sequence[str]
) -> None:
    """`deployed`: everything of the project; `regions`: where versions are. Raises VerdictError where a stack cannot go."""
    sagemaker = project.client("sagemaker")
    registries = [] if project.project.retain_data else [client_in(project, "sagemaker", region) for region in regions]
    ours = [item for item in deployed if item.model in {names.model for names in models}]
    for names in models:
        for pipeline in (names.deploy_pipeline, names.return_pipeline):
            close(project.client("codepipeline"), pipeline)
    environments = [item for item in deployed if item.is_environment]
    for environment in environments:
        stop_watches(project, environment, ours)
    delete_stacks([item for item in ours if item.serves])
    remove_archives(project, models, deployed)
    for environment in environments:
        remove_unused(project, environment)
    for names in models:
        for pipeline in pipelines(sagemaker, names):
            delete_pipeline(sagemaker, pipeline, with_models=pipeline == names.batch_pipeline)
        for registry in registries:
            delete_versions(registry, names.model_package_group)
    delete_stacks([item for item in ours if not item.serves])
    for names in models if registries else ():  # of a stack that kept it when it went; a region's own goes with its stack
        if found(sagemaker.describe_model_package_group, ModelPackageGroupName=names.model_package_group):
            sagemaker.delete_model_package_group(ModelPackageGroupName=names.model_package_group)


def remove_archives(project: ProjectEnvironment, models: Sequence[ModelNames], deployed: Sequence[Deployment]) -> None:
    """Of models on multi-model fleets: below each fleet's prefix, in the project's account and the fleet's region."""
    for fleet in (item for item in deployed if ARCHIVES in item.outputs):
        bucket, prefix = bucket_and_key(fleet.outputs[ARCHIVES])
        s3 = client_in(project, "s3", fleet.place.region)
        for names in models:
            for key in list(keys(s3, bucket, f"{prefix}{names.model}/")):
                s3.delete_object(Bucket=bucket, Key=key)


def close(codepipeline: Any, name: str) -> None:
    """Nothing enters the pipeline any more, and what is on its way stops; the stacks that it is changing are waited for later."""
    state = found(codepipeline.get_pipeline_state, name=name)
    if state is None:
        return
    first = state["stageStates"][1]["stageName"]  # behind the source
    codepipeline.disable_stage_transition(pipelineName=name, stageName=first, transitionType="Inbound", reason=_REASON)
    for page in codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=name):
        for execution in page["pipelineExecutionSummaries"]:
            if execution["status"] == "InProgress":
                given = {"pipelineExecutionId": execution["pipelineExecutionId"], "abandon": True, "reason": _REASON}
                codepipeline.stop_pipeline_execution(pipelineName=name, **given)


def refuse_protected(doomed: Sequence[Deployment]) -> None:
    """Raises ProblemError with what to type first."""
    commands = [
        f"`aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name {item.name} "
        f"--region {item.place.region}`{_whose(item.place)}"
        for item in doomed
        if item.is_protected
    ]
    if commands:
        raise ProblemError(f"termination protection is on; nothing changed. Add --really, or type first {' and '.join(commands)}")


def _whose(place: EnvironmentPlace) -> str:
    """Where the caller's own credentials are not enough."""
    return "" if place.where[0] is None else f" with credentials of {place.account} (AWS_PROFILE)"


def delete_stacks(doomed: Sequence[Deployment]) -> None:
    """All are asked to go before one is waited for. Protection is lifted: `refuse_protected` asked before. Raises VerdictError."""
    for item in doomed:
        cloudformation = item.place.client("cloudformation")
        if _settled(cloudformation, item.name) is None:
            continue
        if item.is_protected:
            cloudformation.update_termination_protection(StackName=item.name, EnableTerminationProtection=False)
        print(f"deleting stack {item.name}", flush=True)
        cloudformation.delete_stack(StackName=item.name)
    for item in doomed:
        left = _settled(item.place.client("cloudformation"), item.name)
        if left is not None:
            reason = left.get("StackStatusReason", "its events say why")
            raise VerdictError(f"stack {item.name} is {left['StackStatus']}: {reason}; mend that, and run this again")


def _settled(cloudformation: Any, name: str) -> Any:
    """The stack once nothing is in progress; None if there is none any more."""
    while True:
        answer = found(cloudformation.describe_stacks, StackName=name)
        stack = answer["Stacks"][0] if answer else None
        if stack is None or stack["StackStatus"] == "DELETE_COMPLETE":
            return None
        if not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        time.sleep(_POLL_SECONDS)


def stop_watches(project: ProjectEnvironment, stack: Deployment, doomed: Sequence[Deployment]) -> None:
    """Of what serves there and is to go: a SageMaker pipeline that runs cannot be deleted. `stack`: an environment's.

    Asked again until nothing runs: a job has two minutes to end. What a function of an earlier deployment does not know, it does not do.
    """
    watches = [
        project.names.model(str(item.model)).at(str(item.environment)).monitoring_pipeline
        for item in doomed
        if item.serves and item.environment == stack.environment
    ]
    while watches and (_ask(project, stack, {"stop": watches}) or {}).get("running"):
        time.sleep(_POLL_SECONDS)


def remove_unused(project: ProjectEnvironment, stack: Deployment) -> None:
    """Models and endpoint configurations that CloudFormation kept of earlier deployments. `stack`: an environment's."""
    said = _ask(project, stack, {})
    if said:
        print(f"{_place_of(project, stack).names.remove_unused_function}: deleted {', '.join(said['deleted']) or 'nothing'}", flush=True)


def _place_of(project: ProjectEnvironment, stack: Deployment) -> EnvironmentPlace:
    where = Environment(name=str(stack.environment), account=stack.place.account, region=stack.place.region)
    return EnvironmentPlace(project, where, Role.DEPLOY)


def _ask(project: ProjectEnvironment, stack: Deployment, event: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an environment's own function answers (infra/environment/remove_unused); None where it is gone, or not for us to ask.

    By its ARN, for its own policy lets the project's account in (infra/environment/unused_configurations.py): the role that deploys in
    another account may invoke nothing.
    """
    place = _place_of(project, stack)
    name = place.names.remove_unused_function
    function = f"arn:{partition_of(place.region)}:lambda:{place.region}:{place.account}:function:{name}"
    try:
        answer = found(place.callers_client("lambda").invoke, FunctionName=function, Payload=json.dumps(event).encode())
    except ClientError as error:  # who retires may not, or in another account there is no such function, which nobody outside is told
        by_hand = invocation(name, event, region=place.region)
        print(f"{explain(error)}; with credentials of {place.account} type `{by_hand}` before the next `cdk deploy`", flush=True)
        return None
    if answer is None:
        return None  # its stack is gone
    said: dict[str, Any] = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise VerdictError(f"function {name} failed: {said}")
    return said


def groups(registry: Any, project: ProjectNames) -> list[str]:
    """Names of the package groups of every model of the project, also of those that were retired."""
    pages = registry.get_paginator("list_model_package_groups").paginate(NameContains=project.prefix)
    names = [group["ModelPackageGroupName"] for page in pages for group in page["ModelPackageGroupSummaryList"]]
    return [name for name in names if name.startswith(project.prefix)]


def delete_groups(registry: Any, project: ProjectNames) -> None:
    """With their versions. A stack that was deployed with retain_data=True has kept them when it, or their model, went."""
    for name in groups(registry, project):
        delete_versions(registry, name)
        registry.delete_model_package_group(ModelPackageGroupName=name)


def delete_versions(registry: Any, group: str) -> None:
    for arn in versions(registry, group):
        found(registry.delete_model_package, ModelPackageName=arn)


def pipelines(sagemaker: Any, names: ModelNames) -> list[str]:
    wanted = (names.training_pipeline, names.batch_pipeline)
    return [name for name in wanted if found(sagemaker.describe_pipeline, PipelineName=name)]


def versions(sagemaker: Any, group: str) -> list[str]:
    """ARNs of all versions, also of those whose registration failed; none where the group is gone already."""
    if not found(sagemaker.describe_model_package_group, ModelPackageGroupName=group):
        return []
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    return [summary["ModelPackageArn"] for page in pages for summary in page["ModelPackageSummaryList"]]


def delete_pipeline(sagemaker: Any, name: str, *, with_models: bool) -> None:
    """Stop its runs, which it cannot be deleted with, and delete it. `with_models`: and what the runs made for batch transforms."""
    for execution in _executions(sagemaker, name, "Executing"):
        print(f"stopping {execution}")
        sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution)
    while _executions(sagemaker, name, *_RUNNING):
        time.sleep(_POLL_SECONDS)
    for execution in _executions(sagemaker, name) if with_models else ():
        for model in _models(sagemaker, execution):
            found(sagemaker.delete_model, ModelName=model)
    sagemaker.delete_pipeline(PipelineName=name)


def _executions(sagemaker: Any, name: str, *statuses: str) -> list[str]:
    """ARNs of the pipeline's runs with one of these statuses, or of all."""
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=name)
    summaries = [summary for page in pages for summary in page["PipelineExecutionSummaries"]]
    return [item["PipelineExecutionArn"] for item in summaries if not statuses or item["PipelineExecutionStatus"] in statuses]


def _models(sagemaker: Any, execution: str) -> Iterator[str]:
    """Names of the models that a run made."""
    for page in sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=execution):
        made = [step.get("Metadata", {}).get("Model", {}) for step in page["PipelineExecutionSteps"]]
        yield from (model["Arn"].rsplit("/", 1)[-1] for model in made if "Arn" in model)
