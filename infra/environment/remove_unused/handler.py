"""Lambda: deletes the models and endpoint configurations of earlier deployments that no endpoint and no inference component uses any more.

CloudFormation keeps what it replaces (infra/serving/endpoint_stack.py): SageMaker may have gone back to it, and then it still serves.
Input: any event; a schedule's. Output: `{"deleted": [names], "waiting": [names of what is being deployed]}`. Or, for what is to be retired
(deploy_scripts/retirement.py), `{"stop": [names of SageMaker pipelines]}`, which cannot be deleted while they run: their runs are asked to
end. Output: `{"running": [ARNs of runs that have not ended yet]}`.
Environment: DEPLOYMENTS, names separated by commas, each of a stack and of the endpoint that it has, unless it is for batch only; and
MADE_FOR_TAG, the tag that says for which of them something was made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError


@dataclass(frozen=True)
class Made:
    """A model, or an endpoint configuration with the models that it names, and the endpoint that it was made for."""

    name: str
    endpoint: str
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deployment:
    """What uses configurations: the endpoint and its stack. `settled`: neither of them is being changed, nor waits to be repaired."""

    settled: bool
    in_use: frozenset[str] = frozenset()  # names of configurations and models


@dataclass(frozen=True)
class Decision:
    configurations: list[str]
    models: list[str]
    waiting: list[str]


def plan(configurations: Sequence[Made], models: Sequence[Made], deployments: Mapping[str, Deployment]) -> Decision:
    """Only what was made for a known endpoint whose deployment is over, and what neither it nor its stack uses.

    A model goes only with the last configuration that names it.
    """
    settled = {name: deployment for name, deployment in deployments.items() if deployment.settled}
    unused = [made for made in configurations if made.endpoint in settled and made.name not in settled[made.endpoint].in_use]
    gone = {made.name for made in unused}
    named = {model for made in configurations if made.name not in gone for model in made.models}
    spare = [made for made in models if made.endpoint in settled and made.name not in named | settled[made.endpoint].in_use]
    return Decision([made.name for made in unused], [made.name for made in spare], sorted(set(deployments) - set(settled)))


def configurations_made(client: Any, tag: str, names: Sequence[str]) -> list[Made]:
    """Of these deployments only: what was made for others may not be looked at."""
    found = []
    for page in client.get_paginator("list_endpoint_configs").paginate():
        for summary in page["EndpointConfigs"]:
            endpoint = _tag(client, summary["EndpointConfigArn"], tag)
            if endpoint and endpoint in names:
                described = client.describe_endpoint_config(EndpointConfigName=summary["EndpointConfigName"])
                variants = [*described["ProductionVariants"], *described.get("ShadowProductionVariants", [])]
                models = tuple(variant["ModelName"] for variant in variants)
                found.append(Made(summary["EndpointConfigName"], endpoint, models))
    return found


def models_made(client: Any, tag: str) -> list[Made]:
    pages = client.get_paginator("list_models").paginate()
    tagged = [(summary["ModelName"], _tag(client, summary["ModelArn"], tag)) for page in pages for summary in page["Models"]]
    return [Made(name, endpoint) for name, endpoint in tagged if endpoint]


def _tag(client: Any, arn: str, key: str) -> str | None:
    """None without that tag, or if the resource has gone meanwhile."""
    tags = (_unless_gone(client.list_tags, ResourceArn=arn) or {"Tags": []})["Tags"]
    return next((tag["Value"] for tag in tags if tag["Key"] == key), None)


def deployment(sagemaker: Any, cloudformation: Any, name: str) -> Deployment:
    """Asked after what there is was listed: what a deployment makes from then on is in no list; what it goes back to is in its stack."""
    described = _unless_gone(sagemaker.describe_endpoint, EndpointName=name)
    component = _unless_gone(sagemaker.describe_inference_component, InferenceComponentName=name)  # of a model on a fleet
    deployed = _unless_gone(cloudformation.describe_stacks, StackName=name)
    statuses = [deployed["Stacks"][0]["StackStatus"].endswith("_COMPLETE")] if deployed else []
    statuses += [described["EndpointStatus"] in ("InService", "Failed")] if described else []
    statuses += [component["InferenceComponentStatus"] in ("InService", "Failed")] if component else []
    if not all(statuses):
        return Deployment(settled=False)
    used = {described["EndpointConfigName"]} if described else set()
    used |= {component["Specification"]["ModelName"]} if component else set()
    if deployed:
        resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        used |= {str(item.get("PhysicalResourceId", "")).rsplit("/", 1)[-1] for item in resources}
    return Deployment(settled=True, in_use=frozenset(used))


def _unless_gone(call: Any, **request: str) -> Any:
    """None where the service says that there is no such thing: SageMaker and CloudFormation have no error of their own for it."""
    try:
        return call(**request)
    except ClientError as error:
        message = error.response["Error"]["Message"].lower()
        if "not exist" in message or "could not find" in message or "not found" in message:
            return None
        raise


def stop(sagemaker: Any, pipelines: Sequence[str]) -> list[str]:
    """ARNs of the runs that have not ended yet, of which each was asked to. The newest are listed: older ones have ended."""
    running = []
    for name in pipelines:
        listed = _unless_gone(sagemaker.list_pipeline_executions, PipelineName=name, SortBy="CreationTime", SortOrder="Descending")
        for run in (listed or {"PipelineExecutionSummaries": []})["PipelineExecutionSummaries"]:
            if run["PipelineExecutionStatus"] == "Executing":
                sagemaker.stop_pipeline_execution(PipelineExecutionArn=run["PipelineExecutionArn"])
            if run["PipelineExecutionStatus"] in ("Executing", "Stopping"):
                running.append(str(run["PipelineExecutionArn"]))
    return running


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[str]]:
    if "stop" in event:
        running = stop(boto3.client("sagemaker"), event["stop"])
        print(f"running still: {', '.join(running) or 'nothing'}")
        return {"running": running}
    sagemaker, cloudformation, tag = boto3.client("sagemaker"), boto3.client("cloudformation"), os.environ["MADE_FOR_TAG"]
    names = os.environ["DEPLOYMENTS"].split(",")
    configurations, models = configurations_made(sagemaker, tag, names), models_made(sagemaker, tag)
    deployments = {name: deployment(sagemaker, cloudformation, name) for name in names}
    decision = plan(configurations, models, deployments)
    for name in decision.configurations:
        _unless_gone(sagemaker.delete_endpoint_config, EndpointConfigName=name)
    for name in decision.models:  # after the configurations that name them
        _unless_gone(sagemaker.delete_model, ModelName=name)
    deleted = [*decision.configurations, *decision.models]
    print(f"deleted {', '.join(deleted) or 'nothing'}; waiting for {', '.join(decision.waiting) or 'nothing'}")
    return {"deleted": deleted, "waiting": decision.waiting}
