"""What serves a model in an environment, whichever kind it is: its endpoint, or its inference component on a fleet's.

Both are shown as DescribeEndpoint shows an endpoint, as far as the scripts look: `EndpointStatus`, `FailureReason`, times. A component also
has `InferenceComponentName`, `ModelName`, and `Copies`: how many it has and is to have. Used wherever a script looks at what serves.
"""

from __future__ import annotations

from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version
from deploy_scripts.live_endpoint import describe_endpoint, package_of, served_package, version_behind
from settings_schema import Batch, ServingNames
from settings_schema.fleet import OnFleet
from settings_schema.serving import OnEndpoint


def describe_served(sagemaker: Any, names: ServingNames, serving: OnEndpoint | Batch | None) -> dict[str, Any] | None:
    """None where nothing serves yet."""
    if not isinstance(serving, OnFleet):
        return describe_endpoint(sagemaker, names.endpoint)
    return _component(sagemaker, names)


def describe_deployed(sagemaker: Any, names: ServingNames, serving: OnEndpoint | Batch | None) -> dict[str, Any] | None:
    """As `describe_served`, or as it serves until what is set by now is deployed: to go onto a fleet, or from it, takes a deployment."""
    served = describe_served(sagemaker, names, serving)
    if served is not None:
        return served
    return describe_endpoint(sagemaker, names.endpoint) if isinstance(serving, OnFleet) else _component(sagemaker, names)


def called(served: dict[str, Any]) -> str:
    """`endpoint x`, `component x`."""
    component = served.get("InferenceComponentName")
    return f"component {component}" if component else f"endpoint {served['EndpointName']}"


def _component(sagemaker: Any, names: ServingNames) -> dict[str, Any] | None:
    component = found(sagemaker.describe_inference_component, InferenceComponentName=names.component)
    if component is None:
        return None
    runtime = component.get("RuntimeConfig") or {}
    return {
        "InferenceComponentName": names.component,
        "EndpointName": component["EndpointName"],
        "EndpointStatus": component["InferenceComponentStatus"],
        "FailureReason": component.get("FailureReason", ""),
        "CreationTime": component.get("CreationTime"),
        "LastModifiedTime": component.get("LastModifiedTime"),
        "ModelName": component["Specification"]["ModelName"],
        "Copies": (runtime.get("CurrentCopyCount", 0), runtime.get("DesiredCopyCount", 0)),
    }


def package_served(sagemaker: Any, served: dict[str, Any]) -> str | None:
    """ARN of the model package that serves; None for a model without one, and where its description is gone."""
    return package_of(sagemaker, served["ModelName"]) if "ModelName" in served else served_package(sagemaker, served)


def version_served(sagemaker: Any, project: ProjectEnvironment, names: ServingNames, serving: OnEndpoint) -> Version:
    """Raises ProblemError where nothing serves, or nothing that the registry knows. `project`: where the versions are."""
    served = describe_served(sagemaker, names, serving)
    if served is None:
        kind = "component" if isinstance(serving, OnFleet) else "endpoint"
        raise ProblemError(f"{kind} {names.endpoint} does not exist; deploy it, or name another with --model and --environment")
    return version_behind(project, package_served(sagemaker, served), called(served))
