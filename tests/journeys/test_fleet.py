"""Two models on one fleet, in an account and a region that are not the project's: each is deployed by its own stack and role, replaced
under traffic, down to none and back.

Versions are made by hand and copied as Render does it; the stacks are those of the app: what a role may not do fails here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy_scripts.regional_copy import copy
from deploy_scripts.verify import EndpointClient, address, deployed_line
from local_account import permissions
from packages.local_account.tests.endpoint_models import ENVIRONMENT
from settings_schema import Autoscaling, Component, CopyScaling, Endpoint, Fleet, Instances, Rollout, Routing
from tests.example_models import ABALONE, PRODUCTION, SETTINGS, STAGING
from tests.infra.cases import named, synthesize
from tests.journeys.test_kinds import ROW, SPEED, eventually, score
from tests.journeys.test_live_metrics import version
from tests.journeys.two_places import ELSEWHERE, HERE, TwoPlaces, started
from tests.loop.taken_grants import unmissed

ROLLOUT = Rollout(routing=Routing.ROLLING, step_percent=50, bake_seconds=30)
FLEET = Fleet(name="small", instances={PRODUCTION.name: Instances(min_count=0, max_count=2)})
ON_FLEET = Component(fleet="small", rollout=ROLLOUT, scaling=CopyScaling(min_capacity=0, max_capacity=2))
SERVING = {STAGING.name: ABALONE.serving[STAGING.name], PRODUCTION.name: ON_FLEET}
HOUSES, BOATS = (ABALONE.but(name=name, monitoring=None, serving=SERVING) for name in ("houses", "boats"))
VALUES = replace(SETTINGS, project=HERE, environments=(STAGING, ELSEWHERE), models=named(BOATS, HOUSES), fleets={FLEET.name: FLEET})
OF_FLEET = FLEET.names(VALUES.project, PRODUCTION.name)
ENDPOINT = OF_FLEET.endpoint
NAMES = {model.name: model.names(VALUES.project).at(PRODUCTION.name) for model in (HOUSES, BOATS)}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoPlaces]:
    """The fleet, and version 1 of both models on it."""
    _, templates = synthesize(VALUES, tmp_path_factory.mktemp("cdk.out"))
    with started(VALUES, templates, tmp_path_factory.mktemp("account"), SPEED) as made:
        made.packages += [package for name in NAMES for package in register(made, name)]
        made.stack(ELSEWHERE.names(VALUES.project).stack)
        made.stack(ENDPOINT)
        for name in NAMES:
            serve(made, name, 1)
        yield made


def register(made: TwoPlaces, name: str) -> Iterator[str]:
    """Two versions of a model, of which the second answers five times as much; each as its copy in production's region."""
    names, home = NAMES[name], made.account.client
    for number, factor in ((1, 2.0), (2, 10.0)):
        key = f"pipelines/{names.of_model.training_pipeline}/{number}/model.tar.gz"
        home("s3").put_object(Bucket=made.artifacts, Key=key, Body=version(factor))
        container = {
            "Image": "xgboost:3.2-0",
            "ModelDataUrl": f"s3://{made.artifacts}/{key}",
            "Environment": {**ENVIRONMENT, "SAGEMAKER_PROGRAM": "fast.py"},
        }
        specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
        package = home("sagemaker").create_model_package(
            ModelPackageGroupName=names.of_model.model_package_group,
            InferenceSpecification=specification,
            ModelApprovalStatus="PendingManualApproval",  # an approval would wake the pipelines, whose builds this test is
            CustomerMetadataProperties={"model": name},
        )["ModelPackageArn"]
        with made.build(names, "render") as (project, place):
            yield copy(project, str(package), place.region)


def serve(made: TwoPlaces, name: str, number: int) -> None:
    """As the deploy pipeline does it, once autoscaling changes nothing."""
    names, package = NAMES[name], made.packages[2 * list(NAMES).index(name) + number - 1]
    listed = made.client("sagemaker").list_inference_components(NameContains=names.component)["InferenceComponents"]
    if listed:
        suspend_scaling(made, name, is_suspended=True)
        eventually(lambda: component(made, name)["InferenceComponentStatus"] == "InService", name)
    made.stack(names.stack, names.deployment_role, ModelPackageArn=package, ModelVersion=str(number))
    if listed:
        suspend_scaling(made, name, is_suspended=False)


def suspend_scaling(made: TwoPlaces, name: str, *, is_suspended: bool) -> None:
    """While a version is deployed: the clock runs on while a busy machine works, and scaling would be under way by then."""
    kinds = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
    made.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"inference-component/{NAMES[name].component}",
        ScalableDimension="sagemaker:inference-component:DesiredCopyCount",
        SuspendedState=dict.fromkeys(kinds, is_suspended),
    )


def component(made: TwoPlaces, name: str) -> dict[str, Any]:
    return dict(made.client("sagemaker").describe_inference_component(InferenceComponentName=NAMES[name].component))


def ask(made: TwoPlaces, name: str) -> float:
    runtime = made.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=ENDPOINT, InferenceComponentName=NAMES[name].component, Body=ROW, ContentType="text/csv")
    return score(answer["Body"].read())


