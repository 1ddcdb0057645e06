"""The whole journey over three accounts, two regions and a connection, as an engineer goes it; and each grant between them taken away.

Tooling, staging and production are accounts of their own, production in another region; the code is behind a connection to GitHub. What is
typed is typed as docs/deploy.md has it, by whoever has the tooling account's profile.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo import loop
from demo.clock import AccountClock
from demo.errors import StageError
from demo.own_paths import PERMISSIONS, ask
from demo.scoring import MARKER
from demo.side_by_side import side_by_side
from demo.subject import Subject, subject
from deploy_scripts.pipeline_states import failed_stages
from local_account import permissions
from local_account.authorization.record import Asked
from settings_schema.names import DRIFT
from tests.infra.unused_grants import OF_RESOURCES, SELDOM, reason, reason_of_resource
from tests.loop.crossings import Crossing, Policy, of_resources, of_roles, policies, taken_away
from tests.loop.documented import commands
from tests.loop.missed_grants import Grants, Missed
from tests.loop.person import SPEED, Happened, synthesize
from tests.loop.three_accounts import CONNECTED, PRODUCTION, PROFILES, STAGING, TOOLING, Team, said_by, start
from tests.loop.ways_back import documented_policies, person_on_call, why
from tests.loop.what_exists import what_is_there

ROW = b"0.455,0.365,0.095,0.514,0.2245,0.101,0.15,M"
#: Rows that training has seen nothing like, and of how many of them the truth becomes known: too few to train for.
ASKED_ROWS, LABELLED = 250, 60
ARRESTED = b"2001,31,0,Black,Male,Yes,Yes\n1999,22,4,White,Female,No,Yes\n"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    made = start(tmp_path_factory.mktemp("three"))
    yield made
    made.terminal.close()


@pytest.fixture(scope="module")
def abalone(team: Team) -> Subject:
    return subject(team.settings, team.settings.models["abalone"])


@pytest.fixture(scope="module")
def arrests(team: Team) -> Subject:
    return subject(team.settings, team.settings.models["arrests"])


def live(team: Team, profile: str, name: str) -> str | None:
    """ARN of the version that an account's endpoint serves."""
    sagemaker = team.client(profile, "sagemaker")
    try:
        configuration = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    except sagemaker.exceptions.ClientError:
        return None
    variants = sagemaker.describe_endpoint_config(EndpointConfigName=configuration)["ProductionVariants"]
    model = sagemaker.describe_model(ModelName=variants[0]["ModelName"])
    containers = [model["PrimaryContainer"]] if model.get("PrimaryContainer") else model["Containers"]
    return str(containers[0]["ModelPackageName"])


def executions(team: Team) -> set[str]:
    return team.person.executions(team.names.build_pipeline)


# ------------------------------------------------------------------------------------------- the connection


@pytest.fixture(scope="module")
def looked_at(team: Team) -> dict[str, Any]:
    """What preflight says between the deployment and the handshake: findings by section."""
    command = [sys.executable, "-m", "deploy_scripts.preflight", "--json", "--assembly", str(team.assembly)]
    made = subprocess.run(command, cwd=team.person.clone, env=team.terminal.environment, capture_output=True, text=True, check=False)
    assert made.stdout, made.stderr
    return dict(json.loads(made.stdout))


@pytest.fixture(scope="module")
def shaken(team: Team, looked_at: dict[str, Any]) -> None:
    """What the console does in AWS."""
    said = team.terminal.run("handshake", [sys.executable, "-m", "local_account.handshake", "mlops"])
    assert "is AVAILABLE" in said


@pytest.fixture(scope="module")
def first_push(team: Team, shaken: None) -> set[str]:
    """What it has started."""
    team.person.push("First push")
    return executions(team)


