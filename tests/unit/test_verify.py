"""Claims about verification: each way in which a deployment can be wrong is found."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.validate import ParamValidator

from build_scripts import golden, invocation
from build_scripts.command_line import VerdictError, run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.version_contract import from_preparation
from deploy_scripts import checks, verification_job, verify
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.staging_load import loads
from settings_schema import Autoscaling, Batch, Categorical, Endpoint, Numeric, TargetTracking
from tests import example_models
from tests.unit import script_account
from tests.unit.script_account import MODEL, NAMES, PACKAGE, PRODUCTION, PROJECT, STAGING, ScriptAccount, golden_csv, prepared, refusal

DATASET, ARRESTS = MODEL.data, example_models.ARRESTS.data
LIVE = NAMES.at(PRODUCTION.name).endpoint

ROWS = [[str(index + 1)] * len(DATASET.numeric) + ["M"] * len(DATASET.categorical) for index in range(3)]


def score(row: list[Any]) -> float:
    return float(row[0]) * 2


def with_answers(rows: list[list[str]]) -> list[list[str]]:
    return [[*row, str(score(row) + 1), str(score(row))] for row in rows]


class Runtime:
    """A model server that doubles the first column."""

    def __init__(self) -> None:
        self.bias, self.refuses, self.answer, self.asked = 0.0, True, None, set()

    def invoke_endpoint(self, *, Body: bytes, ContentType: str, Accept: str, **_: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        self.asked.add(ContentType)
        if ContentType == "text/csv":
            rows = list(csv.reader(io.StringIO(Body.decode())))
        elif ContentType == "application/json":
            rows = [list(instance.values()) for instance in json.loads(Body)["instances"]]
        elif ContentType == "application/jsonlines":
            rows = [list(json.loads(line).values()) for line in Body.decode().splitlines()]
        elif self.refuses:
            error = refusal("ModelError", "unsupported", "InvokeEndpoint")
            error.response["OriginalStatusCode"] = 415
            raise error
        else:
            rows = ROWS
        records = [{"score": score(row) + self.bias} for row in rows]
        lines = "\n".join(map(json.dumps, records)) if Accept == "application/jsonlines" else json.dumps({"predictions": records})
        return {"Body": io.BytesIO(self.answer or lines.encode())}


class Stacks:
    config = "config-1"

    def describe_stack_resources(self, **_: str) -> dict[str, Any]:
        return {
            "StackResources": [
                {"ResourceType": "AWS::SageMaker::EndpointConfig", "PhysicalResourceId": f"arn:x:endpoint-config/{self.config}"}
            ]
        }

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"Stacks": [{"StackName": StackName, "Outputs": [{"OutputKey": "DeployedModelPackageArn", "OutputValue": f"{PACKAGE}/6"}]}]}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    made = script_account.install(monkeypatch)
    made.clients |= {"sagemaker-runtime": Runtime(), "cloudformation": Stacks()}
    made.register(7, DATASET, with_answers(ROWS), **{"git-commit": "abc"})
    made.sagemaker.serve(LIVE, 7)
    made.sagemaker.serve(NAMES.at(STAGING.name).endpoint, 7)
    return made


def check(stage: str = PRODUCTION.name, number: int = 7) -> int:
    return run(verify.main, ["--stage", stage, "--package", f"{PACKAGE}/{number}"])


@pytest.mark.parametrize("stage", [STAGING.name, PRODUCTION.name])
def test_a_good_deployment_passes_and_the_registry_stays_as_it_is(account: ScriptAccount, stage: str) -> None:
    """What pushed code could write there would decide about nothing."""
    before = dict(account.sagemaker.packages[7])
    assert check(stage) == 0
    assert account.sagemaker.packages[7] == before


def test_every_content_type_is_asked_that_the_version_takes(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    """One from before JSON Lines can still be gone back to: it is not asked in them."""
    runtime, specification = account.clients["sagemaker-runtime"], account.sagemaker.packages[7]["InferenceSpecification"]
    assert check() == 0
    assert "application/jsonlines: 3 answers equal the evaluation's" in capsys.readouterr().out
    specification["SupportedContentTypes"] = ["text/csv", "application/json"]
    runtime.asked = set()
    assert check() == 0
    assert runtime.asked == {"text/csv", "application/json", "application/x-nothing-we-know"}


def test_where_versions_are_tested_the_approver_s_page_is_left_and_nowhere_else(account: ScriptAccount) -> None:
    assert check(PRODUCTION.name) == 0
    assert not [key for key in account.s3.objects if key.startswith("artifacts/reviews/")]
    assert check(STAGING.name) == 0
    page = account.s3.objects["artifacts/reviews/abalone/7/page.html"].decode()
    facts = json.loads(account.s3.objects["artifacts/reviews/abalone/7/facts.json"])
    assert "version 6, which live has, was deleted from the registry" in page
    assert any("3 answers equal the evaluation" in line for line in facts["staging"]["lines"])
    assert facts["staging"]["load"] == []  # load_seconds is 0


def test_a_verification_that_fails_leaves_no_page(account: ScriptAccount) -> None:
    account.clients["sagemaker-runtime"].bias = 0.01
    assert check(STAGING.name) == 1
    assert not [key for key in account.s3.objects if key.startswith("artifacts/reviews/")]


def test_staging_is_loaded_at_the_rates_of_production_s_scaling_for_as_long_as_is_set() -> None:
    production = Endpoint(autoscaling=Autoscaling(min_capacity=1, max_capacity=2, target_tracking=TargetTracking(max_rps_per_instance=80)))
    sent: list[bytes] = []
    slow, fast = loads(sent.append, [b"1", b"2"], Endpoint(load_seconds=0.5), production)
    assert (slow.wanted_rps, fast.wanted_rps) == (40, 80)
    assert slow.requests + fast.requests == len(sent) <= 32  # a quarter of a second each
    assert set(sent) == {b"1", b"2"} and fast.errors == 0
    assert loads(sent.append, [b"1"], Endpoint(load_seconds=0), production) == []


def test_what_staging_refuses_under_load_is_counted() -> None:
    def refuse(_: bytes) -> None:
        raise refusal("ThrottlingException", "slow down", "InvokeEndpoint")

    found = loads(refuse, [b"1"], Endpoint(load_seconds=0.1), Endpoint())
    assert all(load.errors == load.requests > 0 and load.p99_ms is None for load in found)


@pytest.mark.parametrize("status", ["Updating", "SystemUpdating"])
def test_an_endpoint_whose_instances_change_meanwhile_serves(account: ScriptAccount, status: str) -> None:
    """Autoscaling does not wait for a verification: the bounds that a deployment sets may be what makes it act."""
    account.sagemaker.endpoints[LIVE]["status"] = status
    assert check() == 0


def broken(account: ScriptAccount, how: str) -> None:
    runtime, registry = account.clients["sagemaker-runtime"], account.sagemaker
    if how == "taken back":
        registry.endpoints[LIVE]["status"] = "RollingBack"
    elif how == "another version is live":
        registry.serve(LIVE, 6)
    elif how == "update rolled back":
        account.clients["cloudformation"].config = "config-2"
    elif how == "other scores":
        runtime.bias = 0.01
    elif how == "not a number":
        runtime.bias = float("nan")
    elif how == "other schema":
        runtime.answer = b'{"scores": [1]}'
    elif how == "accepts anything":
        runtime.refuses = False


def test_an_archive_that_was_changed_after_the_evaluation_is_named(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    """Even if it answers the golden rows as the evaluated one did."""
    account.s3.objects["artifacts/7/model.tar.gz"] += b"x"
    assert check() == 2
    assert "version 7 is not what was evaluated: s3://artifacts/7/model.tar.gz has sha256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ("taken back", "is RollingBack"),
        ("another version is live", "rolled the update back"),
        ("update rolled back", "config-2"),
        ("other scores", "not the evaluated model"),
        ("not a number", "0 of them finite"),
        ("other schema", "predictions"),
        ("accepts anything", "must answer 4xx"),
    ],
)
def test_each_fault_is_found(account: ScriptAccount, capsys: pytest.CaptureFixture[str], how: str, named: str) -> None:
    broken(account, how)
    assert check() == 1
    assert named in capsys.readouterr().err


def test_slow_endpoint_fails(account: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(verify.EndpointClient, "milliseconds", lambda *_: 900.0)
    monkeypatch.setattr(verify, "BETWEEN_ROUNDS_SECONDS", 0)
    assert check() == 1
    assert "answers took longer than the 500 ms that models/ gives 99 of 100" in capsys.readouterr().err


def test_version_without_golden_rows_is_said(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    del account.sagemaker.packages[7]["CustomerMetadataProperties"]["golden-url"]
    assert check() == 2
    assert "no golden-url" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("numeric", "categorical"),
    [
        (("size", "length", "height"), ("sex",)),  # without the columns that main has now, and with one that it has not
        (("length, mm",), ()),
    ],
)
def test_a_version_that_returns_is_judged_by_its_own_columns(
    account: ScriptAccount, numeric: tuple[str, ...], categorical: tuple[str, ...]
) -> None:
    """Main has moved on, and the way back must stay open."""
    columns = {
        "numeric": tuple(Numeric(name=name) for name in numeric),
        "categorical": tuple(Categorical(name=name) for name in categorical),
    }
    earlier = DATASET.but(target="weight", **columns)
    rows = [[str(index + 1)] * len(numeric) + ["x"] * len(categorical) for index in range(3)]
    account.register(3, earlier, with_answers(rows))
    account.sagemaker.serve(LIVE, 3)
    assert check(number=3) == 0


def test_a_version_that_returns_is_measured_by_its_own_metric(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.register(3, DATASET.but(metric="mae"), with_answers(ROWS))
    account.sagemaker.serve(LIVE, 3)
    assert check(number=3) == 0
    assert "metric: mae 1 on 3 golden rows" in capsys.readouterr().out


def test_a_gap_in_the_first_golden_row_is_asked_for_as_a_gap(account: ScriptAccount) -> None:
    rows = [[ROWS[0][0], "", *ROWS[0][2:]], *ROWS[1:]]
    account.register(7, DATASET, with_answers(rows))
    assert check() == 0


@pytest.mark.parametrize(
    ("gone", "named"),
    [
        ("model.tar.gz", "its archive s3://artifacts/7/model.tar.gz is gone"),
        ("golden.csv", "the golden rows of version 7 are gone: s3://artifacts/7/golden.csv does not exist"),
    ],
)
def test_evidence_that_was_deleted_is_named(account: ScriptAccount, capsys: pytest.CaptureFixture[str], gone: str, named: str) -> None:
    del account.s3.objects[f"artifacts/7/{gone}"]
    assert check() == 2
    assert named in capsys.readouterr().err


def test_an_archive_of_another_kind_is_said(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.s3.objects["artifacts/7/model.tar.gz"] = b"no archive"
    assert check() == 2
    assert "version 7 is not what was evaluated: s3://artifacts/7/model.tar.gz has sha256" in capsys.readouterr().err


@pytest.mark.parametrize("gone", ["config", "model"])
def test_an_endpoint_whose_description_was_deleted_serves_no_known_version(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str], gone: str
) -> None:
    account.sagemaker.deleted.add(gone)
    assert check() == 1
    assert "serves None, not" in capsys.readouterr().err


def test_classes_are_compared_by_name() -> None:
    contract = from_preparation(prepared(ARRESTS, ["No", "Yes"]))
    cells = ["1"] * len(ARRESTS.features)
    known = golden.parse(golden_csv(ARRESTS, [[*cells, "Yes", "Yes"], [*cells, "No", "Yes"]]).decode(), contract)

    def answer(*labels: str) -> invocation.Answer:
        body = json.dumps({"predictions": [{"score": 0.7, "predicted_label": label} for label in labels]}).encode()
        return invocation.read_answer(body, 2, contract)

    assert "2 answers equal" in checks.as_evaluated("text/csv", answer("Yes", "Yes"), known)
    assert checks.metric(known, answer("Yes", "Yes"), contract) == "metric: auc 0.5 on 2 golden rows"
    with pytest.raises(VerdictError, match="1 of 2 classes differ"):
        checks.as_evaluated("text/csv", answer("Yes", "No"), known)


def test_a_metric_of_decisions_is_measured_by_what_the_endpoint_decided() -> None:
    """A probability of 0.3 is decided as Yes where the version's threshold is 0.2: the labels count, not one half."""
    contract = from_preparation(prepared(ARRESTS.but(metric="f1"), ["No", "Yes"]))
    cells = ["1"] * len(ARRESTS.features)
    known = golden.parse(golden_csv(ARRESTS, [[*cells, "Yes", "Yes"], [*cells, "No", "No"]]).decode(), contract)
    given = [{"score": 0.3, "predicted_label": "Yes"}, {"score": 0.1, "predicted_label": "No"}]
    answer = invocation.read_answer(json.dumps({"predictions": given}).encode(), 2, contract)
    assert checks.metric(known, answer, contract) == "metric: f1 1 on 2 golden rows"
    other = replace(contract, metric="average_precision")
    assert checks.metric(known, answer, other) == "metric: average_precision 1 on 2 golden rows"


