"""The watch over a model as it is deployed: started by its schedule and by hand, its job does what its role lets it, and is heard.

The environment's and the serving stack's own templates, of which only what belongs to the watch is deployed. In place of what judges a
window stands a script that says what a window would be found to be, and tries what its role must not let it.
"""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from build_scripts import command_line, monitor
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.publish import publish
from local_account.account import Account
from pipelines.monitoring.code import code_files
from settings_schema import Monitoring
from settings_schema.reading import Settings
from tests.example_models import ABALONE, PRODUCTION, SETTINGS
from tests.journeys.watch_stacks import deploy_watch, subscribed

ACCOUNT, REGION = "111122223333", "us-east-1"
ONE: Settings = replace(SETTINGS, models={ABALONE.name: ABALONE})
NAMES = ABALONE.names(SETTINGS.project).at(PRODUCTION.name)
BUCKET = f"shop--live-{ACCOUNT}-{REGION}"
ARTIFACTS = f"shop--artifacts-{ACCOUNT}-{REGION}"
CAPTURED = f"{NAMES.capture}AllTraffic/2030/01/07/09/a.jsonl"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:3.2-0"

JUDGE = """
import argparse, json, os, signal, time
import boto3
from botocore.exceptions import ClientError
import publish
import turn
from store import S3Store

arguments = argparse.ArgumentParser()
for name in ("--now", "--from", "--to"):
    arguments.add_argument(name)
given = vars(arguments.parse_args())
bucket, s3 = os.environ["BUCKET"], boto3.client("s3")
cloudwatch, sagemaker = boto3.client("cloudwatch"), boto3.client("sagemaker")


def refusal(call, **request):
    try:
        call(**request)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


store = S3Store(s3, bucket, os.environ["KMS_KEY_ARN"])
prefix = os.environ["MONITORING_PREFIX"]
turn.Turn(store, prefix + turn.FILE, turn.job_of(os.environ["JOB_CONFIGURATION"]), turn.running(sagemaker), lambda: time.sleep(0.1)).take()
runs = len(store.list(prefix + "runs/"))
while store.list(prefix + "hold"):
    time.sleep(0.1)
if store.list(prefix + "die"):
    os.kill(os.getpid(), signal.SIGKILL)
captured = store.list(os.environ["CAPTURE_PREFIX"])
read = store.read(captured[0].key).read().decode()
datum = [{"MetricName": "DriftedFeatures", "Value": 0}]
refused = {
    "another's requests": refusal(s3.get_object, Bucket=bucket, Key="capture/shop--arrests--live/a"),
    "another's findings": refusal(s3.put_object, Bucket=bucket, Key="monitoring/arrests/x", Body=b""),
    "labels": refusal(s3.put_object, Bucket=bucket, Key=os.environ["LABELS_PREFIX"] + "x.csv", Body=b""),
    "captured": refusal(s3.put_object, Bucket=bucket, Key=captured[0].key, Body=b""),
    "deletion": refusal(s3.delete_object, Bucket=bucket, Key=captured[0].key),
    "another's metrics": refusal(cloudwatch.put_metric_data, Namespace="shop/arrests/Monitoring", MetricData=datum),
    "approval": refusal(
        sagemaker.update_model_package, ModelPackageArn=os.environ["MODEL_PACKAGE_ARN"], ModelApprovalStatus="Approved"
    ),
}
breach = {"kind": "drift", "feature": "length", "version": "7", "effect": 0.34, "limit": 0.1, "since": "2030-01-07T09:00:00Z"}
breach |= {"detail": "moved by 0.34, limit 0.1"}
findings = {
    "model": os.environ["MODEL"],
    "environment": os.environ["ENVIRONMENT"],
    "window": {"from": "2030-01-07T09:00:00Z", "to": "2030-01-07T10:00:00Z"},
    "status": "breached",
    "versions": [{"version": "7", "rows": 500, "drift": [{"feature": "length", "effect": 0.34}]}],
    "breaches": [breach],
}
place = publish.Place.of(os.environ)
publish.publish(findings, clients=publish.Clients(cloudwatch, boto3.client("sns"), store), place=place, truth={})
said = {"given": given, "read": read, "refused": refused, "version": refusal(sagemaker.describe_model_package,
        ModelPackageName=os.environ["MODEL_PACKAGE_ARN"]), "settings": json.load(open(os.path.dirname(__file__) + "/monitoring.json"))}
said["deployed"] = os.environ["MODEL_VERSION"]
print("judged one window")
store.write(f"{prefix}runs/{runs}.json", json.dumps(said).encode(), "application/json")
"""


@pytest.fixture(scope="module")
def package(account: Account) -> str:
    """A version's ARN, in the registry that the role may look into."""
    sagemaker, group = account.client("sagemaker"), NAMES.of_model.model_package_group
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{ARTIFACTS}/model.tar.gz"}
    account.client("s3").create_bucket(Bucket=ARTIFACTS)
    account.client("s3").put_object(Bucket=ARTIFACTS, Key="model.tar.gz", Body=b"")
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    return str(sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=specification)["ModelPackageArn"])


