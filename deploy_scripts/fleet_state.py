"""The fleets of a project as they are: how many instances of how many, which models are on them with how many copies, what is wrong.

Input: what is deployed (deployments.py). Output: a `FleetState` for each fleet and environment, and what a person has to mend.
Used by status.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.missing import is_missing_or_unreadable
from build_scripts.objects import bucket_and_key, keys
from deploy_scripts.attention import ON_CALL, Waiting
from deploy_scripts.deployments import Deployment
from deploy_scripts.live_endpoint import describe_endpoint
from deploy_scripts.placements import at
from deploy_scripts.way_back import DEPLOYED
from preflight.obstacle import of_endpoint
from settings_schema.rollout import ARCHIVES, TOLD


@dataclass(frozen=True, kw_only=True)
class FleetState:
    """`copies`: by the name of the component, as many as run; of one that is not in service its status.

    `targets`: of a multi-model fleet by the model's stack, which archive its clients are told to ask for.
    """

    fleet: str
    stage: str
    status: str = "not deployed"
    instances: int = 0
    at_most: int | None = None
    copies: dict[str, str] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    waiting: list[Waiting] = field(default_factory=list)

    def __str__(self) -> str:
        most = "" if self.at_most is None else f" of at most {self.at_most}"
        on_it = ", ".join(f"{name} {what}" for name, what in {**self.copies, **self.targets}.items()) or "no models"
        failure = f"; {self.failure}" if self.failure else ""
        return f"fleet {self.fleet} in {self.stage}: {self.status}, {self.instances}{most} instances; {on_it}{failure}"


def look(
    deployed: Deployment, sagemaker: Any, s3: Any, others: Iterable[Deployment] = (), original: Callable[[str], str] = str
) -> FleetState:
    """`deployed`: a fleet's stack; `s3`: where a multi-model fleet's archives are; `others`: what may be on it; `original`: the version
    that a copy in this region is of.

    A component may be there twice, or not, while it comes or goes: it is shown as it was found.
    """
    given: dict[str, Any] = {"fleet": str(deployed.fleet), "stage": str(deployed.environment)}
    endpoint = describe_endpoint(sagemaker, deployed.name)  # the stack and its endpoint have one name
    if endpoint is None:
        return FleetState(**given, status=str(deployed.stack["StackStatus"]))
    members = [item for item in others if TOLD in item.outputs and item.outputs["EndpointName"] == deployed.name]
    targets = {item.name: item.outputs[TOLD] for item in members}
    variant, copies = (endpoint.get("ProductionVariants") or [{}])[0], dict(_copies(sagemaker, deployed.name))
    return FleetState(
        **given,
        status=endpoint["EndpointStatus"],
        instances=variant.get("CurrentInstanceCount", 0),
        at_most=(variant.get("ManagedInstanceScaling") or {}).get("MaxInstanceCount"),
        copies=copies,
        targets=targets,
        failure=endpoint.get("FailureReason") or "",
        waiting=[*_stuck(endpoint, deployed, [*copies, *targets]), *(_without_archive(deployed, s3, members, original) if members else ())],
    )


def _stuck(endpoint: dict[str, Any], deployed: Deployment, on_it: Collection[str]) -> Iterator[Waiting]:
    """What only a person can mend. CloudFormation deletes no stack whose endpoint others import, so theirs go first."""
    stands = of_endpoint(endpoint, deployed.stack, datetime.now(UTC))
    if stands is not None:
        first = f" (before it the stacks {', '.join(on_it)}, which are on it)" if on_it else ""
        yield Waiting(f"{stands.found}; {stands.advice}{first}", at(endpoint.get("LastModifiedTime")), stands.command, ON_CALL)


def _without_archive(deployed: Deployment, s3: Any, members: Iterable[Deployment], original: Callable[[str], str]) -> Iterator[Waiting]:
    """Instances that have it loaded answer on, and nobody would notice until they go. Who may not list the bucket is told nothing of it."""
    bucket, prefix = bucket_and_key(deployed.outputs[ARCHIVES])
    try:
        there = {key.removeprefix(prefix) for key in keys(s3, bucket, prefix)}
    except ClientError as error:
        if is_missing_or_unreadable(error):
            return
        raise
    for member in (item for item in members if item.outputs[TOLD] not in there):
        what = (
            f"{member.outputs[TOLD]}, which clients of {member.model} in {member.environment} are told to ask for, is not in s3://{bucket}"
        )
        package = original(member.outputs[DEPLOYED])
        again = f"python -m deploy_scripts.offer --model {member.model} --stage {member.environment} --package {package}"
        yield Waiting(f"{what}: an instance that has not loaded it refuses them; put it there again", "", again, ON_CALL)


def _copies(sagemaker: Any, endpoint: str) -> Iterator[tuple[str, str]]:
    pages = sagemaker.get_paginator("list_inference_components").paginate(EndpointNameEquals=endpoint, SortBy="Name", SortOrder="Ascending")
    for item in (item for page in pages for item in page["InferenceComponents"]):
        name, status = item["InferenceComponentName"], item.get("InferenceComponentStatus")
        runtime = sagemaker.describe_inference_component(InferenceComponentName=name).get("RuntimeConfig") or {}
        running, wanted = runtime.get("CurrentCopyCount", 0), runtime.get("DesiredCopyCount", 0)
        count = str(running) if running == wanted else f"{running} of {wanted}"
        yield name, count if status == "InService" else f"{count} ({status})"
