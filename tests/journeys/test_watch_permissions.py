"""Each permission of the watch is taken away once: its failure names the call, nothing untrue is published, and the next run catches up.

The environment's own role, the real scripts, and a window with drift, labels, a run before and answers to learn from. What only the
job around the scripts needs (its start, image and log) is listed; tests/journeys/test_missing_permissions.py takes that from others.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from build_scripts.step_modules import folder
from local_account.account import Account
from pipelines.monitoring.code import monitoring_json
from settings_schema import Retraining
from settings_schema.reading import Settings
from tests.example_models import ABALONE, PRODUCTION, SETTINGS
from tests.journeys.watch_stacks import deploy_watch, subscribed

sys.path.extend(path for kind in ("tabular", "monitoring") if (path := str(folder(kind))) not in sys.path)

import monitor
import watch_charts

from tests.monitoring.production import CAPTURE, HOUSES, Production, evidence_of, trained

MODEL = ABALONE.but(retraining=Retraining(learn_from_answers=True))
ONE: Settings = replace(SETTINGS, models={MODEL.name: MODEL})
NAMES = MODEL.names(SETTINGS.project).at(PRODUCTION.name)
ACCOUNT, REGION = "111122223333", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{NAMES.monitoring_role}"
BUCKET, ARTIFACTS, DATA = (f"shop--{what}-{ACCOUNT}-{REGION}" for what in ("live", "artifacts", "data"))
RUN = f"pipelines/{NAMES.of_model.training_pipeline}/run"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sagemaker-xgboost:3.2-0"
CONTRACT = {**HOUSES, "dataset": {**HOUSES["dataset"], "target": "price"}}
ESTIMATOR = {"metric": "rmse", "at_evaluation": 1.0, "more_is_better": False, "method": None, "why": "the test says so"}
EXPLAINED = {"explanations": {"kernel_shap": {"label0": {"global_shap_values": {"area": 1.0, "rooms": 0.5, "town": 0.1}}}}}
#: What the scripts do without, action and end of the resource, by who needs it: SageMaker before, around and after them, or nobody here.
NOT_OF_THE_SCRIPTS = {
    "starts, follows and stops the job": {
        ("iam:PassRole", "--monitoring"),
        *((f"sagemaker:{action}", "-*") for action in ("CreateProcessingJob", "AddTags", "ListTags", "StopProcessingJob")),
    },
    "brings the image and the code": {
        ("ecr:GetAuthorizationToken", "*"),
        *((f"ecr:{action}", "sagemaker-*") for action in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")),
        ("s3:GetBucketLocation", "-us-east-1"),
        ("s3:GetObject", "/steps/*"),
    },
    "writes the log": {
        (f"logs:{action}", end)
        for action in ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents")
        for end in ("ProcessingJobs", "ProcessingJobs:*")
    },
    "holds the keys of volumes and objects": {
        *((f"kms:{action}", "") for action in ("CreateGrant", "DescribeKey", "Encrypt")),
        ("kms:Decrypt", ":key/*"),  # versions and data have one key where both lie in one region
    },
    "gives up a part of a large object": {("s3:AbortMultipartUpload", "/abalone/*")},
}
#: What is done after something was told, or tells it.
TELLS = {"sns:Publish", "cloudwatch:PutMetricData", "s3:PutObject"}
Statements = list[dict[str, Any]]


class Watched:
    """The deployed role, and a window that is due each time: what an earlier run left is taken away before the next."""

    def __init__(self, account: Account, scratch: Path) -> None:
        self.account, self.scratch, self.now = account, scratch, datetime.now(UTC).replace(microsecond=0)
        self.s3, self.iam = account.client("s3"), account.client("iam")
        self.policy = self.iam.list_role_policies(RoleName=NAMES.monitoring_role)["PolicyNames"][0]
        document = self.iam.get_role_policy(RoleName=NAMES.monitoring_role, PolicyName=self.policy)["PolicyDocument"]
        self.statements: Statements = document["Statement"]
        self.told = subscribed(account, f"{SETTINGS.project.name}--environment--{NAMES.environment}")

    def allow(self, statements: Statements) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self.iam.put_role_policy(RoleName=NAMES.monitoring_role, PolicyName=self.policy, PolicyDocument=document)

    def forget(self) -> None:
        """As if nothing had been judged yet, but that a run before has left its name, and something of older windows at home."""
        self.told(seconds=0)
        for bucket, prefix in ((BUCKET, NAMES.monitoring), (DATA, "")):
            for item in self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
                self.s3.delete_object(Bucket=bucket, Key=item["Key"])
        earlier = json.dumps({"job": f"{NAMES.monitoring_job}-earlier"}).encode()
        self.s3.put_object(Bucket=BUCKET, Key=f"{NAMES.monitoring}run.json", Body=earlier)
        self.s3.put_object(Bucket=DATA, Key=f"{NAMES.learned}_tally.json", Body=b'{"rows": 0, "windows": {}}')
        self.s3.put_object(Bucket=DATA, Key=NAMES.feedback, Body=b"{}")

    def run(self) -> ClientError | None:
        """As the job does it, as the deployed role; what it ended with."""
        credentials = self.account.context.keyring.assume(ROLE, "sagemaker.amazonaws.com", "SageMaker")
        definition = self.account.client("sagemaker").describe_pipeline(PipelineName=NAMES.monitoring_pipeline)["PipelineDefinition"]
        variables = json.loads(definition)["Steps"][0]["Arguments"]["Environment"]
        with pytest.MonkeyPatch.context() as patch:
            # Not in the environment, which is the account's as well.
            keys = {"aws_access_key_id": credentials.access_key, "aws_secret_access_key": credentials.secret}
            session = boto3.Session(**keys, aws_session_token=credentials.token, region_name=REGION)
            patch.setattr(boto3, "DEFAULT_SESSION", session)
            patch.setattr(watch_charts, "as_svg", lambda title, draw, size=None: "<svg/>")  # drawing takes longer than all else
            endpoint = {"AWS_ENDPOINT_URL": self.account.settings.endpoint_url, "JOB_CONFIGURATION": str(self.scratch / "job.json")}
            for name, value in {**variables, **endpoint}.items():
                patch.setenv(name, value)
            try:
                monitor.main(["--now", self.now.isoformat(), "--settings", str(self.scratch / "monitoring.json")])
            except ClientError as refused:
                return refused
        return None

    def judged(self) -> list[dict[str, Any]]:
        """The history's windows with traffic."""
        try:
            content = self.s3.get_object(Bucket=BUCKET, Key=f"{NAMES.monitoring}history.json")["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return []
        return [entry for entry in json.loads(content)["windows"] if entry["rows"]]

    def learned(self) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=DATA).get("Contents", [])]


