"""How an endpoint is updated: guarded by its alarms, or all at once, because what it serves must not come back.

The alarms are the endpoint's, whichever version answers. While they are on, SageMaker undoes any update that they guard, and brings back
the version that keeps them on. So an update is guarded only if that version may come back, and is not begun while an alarm is on.
Source: "Auto-Rollback Configuration" of the SageMaker guide. Used by render.py. Decision 141.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from build_scripts.command_line import VerdictError
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, find, number_of
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.function_command import invocation
from deploy_scripts.regional_copy import original
from deploy_scripts.served import describe_served, package_served
from settings_schema import ServingNames
from settings_schema.rollout import Update
from settings_schema.serving import OnEndpoint

#: Types of resources whose updates alarms undo.
_GUARDED = ("AWS::SageMaker::Endpoint", "AWS::SageMaker::InferenceComponent")


def guarded_or_not(
    project: ProjectEnvironment, place: EnvironmentPlace, names: ServingNames, serving: OnEndpoint
) -> tuple[Update, str, Version | None]:
    """With the reason, and the version that serves now, where the registry knows it."""
    sagemaker = place.client("sagemaker")
    endpoint = describe_served(sagemaker, names, serving)
    if endpoint is None:
        return Update.GUARDED, "nothing serves yet", None
    package = package_served(sagemaker, endpoint)
    live = original(project, package) if package else ""
    version = find(project.client("sagemaker"), live) if live else None
    if version is None:
        shown = f"version {number_of(live)}, which serves, was deleted from the registry" if live else "nobody knows which version serves"
        return Update.AT_ONCE, f"{shown}, and must not come back", None
    if version.approval != "Approved":
        return Update.AT_ONCE, f"version {version.number}, which serves, is {version.approval}, and must not come back", version
    return Update.GUARDED, f"version {version.number}, which serves, may come back", version


def refuse_alarmed(
    place: EnvironmentPlace, names: ServingNames, content: Mapping[str, Any], live: Version | None, *, is_last: bool
) -> None:
    """Before a guarded update. Raises VerdictError if an alarm that would undo it is on, with the ways out.

    `content`: the template; `live`: what serves; `is_last`: in production, where roll_back.py goes back.
    """
    alarms = list(rollback_alarms(content))
    if live is None or not alarms:
        return
    described = place.client("cloudwatch").describe_alarms(AlarmNames=alarms)["MetricAlarms"]
    on = sorted(str(alarm["AlarmName"]) for alarm in described if alarm["StateValue"] == "ALARM")
    if not on:
        return
    model = names.of_model
    ways = [f"reject version {live.number} if it is to blame", "or wait until the alarm is OK", "then deploy again with"]
    if is_last:
        ways = [f"`python -m deploy_scripts.roll_back --model {model.model}` rejects version {live.number} and goes back at once;", *ways]
    raise VerdictError(
        f"{', '.join(on)} is in ALARM while version {live.number} serves, for which SageMaker would undo this update of {names.endpoint}: "
        f"{' '.join(ways)} `{invocation(model.start_deployment_function)}`"
    )


def rollback_alarms(content: Any) -> Iterator[str]:
    """Names of the alarms that undo an update of the template's endpoint, but for those that are made anew with each version."""
    resources = content.get("Resources", {})
    for properties in (item.get("Properties", {}) for item in resources.values() if item["Type"] in _GUARDED):
        for alarm in _alarms(properties.get("DeploymentConfig")):
            name = resources.get(alarm["AlarmName"].get("Ref", ""), {}).get("Properties", {}).get("AlarmName")
            if isinstance(name, str):
                yield name


def _alarms(value: Any) -> Iterator[Mapping[str, Any]]:
    """Within whatever condition they stand."""
    if isinstance(value, dict):
        yield from (value.get("AutoRollbackConfiguration") or {}).get("Alarms", [])
        for item in value.values():
            yield from _alarms(item)
    elif isinstance(value, list):
        for item in value:
            yield from _alarms(item)