@pytest.fixture(scope="module")
def registered(team: Team, abalone: Subject, arrests: Subject, first_push: set[str]) -> dict[str, str]:
    """The build is started by hand, as the document says, and has trained both models: model -> version."""
    known = executions(team)
    (start_once,) = commands(CONNECTED, block=1)
    team.type(start_once)
    build = loop.new_execution(team.terminal, team.names.build_pipeline, known)
    status = loop.end_of_pipeline(team.terminal, team.names.build_pipeline, build)
    assert status == "Succeeded", loop.failure_of(team.terminal, team.names.build_pipeline, build)
    return {model.name: team.person.trained(model.names, []) for model in (abalone, arrests)}


def test_before_the_handshake_preflight_says_who_finishes_the_connection(looked_at: dict[str, Any]) -> None:
    findings = [finding for section in looked_at.values() for finding in section]
    (source,) = [finding for finding in findings if finding["what"] == "source of the code"]
    assert (source["sign"], source["found"]) == ("✗", "connection mlops is PENDING")
    assert "Update pending connection" in source["advice"]


def test_the_rest_of_what_preflight_looks_at_is_ready_in_every_account_and_region(looked_at: dict[str, Any]) -> None:
    wrong = {finding["what"] for section in looked_at.values() for finding in section if finding["sign"] == "✗"}
    assert wrong == {"source of the code", "CDK CLI"}  # the clone is a checkout whose tools are not installed
    for _, region in PROFILES.values():
        assert any(region in json.dumps(section) for section in looked_at.values())


def test_the_push_that_makes_the_branch_starts_nothing(first_push: set[str]) -> None:
    assert first_push == set()


def test_models_are_trained_in_the_tooling_account(team: Team, registered: dict[str, str]) -> None:
    account, region = PROFILES[TOOLING]
    assert registered == {
        name: f"arn:aws:sagemaker:{region}:{account}:model-package/{team.names.model(name).model_package_group}/1" for name in registered
    }


# ---------------------------------------------------------------------------------- grants between the places


@pytest.fixture(scope="module")
def deployed_stacks(team: Team) -> dict[str, tuple[str, str]]:
    """Of the project, at once after `cdk deploy --all`: stack -> profile and region."""
    found = {}
    for profile, region in team.places:
        for stack in team.client(profile, "cloudformation", region).describe_stacks()["Stacks"]:
            if stack["StackName"].startswith(team.names.prefix):
                found[stack["StackName"]] = (profile, region)
    return found


@pytest.fixture(scope="module")
def grants(team: Team, deployed_stacks: dict[str, tuple[str, str]]) -> Grants:
    found: list[Policy] = []
    for profile, region in team.places:
        stacks = [stack for stack, place in deployed_stacks.items() if place == (profile, region)]
        found += policies(stacks, PROFILES[profile][0], region, lambda service, at=(profile, region): team.client(at[0], service, at[1]))
    places = {stack: (PROFILES[profile][0], region) for stack, (profile, region) in deployed_stacks.items()}
    roles = [role for role, _ in permissions.read(ask(team.terminal.account, "GET", PERMISSIONS))[0] if role.stack in places]
    buckets = {policy.arn.rsplit(":", 1)[-1]: policy.place for policy in found if policy.kind == "s3"}
    crossings = [*of_resources(found), *of_roles(roles, places, buckets)]
    return Grants(found, roles, crossings, {name: place[0] for name, place in buckets.items()}, PROFILES[TOOLING][1])


#: What is taken away for abalone's first deployment to staging: kind -> part of the policy's owner, action.
LACKING = {
    "iam": ("abalone--staging--deploy", "sts:AssumeRole"),
    "s3": ("mlops--artifacts-111122223333-eu-west-1", "s3:GetObject"),
    "kms": ("eu-west-1:111122223333:key/", "kms:Decrypt"),
    "sagemaker": ("model-package-group/mlops--abalone", "sagemaker:CreateModel"),
}