def verified(made: TwoPlaces, name: str, number: int) -> float:
    """What a version answers the build that looks whether it is deployed; the build is of the project's account."""
    names, package = NAMES[name], made.packages[2 * list(NAMES).index(name) + number - 1]
    with made.build(names, "verify") as (_, place):
        assert deployed_line(place, names, ON_FLEET, package)
        return score(EndpointClient(place.client("sagemaker-runtime"), *address(names, ON_FLEET)).ask(ROW, "text/csv"))


def test_one_is_released_under_traffic_and_neither_loses_a_request(deployed: TwoPlaces) -> None:
    answers: dict[str, list[float]] = {name: [] for name in NAMES}
    failed: list[str] = []
    over = threading.Event()

    def traffic(name: str) -> None:
        while not over.is_set():
            try:
                answers[name].append(ask(deployed, name))
            except ClientError as error:
                failed.append(str(error))

    asking = [threading.Thread(target=traffic, args=(name,)) for name in NAMES]
    for thread in asking:
        thread.start()
    serve(deployed, "houses", 2)
    assert ask(deployed, "houses") == 30.0
    assert verified(deployed, "houses", 2) == 30.0
    over.set()
    for thread in asking:
        thread.join()
    assert not failed
    assert set(answers["boats"]) == {6.0}
    assert set(answers["houses"]) == {6.0, 30.0}


def test_the_fleet_does_not_go_while_a_model_is_on_it(deployed: TwoPlaces) -> None:
    cloudformation = deployed.client("cloudformation")
    cloudformation.update_termination_protection(StackName=ENDPOINT, EnableTerminationProtection=False)
    with suppress(ClientError):  # refused at once, or by a stack that says so
        cloudformation.delete_stack(StackName=ENDPOINT)
    (stack,) = cloudformation.describe_stacks(StackName=ENDPOINT)["Stacks"]
    assert not stack["StackStatus"].startswith("DELETE_COMPLETE")
    assert ask(deployed, "boats") == 6.0


def test_without_requests_no_copy_and_no_instance_runs_and_the_next_request_starts_one(deployed: TwoPlaces) -> None:
    eventually(lambda: all(component(deployed, name)["RuntimeConfig"]["CurrentCopyCount"] == 0 for name in NAMES), "no copy")
    (variant,) = deployed.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 0
    with pytest.raises(ClientError, match="has no capacity to process this request"):
        ask(deployed, "houses")
    eventually(lambda: component(deployed, "houses")["RuntimeConfig"]["CurrentCopyCount"] > 0, "a copy")
    assert ask(deployed, "houses") == 30.0
    assert component(deployed, "boats")["RuntimeConfig"]["CurrentCopyCount"] == 0


def test_each_grant_of_a_fleet_is_missed_by_name_or_a_reason_keeps_it(deployed: TwoPlaces) -> None:
    """Of the fleet's own role, as far as it is for the model that was replaced; and of roles that deploy what components need."""
    report = permissions.report(deployed.account.context)
    of_houses = [f"{what}Houses" for what in ("Versions", "FindVersions", "KeyOfVersions", "RollbackAlarms")]
    assert unmissed(report, [OF_FLEET.role("fleet")], ["Logs", *of_houses]) == []
    roles = [names.deployment_role for names in NAMES.values()]
    assert unmissed(report, roles, ["Component", "OwnComponent", "TryScalingCopies"]) == []


def test_a_model_leaves_the_fleet_for_an_endpoint_of_its_own_and_nothing_of_it_stays_there(
    deployed: TwoPlaces, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The last one here: its role takes away what another kind of serving had made."""
    own = Endpoint(initial_instance_count=2, autoscaling=Autoscaling(min_capacity=2, max_capacity=4))
    moved = HOUSES.but(serving={**SERVING, PRODUCTION.name: own})
    _, templates = synthesize(replace(VALUES, models=named(BOATS, moved)), tmp_path_factory.mktemp("cdk.out"))
    deployed.templates.update(templates)
    deployed.stack(ELSEWHERE.names(VALUES.project).stack)
    names, package = NAMES["houses"], deployed.packages[2 * list(NAMES).index("houses")]
    deployed.stack(names.stack, names.deployment_role, ModelPackageArn=package, ModelVersion="1")
    answer = deployed.client("sagemaker-runtime").invoke_endpoint(EndpointName=names.endpoint, Body=ROW, ContentType="text/csv")
    assert score(answer["Body"].read()) == 6.0
    left = deployed.client("sagemaker").list_inference_components(EndpointNameEquals=ENDPOINT)["InferenceComponents"]
    assert [item["InferenceComponentName"] for item in left] == [NAMES["boats"].component]
    policies = deployed.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    of_houses = {policy["ResourceId"] for policy in policies if names.component in policy["PolicyName"]}
    assert of_houses == {f"endpoint/{names.endpoint}/variant/AllTraffic"}
    resources = deployed.client("cloudformation").describe_stack_resources(StackName=names.stack)["StackResources"]
    assert not [item for item in resources if item["ResourceStatus"].endswith("FAILED")]
    assert unmissed(permissions.report(deployed.account.context), [names.deployment_role], ["LeftComponent"]) == []
