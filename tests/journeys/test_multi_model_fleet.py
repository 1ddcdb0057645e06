"""Two models in one container of a fleet, in an account and a region that are not the project's: released, verified, undone and alarmed
each by itself, under traffic.

Versions are made by hand; stacks, roles and scripts are the project's: what a role may not do fails here.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, VerdictError
from build_scripts.registry import describe
from build_scripts.step_modules import STEPS, load
from deploy_scripts.baking import bake
from deploy_scripts.deployments import outputs_of
from deploy_scripts.member_archive import MemberArchive
from deploy_scripts.offer import Shelf, require_fleet, told_now
from deploy_scripts.retirement import remove_archives
from deploy_scripts.verify import EndpointClient
from local_account import permissions
from packages.local_account.tests.endpoint_models import ENVIRONMENT
from pipelines.fleet import program
from settings_schema import Member, MemberInstances, MultiModelFleet
from settings_schema.rollout import TOLD
from tests.example_models import ABALONE, PRODUCTION, SETTINGS, STAGING
from tests.infra.cases import named, synthesize
from tests.infra.grants import text
from tests.journeys.test_kinds import ROW, SPEED, assets_bucket, score
from tests.journeys.test_live_metrics import PROGRAM, version
from tests.journeys.two_places import ELSEWHERE, HERE, TwoPlaces, started
from tests.loop.taken_grants import unmissed

FLEET = MultiModelFleet(name="tiny", instances={PRODUCTION.name: MemberInstances(max_count=1)})
MEMBER = Member(fleet="tiny", bake_seconds=60)
SERVING = {STAGING.name: ABALONE.serving[STAGING.name], PRODUCTION.name: MEMBER}
HOUSES, BOATS = (ABALONE.but(name=name, monitoring=None, serving=SERVING) for name in ("houses", "boats"))
VALUES = replace(SETTINGS, project=HERE, environments=(STAGING, ELSEWHERE), models=named(BOATS, HOUSES), fleets={FLEET.name: FLEET})
OF_FLEET = FLEET.names(VALUES.project, PRODUCTION.name)
NAMES = {model.name: model.names(VALUES.project).at(PRODUCTION.name) for model in (HOUSES, BOATS)}
#: What the statements are called that let a build offer, before the environment's name.
OFFERING = ("Enter", "Offer", "Offered", "FindOffered", "Key")
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
#: Speaks every half second, and of the third version every request fails.
SPEAKS = f"import request_metrics\nrequest_metrics.SECONDS = 0.5\n{PROGRAM}"
BREAKS = SPEAKS + "def predict_fn(rows, model):\n    raise KeyError('a column')\n"


@dataclass
class Fleet:
    """The account with the fleet and its models, and the pipelines' builds as their roles."""

    made: TwoPlaces

    def archive(self, name: str, number: int) -> MemberArchive:
        package = self.made.account.client("sagemaker").describe_model_package(ModelPackageName=self.package(name, number))
        return MemberArchive.of(package, NAMES[name])

    def package(self, name: str, number: int) -> str:
        return self.made.packages[3 * list(NAMES).index(name) + number - 1]

    @property
    def bucket(self) -> str:
        """The project's, in the fleet's region."""
        return VALUES.project.names.artifact_bucket(str(HERE.account), str(ELSEWHERE.region))

    @property
    def s3(self) -> Any:
        return self.made.registry.administrators_client("s3")

    def offer(self, name: str, number: int) -> str:
        """Put it there as the build does. Returns the target."""
        with self.made.build(NAMES[name], "offer") as (project, place):
            require_fleet(place, NAMES[name], MEMBER)
            version = describe(project.client("sagemaker"), self.package(name, number))
            archive = MemberArchive.of(project.client("sagemaker").describe_model_package(ModelPackageName=version.arn), NAMES[name])
            shelf = Shelf.of(project, place, NAMES[name], MEMBER)
            shelf.put(archive, project, version)
            shelf.remove_old(name, [archive.target, told_now(place, NAMES[name])])
            return archive.target

    def ask_offered(self, name: str, target: str) -> float:
        with self.made.build(NAMES[name], "offer") as (_, place):
            return score(EndpointClient(place.client("sagemaker-runtime"), OF_FLEET.endpoint, target=target).ask(ROW, "text/csv"))

    def bake(self, name: str, seconds: float) -> str:
        with self.made.build(NAMES[name], "verify") as (_, place):
            return bake(place.client("cloudwatch"), self.outputs(name), seconds)

    def tell(self, name: str, number: int) -> None:
        given = {"ModelPackageArn": self.package(name, number), "ModelVersion": str(number), "Target": self.archive(name, number).target}
        self.made.stack(NAMES[name].stack, NAMES[name].deployment_role, **given)

    def outputs(self, name: str) -> dict[str, str]:
        return outputs_of(self.made.client("cloudformation").describe_stacks(StackName=NAMES[name].stack)["Stacks"][0])

    def told(self, name: str) -> str:
        """As a client asks which version it is to ask for."""
        return str(self.made.client("ssm").get_parameter(Name=NAMES[name].target_parameter)["Parameter"]["Value"])

    def ask(self, name: str) -> float:
        runtime = self.made.client("sagemaker-runtime")
        answer = runtime.invoke_endpoint(EndpointName=OF_FLEET.endpoint, TargetModel=self.told(name), Body=ROW, ContentType="text/csv")
        return score(answer["Body"].read())

    @contextmanager
    def traffic(self, *names: str) -> Iterator[dict[str, list[float | str]]]:
        """What was answered to each model's clients, or why nothing was."""
        answers: dict[str, list[float | str]] = {name: [] for name in names}
        over = threading.Event()

        def ask(name: str) -> None:
            while not over.is_set():
                try:
                    answers[name].append(self.ask(name))
                except ClientError as error:
                    answers[name].append(str(error))

        clients = [threading.Thread(target=ask, args=(name,)) for name in names]
        for client in clients:
            client.start()
        try:
            yield answers
        finally:
            over.set()
            for client in clients:
                client.join()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Version 1 of both models is told to clients, of three that are registered."""
    _, templates = synthesize(VALUES, tmp_path_factory.mktemp("cdk.out"))
    with started(VALUES, templates, tmp_path_factory.mktemp("account"), SPEED) as made:
        container = next(item for item in templates[OF_FLEET.stack]["Resources"].values() if item["Type"] == "AWS::SageMaker::Model")
        address = text(container["Properties"]["PrimaryContainer"]["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"], OF_FLEET.stack, templates)
        made.client("s3").put_object(Bucket=assets_bucket(made.production), Key=address.rsplit("/", 1)[1], Body=program.packed())
        ready = Fleet(made)
        made.packages += [package for name in NAMES for package in register(ready, name)]
        made.stack(ELSEWHERE.names(VALUES.project).stack)
        made.stack(OF_FLEET.stack)
        for name in NAMES:
            ready.offer(name, 1)
            ready.tell(name, 1)
        yield ready


def register(ready: Fleet, name: str) -> Iterator[str]:
    """The second version answers five times as much, the third nothing."""
    of_model, home, bucket = NAMES[name].of_model, ready.made.account.client, ready.made.artifacts
    for number, factor, code in ((1, 2.0, SPEAKS), (2, 10.0, SPEAKS), (3, 2.0, BREAKS)):
        key = f"pipelines/{of_model.training_pipeline}/{number}/model.tar.gz"
        body = version(factor, code)
        home("s3").put_object(Bucket=bucket, Key=key, Body=body)
        files = {str(file.relative_to(STEPS)): file.read_bytes() for file in STEPS.rglob("*.py")} | {"fast.py": code.encode()}
        facts = {"model-sha256": hashlib.sha256(body).hexdigest(), "code-sha256": str(load("archive").sha256(files))}
        variables = {**ENVIRONMENT, "SAGEMAKER_PROGRAM": "fast.py"}
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/{key}", "Environment": variables}
        specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
        yield str(
            home("sagemaker").create_model_package(
                ModelPackageGroupName=of_model.model_package_group,
                InferenceSpecification=specification,
                ModelApprovalStatus="PendingManualApproval",  # an approval would wake the pipelines, whose builds this test is
                CustomerMetadataProperties=facts,
            )["ModelPackageArn"]
        )


def test_a_version_is_asked_before_clients_are_told_of_it_and_neither_model_loses_a_request(fleet: Fleet) -> None:
    with fleet.traffic("houses", "boats") as answers:
        target = fleet.offer("houses", 2)
        assert fleet.ask_offered("houses", target) == 30.0
        assert fleet.ask("houses") == 6.0, "nobody was told"
        fleet.tell("houses", 2)
        assert fleet.ask("houses") == 30.0
        assert "none of 2 on" in fleet.bake("houses", 2)
    assert set(answers["houses"]) == {6.0, 30.0}
    assert set(answers["boats"]) == {6.0}


def test_the_alarms_of_a_version_that_breaks_take_its_model_back_and_no_other(fleet: Fleet) -> None:
    fleet.offer("houses", 3)
    with fleet.traffic("boats") as boats:
        with fleet.traffic("houses") as houses:
            fleet.tell("houses", 3)
            with pytest.raises(VerdictError, match="shop--houses--live--server-errors--3"):
                fleet.bake("houses", 120)
        fleet.tell("houses", 2)  # as the return pipeline does: the archive is there still
        assert fleet.ask("houses") == 30.0
        assert "none of 2 on" in fleet.bake("houses", 1)
    assert any("server error (500)" in str(answer) for answer in houses["houses"])
    assert set(boats["boats"]) == {6.0}
    assert fleet.outputs("houses")[TOLD] == fleet.archive("houses", 2).target == fleet.told("houses")


def test_another_program_of_the_fleet_is_watched_by_its_alarms_and_no_model_loses_a_request(fleet: Fleet) -> None:
    """An update of the fleet's stack: other instances, which load each model anew."""
    sagemaker, resources = fleet.made.client("sagemaker"), fleet.made.templates[OF_FLEET.stack]["Resources"]
    before = sagemaker.describe_endpoint(EndpointName=OF_FLEET.endpoint)["EndpointConfigName"]
    container = next(item for item in resources.values() if item["Type"] == "AWS::SageMaker::Model")
    container["Properties"]["PrimaryContainer"]["Environment"]["SAGEMAKER_CONTAINER_LOG_LEVEL"] = "10"
    with fleet.traffic("houses", "boats") as answers:
        fleet.made.stack(OF_FLEET.stack)
    after = sagemaker.describe_endpoint(EndpointName=OF_FLEET.endpoint)
    assert after["EndpointConfigName"] != before and after["EndpointStatus"] == "InService"
    assert (set(answers["houses"]), set(answers["boats"])) == ({30.0}, {6.0})