@pytest.fixture(scope="module")
def first_deployment(team: Team, abalone: Subject, registered: dict[str, str], grants: Grants) -> tuple[str, dict[str, str]]:
    """Its execution, and what `status` says of it without each grant, until it has them all and waits for the approval."""
    said, execution = {}, ""
    for kind, (part, action) in LACKING.items():
        lacking = grants.of(kind, part, action)
        assert lacking, f"nothing grants {action} between accounts in {part}"
        with taken_away(grants.policies, lacking):
            execution = _deploy_to_staging(team, execution, abalone, registered["abalone"])
            said[kind] = _failure(team, abalone, execution)
    _deploy_to_staging(team, execution, abalone, registered["abalone"])
    return execution, said


def _failure(team: Team, model: Subject, execution: str) -> str:
    """What `status` says of the execution once it has failed."""
    pipeline = model.names.deploy_pipeline
    loop.wait_for("the failure", lambda: loop.status_of(team.terminal, pipeline, execution) == "Failed" or None)
    (failure,) = failed_stages(team.client(TOOLING, "codepipeline").get_pipeline_state(name=pipeline))
    return failure.reason


def _deploy_to_staging(team: Team, execution: str, model: Subject, version: str) -> str:
    """By the approval or, where an execution has failed, by "Retry stage"; the execution."""
    if not execution:
        return team.person.approve(model.names, version)
    pipeline = model.names.deploy_pipeline
    given = {"pipelineName": pipeline, "stageName": "Staging", "pipelineExecutionId": execution, "retryMode": "FAILED_ACTIONS"}
    team.client(TOOLING, "codepipeline").retry_stage_execution(**given)
    loop.wait_for("the second attempt", lambda: loop.status_of(team.terminal, pipeline, execution) != "Failed" or None)
    return execution


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("iam", ("mlops--abalone--deploy", "sts:AssumeRole", "arn:aws:iam::444455556666:role/mlops--abalone--staging--deploy")),
        ("s3", ("mlops--abalone--staging--deploy", "s3:GetObject", "arn:aws:s3:::mlops--artifacts-111122223333-eu-west-1/")),
        ("kms", ("mlops--abalone--staging--deploy", "kms:Decrypt", "arn:aws:kms:eu-west-1:111122223333:key/")),
        (
            "sagemaker",
            (
                "mlops--abalone--staging--deployment",
                "sagemaker:CreateModel",
                "arn:aws:sagemaker:eu-west-1:111122223333:model-package/mlops--abalone/1",
            ),
        ),
    ],
)
def test_a_deployment_without_a_grant_fails_and_status_names_who_what_and_where(
    first_deployment: tuple[str, dict[str, str]], kind: str, words: tuple[str, ...]
) -> None:
    said = first_deployment[1][kind]
    assert [word for word in words if word not in said] == [], said
    assert "no resource-based policy allows" in said


# ----------------------------------------------------------------------------------------- the two approvals


@pytest.fixture(scope="module")
def staged(team: Team, abalone: Subject, first_deployment: tuple[str, dict[str, str]]) -> dict[str, str | None]:
    """What each account serves while production waits for its approval."""
    execution = first_deployment[0]
    waiting = loop.wait_for("the approval for production", lambda: team.person.waiting_or_ended(abalone.names, execution))
    assert isinstance(waiting, dict), loop.failure_of(team.terminal, abalone.names.deploy_pipeline, execution)
    return {STAGING: live(team, STAGING, abalone.staging.endpoint), PRODUCTION: live(team, PRODUCTION, abalone.production.endpoint)}


@pytest.fixture(scope="module")
def released(
    team: Team,
    abalone: Subject,
    arrests: Subject,
    registered: dict[str, str],
    staged: dict[str, str | None],
    first_deployment: tuple[str, Any],
) -> str | None:
    """The version of abalone that production serves, once both models are there."""

    def let_in() -> None:
        team.person.let_into_production(abalone.names, first_deployment[0])
        team.person.deployed(abalone.names, first_deployment[0])

    side_by_side([let_in, lambda: team.person.release(arrests.names, registered["arrests"]) and None])
    return live(team, PRODUCTION, abalone.production.endpoint)


