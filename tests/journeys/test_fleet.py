"""Two models on one fleet in the local account: each is deployed by its own stack and role, replaced under traffic, down to none and back.

Versions are made by hand, and the stacks are those of the app: what a role may not do fails here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.context import AccountSettings
from packages.local_account.tests.endpoint_models import ENVIRONMENT
from settings_schema import Autoscaling, Component, CopyScaling, Endpoint, Fleet, Instances, Rollout, Routing
from tests.example_models import ABALONE, PRODUCTION, SETTINGS, STAGING
from tests.infra.cases import named, synthesize
from tests.journeys.test_kinds import ROW, SPEED, Deployed, bootstrap, eventually, score
from tests.journeys.test_live_metrics import version

ROLLOUT = Rollout(routing=Routing.ROLLING, step_percent=50, bake_seconds=30)
FLEET = Fleet(name="small", instances={PRODUCTION.name: Instances(min_count=0, max_count=2)})
ON_FLEET = Component(fleet="small", rollout=ROLLOUT, scaling=CopyScaling(min_capacity=0, max_capacity=2))
SERVING = {STAGING.name: ABALONE.serving[STAGING.name], PRODUCTION.name: ON_FLEET}
HOUSES, BOATS = (ABALONE.but(name=name, monitoring=None, serving=SERVING) for name in ("houses", "boats"))
VALUES = replace(SETTINGS, models=named(BOATS, HOUSES), fleets={FLEET.name: FLEET})
ENDPOINT = FLEET.names(VALUES.project, PRODUCTION.name).endpoint
NAMES = {model.name: model.names(VALUES.project).at(PRODUCTION.name) for model in (HOUSES, BOATS)}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """The fleet, and version 1 of both models on it."""
    _, templates = synthesize(VALUES, tmp_path_factory.mktemp("cdk.out"))
    with Account(AccountSettings(state_directory=tmp_path_factory.mktemp("account"), port=0)) as account:
        made = Deployed(account, dict(templates), [])
        bootstrap(account, templates)
        where = account.context.settings
        bucket = VALUES.project.names.artifact_bucket(where.account_id, where.region)
        account.client("s3").create_bucket(Bucket=bucket)
        made.packages += [package for name in NAMES for package in register(made, name, bucket)]
        account.context.clock.change(speed=SPEED)
        made.stack(PRODUCTION.names(VALUES.project).stack)
        made.stack(ENDPOINT)
        for name in NAMES:
            serve(made, name, 1)
        yield made


def register(made: Deployed, name: str, bucket: str) -> Iterator[str]:
    """Two versions of a model, of which the second answers five times as much."""
    of_model, sagemaker = NAMES[name].of_model, made.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=of_model.model_package_group)
    for number, factor in ((1, 2.0), (2, 10.0)):
        key = f"pipelines/{of_model.training_pipeline}/{number}/model.tar.gz"
        made.client("s3").put_object(Bucket=bucket, Key=key, Body=version(factor))
        container = {
            "Image": "xgboost:3.2-0",
            "ModelDataUrl": f"s3://{bucket}/{key}",
            "Environment": {**ENVIRONMENT, "SAGEMAKER_PROGRAM": "fast.py"},
        }
        specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
        made_package = sagemaker.create_model_package(
            ModelPackageGroupName=of_model.model_package_group, InferenceSpecification=specification, ModelApprovalStatus="Approved"
        )
        yield str(made_package["ModelPackageArn"])


def serve(made: Deployed, name: str, number: int) -> None:
    """As the deploy pipeline does it, once autoscaling changes nothing."""
    names, package = NAMES[name], made.packages[2 * list(NAMES).index(name) + number - 1]
    listed = made.client("sagemaker").list_inference_components(NameContains=names.component)["InferenceComponents"]
    if listed:
        suspend_scaling(made, name, is_suspended=True)
        eventually(lambda: component(made, name)["InferenceComponentStatus"] == "InService", name)
    made.stack(names.stack, names.deployment_role, ModelPackageArn=package, ModelVersion=str(number))
    if listed:
        suspend_scaling(made, name, is_suspended=False)


def suspend_scaling(made: Deployed, name: str, *, is_suspended: bool) -> None:
    """While a version is deployed: the clock runs on while a busy machine works, and scaling would be under way by then."""
    kinds = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
    made.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"inference-component/{NAMES[name].component}",
        ScalableDimension="sagemaker:inference-component:DesiredCopyCount",
        SuspendedState=dict.fromkeys(kinds, is_suspended),
    )


def component(made: Deployed, name: str) -> dict[str, Any]:
    return dict(made.client("sagemaker").describe_inference_component(InferenceComponentName=NAMES[name].component))


def ask(made: Deployed, name: str) -> float:
    runtime = made.client("sagemaker-runtime")
    answer = runtime.invoke_endpoint(EndpointName=ENDPOINT, InferenceComponentName=NAMES[name].component, Body=ROW, ContentType="text/csv")
    return score(answer["Body"].read())


def test_one_is_released_under_traffic_and_neither_loses_a_request(deployed: Deployed) -> None:
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
    over.set()
    for thread in asking:
        thread.join()
    assert not failed
    assert set(answers["boats"]) == {6.0}
    assert set(answers["houses"]) == {6.0, 30.0}


def test_the_fleet_does_not_go_while_a_model_is_on_it(deployed: Deployed) -> None:
    cloudformation = deployed.client("cloudformation")
    cloudformation.update_termination_protection(StackName=ENDPOINT, EnableTerminationProtection=False)
    with suppress(ClientError):  # refused at once, or by a stack that says so
        cloudformation.delete_stack(StackName=ENDPOINT)
    (stack,) = cloudformation.describe_stacks(StackName=ENDPOINT)["Stacks"]
    assert not stack["StackStatus"].startswith("DELETE_COMPLETE")
    assert ask(deployed, "boats") == 6.0


def test_without_requests_no_copy_and_no_instance_runs_and_the_next_request_starts_one(deployed: Deployed) -> None:
    eventually(lambda: all(component(deployed, name)["RuntimeConfig"]["CurrentCopyCount"] == 0 for name in NAMES), "no copy")
    (variant,) = deployed.client("sagemaker").describe_endpoint(EndpointName=ENDPOINT)["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 0
    with pytest.raises(ClientError, match="has no capacity to process this request"):
        ask(deployed, "houses")
    eventually(lambda: component(deployed, "houses")["RuntimeConfig"]["CurrentCopyCount"] > 0, "a copy")
    assert ask(deployed, "houses") == 30.0
    assert component(deployed, "boats")["RuntimeConfig"]["CurrentCopyCount"] == 0


def test_a_model_leaves_the_fleet_for_an_endpoint_of_its_own_and_nothing_of_it_stays_there(
    deployed: Deployed, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The last one here: its role takes away what another kind of serving had made."""
    own = Endpoint(initial_instance_count=2, autoscaling=Autoscaling(min_capacity=2, max_capacity=4))
    moved = HOUSES.but(serving={**SERVING, PRODUCTION.name: own})
    _, templates = synthesize(replace(VALUES, models=named(BOATS, moved)), tmp_path_factory.mktemp("cdk.out"))
    deployed.templates.update(templates)
    deployed.stack(PRODUCTION.names(VALUES.project).stack)
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
