"""Four models of one project, each served by another kind of endpoint, with what clients and people do to them.

One is trained; the others are given its files as versions of their own. Each may be made to break at any moment, as in ways_back.py.
In: a directory. Out: a `Team` by the name of its model. Used by test_released_kinds.py.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from demo import loop
from demo.clock import AccountClock, next_monday
from demo.terminal import Terminal
from deploy_scripts.way_back import DEPLOYED
from settings_schema import ModelNames, ServingNames
from settings_schema.reading import Settings, read
from tests.loop import ways_back
from tests.loop.clients import Clients, Request
from tests.loop.clone import ROOT, make_clone
from tests.loop.person import Person, deploy
from tests.loop.ways_back import SPEED, Team, number

KINDS = Path(__file__).with_name("kinds")
IDLE, QUEUED, SHARED, LOADED = "idle", "queued", "shared", "loaded"
ROW = b"0.455,0.095,M"
_COLUMNS = ("sex", "length", "height", "weight")
#: An answer out of the queue does not say which version gave it.
ANY_VERSION = "?"
_ANSWER_SECONDS = 30


class CalmClients(Clients):
    """Of one model among four that are asked at once: what they ask costs more than what is under test."""

    pause_seconds = 1.0


class LoadedClients(CalmClients):
    """Look up which archive they are to ask for, before each request."""

    def __init__(self, terminal: Terminal, names: ServingNames) -> None:
        super().__init__(terminal.client("sagemaker-runtime"), names.fleet("tiny").endpoint, ROW)
        self._ssm, self._parameter = terminal.client("ssm"), names.target_parameter

    def _one(self) -> Request:
        self._asked["TargetModel"] = self._ssm.get_parameter(Name=self._parameter)["Parameter"]["Value"]
        return super()._one()


class QueuedClients(CalmClients):
    """Ask through the queue, and wait for the answer, or for what lies at the failure location."""

    def __init__(self, terminal: Terminal, team: Team) -> None:
        self._s3, names = terminal.client("s3"), team.production
        self._bucket = loop.environment_bucket(terminal, names)
        key = f"{names.requests}clients/row.csv"
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=ROW)
        super().__init__(terminal.client("sagemaker-runtime"), names.endpoint, ROW)
        self._asked = {"EndpointName": names.endpoint, "ContentType": "text/csv", "InputLocation": f"s3://{self._bucket}/{key}"}

    def _one(self) -> Request:
        sent = time.monotonic()
        try:
            accepted = self._runtime.invoke_endpoint_async(**self._asked)
            return self._result(sent, accepted)
        except Exception as error:  # whatever a client gets instead of an answer
            return Request(sent, time.monotonic(), error=f"{type(error).__name__}: {error}")

    def _result(self, sent: float, accepted: Mapping[str, Any]) -> Request:
        answer, failure = (str(accepted[name]).partition(f"{self._bucket}/")[2] for name in ("OutputLocation", "FailureLocation"))
        while time.monotonic() < sent + _ANSWER_SECONDS:
            if self._content(answer) is not None:
                return Request(sent, time.monotonic(), version=ANY_VERSION)
            if (said := self._content(failure)) is not None:
                return Request(sent, time.monotonic(), error=said.decode())
            time.sleep(0.25)
        return Request(sent, time.monotonic(), error=f"neither an answer nor a failure within {_ANSWER_SECONDS} s")

    def _content(self, key: str) -> bytes | None:
        try:
            content: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except self._s3.exceptions.ClientError:
            return None
        return content


class ServerlessTeam(Team):
    def clients(self) -> Clients:
        return CalmClients(self.client("sagemaker-runtime"), self.production.endpoint, ROW)


class QueuedTeam(Team):
    """Two people let a version in, of whom neither has pushed anything."""

    def clients(self) -> Clients:
        return QueuedClients(self.terminal, self)

    def answer(self, execution: str, status: str) -> None:
        for action, name in (("Approve", "jane"), ("ApproveAgain", "joe")):
            self.answer_as(self.reviewer(name), action, execution, status)

    def answer_as(self, codepipeline: Any, action: str, execution: str, status: str = "Approved") -> None:
        """Once it is asked. Raises AssertionError where something else is asked, or the execution has ended."""
        asked = loop.wait_for(f"{action} to be asked", lambda: self.person.waiting_or_ended(self.names, execution))
        assert isinstance(asked, dict), self.why(self.names.deploy_pipeline, execution)
        assert asked["action"] == action
        result = {"status": status, "summary": "go"}
        given = {"stageName": asked["stage"], "actionName": action, "token": asked["token"], "result": result}
        codepipeline.put_approval_result(pipelineName=self.names.deploy_pipeline, **given)

    def reviewer(self, name: str) -> Any:
        """A client of CodePipeline of somebody who may answer this model's reviews, and nothing else."""
        iam, account = self.client("iam"), self.terminal.account
        if name not in [user["UserName"] for user in iam.list_users()["Users"]]:
            iam.create_user(UserName=name)
        pipeline = f"arn:aws:codepipeline:*:*:{self.names.deploy_pipeline}/*"
        allowed = {"Effect": "Allow", "Action": "codepipeline:PutApprovalResult", "Resource": pipeline}
        policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        iam.put_user_policy(UserName=name, PolicyName="reviews", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        session = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"], region_name=account["region"])
        return session.client("codepipeline", endpoint_url=account["endpoint_url"])

    def refused(self, execution: str) -> str:
        """Why the review's stage failed; then it runs again, which asks anew."""
        pipeline = self.names.deploy_pipeline
        assert loop.end_of_pipeline(self.terminal, pipeline, execution) == "Failed"
        reason = loop.failure_of(self.terminal, pipeline, execution)
        again = {"pipelineName": pipeline, "stageName": "Staging", "pipelineExecutionId": execution}
        self.client("codepipeline").retry_stage_execution(**again, retryMode="ALL_ACTIONS")
        return reason


class SharedTeam(Team):
    def live(self) -> str | None:
        sagemaker = self.client("sagemaker")
        component = sagemaker.describe_inference_component(InferenceComponentName=self.production.component)
        model = sagemaker.describe_model(ModelName=component["Specification"]["ModelName"])
        return str(model["PrimaryContainer"]["ModelPackageName"])

    def clients(self) -> Clients:
        fleet = self.production.fleet("small").endpoint
        return CalmClients(self.client("sagemaker-runtime"), fleet, ROW, InferenceComponentName=self.production.component)


class LoadedTeam(Team):
    """An alarm of its endpoint is that of one version."""

    def live(self) -> str | None:
        return self.terminal.outputs(self.production.stack)[DEPLOYED]

    def alarm(self, what: str, state: str) -> None:
        super().alarm(f"{what}--{number(str(self.live()))}", state)

    def clients(self) -> Clients:
        return LoadedClients(self.terminal, self.production)


_TEAMS: Mapping[str, type[Team]] = {IDLE: ServerlessTeam, QUEUED: QueuedTeam, SHARED: SharedTeam, LOADED: LoadedTeam}


def start(directory: Path, folder: Path = KINDS, teams: Mapping[str, type[Team]] = _TEAMS) -> dict[str, Team]:
    """An account in which each model has a first version, before anybody has approved anything.

    `folder`: of the models' files, over those of the clone; `teams`: by the name of the model, of which the first is trained.
    """
    clone, faults, file = directory / "clone", directory / "faults", directory / "weights.csv"
    faults.mkdir(parents=True)
    make_clone(clone)
    shutil.rmtree(clone / "models")
    shutil.copytree(folder, clone, dirs_exist_ok=True)
    terminal = Terminal(clone, directory, tools=ROOT)
    try:
        terminal.start_account(speed=SPEED)
        AccountClock(terminal.account).set(now=next_monday("Etc/UTC"))
        settings = read(clone)
        person = Person(terminal, clone, loop.Repository(terminal, settings, clone, directory / "clone.git"), settings.project.names)
        ways_back.make_breakable(person, faults)
        # Of a member, what alarms go by is said in real time, and a minute of theirs takes a second here.
        person.change("pipelines/fleet/steps/request_metrics.py", "SECONDS = 10.0", "SECONDS = 0.5")
        loop.bootstrap(terminal)
        deploy(terminal, directory / "cdk.out")
        write_weights(file)
        loop.upload_data(terminal, next(iter(teams)), file)
        person.build("First push")
        return _teams(person, settings, faults, teams)
    except BaseException:
        terminal.close()
        raise


def write_weights(file: Path) -> None:
    """As heavy as they are long and high, nearly."""
    chance = random.Random(1)
    with file.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for _ in range(600):
            length, height = chance.uniform(0.1, 0.8), chance.uniform(0.05, 0.3)
            writer.writerow([chance.choice("MFI"), f"{length:.3f}", f"{height:.3f}", f"{2 * length + height + chance.gauss(0, 0.05):.3f}"])


def _teams(person: Person, settings: Settings, faults: Path, teams: Mapping[str, type[Team]]) -> dict[str, Team]:
    terminal, project = person.terminal, settings.project
    names = {name: model.names(project) for name, model in settings.models.items()}
    first, *others = teams
    trained = person.trained(names[first], [])
    for name in others:
        register_as(person, trained, names[first], names[name])
    speaking = (project.names.foundation_stack, settings.production.names(project).stack)
    return {
        name: teams[name](person, each, faults, ways_back.subscribe(terminal, each, speaking), ways_back.on_call(terminal, each))
        for name, each in names.items()
    }


def register_as(person: Person, version: str, was: ModelNames, names: ModelNames) -> None:
    """A version of another model: the same files where that one's are, so that its own roles may read them, and no others."""
    terminal = person.terminal
    bucket, s3 = terminal.outputs(names.of_project.foundation_stack)["ArtifactBucketName"], terminal.client("s3")
    before, after = (f"pipelines/{each.training_pipeline}/" for each in (was, names))
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=before):
        for item in page["Contents"]:
            s3.copy_object(Bucket=bucket, Key=item["Key"].replace(before, after), CopySource={"Bucket": bucket, "Key": item["Key"]})
    given = json.dumps(ways_back.described(terminal, version))
    moved = json.loads(given.replace(before, after)) | {"ModelPackageGroupName": names.model_package_group}
    moved["CustomerMetadataProperties"]["model"] = names.model
    ways_back.register(terminal, moved)