def test_the_approval_deploys_into_the_staging_account_only(staged: dict[str, str | None], registered: dict[str, str]) -> None:
    assert staged == {STAGING: registered["abalone"], PRODUCTION: None}


def test_the_second_approval_deploys_a_copy_of_the_version_into_the_other_region(registered: dict[str, str], released: str | None) -> None:
    assert released == registered["abalone"].replace("eu-west-1", "eu-central-1")


def test_production_answers_whoever_has_its_account_s_credentials(
    team: Team, abalone: Subject, released: str | None, tmp_path: Path
) -> None:
    (row, ask_it) = commands("Ask an endpoint of another account")
    said = team.type(row)
    assert "1 row" in said
    team.type(ask_it)
    age = json.loads((team.person.clone / "out" / "answer.json").read_text(encoding="utf-8"))["predictions"][0]["score"]
    assert 1 <= age <= 30  # as in the data


def test_what_is_uploaded_to_production_is_scored_there(team: Team, arrests: Subject, released: str | None) -> None:
    s3 = team.client(PRODUCTION, "s3")
    account, region = PROFILES[PRODUCTION]
    bucket = team.names.environment(PRODUCTION).bucket(account, region)
    s3.put_object(Bucket=bucket, Key=f"{arrests.production.batch_input}monday/rows.csv", Body=ARRESTED)
    s3.put_object(Bucket=bucket, Key=f"{arrests.production.batch_input}monday/{MARKER}", Body=b"")

    def answers() -> list[str] | None:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"{arrests.production.predictions}monday/").get("Contents", [])
        return [item["Key"] for item in listed if item["Key"].endswith(".out")] or None

    (key,) = loop.wait_for("the predictions", answers)
    assert len(s3.get_object(Bucket=bucket, Key=key)["Body"].read().splitlines()) == 2


def test_status_shows_every_account_to_the_person_of_tooling(team: Team, released: str | None) -> None:
    shown = json.loads(said_by(team, "deploy_scripts.status", "--json"))
    seen = {(stage["model"], stage["stage"]): (stage["version"], stage["status"].split("_")[-1]) for stage in shown["stages"]}
    assert seen == {
        ("abalone", STAGING): (1, "InService"),
        ("abalone", PRODUCTION): (1, "InService"),
        ("arrests", STAGING): (1, "COMPLETE"),
        ("arrests", PRODUCTION): (1, "COMPLETE"),
    }
    assert (shown["failures"], shown["waiting"]) == ([], [])


# ------------------------------------------------------------------------- the watch over another account


WATCH, LABELS = commands("Ask an endpoint of another account", block=1)


@dataclass(frozen=True)
class Requests:
    """The hour of production's requests, and the ages that it answered, rounded: taken for true, so that learning them costs nothing."""

    hour: datetime
    ages: list[int]


