"""What only an account can show of a fleet: whose role fetches a component's archive, what counts its instances, what a copy answers.

Run it a few hours after a release onto a fleet: that long "last accessed" of IAM may take. Nothing is asked where no model is on a fleet.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from deploy_scripts.environment_place import EnvironmentPlace, Role
from settings_schema import Component
from settings_schema.fleet import OnFleet
from settings_schema.names import VARIANT


@pytest.fixture(scope="module")
def on_fleets(settings, project):
    """Place, names of the model there, and names of its fleet, and how it is on it; of both environments."""
    found = []
    for environment in settings.environments:
        place = EnvironmentPlace(project, environment, Role.DEPLOY)
        for model in settings.models.values():
            names, serving = model.names(settings.project).at(environment.name), model.serving[environment.name]
            if isinstance(serving, OnFleet):
                found.append((place, names, names.fleet(serving.fleet), serving))
    if not found:
        pytest.skip("no model is on a fleet")
    return found


def last_used_s3(iam, arn):
    """When a role last used S3, or None. IAM counts it by service, not by bucket."""
    job = iam.generate_service_last_accessed_details(Arn=arn)["JobId"]
    while (report := iam.get_service_last_accessed_details(JobId=job))["JobStatus"] == "IN_PROGRESS":
        time.sleep(1)
    return next((item.get("LastAuthenticated") for item in report["ServicesLastAccessed"] if item["ServiceNamespace"] == "s3"), None)


def test_a_components_archive_is_fetched_as_the_role_of_its_model_and_not_as_the_fleets(on_fleets):
    """ExecutionRoleArn of CreateModel "to access model artifacts"; that of CreateEndpointConfig "to perform actions on your behalf".

    Where this fails the fleet's role is the one: infra/environment/inference_role.py may lose its archives. Where it passes the fleet's
    may (infra/fleet/fleet_role.py).
    """
    components = [(place, names, fleet) for place, names, fleet, serving in on_fleets if isinstance(serving, Component)]
    if not components:
        pytest.skip("no model is a component")
    for place, names, fleet in components:
        made = place.client("sagemaker").describe_inference_component(InferenceComponentName=names.component)
        role = f"arn:aws:iam::{place.account}:role/"
        used = {name: last_used_s3(place.client("iam"), f"{role}{name}") for name in (names.inference_role, fleet.role("fleet"))}
        assert used[names.inference_role] is not None and used[names.inference_role] >= made["CreationTime"]
        assert used[fleet.role("fleet")] is None


def test_there_are_as_many_values_of_a_metric_in_a_minute_as_instances(on_fleets):
    """By which the alarm `full` counts them."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for place, _, fleet, _ in on_fleets:
        (variant,) = place.client("sagemaker").describe_endpoint(EndpointName=fleet.endpoint)["ProductionVariants"]
        dimensions = [{"Name": "EndpointName", "Value": fleet.endpoint}, {"Name": "VariantName", "Value": VARIANT}]
        points = place.client("cloudwatch").get_metric_statistics(
            Namespace="/aws/sagemaker/Endpoints", MetricName="CPUUtilization", Dimensions=dimensions, Period=60, Statistics=["SampleCount"],
            StartTime=now - timedelta(minutes=6), EndTime=now - timedelta(minutes=3),
        )["Datapoints"]  # fmt: skip
        assert {point["SampleCount"] for point in points} <= {variant["CurrentInstanceCount"]}