class BatchRegistry(script_account.Registry):
    """Where a batch model serves: its jobs answer the golden rows at once, each row with what `answer` says of it."""

    def __init__(self, s3: script_account.S3) -> None:
        super().__init__(s3)
        self.jobs: list[dict[str, Any]] = []
        self.answer, self.status = (lambda row: ["Yes", "0.75"]), "Completed"
        self.package = f"{PACKAGE}/7"

    def describe_model(self, *, ModelName: str) -> dict[str, Any]:  # noqa: N803
        assert ModelName == "Model-abc"
        return {"PrimaryContainer": {"ModelPackageName": self.package}}

    def create_transform_job(self, **request: Any) -> None:
        self.jobs.append(request)
        source = request["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"].removeprefix("s3://")
        rows = csv.reader(io.StringIO(self.s3.objects[source].decode()))
        answered = invocation.csv_body([[*row, *self.answer(row)] for row in rows])
        self.s3.objects[f"{request['TransformOutput']['S3OutputPath'].removeprefix('s3://')}/{source.rsplit('/', 1)[-1]}.out"] = answered

    def describe_transform_job(self, **_: str) -> dict[str, Any]:
        return {"TransformJobStatus": self.status, "FailureReason": "ClientError: no"}


class BatchStacks:
    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803
        assert StackName == "shop--arrests--live"
        return {"Stacks": [{"Outputs": [{"OutputKey": "ModelName", "OutputValue": "Model-abc"}]}]}