@pytest.fixture(scope="module")
def requests(team: Team, abalone: Subject, released: str | None) -> Requests:
    """That hour is over by a quarter of an hour. Time is real from now on: an alarm looks at minutes."""
    clock = AccountClock(team.terminal.account)
    hour = (clock.now() + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    clock.set(speed=1, now=hour + timedelta(minutes=1))
    rows = b"\n".join(b"0.455,0.365,0.095,%.3f,0.2245,0.101,0.15,M" % (2.5 + row / 1000) for row in range(ASKED_ROWS))
    given = {"EndpointName": abalone.production.endpoint, "ContentType": "text/csv", "InferenceId": "order-4711"}
    answered = team.client(PRODUCTION, "sagemaker-runtime").invoke_endpoint(**given, Body=rows)
    ages = [round(prediction["score"]) for prediction in json.loads(answered["Body"].read())["predictions"]]
    assert len(ages) == ASKED_ROWS
    captured = f"{abalone.production.capture}AllTraffic/{hour:%Y/%m/%d/%H}/"
    s3, bucket = team.client(PRODUCTION, "s3"), bucket_of_production(team)
    loop.wait_for("what was captured", lambda: s3.list_objects_v2(Bucket=bucket, Prefix=captured).get("Contents"))
    clock.set(now=hour + timedelta(hours=1, minutes=16))
    return Requests(hour, ages)


@contextlib.contextmanager
def listening(team: Team) -> Iterator[Callable[[], list[dict[str, str]]]]:
    """Somebody subscribes to production's alerts for a while: what they have got since they last looked."""
    sqs, sns = team.client(PRODUCTION, "sqs"), team.client(PRODUCTION, "sns")
    (topic,) = [item["TopicArn"] for item in sns.list_topics()["Topics"] if "Alerts" in item["TopicArn"]]
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    url = sqs.create_queue(QueueName="on-call", Attributes={"Policy": policy})["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)["SubscriptionArn"]

    def receive() -> list[dict[str, str]]:
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]

    yield receive
    sns.unsubscribe(SubscriptionArn=subscription)
    sqs.delete_queue(QueueUrl=url)


@dataclass(frozen=True)
class Watched:
    """`printed`: by the first run of the watch. `letter`: the dead letter of the alarm that it set off. `told`: to who was on call, by
    each of two runs; `printed_again`: by the second one, when labels had come."""

    printed: str
    letter: Mapping[str, Any]
    told: tuple[list[dict[str, str]], list[dict[str, str]]]
    printed_again: str


def dead_letter(team: Team) -> Mapping[str, Any]:
    """The next one of production."""
    sqs = team.client(PRODUCTION, "sqs")
    stack = team.names.environment(PRODUCTION).stack
    resources = team.client(PRODUCTION, "cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    (queue,) = [item["PhysicalResourceId"] for item in resources if item["ResourceType"] == "AWS::SQS::Queue"]

    def letter() -> Mapping[str, Any] | None:
        messages = sqs.receive_message(QueueUrl=queue, MessageAttributeNames=["All"]).get("Messages", [])
        return dict(messages[0]) if messages else None

    found = loop.wait_for("the dead letter", letter)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=found["ReceiptHandle"])
    return found


@pytest.fixture(scope="module")
def watched(team: Team, abalone: Subject, grants: Grants, requests: Requests) -> Watched:
    """The watch is started by hand; its alarm is an event that the project's bus does not take, for nothing there lets it in. Then labels
    come, and it is started again."""
    clock = AccountClock(team.terminal.account)
    labels = ["inference_id,row,truth", *(f"order-4711,{row},{age}" for row, age in enumerate(requests.ages[:LABELLED], start=1))]
    file = team.person.clone / "labels.csv"
    file.write_text("\n".join(labels) + "\n", encoding="utf-8")
    with listening(team) as receive:
        with taken_away(grants.policies, grants.of("events", "event-bus/default", "events:PutEvents")):
            printed = team.type(WATCH)
            clock.set(now=clock.now() + timedelta(minutes=1))  # an alarm looks at minutes that are over
            letter = dead_letter(team)
        first = receive()
        assert "every id was answered" in team.type(LABELS)
        file.unlink()  # which the next push would take along
        again = team.type(WATCH)
        told = (first, receive())
    clock.set(speed=SPEED)
    return Watched(printed, letter, told, again)


def bucket_of_production(team: Team) -> str:
    return team.names.environment(PRODUCTION).bucket(*PROFILES[PRODUCTION])


def findings_of(team: Team, model: Subject, hour: datetime) -> dict[str, Any]:
    window = f"{hour:%Y-%m-%dT%HZ}--{hour + timedelta(hours=1):%Y-%m-%dT%HZ}"
    key = f"{model.production.monitoring}windows/{window}/findings.json"
    read = team.client(PRODUCTION, "s3").get_object(Bucket=bucket_of_production(team), Key=key)["Body"].read()
    return dict(json.loads(read))


def of_watch(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    return [message for message in messages if message.get("Subject", "").startswith("abalone in production:")]


def test_the_watch_of_production_judges_there_by_the_version_of_the_project_s_account(
    team: Team, abalone: Subject, requests: Requests, watched: Watched
) -> None:
    found = findings_of(team, abalone, requests.hour)
    (version,) = found["versions"]
    assert (found["status"], found["rows"], version["version"]) == ("breached", ASKED_ROWS, "1")
    assert ("drift", "whole_weight") in {(breach["kind"], breach["feature"]) for breach in found["breaches"]}
    assert f"findings: s3://{bucket_of_production(team)}/{abalone.production.monitoring}windows/" in watched.printed


def test_whoever_is_on_call_there_is_told_once_and_metrics_are_there(team: Team, abalone: Subject, watched: Watched) -> None:
    (message,) = of_watch(watched.told[0])
    assert f"s3://{bucket_of_production(team)}/{abalone.production.monitoring}windows/" in message["Message"]
    drift = [line for text in of_watch(watched.told[1]) for line in text["Message"].splitlines() if "has moved away" in line]
    assert drift == [], "what was told is not told again"
    namespace = abalone.names.metrics_namespace
    metrics = team.client(PRODUCTION, "cloudwatch").list_metrics(Namespace=namespace, MetricName="DriftedFeatures")["Metrics"]
    assert [item["Dimensions"] for item in metrics] == [[{"Name": "EndpointName", "Value": abalone.production.endpoint}]]
    assert team.client(TOOLING, "cloudwatch").list_metrics(Namespace=namespace)["Metrics"] == []


def test_an_event_that_the_project_s_bus_refuses_waits_with_who_what_and_where(watched: Watched) -> None:
    said = {name: item["StringValue"] for name, item in watched.letter["MessageAttributes"].items()}
    assert "mlops--environment--production--events" in said["ERROR_MESSAGE"]
    assert "events:PutEvents" in said["ERROR_MESSAGE"]
    assert said["TARGET_ARN"] == "arn:aws:events:eu-west-1:111122223333:event-bus/default"


def test_labels_that_are_sent_to_production_say_how_good_it_is(team: Team, abalone: Subject, requests: Requests, watched: Watched) -> None:
    (version,) = findings_of(team, abalone, requests.hour)["versions"]
    assert (version["realised"]["labels"], version["realised"]["coverage"]) == (LABELLED, LABELLED / ASKED_ROWS)


def test_the_project_s_account_gets_the_answers_and_why_to_train_and_says_what_is_missing(
    team: Team, abalone: Subject, requests: Requests, watched: Watched
) -> None:
    s3, project = team.client(TOOLING, "s3"), team.settings.project
    bucket, names = team.names.data_bucket(str(project.account), str(project.region)), abalone.production

    def read(key: str) -> str | None:
        try:
            return str(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())
        except s3.exceptions.NoSuchKey:
            return None

    (file,) = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=names.learned)["Contents"] if item["Key"].endswith(".csv")]
    rows = str(read(file)).splitlines()
    assert len(rows) == 1 + LABELLED
    assert sorted(float(row.rsplit(",", 1)[-1]) for row in rows[1:]) == sorted(requests.ages[:LABELLED])
    told = json.loads(str(read(names.feedback)))
    assert (told["environment"], told["labels"]) == (PRODUCTION, LABELLED)
    assert "drift" in told["alarms"]
    assert loop.wait_for("a word on what is missing", lambda: read(f"{abalone.names.feedback}_TOLD")) is not None


