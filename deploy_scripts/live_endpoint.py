"""What an endpoint serves now, by asking SageMaker: its config, model and model package."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


def describe_endpoint(sagemaker: Any, name: str) -> dict[str, Any] | None:
    """None if there is no such endpoint."""
    try:
        endpoint: dict[str, Any] = sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ValidationException", "ResourceNotFound"):
            return None
        raise
    return endpoint


def served_package(sagemaker: Any, endpoint: dict[str, Any]) -> str | None:
    """ARN of the model package behind the endpoint's first variant; None for a model without one."""
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    model = sagemaker.describe_model(ModelName=config["ProductionVariants"][0]["ModelName"])
    containers = [*model.get("Containers", []), *([model["PrimaryContainer"]] if model.get("PrimaryContainer") else [])]
    return next((container["ModelPackageName"] for container in containers if container.get("ModelPackageName")), None)


def deployed_config(cloudformation: Any, stack_name: str) -> str | None:
    """Name of the endpoint config that the stack deployed last; None if the stack has none."""
    resources = cloudformation.describe_stack_resources(StackName=stack_name)["StackResources"]
    found = [item["PhysicalResourceId"] for item in resources if item["ResourceType"] == "AWS::SageMaker::EndpointConfig"]
    return str(found[0]).rsplit("/", 1)[-1] if found else None
