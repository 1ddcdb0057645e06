"""A version of the template serves in the local account: CloudWatch has what it answers, and its predictions undo its rollout.

The one thing that is not as in the image is how often the container speaks: every half second.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from build_scripts.step_modules import STEPS
from infra.serving import live_metrics
from local_account.account import Account
from local_account.context import AccountSettings
from packages.local_account.tests.endpoint_models import ENVIRONMENT, archive, create_configuration, create_endpoint, invoke, variant
from packages.local_account.tests.roles import make_role
from settings_schema import ServingNames

NAMES = ServingNames(project="shop", model="houses", environment="live")
PROGRAM = "import live_metrics\nlive_metrics.SECONDS = 0.5\nfrom inference import *\n"
ROLE = "arn:aws:iam::111122223333:role/Model"
GROUP = "houses"


def version(factor: float, program: str = PROGRAM) -> bytes:
    """Predicts the area times the factor; on the validation rows, it says, it predicted 0 to 99."""
    numeric = {"lower": None, "upper": None, "fill": 1.0, "centre": 0.0, "scale": 1.0, "indicator": False}
    state = {
        "numeric": [{"name": "area", **numeric}],
        "categorical": [{"name": "kind", "categories": ["flat"], "indicator": False}],
        "selected": None,
        "dataset": {"problem": "regression", "metric": "rmse"},
        "classes": None,
    }
    linear = {"coefficients": [[factor], [0.0], [0.0]], "intercepts": [0.0], "centre": [0.0] * 3, "settings": {}}
    usual = {"edges": [10.0 * number for number in range(1, 10)], "counts": [10] * 10}
    documents = {"preparation": state, "version": {"algorithm": "linear"}, "linear": linear, "predictions": usual}
    code = {f"code/{file.relative_to(STEPS)}": file.read_text(encoding="utf-8") for file in STEPS.rglob("*.py")}
    return archive({**{f"{name}.json": json.dumps(document) for name, document in documents.items()}, **code, "code/fast.py": program})


class Serving:
    """Registered versions, each a configuration of its own, made as the serving stack makes them."""

    def __init__(self, account: Account) -> None:
        self.account, self.sagemaker = account, account.client("sagemaker")
        make_role(account, "Model")
        account.client("s3").create_bucket(Bucket="models")
        account.client("logs").create_log_group(logGroupName=NAMES.log_group)
        self.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        for number, factor in (("1", 1.0), ("2", 10.0)):
            self._register(number, factor)

    def _register(self, number: str, factor: float) -> None:
        self.account.client("s3").put_object(Bucket="models", Key=f"{number}.tar.gz", Body=version(factor))
        variables = {**ENVIRONMENT, "SAGEMAKER_PROGRAM": "fast.py"}
        container = {"Image": "xgboost:3.2-0", "ModelDataUrl": f"s3://models/{number}.tar.gz", "Environment": variables}
        specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
        package = self.sagemaker.create_model_package(
            ModelPackageGroupName=GROUP, InferenceSpecification=specification, ModelApprovalStatus="Approved"
        )["ModelPackageArn"]
        told = {**live_metrics.variables(NAMES), live_metrics.VERSION: number}
        self.sagemaker.create_model(
            ModelName=f"version-{number}",
            ExecutionRoleArn=ROLE,
            EnableNetworkIsolation=True,
            PrimaryContainer={"ModelPackageName": package, "Environment": told},
        )
        capture = {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://models/capture",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
        }
        create_configuration(self.account, f"version-{number}", variant(f"version-{number}"), capture=capture)

    def ask(self, count: int, seed: int = 0) -> dict[str, Any]:
        areas = random.Random(seed)
        answers = [invoke(self.account, NAMES.endpoint, f"{areas.uniform(0, 99)},flat".encode()) for _ in range(count)]
        return answers[-1]

    def metric(self, name: str, statistic: str, number: str) -> float | None:
        now = self.account.context.clock.now()
        values = (NAMES.endpoint, number)
        dimensions = [{"Name": key, "Value": value} for key, value in zip(live_metrics.DIMENSIONS, values, strict=True)]
        points = self.account.client("cloudwatch").get_metric_statistics(
            Namespace=NAMES.of_model.metrics_namespace, MetricName=name, Dimensions=dimensions, Statistics=[statistic],
            StartTime=datetime(2020, 1, 1, tzinfo=UTC), EndTime=now + timedelta(days=1), Period=86_400 * 10_000,
        )["Datapoints"]  # fmt: skip
        return float(points[0][statistic]) if points else None


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    settings = AccountSettings(state_directory=tmp_path_factory.mktemp("account"), port=0)
    with Account(settings) as account:
        serving = Serving(account)
        assert create_endpoint(account, NAMES.endpoint, "version-1")["EndpointStatus"] == "InService"
        yield serving


def eventually(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while not (found := holds()):
        assert time.monotonic() < deadline, "it was not so after a minute"
        time.sleep(0.05)
    return found


def test_within_a_minute_cloudwatch_has_what_the_version_answers(serving: Serving) -> None:
    for part in range(3):
        serving.ask(120, seed=part)
        eventually(lambda so_far=120 * (part + 1): serving.metric(live_metrics.REQUESTS, "Sum", "1") == so_far)
    assert 40 < (serving.metric(live_metrics.MEAN, "Average", "1") or 0) < 60
    assert (serving.metric(live_metrics.DISTANCE, "Maximum", "1") or 9) < 4
    assert serving.metric(live_metrics.REFUSED, "Sum", "1") == 0
    with pytest.raises(serving.account.client("sagemaker-runtime").exceptions.ModelError):
        invoke(serving.account, NAMES.endpoint, b"x,flat")
    invoke(serving.account, NAMES.endpoint, b",castle")
    for name in (live_metrics.REFUSED, live_metrics.MISSING, live_metrics.UNSEEN):
        eventually(lambda metric=name: serving.metric(metric, "Sum", "1") == 1)


def test_an_answer_and_its_capture_name_the_version(serving: Serving) -> None:
    answer = serving.ask(1)
    named = answer["CustomAttributes"]
    assert named.startswith("model-version=1; answer-id=")
    assert answer["ContentType"] == f"application/json; {named}"
    s3 = serving.account.client("s3")
    listed = eventually(lambda: s3.list_objects_v2(Bucket="models", Prefix="capture/").get("Contents"))
    line = json.loads(s3.get_object(Bucket="models", Key=listed[0]["Key"])["Body"].read().splitlines()[0])
    output = line["captureData"]["endpointOutput"]
    assert (output["observedContentType"].partition("; answer-id=")[0], output["encoding"]) == ("application/json; model-version=1", "JSON")


def test_a_version_that_predicts_otherwise_than_on_its_validation_rows_goes_back(serving: Serving) -> None:
    values = (NAMES.endpoint, "2")
    serving.account.client("cloudwatch").put_metric_alarm(
        AlarmName=NAMES.alarm("predictions--2"),
        Namespace=NAMES.of_model.metrics_namespace,
        MetricName=live_metrics.DISTANCE,
        Dimensions=[{"Name": name, "Value": value} for name, value in zip(live_metrics.DIMENSIONS, values, strict=True)],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=1,
        Threshold=4.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
    )
    serving.account.context.clock.change(speed=30)
    policy = {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 1800}}
    serving.sagemaker.update_endpoint(
        EndpointName=NAMES.endpoint,
        EndpointConfigName="version-2",
        DeploymentConfig={
            "BlueGreenUpdatePolicy": policy,
            "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": NAMES.alarm("predictions--2")}]},
        },
    )

    def settled() -> Any:
        serving.ask(20, seed=time.monotonic_ns())
        described = serving.sagemaker.describe_endpoint(EndpointName=NAMES.endpoint)
        return described["EndpointStatus"] == "InService" and described

    described = eventually(settled)
    assert described["EndpointConfigName"] == "version-1"
    assert "predictions--2" in described["FailureReason"]