class Caller:
    def get_caller_identity(self) -> dict[str, str]:
        return {"Account": "111122223333"}


@pytest.fixture
def batch(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    """Version 7 of a model that has no endpoint; its golden rows are both Yes, as it said."""
    made = script_account.install(monkeypatch)
    made.sagemaker = BatchRegistry(made.s3)
    made.clients |= {"sagemaker": made.sagemaker, "cloudformation": BatchStacks(), "sts": Caller()}
    cells = ["1"] * len(ARRESTS.features)
    made.register(7, ARRESTS, [[*cells, "Yes", "Yes"], [*cells[:-1], "", "No", "Yes"]], ["No", "Yes"])
    return made


def check_batch() -> int:
    return run(verify.main, ["--model", "arrests", "--stage", PRODUCTION.name, "--package", f"{PACKAGE}/7"])


def test_a_batch_model_is_asked_by_a_job_with_the_deployed_model(batch: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_batch() == 0
    assert "batch: 2 answers equal the evaluation's" in capsys.readouterr().out
    (job,) = batch.sagemaker.jobs
    assert job["ModelName"] == "Model-abc"
    assert job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"].startswith("s3://shop--live-111122223333-us-east-1/batch/arrests/")
    assert job["TransformOutput"]["KmsKeyId"] == job["TransformResources"]["VolumeKmsKeyId"] == "alias/shop--live"
    model = boto3.client("sagemaker", region_name="us-east-1").meta.service_model.operation_model("CreateTransformJob")
    assert not ParamValidator().validate(job, model.input_shape).has_errors()


def test_no_folder_of_golden_rows_looks_like_rows_to_be_scored(batch: ScriptAccount) -> None:
    """`_SUCCESS` would start a scoring of its own."""
    check_batch()
    assert not any(key.endswith("_SUCCESS") for key in batch.s3.writes)


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ({"answer": lambda row: ["No", "0.25"]}, "batch: 2 of 2 classes differ from the evaluation's"),
        ({"answer": lambda row: ["Yes", "likely"]}, "are not those of a binary version"),
        ({"status": "Failed"}, "is Failed: ClientError: no"),
        ({"package": f"{PACKAGE}/6"}, f"is of {PACKAGE}/6, not {PACKAGE}/7"),
    ],
)
def test_each_fault_of_a_batch_model_is_found(
    batch: ScriptAccount, capsys: pytest.CaptureFixture[str], how: dict[str, Any], named: str
) -> None:
    for name, value in how.items():
        setattr(batch.sagemaker, name, value)
    assert check_batch() == 1
    assert named in capsys.readouterr().err