# ---------------------------------------------------------------------------------------- drift in production


def set_drift(team: Team, model: Subject, state: str, profile: str = PRODUCTION) -> None:
    alarm = model.names.at(profile).alarm(DRIFT)  # environments are called as the profiles are
    team.client(profile, "cloudwatch").set_alarm_state(AlarmName=alarm, StateValue=state, StateReason="test")


def upload_again(team: Team, model: Subject) -> None:
    """The same rows as another version, without the marker that starts a training."""
    s3, home = team.client(TOOLING, "s3"), team.settings.project
    bucket = home.names.data_bucket(str(home.account), str(home.region))
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=model.names.training_data)["Contents"]]
    (key,) = [key for key in listed if "_S" not in key and "/learned/" not in key]
    s3.put_object(Bucket=bucket, Key=key, Body=s3.get_object(Bucket=bucket, Key=key)["Body"].read())


@pytest.fixture(scope="module")
def drifted(team: Team, abalone: Subject, watched: Watched) -> str:
    """The training that the same alarm starts once the bus lets it in, and where there is something new to learn from."""
    known = team.person.trainings(abalone.names)
    upload_again(team, abalone)
    set_drift(team, abalone, "OK")
    set_drift(team, abalone, "ALARM")
    training = team.person.new_training(abalone.names, known)
    set_drift(team, abalone, "ALARM", STAGING)  # which starts nothing while that one runs
    team.person.finish_training(training)
    return training


