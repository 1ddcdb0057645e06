"""Where each model serves: which version, since when, how good, on how many instances; for a batch model what it scored last.

Input: what is deployed (deployments.py) and what is set. Output: a `Placement` for each model and environment. Used by status.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from build_scripts.registry import Version, find, number_of
from deploy_scripts.deployments import Deployment
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.live_endpoint import describe_endpoint, package_of
from deploy_scripts.served import describe_deployed, describe_served, package_served
from deploy_scripts.stack_states import standing
from deploy_scripts.way_back import DEPLOYED
from preflight.obstacle import Obstacle
from settings_schema import Batch, Member, ServingNames
from settings_schema.names import CHALLENGER_VARIANT
from settings_schema.rollout import TOLD
from settings_schema.serving import OnEndpoint

_LATEST_JOBS = 20
#: Begins the `kind` of a model on a multi-model fleet.
ON_MULTI_MODEL = "one of many on "


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A model in an environment and what serves there; `version` None: nothing is deployed. `scored`: what a batch model did last;
    `watch`: what the watch over it did (watch_state.py).

    `approval`: the version's by now; empty where it was deleted. `obstacle`: what a person has to mend before anything can be deployed.
    """

    model: str
    stage: str
    status: str = "not deployed"
    version: int | None = None
    approval: str = ""
    since: str = ""
    commit: str = ""
    metric: str = ""
    instances: int = 0
    kind: str = ""
    schedule: str = ""
    scored: str = ""
    watch: str = ""
    failure: str = ""
    obstacle: Obstacle | None = None


@dataclass(frozen=True)
class Stage:
    """What to look at: a model in an environment, where it lives, what is set for it (None: its file is gone) and what is deployed."""

    names: ServingNames
    place: EnvironmentPlace
    serving: OnEndpoint | Batch | None
    deployment: Deployment | None

    @property
    def is_member(self) -> bool:
        """On a multi-model fleet, whose endpoint is not the model's own."""
        return isinstance(self.serving, Member) or (self.deployment is not None and TOLD in self.deployment.outputs)

    @property
    def has_endpoint(self) -> bool:
        if self.is_member:
            return False
        if self.serving is not None:
            return isinstance(self.serving, OnEndpoint)
        return self.deployment is not None and "EndpointName" in self.deployment.outputs


def look(stage: Stage, sagemaker: Any, registry: Any, original: Callable[[str], str] = str) -> Placement:
    """`sagemaker`: where it serves; `registry`: SageMaker where the versions are; `original`: the version that a copy is of."""
    stack = stage.deployment.stack if stage.deployment else None
    describe = describe_deployed if stack else describe_served
    endpoint = describe(sagemaker, stage.names, stage.serving) if stage.has_endpoint else None
    if stage.is_member:
        seen = _member(stage, sagemaker)
    else:
        seen = (_endpoint(endpoint, sagemaker) if endpoint else None) if stage.has_endpoint else _batch(stage, sagemaker)
    obstacle = standing(stack, stage.place.environment.protected, endpoint)
    if seen is None:
        status = stack["StackStatus"] if stack else "not deployed"  # such as ROLLBACK_COMPLETE
        return Placement(model=stage.names.model, stage=stage.names.environment, status=status, obstacle=obstacle)
    package, shown = original(seen[0]) if seen[0] else None, seen[1]
    version = find(registry, package) if package else None
    gone = _of_version(version) if version else ", version deleted from the registry" if package else ", of no known version"
    return Placement(
        model=stage.names.model,
        stage=stage.names.environment,
        version=number_of(package) if package else None,
        approval=version.approval if version else "",
        commit=(version.facts.get("git-commit", "") if version else "")[:12],
        metric=quality(version) if version else "",
        obstacle=obstacle,
        **{**shown, "status": f"{shown['status']}{gone}"},
    )


def _of_version(version: Version) -> str:
    """What is not as it should be with a version that serves."""
    return "" if version.approval == "Approved" else f", version {version.approval.lower()}"


def _endpoint(endpoint: dict[str, Any], sagemaker: Any) -> tuple[str | None, dict[str, Any]]:
    shadows = sum(variant.get("CurrentInstanceCount", 0) for variant in endpoint.get("ShadowProductionVariants") or [])
    tried = any(variant.get("VariantName") == CHALLENGER_VARIANT for variant in endpoint.get("ProductionVariants") or [])
    beside = (f", a version in its shadow on {shadows} instances" if shadows else "") + (", a version in an experiment" if tried else "")
    running = sum(variant.get("CurrentInstanceCount", 0) for variant in endpoint.get("ProductionVariants", []))
    return package_served(sagemaker, endpoint), {
        "status": endpoint["EndpointStatus"] + beside,
        "since": at(endpoint.get("LastModifiedTime")),
        "instances": endpoint["Copies"][0] if "Copies" in endpoint else running,
        "kind": kind_of(endpoint),
        "failure": endpoint.get("FailureReason", ""),  # SageMaker keeps why it failed, or went back to the fleet before
    }