def test_a_job_on_instances_with_own_disks_has_no_key_for_them(batch: ScriptAccount) -> None:
    """SageMaker refuses one: those disks are encrypted by hardware."""
    names = example_models.ARRESTS.names(PROJECT).at(PRODUCTION.name)
    place = EnvironmentPlace(ProjectEnvironment(PROJECT), PRODUCTION, names)
    asked = verification_job.request(place, names, Batch(instance_type="ml.g5.xlarge"), "Model-abc")
    assert "VolumeKmsKeyId" not in asked["TransformResources"]


class Clocked:
    """An endpoint whose answers take what `milliseconds` say in turn, then 5 ms; and a person's watch."""

    def __init__(self, *milliseconds: float, then: float = 5.0) -> None:
        self.takes, self.then = iter(milliseconds), then
        self.asked, self.seconds = 0, 0.0

    def ask(self, _: int) -> float:
        took = next(self.takes, self.then)
        self.asked, self.seconds = self.asked + 1, self.seconds + took / 1000
        return took

    def pause(self, seconds: float) -> None:
        self.seconds += seconds

    def judged(self, limit_ms: int = 500) -> str:
        return verify.latency_line(self.ask, limit_ms, self.pause)


WARM = [5.0] * verify.WARM_UP_REQUESTS


