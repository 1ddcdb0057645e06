"""Models on a multi-model fleet, in their files and in the scripts: refused with the reason, named, offered, watched, shown, priced."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from build_scripts.command_line import ProblemError, VerdictError
from deploy_scripts import fleet_price, offer, placements, status, verify
from deploy_scripts.baking import bake
from deploy_scripts.deployments import Deployment
from deploy_scripts.live_endpoint import endpoint_of
from deploy_scripts.member_archive import MemberArchive
from deploy_scripts.review.if_yes import if_yes
from settings_schema import Component, Endpoint, Instances, Member, MemberInstances, MultiModelFleet, Rebuild, SettingsError, Shadow
from settings_schema.reading import read
from settings_schema.rollout import TOLD
from tests.unit.script_account import MODEL, NAMES, PRODUCTION, SETTINGS, STAGING
from tests.unit.test_reading import MODEL as MODEL_FILE
from tests.unit.test_reading import SETTINGS as SETTINGS_FILE
from tests.unit.test_reading import project  # noqa: F401 - a fixture

LIVE = NAMES.at(PRODUCTION.name)
TINY = Member(fleet="tiny", bake_seconds=12)
BOTH = {STAGING.name: TINY, PRODUCTION.name: TINY}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Member(), "Member.fleet is missing; allowed: text"),
        (
            lambda: Member(fleet="tiny", data_capture_percent=9),
            "Member.data_capture_percent is 9; allowed: 0: a fleet captures no requests",
        ),
        (lambda: Member(fleet="tiny", live_metrics=False), "Member.live_metrics is False; allowed: True: SageMaker has no metrics of one"),
        (lambda: Member(fleet="tiny", shadow=Shadow()), "Member.shadow is"),
        (lambda: Member(fleet="tiny", scaling=3), "Member.scaling is 3; allowed: nothing: the instances are the fleet's"),
        (lambda: Member(fleet="tiny", rollout=3), "Member.rollout is 3; allowed: bake_seconds"),
        (lambda: MemberInstances(min_count=0), "MemberInstances.min_count is 0; allowed: 1 to 100"),
        (lambda: MemberInstances(min_count=3), "MemberInstances.min_count is 3; allowed: 1 to max_count (2)"),
        (
            lambda: MemberInstances(instance_type="ml.g5.xlarge"),
            "MemberInstances.instance_type is 'ml.g5.xlarge'; allowed: a type without GPUs",
        ),
        (lambda: MemberInstances(request_routing="RANDOM"), "MemberInstances.request_routing is 'RANDOM'; allowed: nothing: SageMaker"),
        (lambda: MultiModelFleet(name="tiny", instances={}), "MultiModelFleet('tiny').instances is {}; allowed: MemberInstances(...)"),
        (lambda: MultiModelFleet(name="tiny", instances={"live": Instances()}), "MultiModelFleet('tiny').instances is"),
        (lambda: MODEL.but(serving=BOTH, rebuild=Rebuild()), "Model('abalone').rebuild is"),
    ],
)
def test_what_a_member_cannot_have_is_refused_with_the_reason(make: Any, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        make()
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("fleet", "kind", "allowed"),
    [
        ("MultiModelFleet(name='tiny', instances={'try': MemberInstances()})", "Component", "Member(fleet='tiny')"),
        ("Fleet(name='tiny', instances={'try': Instances()})", "Member", "Component(fleet='tiny')"),
    ],
)
def test_a_model_of_the_other_kind_of_fleet_is_refused(project: Any, fleet: str, kind: str, allowed: str) -> None:  # noqa: F811
    imported = "from settings_schema import Fleet, Instances, MemberInstances, MultiModelFleet\n"
    (project / "settings.py").write_text(f"{SETTINGS_FILE}\n{imported}FLEETS = ({fleet},)\n")
    served = MODEL_FILE.replace("Batch, DataSet", f"{kind}, Endpoint, DataSet")
    served = served.replace('{"try": Batch(), "live": Batch()}', f'{{"try": {kind}(fleet="tiny"), "live": Endpoint()}}')
    (project / "models" / "fish.py").write_text(served)
    with pytest.raises(SettingsError) as raised:
        read(project)
    said = f"models/fish.py: Model.serving['try'] is \"{kind}(fleet='tiny')\"; allowed: {allowed}, because settings.py says that it is a"
    assert str(raised.value).startswith(said)


# -------------------------------------------------------------------------------------------------------- archive


def package(image: str = "1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0", **environment: str) -> dict[str, Any]:
    container = {"Image": image, "Environment": {"SAGEMAKER_PROGRAM": "inference.py", **environment}}
    return {"ModelPackageGroupName": "shop--abalone", "ModelPackageVersion": 7, "InferenceSpecification": {"Containers": [container]}}


def test_an_archive_is_called_by_its_version_and_by_what_its_process_is_told() -> None:
    first, same, other = (MemberArchive.of(item, LIVE) for item in (package(), package(), package(MORE="1")))
    assert first.target == same.target != other.target
    assert first.target.startswith("abalone/7-") and first.target.endswith(".tar.gz")
    assert first.environment["METRICS_ENDPOINT"] == "shop--abalone--live"
    assert (first.environment["MODEL_VERSION"], first.environment["SAGEMAKER_PROGRAM"]) == ("7", "inference.py")


def test_an_archive_has_what_was_evaluated_and_the_environment() -> None:
    evaluated = io.BytesIO()
    with tarfile.open(fileobj=evaluated, mode="w:gz") as tar:
        entry = tarfile.TarInfo("code/inference.py")
        entry.size = 2
        tar.addfile(entry, io.BytesIO(b"hi"))
    made = MemberArchive.of(package(), LIVE)
    evaluated.seek(0)
    packed = made.packed(evaluated)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        files = {item.name: found.read() for item in tar if (found := tar.extractfile(item))}
    assert files["code/inference.py"] == b"hi"
    assert json.loads(files["environment.json"]) == made.environment
    evaluated.seek(0)
    assert made.packed(evaluated) == packed, "the same version is the same object"


def test_a_version_in_another_image_than_the_fleets_is_refused() -> None:
    with pytest.raises(ProblemError, match=r"version 7 of abalone runs in pytorch:2; allowed on a multi-model fleet: sagemaker-xgboost:"):
        MemberArchive.of(package(image="1.dkr.ecr.eu-west-1.amazonaws.com/pytorch:2"), LIVE)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ModelPackageGroupName": "shop--abalone-large"}, "is a version of shop--abalone-large; allowed: one of shop--abalone$"),
        ({"InferenceSpecification": None}, "version 7 of abalone runs in no image; allowed"),
        ({"InferenceSpecification": {"Containers": [{}, {}]}}, "version 7 of abalone runs in 2 containers; allowed"),
    ],
)
def test_what_is_no_version_of_the_model_in_one_container_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        MemberArchive.of({**package(), **changed}, LIVE)


# -------------------------------------------------------------------------------------------------------- scripts


class Alarms:
    """CloudWatch, whose alarm is on at the n-th question."""

    def __init__(self, on_at: int = 0) -> None:
        self.asked, self.on_at = 0, on_at

    def describe_alarms(self, *, AlarmNames: list[str]) -> dict[str, Any]:  # noqa: N803 - boto3 spells it so
        self.asked += 1
        state = "ALARM" if self.asked == self.on_at else "OK"
        return {"MetricAlarms": [{"AlarmName": name, "StateValue": state, "StateReason": "5 of 9 failed"} for name in AlarmNames]}


def test_alarms_are_watched_for_as_long_as_is_set() -> None:
    waited: list[float] = []
    line = bake(Alarms(), {"RollbackAlarms": "errors--7,latency--7"}, 12, waited.append)
    assert line == "alarms: none of 2 on for 12 s of clients' requests"
    assert sum(waited) == 12


def test_an_alarm_ends_the_verification_at_once_with_its_reason() -> None:
    waited: list[float] = []
    with pytest.raises(VerdictError, match=r"errors--7 \(5 of 9 failed\)"):
        bake(Alarms(on_at=2), {"RollbackAlarms": "errors--7"}, 300, waited.append)
    assert len(waited) == 1


class Account:
    """A stack that tells clients of version 7, and the fleet's endpoint."""

    def __init__(self, endpoint: str | None = "InService") -> None:
        self.endpoint = endpoint
        told = {TOLD: "abalone/7-ab.tar.gz", "EndpointName": "shop--fleet--tiny--live", "DeployedModelPackageArn": "arn/shop--abalone/7"}
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in told.items()]
        self.stack = {"StackName": LIVE.stack, "StackStatus": "UPDATE_COMPLETE", "Outputs": outputs}

    def client(self, _: str, *__: Any) -> Account:
        return self

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        return {"Stacks": [self.stack]}

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells it so
        assert EndpointName == "shop--fleet--tiny--live"
        return {"EndpointName": EndpointName, "EndpointStatus": self.endpoint, "FailureReason": "an alarm undid the fleet's own update"}