@pytest.mark.parametrize(
    ("target", "said"),
    [({}, "is missing a target model header"), ({"TargetModel": "houses/99-00.tar.gz"}, "Failed to download model data")],
)
def test_a_request_without_or_with_an_unknown_target_is_refused_by_the_service(fleet: Fleet, target: dict[str, str], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        fleet.made.client("sagemaker-runtime").invoke_endpoint(EndpointName=OF_FLEET.endpoint, Body=ROW, ContentType="text/csv", **target)


def test_a_build_writes_and_asks_its_own_model_only_and_no_name_twice(fleet: Fleet) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        fleet.ask_offered("houses", fleet.told("boats"))
    key = f"{OF_FLEET.archives}houses/1-00000000.tar.gz"
    fleet.s3.put_object(Bucket=fleet.bucket, Key=key, Body=b"another's")
    with fleet.made.build(NAMES["houses"], "offer") as (project, place):
        shelf = Shelf.of(project, place, NAMES["houses"], MEMBER)
        with pytest.raises(ClientError, match="AccessDenied"):
            shelf.s3.put_object(Bucket=fleet.bucket, Key=f"{OF_FLEET.archives}boats/7-00.tar.gz", Body=b"", IfNoneMatch="*")
        named = replace_target(fleet.archive("houses", 1), "houses/1-00000000.tar.gz")
        with pytest.raises(ProblemError, match="is there with other content"):
            shelf.put(named, project, describe(project.client("sagemaker"), fleet.package("houses", 1)))


def replace_target(archive: MemberArchive, target: str) -> MemberArchive:
    """The same under a name that is taken."""

    class Named(MemberArchive):
        @property
        def target(self) -> str:
            return target

    return Named(archive.names, archive.number, archive.environment)


def test_old_archives_go_but_for_the_newest_and_what_clients_are_told(fleet: Fleet) -> None:
    told = fleet.told("boats")
    for number in range(6):
        fleet.s3.put_object(Bucket=fleet.bucket, Key=f"{OF_FLEET.archives}boats/{20 + number}-00.tar.gz", Body=b"")
    with fleet.made.build(NAMES["boats"], "offer") as (project, place):
        gone = Shelf.of(project, place, NAMES["boats"], MEMBER).remove_old("boats", [told])
    assert told not in gone and "boats/25-00.tar.gz" not in gone and len(gone) == 1
    assert fleet.ask("boats") == 6.0


def test_the_fleet_does_not_go_while_a_model_is_on_it_and_a_retired_model_leaves_nothing_there(fleet: Fleet) -> None:
    cloudformation = fleet.made.client("cloudformation")
    cloudformation.update_termination_protection(StackName=OF_FLEET.stack, EnableTerminationProtection=False)
    with suppress(ClientError):  # refused at once, or by a stack that says so
        cloudformation.delete_stack(StackName=OF_FLEET.stack)
    assert fleet.ask("boats") == 6.0
    (stack,) = cloudformation.describe_stacks(StackName=OF_FLEET.stack)["Stacks"]
    deployed = SimpleNamespace(outputs=outputs_of(stack), place=SimpleNamespace(region=ELSEWHERE.region))
    with fleet.made.person() as project:
        remove_archives(project, [NAMES["boats"].of_model], [deployed])  # type: ignore[list-item]
    left = {item["Key"].split("/")[3] for item in fleet.s3.list_objects_v2(Bucket=fleet.bucket, Prefix=OF_FLEET.archives)["Contents"]}
    assert left == {"houses"}


def test_each_grant_of_a_fleet_is_missed_by_name_or_a_reason_keeps_it(fleet: Fleet) -> None:
    """Of the container's role, of the build that offers from another account, and of roles that deploy what clients are told."""
    report = permissions.report(fleet.made.account.context)
    offers = [names.of_model.deploy_project("offer") for names in NAMES.values()]
    assert unmissed(report, [OF_FLEET.role("fleet")]) == []
    assert unmissed(report, offers, ["ReadVersions", "Versions", *(f"{what}Live" for what in OFFERING)]) == []
    assert unmissed(report, [names.deployment_role for names in NAMES.values()], ["Told", "AlarmsOfVersions"]) == []
