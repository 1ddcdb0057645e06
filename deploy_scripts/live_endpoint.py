"""What serves now, by asking AWS: an endpoint's config, model and package, or a batch stack's model. Each may be gone meanwhile."""

from __future__ import annotations

from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, find, number_of
from deploy_scripts.regional_copy import original
from settings_schema import Asynchronous, Endpoint, Environment, Model, Serverless
from settings_schema.fleet import OnFleet
from settings_schema.rollout import MODEL_PACKAGE


def endpoint_of(model: Model, environment: Environment) -> Endpoint:
    """How the environment serves the model, on instances that answer at once. Raises ProblemError for another kind."""
    serving = asked_at_once(model, environment)
    if not isinstance(serving, Endpoint):
        raise ProblemError(f"model {model.name} is Serverless in {environment.name}, where no instances scale; allowed: Endpoint")
    return serving


def asked_at_once(model: Model, environment: Environment) -> Endpoint | Serverless:
    """How the environment serves the model, by InvokeEndpoint. Raises ProblemError for what is asked in another way."""
    serving = model.serving[environment.name]
    if isinstance(serving, Asynchronous):
        names = "the output EndpointName of its stack, and requests/ of the environment's bucket, in docs/serving.md"
        raise ProblemError(f"model {model.name} is Asynchronous in {environment.name}: it is asked by a queue; {names}")
    if isinstance(serving, OnFleet):
        raise ProblemError(
            f"model {model.name} is on the fleet {serving.fleet!r} in {environment.name}, whose instances other models use, too; "
            "allowed: a model with an Endpoint"
        )
    if not isinstance(serving, Endpoint | Serverless):
        asked = f"`python -m build_scripts.score_file FILE --model {model.name}` asks a version of it"
        raise ProblemError(f"model {model.name} has no endpoint in {environment.name}: models/ says Batch; {asked}")
    return serving


def describe_endpoint(sagemaker: Any, name: str) -> dict[str, Any] | None:
    """None if there is no such endpoint."""
    endpoint: dict[str, Any] | None = found(sagemaker.describe_endpoint, EndpointName=name)
    return endpoint


def first_variant(sagemaker: Any, endpoint: dict[str, Any]) -> dict[str, Any] | None:
    """The configuration of the endpoint's first variant; None if its endpoint config was deleted, without which it goes on serving."""
    config = found(sagemaker.describe_endpoint_config, EndpointConfigName=endpoint["EndpointConfigName"])
    return dict(config["ProductionVariants"][0]) if config else None


def served_package(sagemaker: Any, endpoint: dict[str, Any]) -> str | None:
    """ARN of the model package behind the endpoint's first variant; None for a model without one, and where config or model are gone."""
    variant = first_variant(sagemaker, endpoint)
    return package_of(sagemaker, variant["ModelName"]) if variant else None


def package_of(sagemaker: Any, model_name: str) -> str | None:
    """ARN of the model package that a SageMaker model is of; None for a model without one, and where it is gone."""
    model = found(sagemaker.describe_model, ModelName=model_name)
    if model is None:
        return None
    containers = [*model.get("Containers", []), *([model["PrimaryContainer"]] if model.get("PrimaryContainer") else [])]
    packages = (container.get("ModelPackageName") or container.get("Environment", {}).get(MODEL_PACKAGE) for container in containers)
    return next((package for package in packages if package), None)


def served_version(sagemaker: Any, project: ProjectEnvironment, name: str) -> tuple[dict[str, Any], Version]:
    """The endpoint and the version that it serves. `project`: where the versions are, perhaps in another account.

    Raises ProblemError saying which of them there is not.
    """
    endpoint = describe_endpoint(sagemaker, name)
    if endpoint is None:
        raise ProblemError(f"endpoint {name} does not exist; deploy it, or name another with --model and --environment")
    return endpoint, version_behind(project, served_package(sagemaker, endpoint), f"endpoint {name}")


def version_behind(project: ProjectEnvironment, package: str | None, what: str) -> Version:
    """The version of a package that serves. `what`: what serves it. Raises ProblemError where the registry does not know it."""
    if package is None:
        raise ProblemError(f"{what} serves a model that is of no registered version, or whose description was deleted")
    version = find(project.client("sagemaker"), original(project, package))
    if version is None:
        raise ProblemError(f"{what} serves version {number_of(package)}, which was deleted from the registry; release another one")
    return version


def fleet_seconds(sagemaker: Any, name: str) -> float | None:
    """From the making of its configuration until it served; None where one of both is gone or does not say."""
    endpoint = describe_endpoint(sagemaker, name) or {}
    config = found(sagemaker.describe_endpoint_config, EndpointConfigName=endpoint["EndpointConfigName"]) if endpoint else {}
    begun, served = (config or {}).get("CreationTime"), endpoint.get("LastModifiedTime")
    return (served - begun).total_seconds() if begun and served else None


def deployed_config(cloudformation: Any, stack_name: str) -> str | None:
    """Name of the endpoint config that the stack deployed last; None if there is no stack, or it has none."""
    answer = found(cloudformation.describe_stack_resources, StackName=stack_name) or {"StackResources": []}
    configs = [item["PhysicalResourceId"] for item in answer["StackResources"] if item["ResourceType"] == "AWS::SageMaker::EndpointConfig"]
    return str(configs[0]).rsplit("/", 1)[-1] if configs else None