def test_what_clients_were_told_is_what_is_deployed() -> None:
    place: Any = Account()
    assert "scores with 7 as model abalone/7-ab.tar.gz" in verify.deployed_line(place, LIVE, TINY, "arn/shop--abalone/7")
    with pytest.raises(VerdictError):
        verify.deployed_line(place, LIVE, TINY, "arn/shop--abalone/8")


def test_a_fleet_that_does_not_serve_is_named_with_what_makes_it() -> None:
    place: Any = Account("Failed")
    with pytest.raises(ProblemError, match=r"fleet tiny of live is Failed; `npx cdk deploy shop--fleet--tiny--live` makes it"):
        offer.require_fleet(place, LIVE, TINY)


def test_status_shows_the_version_that_clients_are_told_and_the_fleet() -> None:
    account: Any = Account("Updating")
    where = SimpleNamespace(environment=PRODUCTION)
    deployment = Deployment(where, account.stack, "abalone", "live")  # type: ignore[arg-type]
    for serving in (TINY, None):  # None: its file is gone
        stage = placements.Stage(LIVE, where, serving, deployment)  # type: ignore[arg-type]
        seen = placements._member(stage, account) if stage.is_member and not stage.has_endpoint else None
        assert seen is not None and seen[0] == "arn/shop--abalone/7" and seen[1]["status"] == "Updating"
        assert "failure" not in seen[1], "the fleet's, not one of each of its models"
        shown = placements.Placement(model="m", stage="s", kind=seen[1]["kind"])
        assert status.runs_on(shown) == "one of many on shop--fleet--tiny--live"


