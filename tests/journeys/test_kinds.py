"""The template's serverless and asynchronous stacks in the local account: deployed by their roles, asked, down to none and back.

A version is made by hand, and the environments' stacks are those of the app: what a role may not do fails here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from deploy_scripts.queued_requests import AsynchronousClient
from infra.serving.imports import ANSWERS_TOPIC, role_export
from local_account.account import Account
from local_account.context import AccountSettings, Context
from packages.local_account.tests.endpoint_models import ENVIRONMENT
from packages.local_account.tests.roles import open_to_services
from settings_schema import Asynchronous, BacklogScaling, Rollout, Serverless, ServingNames
from tests.example_models import ABALONE, PRODUCTION, SETTINGS, STAGING
from tests.infra.cases import named, synthesize
from tests.journeys.test_live_metrics import version

ROLLOUT = Rollout(bake_seconds=60, termination_wait_seconds=0)
MODEL = ABALONE.but(
    name="houses",
    monitoring=None,
    serving={
        STAGING.name: Serverless(memory_mb=1024, max_concurrency=3, rollout=ROLLOUT),
        PRODUCTION.name: Asynchronous(scaling=BacklogScaling(max_capacity=1), rollout=ROLLOUT),
    },
)
VALUES = replace(SETTINGS, models=named(MODEL))
NAMES = MODEL.names(VALUES.project)
IDLE, QUEUED = NAMES.at(STAGING.name), NAMES.at(PRODUCTION.name)
ROW = b"3,flat"
#: A minute of an alarm's period takes half a second.
SPEED = 120.0
PATIENCE_SECONDS = 300


def eventually(holds: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_SECONDS} s"
        time.sleep(0.1)
    return found


@dataclass
class Deployed:
    """`packages`: ARNs of the versions, the first of them at 0."""

    account: Account
    templates: Mapping[str, Any]
    packages: list[str]

    def client(self, service: str) -> Any:
        return self.account.client(service)

    @property
    def bucket(self) -> str:
        return PRODUCTION.names(VALUES.project).bucket(self.account.context.settings.account_id, self.account.context.settings.region)

    def place(self, stack: str) -> Context:
        """The account and region that a stack is deployed in."""
        return self.account.context

    def stack(self, name: str, role: str | None = None, **parameters: str) -> None:
        """As CloudFormation makes or updates it, in the name of a role."""
        place = self.place(name)
        cloudformation, s3 = (place.administrators_client(service) for service in ("cloudformation", "s3"))
        s3.put_object(Bucket=templates_bucket(place), Key=f"{name}.json", Body=json.dumps(self.templates[name]).encode())
        url = f"{self.account.context.settings.endpoint_url}/{templates_bucket(place)}/{name}.json"
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        run_as = {"RoleARN": f"arn:aws:iam::{place.settings.account_id}:role/{role}"} if role else {}
        there = {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]}
        change = cloudformation.update_stack if name in there else cloudformation.create_stack
        change(StackName=name, TemplateURL=url, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"], **run_as)
        eventually(lambda: not cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"].endswith("IN_PROGRESS"), name)
        (made,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        events = [event.get("ResourceStatusReason", "") for event in cloudformation.describe_stack_events(StackName=name)["StackEvents"]]
        assert made["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), [reason for reason in events if reason]

    def serve(self, names: ServingNames, number: int) -> None:
        """Once autoscaling changes nothing, as Render has it."""
        sagemaker = self.client("sagemaker")
        if any(item["EndpointName"] == names.endpoint for item in sagemaker.list_endpoints()["Endpoints"]):
            named = {"EndpointName": names.endpoint}
            eventually(lambda: sagemaker.describe_endpoint(**named)["EndpointStatus"] == "InService", names.endpoint)
        self.stack(names.stack, names.deployment_role, ModelPackageArn=self.packages[number - 1], ModelVersion=str(number))

    def variant(self, names: ServingNames) -> Mapping[str, Any]:
        (found,) = self.client("sagemaker").describe_endpoint(EndpointName=names.endpoint)["ProductionVariants"]
        return dict(found)

    def queue(self) -> AsynchronousClient:
        """As the verification of a deployment asks."""
        return AsynchronousClient(SimpleNamespace(client=self.client, bucket=self.bucket), QUEUED)  # type: ignore[arg-type]

    def metric(self, names: ServingNames, metric: str, statistic: str) -> float:
        now = self.account.context.clock.now()
        found = self.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker", MetricName=metric, Statistics=[statistic], Period=60,
            Dimensions=[{"Name": "EndpointName", "Value": names.endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}],
            StartTime=now - timedelta(minutes=20), EndTime=now + timedelta(minutes=2),
        )  # fmt: skip
        return float(sum(point[statistic] for point in found["Datapoints"]))


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Two versions, and version 1 in both environments."""
    _, templates = synthesize(VALUES, tmp_path_factory.mktemp("cdk.out"))
    with Account(AccountSettings(state_directory=tmp_path_factory.mktemp("account"), port=0)) as account:
        made = Deployed(account, dict(templates), [])
        bootstrap(account.context, templates)
        register(made)
        account.context.clock.change(speed=SPEED)
        for environment in (STAGING, PRODUCTION):
            made.stack(environment.names(VALUES.project).stack)
        for names in (IDLE, QUEUED):
            made.serve(names, 1)
        yield made


