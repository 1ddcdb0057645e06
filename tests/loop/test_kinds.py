"""A serverless and an asynchronous endpoint go the way of every version: both gates, verified as they are asked, and used by clients.

One model, whose staging is serverless and whose production has a queue. The acts follow each other.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo import loop
from demo.clock import AccountClock
from tests.loop import ways_back
from tests.loop.ways_back import ROW, Team

MODELS = Path(__file__).with_name("kinds") / "models"
#: A serverless container that nobody asked for ten minutes is gone.
IDLE = timedelta(minutes=12)
REQUESTS = 40


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    made = ways_back.start(tmp_path_factory.mktemp("kinds"), MODELS)
    yield made
    made.terminal.close()


@pytest.fixture(scope="module")
def first(team: Team) -> str:
    """Version 1 has passed both gates."""
    version = str(loop.versions(team.terminal, team.names)[-1]["ModelPackageArn"])
    team.person.release(team.names, version)
    return version


@pytest.fixture(scope="module")
def topic(team: Team, first: str) -> str:
    """Address of a queue that gets what production's topic says of answers."""
    outputs = team.terminal.outputs(team.names.of_project.environment("live").stack)
    (arn,) = [value for name, value in outputs.items() if name.endswith("AnswersTopicArn") or (":sns:" in value and "Answers" in value)]
    sqs = team.client("sqs")
    allowed = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    url = str(sqs.create_queue(QueueName="answers", Attributes={"Policy": policy})["QueueUrl"])
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    team.client("sns").subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
    return url


def bucket(team: Team) -> str:
    return str(team.terminal.outputs(team.names.of_project.environment("live").stack)["BucketName"])


def ask(team: Team, key: str) -> dict[str, Any]:
    """Puts a row where the endpoint's role may read, and invokes it by its address."""
    address = f"{team.production.requests}{key}"
    team.client("s3").put_object(Bucket=bucket(team), Key=address, Body=ROW)
    answer: dict[str, Any] = team.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=team.production.endpoint, InputLocation=f"s3://{bucket(team)}/{address}", ContentType="text/csv"
    )
    return answer


def answered(team: Team, accepted: dict[str, Any]) -> bytes | None:
    place, _, key = accepted["OutputLocation"].removeprefix("s3://").partition("/")
    try:
        content: bytes = team.client("s3").get_object(Bucket=place, Key=key)["Body"].read()
    except ClientError:
        return None
    return content


def instances(team: Team) -> int:
    described = team.client("sagemaker").describe_endpoint(EndpointName=team.production.endpoint)
    return int(described["ProductionVariants"][0]["CurrentInstanceCount"])


def told(team: Team, url: str, count: int) -> list[dict[str, Any]]:
    """What was said, once that many requests were told of."""
    said: list[dict[str, Any]] = []

    def all_of_them() -> bool | None:
        for message in team.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            team.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            said.append(json.loads(json.loads(message["Body"])["Message"]))
        return len(said) >= count or None

    loop.wait_for(f"{count} messages", all_of_them, seconds=60)
    return said


def test_each_environment_serves_in_its_own_kind_after_both_gates(team: Team, first: str) -> None:
    """Each was verified as it is asked: by InvokeEndpoint after a cold start, and by S3 and the queue."""
    stages = {stage["stage"]: stage for stage in team.status()["stages"]}
    assert {name: stage["version"] for name, stage in stages.items()} == {"try": 1, "live": 1}
    assert stages["try"]["kind"] == "serverless: 3 at once"
    assert stages["live"]["kind"] == "asynchronous"


def test_an_idle_serverless_endpoint_starts_for_a_request(team: Team, first: str) -> None:
    clock = AccountClock(team.terminal.account)
    clock.set(now=clock.now() + IDLE)
    time.sleep(1.5)  # a beat of the account
    staging = team.names.at("try").endpoint
    for _ in range(2):
        answer = team.client("sagemaker-runtime").invoke_endpoint(EndpointName=staging, Body=ROW, ContentType="text/csv")
        assert json.loads(answer["Body"].read())["predictions"]

    def cold_starts() -> float | None:
        now = clock.now()
        found = team.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName="ModelSetupTime",
            Dimensions=[{"Name": "EndpointName", "Value": staging}, {"Name": "VariantName", "Value": "AllTraffic"}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=60,
            Statistics=["SampleCount"],
        )
        return sum(point["SampleCount"] for point in found["Datapoints"]) or None

    assert loop.wait_for("the cold start in CloudWatch", cold_starts, seconds=30) == 1


def test_the_queue_answers_all_and_a_new_version_loses_none(team: Team, first: str, topic: str) -> None:
    accepted = [ask(team, f"{number}.csv") for number in range(REQUESTS // 2)]
    version, execution = team.under_review()
    accepted += [ask(team, f"{number}.csv") for number in range(REQUESTS // 2, REQUESTS)]
    assert team.let_in(execution) == "Succeeded", team.why(team.names.deploy_pipeline, execution)
    assert team.live() == version
    loop.wait_for("all answers", lambda: all(answered(team, one) for one in accepted) or None, seconds=60)
    said = told(team, topic, REQUESTS)
    of_clients = [one for one in said if "/verification/" not in one["requestParameters"]["inputLocation"]]
    assert len(of_clients) == REQUESTS and {one["invocationStatus"] for one in of_clients} == {"Completed"}


def test_without_requests_no_instance_runs_and_the_next_request_starts_one(team: Team, first: str) -> None:
    loop.wait_for("no instance", lambda: instances(team) == 0 or None, seconds=120)
    accepted = ask(team, "after.csv")
    loop.wait_for("an answer", lambda: answered(team, accepted), seconds=120)
    assert instances(team) >= 1


def test_an_endpoint_with_a_queue_is_rejected_back_to_the_version_before(team: Team, first: str) -> None:
    team.reject(str(team.live()))
    loop.wait_for("the version before", lambda: team.live() == first or None, seconds=180)
