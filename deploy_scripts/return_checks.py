"""What keeps a version from being left: nobody knows which one is meant, or what would return is not there. Each is a ProblemError.

Asked before anything is rejected. Used by roll_back.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, explain
from build_scripts.missing import is_missing
from build_scripts.objects import bucket_and_key, keys
from build_scripts.registry import Version, number_of
from deploy_scripts.deployments import outputs_of
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.return_start import executions
from deploy_scripts.stack_states import describe_stack
from deploy_scripts.way_back import DEPLOYED
from pipelines.monitoring.pipeline import PACKAGE
from preflight.obstacle import in_progress
from settings_schema import Environment, ServingNames


def refuse_ambiguous(environment: Environment, live: str, arriving: str) -> None:
    """Raises ProblemError while a deployment takes another version to production: its stack says which one was there before."""
    if arriving not in ("", live):
        old, new = number_of(live), number_of(arriving)
        way = f"--to-version {old} leaves version {new}, an earlier one leaves both; or wait for its end"
        raise ProblemError(f"version {new} is being deployed to {environment.name} over version {old}; say which one goes back: {way}")


def refuse_unknown_change(codepipeline: Any, place: EnvironmentPlace, names: ServingNames) -> None:
    """Raises ProblemError while CloudFormation brings another version to production and no pipeline says so: it was stopped, or a person.

    An update that leaves the version, as one does that puts another into the shadow, is waited for by the return itself.
    """
    returns = executions(codepipeline, names.of_model.return_pipeline)
    stack = describe_stack(place.client("cloudformation"), names.stack)
    changes = in_progress(stack)
    if changes and not _keeps_version(stack or {}) and all(item["status"] != "InProgress" for item in returns):
        raise ProblemError(f"which version it brings is not known yet: {changes}; or name the one that goes back with --to-version")


def _keeps_version(stack: Mapping[str, Any]) -> bool:
    """Parameters are those of the update from its beginning, and those of before once it is undone; outputs follow at its end."""
    wanted = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}.get(PACKAGE)
    return stack.get("StackStatus", "").startswith("UPDATE_") and wanted == outputs_of(stack).get(DEPLOYED, "")


def require_artifact(s3: Any, version: Version) -> None:
    """Raises ProblemError for a version whose archive is gone. That it is the evaluated one the return's Render says, of the whole file.

    Asked by a listing, which takes neither the object's key nor the permission to read a model.
    """
    if not version.model_url:
        raise ProblemError(f"version {version.number} cannot go back: it names no archive; name another with --to-version")
    bucket, key = bucket_and_key(version.model_url)
    try:
        is_there = next(keys(s3, bucket, key), None) == key
    except ClientError as error:
        if not is_missing(error):
            print(f"its archive may not be looked for with these credentials, so the return itself finds out: {explain(error)}")
            return
        is_there = False
    if not is_there:
        gone = f"its archive {version.model_url} is gone; restore that object, or name another with --to-version"
        raise ProblemError(f"version {version.number} cannot go back: {gone}")