def bootstrap(place: Context, templates: Mapping[str, Any]) -> None:
    """What `cdk bootstrap` and the assets of a deployment are to the stacks of a place."""
    s3 = place.administrators_client("s3")
    place.administrators_client("ssm").put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    for bucket in (assets_bucket(place), templates_bucket(place)):
        constraint = {"CreateBucketConfiguration": {"LocationConstraint": place.settings.region}}
        s3.create_bucket(Bucket=bucket, **(constraint if place.settings.region != "us-east-1" else {}))
    for template in templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Lambda::Function" and "S3Key" in resource["Properties"]["Code"]:
                s3.put_object(Bucket=assets_bucket(place), Key=resource["Properties"]["Code"]["S3Key"], Body=b"no code is run here")


def assets_bucket(place: Context) -> str:
    return f"cdk-hnb659fds-assets-{place.settings.account_id}-{place.settings.region}"


def templates_bucket(place: Context) -> str:
    """CloudFormation reads a template in the name of whoever deploys it."""
    return f"templates-{place.settings.account_id}-{place.settings.region}"


def register(made: Deployed) -> None:
    """Where the inference role may read: below the runs of the training pipeline."""
    account = made.account.context.settings
    bucket, sagemaker = VALUES.project.names.artifact_bucket(account.account_id, account.region), made.client("sagemaker")
    made.client("s3").create_bucket(Bucket=bucket)
    sagemaker.create_model_package_group(ModelPackageGroupName=NAMES.model_package_group)
    for number, factor in ((1, 2.0), (2, 10.0)):
        key = f"pipelines/{NAMES.training_pipeline}/{number}/model.tar.gz"
        made.client("s3").put_object(Bucket=bucket, Key=key, Body=version(factor))
        container = {
            "Image": "xgboost:3.2-0",
            "ModelDataUrl": f"s3://{bucket}/{key}",
            "Environment": {**ENVIRONMENT, "SAGEMAKER_PROGRAM": "fast.py"},
        }
        specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
        made.packages.append(
            sagemaker.create_model_package(
                ModelPackageGroupName=NAMES.model_package_group, InferenceSpecification=specification, ModelApprovalStatus="Approved"
            )["ModelPackageArn"]
        )


def score(answer: bytes) -> float:
    return float(json.loads(answer)["predictions"][0]["score"])


def test_an_idle_serverless_endpoint_starts_for_a_request(deployed: Deployed) -> None:
    assert deployed.variant(IDLE)["CurrentServerlessConfig"] == {"MemorySizeInMB": 1024, "MaxConcurrency": 3}
    clock = deployed.account.context.clock
    clock.change(now=clock.now() + timedelta(minutes=30))
    time.sleep(1.5)  # a beat, in which what is idle goes

    def ask() -> float:
        answer = deployed.client("sagemaker-runtime").invoke_endpoint(EndpointName=IDLE.endpoint, Body=ROW, ContentType="text/csv")
        return score(answer["Body"].read())

    assert [ask(), ask()] == [6.0, 6.0]
    assert eventually(lambda: deployed.metric(IDLE, "ModelSetupTime", "SampleCount"), "the cold start in CloudWatch") == 1


def test_the_queue_answers_below_the_bucket_and_its_topic_tells(deployed: Deployed) -> None:
    sqs = deployed.client("sqs")
    url = sqs.create_queue(QueueName="answers", Attributes=open_to_services())["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    exports = {item["Name"]: item["Value"] for item in deployed.client("cloudformation").list_exports()["Exports"]}
    deployed.client("sns").subscribe(TopicArn=exports[role_export(QUEUED, ANSWERS_TOPIC)], Protocol="sqs", Endpoint=queue)
    assert score(deployed.queue().ask(ROW, "text/csv")) == 6.0
    assert deployed.queue().status_for(b"?", "application/x-nothing-we-know") == 415
    said = []

    def told() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            said.append(json.loads(json.loads(message["Body"])["Message"])["invocationStatus"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return len(said) == 2

    eventually(told, "both messages")
    assert sorted(said) == ["Completed", "Failed"]


def test_a_new_version_answers_what_waited_and_none_is_lost(deployed: Deployed) -> None:
    runtime, s3 = deployed.client("sagemaker-runtime"), deployed.client("s3")
    s3.put_object(Bucket=deployed.bucket, Key=f"{QUEUED.requests}row.csv", Body=ROW)

    def ask() -> str:
        address = f"s3://{deployed.bucket}/{QUEUED.requests}row.csv"
        answer = runtime.invoke_endpoint_async(EndpointName=QUEUED.endpoint, InputLocation=address, ContentType="text/csv")
        return str(answer["OutputLocation"]).partition(f"{deployed.bucket}/")[2]

    asked = [ask() for _ in range(20)]
    deployed.serve(QUEUED, 2)
    asked += [ask() for _ in range(5)]

    def answered() -> bool:
        listed = s3.list_objects_v2(Bucket=deployed.bucket, Prefix=QUEUED.answers).get("Contents", [])
        return set(asked) <= {item["Key"] for item in listed}

    eventually(answered, "all 25 answers")
    assert score(deployed.queue().ask(ROW, "text/csv")) == 30.0


def test_nothing_runs_while_nothing_waits_and_the_next_request_starts_an_instance(deployed: Deployed) -> None:
    eventually(lambda: deployed.variant(QUEUED)["CurrentInstanceCount"] == 0, "no instance")
    assert score(deployed.queue().ask(ROW, "text/csv")) == 30.0
    assert deployed.variant(QUEUED)["CurrentInstanceCount"] >= 1
