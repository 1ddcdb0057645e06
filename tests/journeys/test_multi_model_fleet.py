"""Two models in one container of a fleet, in the local account: released, verified, undone and alarmed each by itself, under traffic.

Versions are made by hand; stacks, roles and scripts are the project's: what a role may not do fails here.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, VerdictError
from build_scripts.registry import describe
from build_scripts.step_modules import STEPS, load
from deploy_scripts.baking import bake
from deploy_scripts.deployments import outputs_of
from deploy_scripts.member_archive import MemberArchive
from deploy_scripts.offer import Shelf
from deploy_scripts.retirement import remove_archives
from deploy_scripts.verify import EndpointClient
from local_account.account import Account
from local_account.context import AccountSettings
from local_account.roles import Role
from packages.local_account.tests.endpoint_models import ENVIRONMENT
from pipelines.fleet import program
from settings_schema import Member, MemberInstances, MultiModelFleet
from settings_schema.rollout import TOLD
from tests.example_models import ABALONE, PRODUCTION, SETTINGS, STAGING
from tests.infra.cases import named, synthesize
from tests.journeys.test_kinds import ROW, SPEED, Deployed, bootstrap, score
from tests.journeys.test_live_metrics import PROGRAM, version

FLEET = MultiModelFleet(name="tiny", instances={PRODUCTION.name: MemberInstances(max_count=1)})
SERVING = {STAGING.name: ABALONE.serving[STAGING.name], PRODUCTION.name: Member(fleet="tiny", bake_seconds=60)}
HOUSES, BOATS = (ABALONE.but(name=name, monitoring=None, serving=SERVING) for name in ("houses", "boats"))
VALUES = replace(SETTINGS, models=named(BOATS, HOUSES), fleets={FLEET.name: FLEET})
OF_FLEET = FLEET.names(VALUES.project, PRODUCTION.name)
NAMES = {model.name: model.names(VALUES.project).at(PRODUCTION.name) for model in (HOUSES, BOATS)}
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
#: Speaks every half second, and of the third version every request fails.
SPEAKS = f"import request_metrics\nrequest_metrics.SECONDS = 0.5\n{PROGRAM}"
BREAKS = SPEAKS + "def predict_fn(rows, model):\n    raise KeyError('a column')\n"


@dataclass
class Fleet:
    """The account with the fleet and its models, and the pipelines' builds as their roles."""

    made: Deployed
    bucket: str

    def build(self, name: str, step: str) -> Role:
        arn = f"arn:aws:iam::{self.made.account.context.settings.account_id}:role/{NAMES[name].of_model.deploy_project(step)}"
        return Role(self.made.account.context, arn, "codebuild.amazonaws.com", "build")

    def shelf(self, name: str) -> Shelf:
        return Shelf(self.build(name, "offer").client("s3"), self.bucket, OF_FLEET.archives)

    def archive(self, name: str, number: int) -> MemberArchive:
        registry = self.build(name, "offer").client("sagemaker")
        return MemberArchive.of(registry.describe_model_package(ModelPackageName=self.package(name, number)), NAMES[name])

    def package(self, name: str, number: int) -> str:
        return self.made.packages[3 * list(NAMES).index(name) + number - 1]

    def offer(self, name: str, number: int) -> str:
        """Put it there as the build does. Returns the target."""
        builds, archive = self.build(name, "offer"), self.archive(name, number)
        self.shelf(name).put(
            archive, SimpleNamespace(client=builds.client), describe(builds.client("sagemaker"), self.package(name, number))
        )  # type: ignore[arg-type]
        return archive.target

    def ask_offered(self, name: str, target: str) -> float:
        return score(
            EndpointClient(self.build(name, "offer").client("sagemaker-runtime"), OF_FLEET.endpoint, target=target).ask(ROW, "text/csv")
        )

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
    with Account(AccountSettings(state_directory=tmp_path_factory.mktemp("account"), port=0)) as account:
        made, where, names = Deployed(account, dict(templates), []), account.context.settings, VALUES.project.names
        bootstrap(account, templates)
        container = next(item for item in templates[OF_FLEET.stack]["Resources"].values() if item["Type"] == "AWS::SageMaker::Model")
        address = container["Properties"]["PrimaryContainer"]["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"]["Fn::Sub"]
        assets = f"cdk-hnb659fds-assets-{where.account_id}-{where.region}"
        account.client("s3").put_object(Bucket=assets, Key=address.rsplit("/", 1)[1], Body=program.packed())
        for stack in (names.foundation_stack, names.build_stack, *(item.of_model.stack for item in NAMES.values())):
            made.stack(stack)
        ready = Fleet(made, names.artifact_bucket(where.account_id, where.region))
        made.packages += [package for name in NAMES for package in register(ready, name)]
        account.context.clock.change(speed=SPEED)
        made.stack(PRODUCTION.names(VALUES.project).stack)
        made.stack(OF_FLEET.stack)
        for name in NAMES:
            ready.offer(name, 1)
            ready.tell(name, 1)
        yield ready