@pytest.fixture(scope="module")
def watched(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    s3, sagemaker = account.client("s3"), account.client("sagemaker")
    kms = account.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName=SETTINGS.project.names.key_alias, TargetKeyId=key_id)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_id}}
    for bucket in (ARTIFACTS, DATA):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    parameters = {"ModelPackageArn": _registered(sagemaker, s3), "ModelVersion": "1", "ModelImage": IMAGE}
    deploy_watch(account, ONE, NAMES, {**parameters, "MonitoringCode": f"s3://{ARTIFACTS}/code/0123456789abcdef"})
    scratch = tmp_path_factory.mktemp("watch")
    (scratch / "job.json").write_text(json.dumps({"ProcessingJobName": f"{NAMES.monitoring_job}-this"}))
    (scratch / "monitoring.json").write_text(monitoring_json(MODEL))
    made = Watched(account, scratch)
    production = Production(scratch)
    made.now += timedelta(seconds=10)  # when all of it lies there
    hour = made.now - timedelta(minutes=75)  # of the newest window that is due, a quarter of an hour after its end
    key = production.traffic(300, hour=f"{hour:%Y/%m/%d/%H}", version="1", time=f"{hour:%Y-%m-%dT%H:%M:%SZ}")
    captured = (scratch / key).read_text().replace('"data": "', '"data": "9')  # every area is far from what was learned
    s3.put_object(Bucket=BUCKET, Key=key.replace(CAPTURE, NAMES.capture), Body=captured.encode())
    ids = [json.loads(line)["eventMetadata"]["inferenceId"] for line in captured.splitlines()]
    s3.put_object(Bucket=BUCKET, Key=f"{NAMES.labels}a.csv", Body=b"inference_id,truth\n" + "".join(f"{one},2\n" for one in ids).encode())
    return made