def test_drift_in_production_trains_again_in_tooling(team: Team, drifted: str) -> None:
    parameters = team.client(TOOLING, "sagemaker").list_pipeline_parameters_for_execution(PipelineExecutionArn=drifted)[
        "PipelineParameters"
    ]
    assert "drift" in json.dumps(parameters)


def test_what_production_answered_trains_in_tooling(team: Team, second: str) -> None:
    counts = dict(pair.split("=") for pair in team.person.facts_of(second)["data-sources"].split())
    assert int(counts["learned"]) + int(counts["held_out"]) == LABELLED
    assert int(counts["learned"]) > 0


# ------------------------------------------------------------------------------- another version, and back again


@pytest.fixture(scope="module")
def documented_push(team: Team, drifted: str) -> bool:
    """Whether a push of documentation alone has started a build by the time that the next one has."""
    known = executions(team)
    (team.person.clone / "README.md").write_text("Only words.\n", encoding="utf-8")
    team.person.push("Only words")
    return executions(team) != known


@pytest.fixture(scope="module")
def second(team: Team, abalone: Subject, documented_push: bool) -> str:
    """A push of abalone's file, which trains abalone alone; its version is released. The version."""
    before = Happened.to(team.person, [team.names.model(name) for name in team.settings.models])
    known = team.person.trainings(abalone.names)
    team.person.change("models/abalone.py", "threshold=2.4", "threshold=2.5")
    team.person.build("A looser gate")
    version = team.person.trained(abalone.names, known)
    assert Happened.to(team.person, [team.names.model(name) for name in team.settings.models]).since(before) == ({"abalone"}, set())
    team.person.release(abalone.names, version)
    return version


@pytest.fixture(scope="module")
def returned(team: Team, abalone: Subject, second: str) -> tuple[str | None, str | None, str]:
    """What production served before and after the second version was left, by somebody who may do nothing else; what the command said."""
    before = live(team, PRODUCTION, abalone.production.endpoint)
    team.add_profile("on-call", person_on_call(team.client(TOOLING, "iam"), documented_policies()))
    command = ["python", "-m", "deploy_scripts.roll_back", "--model", abalone.name, "--reason", "broken", "--yes"]
    try:
        said = team.terminal.run("roll-back", command, cwd=team.person.clone, extra={"AWS_PROFILE": "on-call"})
    except StageError as error:
        pipeline = abalone.names.return_pipeline
        pytest.fail("\n".join([str(error), *(why(team.terminal, pipeline, each) for each in team.person.executions(pipeline))]))
    return before, live(team, PRODUCTION, abalone.production.endpoint), said


def test_a_push_of_documentation_starts_nothing_and_of_a_model_that_model(documented_push: bool, second: str) -> None:
    assert not documented_push
    assert int(second.rsplit("/", 1)[-1]) > 1


def test_one_command_of_the_person_on_call_brings_the_version_before_back_to_the_other_account_and_region(
    second: str, released: str | None, returned: tuple[str | None, str | None, str]
) -> None:
    """With what docs/operations.md says that it takes, and no more. Nothing was refused, also not what the command could do without."""
    before, after, said = returned
    assert before is not None
    assert before != released
    assert after == released
    assert f"rejects: version {second.rsplit('/', 1)[-1]} (live)" in said
    assert "version 1 serves production again" in said
    assert "with these credentials" not in said
    assert "could not be asked" not in said


