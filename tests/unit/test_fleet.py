"""Models on a fleet, in their files and in the scripts: refused with the reason, asked by name, shown, priced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError
from capacity.sharing import Size, instances_needed, size_of
from deploy_scripts import fleet_price, on_fleet, status, verify
from deploy_scripts.live_endpoint import endpoint_of
from deploy_scripts.placements import Placement, kind_of
from deploy_scripts.served import describe_served
from settings_schema import Component, CopyScaling, Endpoint, Fleet, Instances, Rollout, Routing, SettingsError, Shadow
from settings_schema.reading import read
from tests.unit.script_account import MODEL, NAMES, PRODUCTION, SETTINGS, STAGING
from tests.unit.test_reading import FLEET, project  # noqa: F401 - a fixture
from tests.unit.test_reading import MODEL as MODEL_FILE
from tests.unit.test_reading import SETTINGS as SETTINGS_FILE

LIVE = NAMES.at(PRODUCTION.name)
SMALL = Component(fleet="small", scaling=CopyScaling(min_capacity=0, max_capacity=4))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Component(), "Component.fleet is missing; allowed: text"),
        (lambda: Component(fleet="small", memory_mb=64), "Component.memory_mb is 64; allowed: at least 128"),
        (
            lambda: Component(fleet="small", rollout=Rollout(routing=Routing.CANARY)),
            "Component.rollout is 'CANARY'; allowed: ROLLING: a component is updated in batches of its copies",
        ),
        (lambda: Component(fleet="small", data_capture_percent=100), "Component.data_capture_percent is 100; allowed: 0: a fleet captures"),
        (lambda: Component(fleet="small", shadow=Shadow()), "Component.shadow is"),
        (lambda: CopyScaling(min_capacity=2), "CopyScaling.min_capacity is 2; allowed: 0 to max_capacity (1)"),
        (lambda: Fleet(name="small", instances={}), "Fleet('small').instances is {}"),
    ],
)
def test_what_a_fleet_cannot_have_is_refused_with_the_reason(make: Any, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        make()
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        (SETTINGS_FILE + FLEET, "small"),
        (SETTINGS_FILE, "none: settings.py has no Fleet with instances in 'try'"),
    ],
)
def test_an_unknown_fleet_in_a_models_file_gets_the_known_ones(project: Any, settings: str, allowed: str) -> None:  # noqa: F811
    served = MODEL_FILE.replace("Batch, DataSet", "Component, Endpoint, DataSet")
    served = served.replace('{"try": Batch(), "live": Batch()}', '{"try": Component(fleet="large"), "live": Endpoint()}')
    (project / "settings.py").write_text(settings)
    (project / "models" / "fish.py").write_text(served)
    with pytest.raises(SettingsError) as raised:
        read(project)
    assert str(raised.value) == f"models/fish.py: Model.serving['try'].fleet is 'large'; allowed: {allowed}"


def test_nothing_is_watched_where_a_fleet_captures_nothing() -> None:
    assert MODEL.but(serving={STAGING.name: SMALL, PRODUCTION.name: SMALL}).watch is None
    mixed = MODEL.but(serving={STAGING.name: SMALL, PRODUCTION.name: Endpoint()})
    assert mixed.watch_in(STAGING.name) is None and mixed.watch_in(PRODUCTION.name) is not None


# ---------------------------------------------------------------------------------------------------------- scripts


class SageMaker:
    """One component of version 1, on an endpoint."""

    def __init__(self, endpoint: str = LIVE.fleet("small").endpoint, copies: int = 3) -> None:
        self.component = {
            "EndpointName": endpoint,
            "InferenceComponentStatus": "InService",
            "Specification": {"ModelName": "model-1"},
            "RuntimeConfig": {"CurrentCopyCount": copies, "DesiredCopyCount": copies},
        }

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        if EndpointName != self.component["EndpointName"]:
            message = f'Could not find endpoint "{EndpointName}".'
            raise ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "DescribeEndpoint")
        return {"EndpointName": EndpointName, "EndpointStatus": self.status, "FailureReason": "no instance came"}

    status = "InService"

    def describe_inference_component(self, *, InferenceComponentName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells it so
        if InferenceComponentName != LIVE.component:
            message = f'Could not find inference component "{InferenceComponentName}".'
            raise ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "DescribeInferenceComponent")
        return self.component


class Place:
    def __init__(self, sagemaker: SageMaker) -> None:
        self.sagemaker = sagemaker

    def client(self, _: str) -> SageMaker:
        return self.sagemaker


@pytest.mark.parametrize(("copies", "given"), [(3, "3"), (0, "1"), (9, "4")])
def test_a_deployment_keeps_the_copies_that_there_are_and_verifies_at_least_one(copies: int, given: str) -> None:
    assert on_fleet.copies_now(Place(SageMaker(copies=copies)), LIVE, SMALL) == given  # type: ignore[arg-type]


def test_the_first_deployment_begins_with_what_is_set() -> None:
    two = SMALL.but(scaling=CopyScaling(min_capacity=2, max_capacity=2))
    assert on_fleet.copies_now(Place(SageMaker()), NAMES.at(STAGING.name), two) == "2"  # type: ignore[arg-type]


def test_a_component_is_not_moved_to_another_fleet() -> None:
    on_fleet.refuse_move(Place(SageMaker()), LIVE, SMALL, "models/: abalone, live")  # type: ignore[arg-type]
    with pytest.raises(ProblemError, match=r"on the fleet 'small', but component .* SageMaker moves no component; nothing is changed"):
        on_fleet.refuse_move(Place(SageMaker("another")), LIVE, SMALL, "models/: abalone, live")  # type: ignore[arg-type]


def test_a_model_goes_on_no_fleet_that_is_not_there_or_serves_nothing() -> None:
    there, where = SageMaker(), "models/: abalone, live"
    on_fleet.refuse_absent(Place(there), LIVE, SMALL, where)  # type: ignore[arg-type]
    there.status = "Failed"
    with pytest.raises(ProblemError, match="whose endpoint shop--fleet--small--live is Failed: no instance came; nothing is changed"):
        on_fleet.refuse_absent(Place(there), LIVE, SMALL, where)  # type: ignore[arg-type]
    with pytest.raises(ProblemError, match="which is not deployed; nothing is changed: `npx cdk deploy shop--fleet--small--live`"):
        on_fleet.refuse_absent(Place(SageMaker("another")), LIVE, SMALL, where)  # type: ignore[arg-type]


def test_a_component_is_asked_by_its_name_at_the_fleets_endpoint() -> None:
    assert verify.address(LIVE, SMALL) == ("shop--fleet--small--live", "shop--abalone--live")
    assert verify.address(LIVE, Endpoint()) == ("shop--abalone--live", None)


def test_status_shows_copies_and_where_they_are() -> None:
    served = describe_served(SageMaker(), LIVE, SMALL)
    assert served is not None and served["ModelName"] == "model-1"
    shown = status.runs_on(Placement(model="m", stage="s", instances=3, kind=kind_of(served)))
    assert shown == "3 copies on shop--fleet--small--live"


def test_what_needs_instances_of_its_own_says_that_there_are_none() -> None:
    model = MODEL.but(serving={STAGING.name: SMALL, PRODUCTION.name: SMALL})
    with pytest.raises(ProblemError, match="is on the fleet 'small' in live, whose instances other models use, too"):
        endpoint_of(model, PRODUCTION)


# ------------------------------------------------------------------------------------------------------------ price


def test_instances_are_filled_by_memory_and_by_cores() -> None:
    instance = Size(cores=2, memory_mb=8192)
    assert instances_needed([], instance) == 0
    assert instances_needed([Size(0.5, 1024)] * 4, instance) == 1, "its cores are full"
    assert instances_needed([Size(0.5, 1024)] * 5, instance) == 2
    assert instances_needed([Size(0.25, 5000), Size(0.25, 5000), Size(0.25, 3000)], instance) == 2, "its memory is full"
    assert instances_needed([Size(0.25, 9000)], instance) is None


def test_the_size_of_an_instance_is_that_of_its_family() -> None:
    assert size_of("ml.m5.large") == Size(2, 8192)
    assert size_of("ml.c5.2xlarge") == Size(8, 16384)
    assert size_of("ml.unknown") is None


def test_of_a_type_whose_size_is_not_known_nothing_is_said_of_what_fits() -> None:
    fleet = Fleet(name="small", instances={PRODUCTION.name: Instances(instance_type="ml.p4d.24xlarge")})
    model = MODEL.but(serving={STAGING.name: Endpoint(), PRODUCTION.name: SMALL})
    prices = SETTINGS.prices.model_copy(update={"usd_per_hour": {"ml.p4d.24xlarge": 10.0}})
    settings = replace(SETTINGS, fleets={"small": fleet}, models={model.name: model}, prices=prices)
    said = list(fleet_price.lines(settings, SMALL, PRODUCTION))
    assert len(said) == 2 and said[1].startswith("what an ml.p4d.24xlarge has is not known here")


def test_ten_models_on_a_fleet_stand_beside_ten_endpoints() -> None:
    """Ten copies of half a core need three instances of two; at 0.1 USD that is 7.20 a day beside 24."""
    fleet = Fleet(name="small", instances={PRODUCTION.name: Instances(max_count=4)})
    model = MODEL.but(serving={STAGING.name: Endpoint(), PRODUCTION.name: SMALL})
    prices = SETTINGS.prices.model_copy(update={"usd_per_hour": {"ml.m5.large": 0.1}})
    settings = replace(SETTINGS, fleets={"small": fleet}, models={model.name: model}, prices=prices)
    said = list(fleet_price.lines(settings, SMALL, PRODUCTION))
    assert "1 to 4 ml.m5.large, 2.40 to 9.60 USD a day, shared by abalone" in said[0]
    assert said[1] == "they begin with 1 copies, which need 1 x ml.m5.large, 2.40 USD a day"
    assert said[-1] == "10 on the fleet: 3 x ml.m5.large, 7.20 USD a day; an endpoint each: 24.00 USD a day"