def kind_of(endpoint: Mapping[str, Any]) -> str:
    """What runs there instead of instances, or how it is asked; empty for an endpoint on instances that answers at once."""
    if "Copies" in endpoint:
        return f"copies on {endpoint['EndpointName']}"
    if endpoint.get("AsyncInferenceConfig"):
        return "asynchronous"
    serverless = next(
        (item["CurrentServerlessConfig"] for item in endpoint.get("ProductionVariants", []) if "CurrentServerlessConfig" in item), None
    )
    if serverless is None:
        return ""
    ready = f", {serverless['ProvisionedConcurrency']} ready" if serverless.get("ProvisionedConcurrency") else ""
    return f"serverless: {serverless['MaxConcurrency']} at once{ready}"


def _member(stage: Stage, sagemaker: Any) -> tuple[str | None, dict[str, Any]] | None:
    """What clients are told, and how the fleet is that answers them. Why an update of that failed is said of the fleet, once."""
    if stage.deployment is None or TOLD not in stage.deployment.outputs:
        return None
    stack, outputs = stage.deployment.stack, stage.deployment.outputs
    fleet = describe_endpoint(sagemaker, outputs["EndpointName"]) or {"EndpointStatus": "without its fleet"}
    return outputs.get(DEPLOYED), {
        "status": fleet["EndpointStatus"],
        "since": at(stack.get("LastUpdatedTime") or stack.get("CreationTime")),
        "kind": f"{ON_MULTI_MODEL}{outputs['EndpointName']}",
    }


def _batch(stage: Stage, sagemaker: Any) -> tuple[str | None, dict[str, Any]] | None:
    if stage.deployment is None:
        return None
    stack = stage.deployment.stack
    model_name = stage.deployment.outputs.get("ModelName")
    jobs = _jobs(stage.names, sagemaker)
    return package_of(sagemaker, model_name) if model_name else None, {
        "status": stack["StackStatus"],
        "since": at(stack.get("LastUpdatedTime") or stack.get("CreationTime")),
        "schedule": when(stage.serving) if isinstance(stage.serving, Batch) else "",
        "scored": _scored(jobs[0], stage.names, sagemaker) if jobs else "",
        "failure": _failed(jobs, stage.names, sagemaker),
    }


def when(serving: Batch) -> str:
    """`on upload, cron(0 4 ? * * *) Etc/UTC`."""
    times = ["on upload"] if serving.on_upload else []
    return ", ".join([*times, *([f"cron({serving.cron}) {serving.time_zone}"] if serving.cron else [])]) or "by hand"


def _jobs(names: ServingNames, sagemaker: Any) -> list[Mapping[str, Any]]:
    """The stage's latest transform jobs that are no verification, newest first."""
    newest = {"SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": _LATEST_JOBS}
    page = sagemaker.list_transform_jobs(NameContains=names.scoring_job_prefix, **newest)
    jobs = [job for job in page["TransformJobSummaries"] if job["TransformJobName"].startswith(names.scoring_job_prefix)]
    return [job for job in jobs if not job["TransformJobName"].startswith(names.verification_job_prefix)]


def _failed(jobs: Sequence[Mapping[str, Any]], names: ServingNames, sagemaker: Any) -> str:
    """What the latest job of its rows could not score, though other rows were scored since. Asks for details only where a job failed."""
    if not any(job["TransformJobStatus"] == "Failed" for job in jobs):
        return ""
    latest: dict[str, Mapping[str, Any]] = {}
    for job in jobs:
        latest.setdefault(_rows(job, names, sagemaker), job)
    failed = {rows: job for rows, job in latest.items() if job["TransformJobStatus"] == "Failed"}
    return "; ".join(
        f"{rows}: transform job {job['TransformJobName']}: {job.get('FailureReason', 'no reason given')}" for rows, job in failed.items()
    )


def _scored(job: Mapping[str, Any], names: ServingNames, sagemaker: Any) -> str:
    """`2026-11/part (Completed, 2026-11-27 04:03)`: the folder below batch/<model>/."""
    when_ended = at(job.get("TransformEndTime") or job["CreationTime"])
    return f"{_rows(job, names, sagemaker)} ({job['TransformJobStatus']}, {when_ended})"


def _rows(job: Mapping[str, Any], names: ServingNames, sagemaker: Any) -> str:
    """What a job scores, below batch/<model>/."""
    described = sagemaker.describe_transform_job(TransformJobName=job["TransformJobName"])
    address = str(described["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"])
    return address.split(f"/{names.batch_input}", 1)[-1].strip("/")


def quality(version: Version) -> str:
    """`rmse 2.13`, or nothing for a version without it."""
    name, value = version.facts.get("metric"), version.facts.get("metric-value")
    try:
        return f"{name} {float(value):.4g}" if name and value else ""
    except ValueError:
        return f"{name} {value}"


def at(value: datetime | None) -> str:
    return value.strftime("%Y-%m-%d %H:%M") if value else ""
