"""A model on a fleet: how many copies a deployment gives its component, and whether the fleet is there and the component on it.

CloudFormation sets the copies with each update (RuntimeConfig), so it is told as many as there are. UpdateInferenceComponent names no
endpoint: a component stays on the one that it was made on. Used by render.py.
"""

from __future__ import annotations

from build_scripts.command_line import ProblemError
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.live_endpoint import describe_endpoint
from deploy_scripts.served import describe_served
from settings_schema import Component, ServingNames
from settings_schema.fleet import OnFleet


def copies_now(place: EnvironmentPlace, names: ServingNames, serving: Component) -> str:
    """The parameter's value: as many as are wanted now, within what is set, and one where there is none, which is then verified."""
    live = describe_served(place.client("sagemaker"), names, serving)
    wanted = live["Copies"][1] if live else serving.copies
    return str(min(max(wanted, serving.copies), serving.scaling.max_capacity))


def refuse_absent(place: EnvironmentPlace, names: ServingNames, serving: OnFleet, where: str) -> None:
    """Raises ProblemError where there is no fleet to be put on, or one that serves nothing any more."""
    fleet = names.fleet(serving.fleet)
    endpoint = describe_endpoint(place.client("sagemaker"), fleet.endpoint)
    if endpoint is None:
        raise ProblemError(
            f"{where} is on the fleet {serving.fleet!r}, which is not deployed; nothing is changed: `npx cdk deploy {fleet.stack}`"
        )
    if endpoint["EndpointStatus"] == "Failed":
        reason = endpoint.get("FailureReason") or "no reason given"
        raise ProblemError(
            f"{where} is on the fleet {serving.fleet!r}, whose endpoint {fleet.endpoint} is Failed: {reason}; nothing is changed. "
            "`python -m deploy_scripts.status` says what to do"
        )


def refuse_move(place: EnvironmentPlace, names: ServingNames, serving: Component, where: str) -> None:
    """Raises ProblemError for a component that is on another fleet."""
    live, endpoint = describe_served(place.client("sagemaker"), names, serving), names.fleet(serving.fleet).endpoint
    if live is not None and live["EndpointName"] != endpoint:
        raise ProblemError(
            f"{where} is on the fleet {serving.fleet!r}, but component {names.component} is on endpoint {live['EndpointName']}, and "
            "SageMaker moves no component; nothing is changed. Name the fleet that it is on, or take it down first, which ends its service "
            f"until the next deployment: `aws cloudformation delete-stack --stack-name {names.stack}`"
        )