@pytest.fixture(scope="module", autouse=True)
def deployed(account: Account, package: str) -> dict[str, str]:
    code, _ = publish(account.client("s3"), ARTIFACTS, {**code_files(ABALONE), "monitor.py": JUDGE.encode()})
    parameters = {"ModelPackageArn": package, "ModelVersion": "1", "ModelImage": IMAGE, "MonitoringCode": code}
    deploy_watch(account, ONE, NAMES, parameters)
    account.client("s3").put_object(Bucket=BUCKET, Key=CAPTURED, Body=b"what was asked and answered")
    return parameters


@pytest.fixture(scope="module")
def told(account: Account) -> Callable[..., list[dict[str, Any]]]:
    """What whoever subscribed to the environment's alerts gets."""
    return subscribed(account, "shop--environment--live")


def runs(account: Account) -> list[dict[str, Any]]:
    s3 = account.client("s3")
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{NAMES.monitoring}runs/").get("Contents", [])
    return [json.loads(s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()) for item in found]


def executions(account: Account) -> list[dict[str, Any]]:
    found = account.client("sagemaker").list_pipeline_executions(PipelineName=NAMES.monitoring_pipeline)
    return list(found["PipelineExecutionSummaries"])


@pytest.fixture(scope="module")
def by_hand(account: Account, told: Any) -> dict[str, Any]:
    """What the job said of itself that the script has started and followed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_REGION", REGION)
        patch.setattr(ProjectEnvironment, "client", lambda _, service: account.client(service))
        patch.setattr(command_line, "read", lambda: ONE)
        window = ["--from", "2030-01-07T09:00Z", "--to", "2030-01-07T10:00Z"]
        with contextlib.redirect_stdout(io.StringIO()) as capture:
            assert command_line.run(monitor.main, ["--environment", "live", *window, "--wait"]) == 0, executions(account)
    (said,) = runs(account)
    return {**said, "shown": capture.getvalue()}


def test_by_hand_it_judges_the_windows_that_were_asked_for(by_hand: dict[str, Any]) -> None:
    assert (by_hand["given"]["from"], by_hand["given"]["to"]) == ("2030-01-07T09:00:00Z", "2030-01-07T10:00:00Z")
    assert by_hand["read"] == "what was asked and answered"
    assert by_hand["settings"]["monitoring"]["max_drift"] == Monitoring().max_drift
    assert by_hand["version"] is None, "it may look at the version that answered"
    assert "judged one window" in by_hand["shown"], "what the job printed"
    assert f"findings: s3://{BUCKET}/{NAMES.monitoring}windows/" in by_hand["shown"]


def test_its_role_lets_it_do_nothing_else(by_hand: dict[str, Any]) -> None:
    assert {what for what, code in by_hand["refused"].items() if code not in ("AccessDenied", "AccessDeniedException")} == set()


def test_a_person_is_told_what_was_found_and_where_to_read_on(by_hand: dict[str, Any], told: Any) -> None:
    (message,) = told()
    assert message["Subject"] == "abalone in live: length"
    for part_of_it in ("length", "2030-01-07T09:00:00Z", "0.34, limit 0.1", f"s3://{BUCKET}/{NAMES.monitoring}windows/"):
        assert part_of_it in message["Message"]


def test_alarm_and_dashboard_get_their_metrics(account: Account, by_hand: dict[str, Any]) -> None:
    cloudwatch, deadline = account.client("cloudwatch"), time.monotonic() + 60
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[NAMES.alarm("drift")])["MetricAlarms"]
    found = cloudwatch.list_metrics(Namespace=alarm["Namespace"])["Metrics"]
    assert {"Name": "Feature", "Value": "length"} in [part for metric in found for part in metric["Dimensions"]]
    account.context.clock.change(now=account.context.clock.now() + timedelta(minutes=1))  # an alarm looks at minutes that are over
    while alarm["StateValue"] != "ALARM" and time.monotonic() < deadline:
        time.sleep(0.2)
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[NAMES.alarm("drift")])["MetricAlarms"]
    assert alarm["StateValue"] == "ALARM"


def test_its_schedule_starts_it_for_what_is_due_at_the_account_s_time(account: Account, by_hand: dict[str, Any], told: Any) -> None:
    """At twenty past the hour, and it says nothing twice."""
    told()
    clock, before = account.context.clock, len(executions(account))
    due = clock.now().replace(minute=20, second=0, microsecond=0)
    due += timedelta(hours=0 if clock.now() < due - timedelta(seconds=5) else 1)
    clock.change(now=due - timedelta(seconds=1))
    deadline = time.monotonic() + 120
    while len(executions(account)) == before and time.monotonic() < deadline:
        time.sleep(0.1)
    newest = executions(account)[0]
    while newest["PipelineExecutionStatus"] == "Executing" and time.monotonic() < deadline:
        time.sleep(0.1)
        newest = executions(account)[0]
    assert newest["PipelineExecutionStatus"] == "Succeeded", newest
    said = runs(account)[-1]
    assert (said["given"]["from"], said["given"]["to"]) == ("due", "due")
    started = datetime.fromisoformat(said["given"]["now"]).astimezone(UTC)
    assert due <= started < due + timedelta(minutes=1)
    assert told() == []


def started(account: Account) -> str:
    return str(account.client("sagemaker").start_pipeline_execution(PipelineName=NAMES.monitoring_pipeline)["PipelineExecutionArn"])


def whose_turn(account: Account) -> str:
    """The job that run.json names, or nothing."""
    s3 = account.client("s3")
    try:
        return str(json.loads(s3.get_object(Bucket=BUCKET, Key=f"{NAMES.monitoring}run.json")["Body"].read())["job"])
    except s3.exceptions.NoSuchKey:
        return ""


def ended(account: Account, execution: str) -> str:
    deadline = time.monotonic() + 120
    while (
        status := account.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"]
    ) in ("Executing", "Stopping") and time.monotonic() < deadline:
        time.sleep(0.1)
    return str(status)


def until_another_has_it(account: Account, before: str) -> str:
    deadline = time.monotonic() + 120
    while (holder := whose_turn(account)) == before and time.monotonic() < deadline:
        time.sleep(0.1)
    return holder


def test_a_run_that_begins_during_another_waits_and_loses_nothing(account: Account, by_hand: dict[str, Any]) -> None:
    """Each numbers what it says by what it finds when its turn begins: two at once would write over each other."""
    s3, before = account.client("s3"), len(runs(account))
    hold = {"Bucket": BUCKET, "Key": f"{NAMES.monitoring}hold"}
    holder = whose_turn(account)
    s3.put_object(**hold, Body=b"")
    both = [started(account)]
    first = until_another_has_it(account, holder)
    both.append(started(account))
    deadline = time.monotonic() + 60
    while len(jobs_that_run(account)) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    s3.delete_object(**hold)
    assert [ended(account, execution) for execution in both] == ["Succeeded", "Succeeded"]
    assert len(runs(account)) == before + 2
    assert first != holder != whose_turn(account) != first


def jobs_that_run(account: Account) -> list[str]:
    found = account.client("sagemaker").list_processing_jobs(StatusEquals="InProgress", NameContains=NAMES.monitoring_job)
    return [job["ProcessingJobName"] for job in found["ProcessingJobSummaries"]]


def test_a_run_that_was_killed_holds_up_nobody(account: Account, by_hand: dict[str, Any]) -> None:
    s3, before = account.client("s3"), len(runs(account))
    die = {"Bucket": BUCKET, "Key": f"{NAMES.monitoring}die"}
    s3.put_object(**die, Body=b"")
    holder = whose_turn(account)
    killed = started(account)
    assert until_another_has_it(account, holder) != holder
    assert ended(account, killed) == "Failed"
    s3.delete_object(**die)
    assert (ended(account, started(account)), len(runs(account))) == ("Succeeded", before + 1)


@contextlib.contextmanager
def held(account: Account) -> Iterator[str]:
    """A run whose turn has come and which has read nothing yet; it goes on at the end. Its execution."""
    hold, holder = {"Bucket": BUCKET, "Key": f"{NAMES.monitoring}hold"}, whose_turn(account)
    account.client("s3").put_object(**hold, Body=b"")
    execution = started(account)
    assert until_another_has_it(account, holder) != holder
    yield execution
    account.client("s3").delete_object(**hold)


def test_a_run_that_is_stopped_to_retire_its_model_says_nothing(account: Account, by_hand: dict[str, Any], told: Any) -> None:
    """As `retire` stops it (decision 137); if the model stays after all, the next run says all."""
    before = len(runs(account))
    told()
    with held(account) as execution:
        account.client("sagemaker").stop_pipeline_execution(PipelineExecutionArn=execution)
        assert ended(account, execution) == "Stopped"
    assert (len(runs(account)), told()) == (before, [])
    assert (ended(account, started(account)), len(runs(account))) == ("Succeeded", before + 1)


def test_a_deployment_during_a_run_changes_the_next_one_only(account: Account, by_hand: dict[str, Any], deployed: dict[str, str]) -> None:
    cloudformation, before = account.client("cloudformation"), len(runs(account))
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in {**deployed, "ModelVersion": "2"}.items()]
    with held(account) as execution:
        capabilities = ["CAPABILITY_NAMED_IAM"]
        cloudformation.update_stack(StackName=NAMES.stack, UsePreviousTemplate=True, Parameters=parameters, Capabilities=capabilities)
        cloudformation.get_waiter("stack_update_complete").wait(StackName=NAMES.stack, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    assert [ended(account, execution), ended(account, started(account))] == ["Succeeded", "Succeeded"]
    assert [said["deployed"] for said in runs(account)[before:]] == ["1", "2"]