def test_what_needs_instances_of_its_own_says_that_there_are_none() -> None:
    with pytest.raises(ProblemError, match="is on the fleet 'tiny' in live, whose instances other models use, too"):
        endpoint_of(MODEL.but(serving=BOTH), PRODUCTION)


def test_the_approver_is_told_that_clients_change_all_at_once_and_what_an_alarm_does() -> None:
    said = if_yes("abalone", "live", TINY, 6, None, None)
    assert said.seconds == 12
    told, watched = said.steps[-2:]
    assert told.startswith("clients are told its name instead of version 6's")
    assert watched.startswith("it is asked what it answers, as on staging, and the alarms on"), "in this order, as verify.py does"
    assert said.back[0] == "an alarm meanwhile: the pipelines tell clients of version 6 again"


def test_ten_members_stand_beside_ten_endpoints() -> None:
    """Ten of 1000 MB need two instances of 8 GiB; at 0.1 USD that is 4.80 a day beside 24."""
    fleet = MultiModelFleet(name="tiny", instances={PRODUCTION.name: MemberInstances(max_count=4)})
    serving = TINY.but(memory_mb=1000)
    model = MODEL.but(serving={STAGING.name: Endpoint(), PRODUCTION.name: serving})
    prices = SETTINGS.prices.model_copy(update={"usd_per_hour": {"ml.m5.large": 0.1}})
    settings = replace(SETTINGS, fleets={"tiny": fleet}, models={model.name: model}, prices=prices)
    said = list(fleet_price.lines(settings, serving, PRODUCTION))
    assert "shared by abalone" in said[0]
    assert said[-1] == "10 on the fleet: 2 x ml.m5.large, 4.80 USD a day; an endpoint each: 24.00 USD a day"


def test_nothing_is_watched_where_a_fleet_captures_nothing() -> None:
    assert MODEL.but(serving=BOTH).watch is None
    assert TINY.uncaptured == Component.uncaptured