# --------------------------------------------------------------------------------------- each grant, recorded


@pytest.fixture(scope="module")
def asked(team: Team, grants: Grants, returned: Any) -> list[Asked]:
    """Everything that was allowed to a role of the project's stacks on the whole way."""
    _, requests = permissions.read(ask(team.terminal.account, "GET", PERMISSIONS))
    ours = {role.arn for role in grants.roles}
    return [item for item in requests if item.allowed and item.role in ours]


def reason_of_crossing(crossing: Crossing) -> str | None:
    if crossing.role is not None:
        return reason(crossing.role.logical_id, crossing.action)
    return reason_of_resource(crossing.kind, crossing.action)


@pytest.fixture(scope="module")
def missed(grants: Grants, asked: list[Asked]) -> Missed:
    """Of each crossing what would have been refused without it, in which words."""
    return grants.missed(asked)


def test_what_was_allowed_is_allowed_when_it_is_decided_again(grants: Grants, asked: list[Asked]) -> None:
    """Or the re-evaluation below would say nothing."""
    assert asked
    assert {(item.role, item.action, item.resource, words) for item in asked if (words := grants.answer(item))} == set()


def test_each_grant_between_accounts_and_regions_is_missed_by_name_or_a_reason_keeps_it(
    missed: Missed,
) -> None:
    unexplained = [crossing.name for crossing, found in missed.items() if not found and reason_of_crossing(crossing) is None]
    assert unexplained == []
    for crossing, found in missed.items():
        for item, words in found:
            side = "identity-based policy" if crossing.role else "resource-based policy"
            assert all(part in words for part in (item.role, item.action, item.resource, f"no {side} allows")), words


def test_every_kind_of_grant_is_among_them(missed: Missed) -> None:
    needed = {crossing.kind for crossing, found in missed.items() if found}
    assert needed == {"events", "iam", "kms", "role", "s3", "sagemaker"}


def test_no_reason_is_kept_for_what_the_journey_needs_by_now(missed: Missed) -> None:
    """But for what others need of the same kind only seldom."""
    seldom = {why for _, _, kind, why in OF_RESOURCES if kind == SELDOM}
    needed = [crossing for crossing, found in missed.items() if crossing.role is None and found]
    assert [each.name for each in needed if reason_of_crossing(each) not in (None, *seldom)] == []


# ------------------------------------------------------------------------------------------------------ the end


@pytest.fixture(scope="module")
def retired(team: Team, arrests: Subject, asked: list[Asked]) -> str:
    """The batch model's file is gone, and so is what keeps data; what the document's first command printed."""
    (team.person.clone / "models" / "arrests.py").unlink()
    settings = team.person.clone / "settings.py"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace('name="mlops", ', 'name="mlops", retain_data=False, '), encoding="utf-8"
    )
    synthesize(team.terminal, team.assembly)
    retire = [arrests.name if word == "churn" else word for word in commands("Retire a model")[0]]
    return team.type(retire)


def test_retiring_a_model_reaches_into_every_account(team: Team, arrests: Subject, retired: str) -> None:
    for profile in (STAGING, PRODUCTION):
        assert f"{team.names.environment(profile).remove_unused_function}: deleted" in retired
        stacks = team.client(profile, "cloudformation").describe_stacks()["Stacks"]
        assert [stack for stack in stacks if stack["StackName"].startswith(arrests.names.stack)] == []


def test_the_teardown_that_is_described_leaves_nothing_in_any_account(team: Team, retired: str) -> None:
    for command in commands("Tear down", block=1):
        team.type(command)
    for profile, region in team.places:
        assert what_is_there(lambda service, at=(profile, region): team.client(at[0], service, at[1])) == set(), (profile, region)