def _registered(sagemaker: Any, s3: Any) -> str:
    """A version with evidence, whose archive nobody can load."""
    documents = {"contract": CONTRACT, "statistics": evidence_of(trained()), "estimator": ESTIMATOR, "explainability": EXPLAINED}
    for name, document in documents.items():
        s3.put_object(Bucket=ARTIFACTS, Key=f"{RUN}/evaluate/evaluation/{name}.json", Body=json.dumps(document).encode())
    archive = f"{RUN}/choose/model/model.tar.gz"
    s3.put_object(Bucket=ARTIFACTS, Key=archive, Body=b"")
    group = NAMES.of_model.model_package_group
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    container = {"Image": IMAGE, "ModelDataUrl": f"s3://{ARTIFACTS}/{archive}"}
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    metadata = {"contract-url": f"s3://{ARTIFACTS}/{RUN}/evaluate/evaluation/contract.json"}
    return str(
        sagemaker.create_model_package(
            ModelPackageGroupName=group, InferenceSpecification=specification, CustomerMetadataProperties=metadata
        )["ModelPackageArn"]
    )


def _without(statements: Statements, index: int, action: str, resource: str) -> Statements:
    """The same but for one action on one of its statement's resources."""
    whole = statements[index]
    actions, resources = _listed(whole["Action"]), _listed(whole["Resource"])
    left = [{**whole, "Sid": "", "Action": [one for one in actions if one != action]}]
    left.append({**whole, "Sid": "", "Action": action, "Resource": [one for one in resources if one != resource]})
    kept = [{name: value for name, value in one.items() if name != "Sid"} for one in left if one["Action"] and one["Resource"]]
    return [*statements[:index], *kept, *statements[index + 1 :]]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_each_permission_is_missed_by_name_and_nothing_untrue_is_left(watched: Watched) -> None:
    done_without = set()
    for index, statement in enumerate(watched.statements):
        for action, resource in product(_listed(statement["Action"]), _listed(statement["Resource"])):
            watched.forget()
            watched.allow(_without(watched.statements, index, action, resource))
            refused = watched.run()
            if refused is None:
                done_without.add((action, resource))
                continue
            case = f"{action} on {resource}: {refused}"
            assert f"not authorized to perform: {action} on resource:" in str(refused), case
            assert [entry for entry in watched.judged() if entry["status"] != "breached"] == [], case
            if action in TELLS:
                watched.allow(watched.statements)
                assert watched.run() is None, case
                assert (len(watched.judged()), len(watched.told())) == (1, 1), case
    expected = {grant for grants in NOT_OF_THE_SCRIPTS.values() for grant in grants}
    assert {grant for grant in done_without if not any(_is(grant, one) for one in expected)} == set()
    assert {one for one in expected if not any(_is(grant, one) for grant in done_without)} == set()


def _is(grant: tuple[str, str], expected: tuple[str, str]) -> bool:
    return grant[0] == expected[0] and grant[1].endswith(expected[1])


def test_with_all_of_them_it_says_all(watched: Watched) -> None:
    watched.forget()
    watched.allow(watched.statements)
    assert watched.run() is None
    (entry,) = watched.judged()
    assert (entry["status"], entry["rows"]) == ("breached", 300)
    window = f"{entry['from']}--{entry['to']}"
    assert watched.learned() == [NAMES.feedback, *(f"{NAMES.learned}{name}" for name in (f"{window}.csv", "_tally.json"))]