def register(ready: Fleet, name: str) -> Iterator[str]:
    """The second version answers five times as much, the third nothing."""
    of_model, sagemaker = NAMES[name].of_model, ready.made.client("sagemaker")
    for number, factor, code in ((1, 2.0, SPEAKS), (2, 10.0, SPEAKS), (3, 2.0, BREAKS)):
        key = f"pipelines/{of_model.training_pipeline}/{number}/model.tar.gz"
        body = version(factor, code)
        ready.made.client("s3").put_object(Bucket=ready.bucket, Key=key, Body=body)
        files = {str(file.relative_to(STEPS)): file.read_bytes() for file in STEPS.rglob("*.py")} | {"fast.py": code.encode()}
        facts = {"model-sha256": hashlib.sha256(body).hexdigest(), "code-sha256": str(load("archive").sha256(files))}
        variables = {**ENVIRONMENT, "SAGEMAKER_PROGRAM": "fast.py"}
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{ready.bucket}/{key}", "Environment": variables}
        specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
        yield str(
            sagemaker.create_model_package(
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
        watching = fleet.build("houses", "verify").client("cloudwatch")
        assert "none of 2 on" in bake(watching, fleet.outputs("houses"), 2)
    assert set(answers["houses"]) == {6.0, 30.0}
    assert set(answers["boats"]) == {6.0}


def test_the_alarms_of_a_version_that_breaks_take_its_model_back_and_no_other(fleet: Fleet) -> None:
    fleet.offer("houses", 3)
    with fleet.traffic("boats") as boats:
        with fleet.traffic("houses") as houses:
            fleet.tell("houses", 3)
            with pytest.raises(VerdictError, match="shop--houses--live--server-errors--3"):
                bake(fleet.build("houses", "verify").client("cloudwatch"), fleet.outputs("houses"), 120)
        fleet.tell("houses", 2)  # as the return pipeline does: the archive is there still
        assert fleet.ask("houses") == 30.0
        assert "none of 2 on" in bake(fleet.build("houses", "verify").client("cloudwatch"), fleet.outputs("houses"), 1)
    assert any("server error (500)" in str(answer) for answer in houses["houses"])
    assert set(boats["boats"]) == {6.0}
    assert fleet.outputs("houses")[TOLD] == fleet.archive("houses", 2).target == fleet.told("houses")


@pytest.mark.parametrize(
    ("target", "said"),
    [({}, "is missing a target model header"), ({"TargetModel": "houses/99-00.tar.gz"}, "Failed to download model data")],
)
def test_a_request_without_or_with_an_unknown_target_is_refused_by_the_service(fleet: Fleet, target: dict[str, str], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        fleet.made.client("sagemaker-runtime").invoke_endpoint(EndpointName=OF_FLEET.endpoint, Body=ROW, ContentType="text/csv", **target)


def test_a_build_writes_and_asks_its_own_model_only_and_no_name_twice(fleet: Fleet) -> None:
    builds = fleet.build("houses", "offer")
    with pytest.raises(ClientError, match="AccessDenied"):
        builds.client("s3").put_object(Bucket=fleet.bucket, Key=f"{OF_FLEET.archives}boats/7-00.tar.gz", Body=b"", IfNoneMatch="*")
    with pytest.raises(ClientError, match="AccessDenied"):
        fleet.ask_offered("houses", fleet.told("boats"))
    key = f"{OF_FLEET.archives}houses/1-00000000.tar.gz"
    fleet.made.client("s3").put_object(Bucket=fleet.bucket, Key=key, Body=b"another's")
    with pytest.raises(ProblemError, match="is there with other content"):
        fleet.shelf("houses").put(
            replace_target(fleet.archive("houses", 1), "houses/1-00000000.tar.gz"),
            SimpleNamespace(client=builds.client),  # type: ignore[arg-type]
            describe(builds.client("sagemaker"), fleet.package("houses", 1)),
        )


def replace_target(archive: MemberArchive, target: str) -> MemberArchive:
    """The same under a name that is taken."""

    class Named(MemberArchive):
        @property
        def target(self) -> str:
            return target

    return Named(archive.names, archive.number, archive.environment)


def test_old_archives_go_but_for_the_newest_and_what_clients_are_told(fleet: Fleet) -> None:
    shelf, told = fleet.shelf("boats"), fleet.told("boats")
    for number in range(6):
        fleet.made.client("s3").put_object(Bucket=fleet.bucket, Key=f"{OF_FLEET.archives}boats/{20 + number}-00.tar.gz", Body=b"")
    gone = shelf.remove_old("boats", [told])
    assert told not in gone and "boats/25-00.tar.gz" not in gone and len(gone) == 1
    assert fleet.ask("boats") == 6.0


def test_the_fleet_does_not_go_while_a_model_is_on_it_and_a_retired_model_leaves_nothing_there(fleet: Fleet) -> None:
    cloudformation, s3 = fleet.made.client("cloudformation"), fleet.made.client("s3")
    cloudformation.update_termination_protection(StackName=OF_FLEET.stack, EnableTerminationProtection=False)
    with suppress(ClientError):  # refused at once, or by a stack that says so
        cloudformation.delete_stack(StackName=OF_FLEET.stack)
    assert fleet.ask("boats") == 6.0
    (stack,) = cloudformation.describe_stacks(StackName=OF_FLEET.stack)["Stacks"]
    deployed = SimpleNamespace(outputs=outputs_of(stack), place=SimpleNamespace(region=fleet.made.account.context.settings.region))
    project = SimpleNamespace(project=VALUES.project, region=deployed.place.region, client=fleet.made.client)
    remove_archives(project, [NAMES["boats"].of_model], [deployed])  # type: ignore[arg-type, list-item]
    left = {item["Key"].split("/")[3] for item in s3.list_objects_v2(Bucket=fleet.bucket, Prefix=OF_FLEET.archives)["Contents"]}
    assert left == {"houses"}