def test_one_slow_moment_is_not_a_slow_endpoint() -> None:
    assert "p99 5.0 ms" in Clocked(*WARM, *[900.0] * 3).judged()


def test_first_answers_that_are_slow_do_not_count() -> None:
    assert "0 slower" in Clocked(*[3000.0] * 2).judged()


@pytest.mark.parametrize(("milliseconds", "at_most_seconds"), [(2000.0, 30), (4000.0, 45)])
def test_a_slow_version_is_given_up_in_seconds(milliseconds: float, at_most_seconds: float) -> None:
    slow = Clocked(then=milliseconds)
    with pytest.raises(VerdictError, match=rf"too slow: \d+ of \d+ answers took longer than the 500 ms .*p50 {milliseconds:.0f} ms"):
        slow.judged()
    assert slow.seconds <= at_most_seconds


@pytest.mark.parametrize("at", [(0, 1), (40, 41), (70, 72)])
def test_two_slow_answers_of_a_hundred_do_not_decide(at: tuple[int, int]) -> None:
    endpoint = Clocked(*WARM, *(900.0 if index in at else 5.0 for index in range(100)))
    endpoint.judged()
    assert endpoint.asked < 500


def test_every_tenth_answer_too_slow_is_too_slow() -> None:
    with pytest.raises(VerdictError, match="too slow"):
        Clocked(*[5.0, *[900.0, *[5.0] * 9] * 200]).judged()


def test_the_time_for_answers_that_are_almost_too_slow_is_bounded() -> None:
    patient = Clocked(then=4900.0)
    assert "of 5000 ms allowed" in patient.judged(5000)
    assert patient.seconds <= verify.ROUND_SECONDS + verify.WARM_UP_SECONDS + 2 * 4.9


def test_an_answer_that_does_not_come_is_too_slow(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    def hang(**_: Any) -> None:
        raise ReadTimeoutError(endpoint_url="https://runtime")

    account.clients["sagemaker-runtime"].invoke_endpoint = hang
    assert check() == 1
    assert "too slow: no answer of shop--abalone--live within" in capsys.readouterr().err
