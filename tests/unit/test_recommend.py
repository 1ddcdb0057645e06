"""Claims about `python -m deploy_scripts.recommend`: what SageMaker is asked for a version, and what comes of its answer."""

from __future__ import annotations

import io
import json
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from build_scripts import command_line
from capacity import instances
from capacity.service import given
from deploy_scripts import capacity_plan, recommend, recommender_job
from local_account.errors import NotEmulatedError
from settings_schema import Categorical, DataSet, Numeric, Problem
from tests.unit.script_account import GROUP, NAMES, ScriptAccount, install, refusal

SERVICE = botocore.session.get_session().get_service_model("sagemaker")
HOUSES = DataSet(
    problem=Problem.REGRESSION,
    target="price",
    numeric=(Numeric(name="area"),),
    categorical=(Categorical(name="town"),),
    metric="rmse",
    threshold=1.0,
)
ROWS = [["50.5", "Lima, Peru", "10.0", "11.0"], ["70", "", "12.0", "13.0"]]
TYPES = ["ml.m5.large", "ml.c5.large"]


class Recommender:
    """The part of SageMaker that recommends: its jobs end as `statuses` says, and `made` holds what was asked."""

    def __init__(self, statuses: tuple[str, ...] = ("PENDING", "IN_PROGRESS", "COMPLETED"), reason: str = "") -> None:
        self.statuses, self.reason, self.made = list(statuses), reason, []  # type: ignore[var-annotated]
        self.refuses: Exception | None = None

    def list_inference_recommendations_jobs(self, *, MaxResults: int) -> dict[str, Any]:  # noqa: N803
        if self.refuses:
            raise self.refuses
        return {"InferenceRecommendationsJobs": []}

    def create_inference_recommendations_job(self, **request: Any) -> dict[str, Any]:
        self.made.append(request)
        return {"JobArn": "arn"}

    def describe_inference_recommendations_job(self, *, JobName: str) -> dict[str, Any]:  # noqa: N803
        if JobName == "gone":
            raise refusal("ResourceNotFound", "no such job", "DescribeInferenceRecommendationsJob")
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        answer = {"JobName": JobName, "Status": status, "CreationTime": datetime(2026, 11, 27, tzinfo=UTC)}
        return {**answer, **({"FailureReason": self.reason} if status == "FAILED" else {"InferenceRecommendations": found()})}


def found() -> list[dict[str, Any]]:
    """A fast type for 0.3 USD, a slow one for 0.1, and a serverless one, which no instance type is."""

    def one(endpoint: dict[str, Any], invocations: int, usd: float) -> dict[str, Any]:
        metrics = {"MaxInvocations": invocations, "ModelLatency": 4000, "CostPerHour": usd}
        return {
            "EndpointConfiguration": {"EndpointName": "e", "VariantName": "v", **endpoint},
            "Metrics": metrics,
            "ModelConfiguration": {},
        }

    two = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
    serverless = {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}
    return [one(two, 12000, 0.3), one({"InstanceType": "ml.c5.large", "InitialInstanceCount": 1}, 3000, 0.1), one(serverless, 60, 0.0)]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptAccount:
    """Version 3 with two golden rows, registered for two instance types, made in AWS's XGBoost image."""
    made = install(monkeypatch)
    made.register(3, HOUSES, ROWS)
    specification = made.sagemaker.packages[3]["InferenceSpecification"]
    specification["SupportedRealtimeInferenceInstanceTypes"] = TYPES
    specification["Containers"][0]["Image"] = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
    become(made, Recommender())
    monkeypatch.setattr(recommender_job, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(recommender_job.time, "sleep", lambda _: None)
    monkeypatch.chdir(tmp_path)
    return made


def become(account: ScriptAccount, recommender: Recommender) -> Recommender:
    for name in dir(recommender):
        if "inference_recommendations_job" in name:
            setattr(account.sagemaker, name, getattr(recommender, name))
    account.clients["recommender"] = recommender
    return recommender


def recommended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = command_line.run(recommend.main, list(arguments))
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_a_job_is_asked_as_sagemakers_model_of_it_has_it(account: ScriptAccount, capsys) -> None:
    assert recommended(capsys)[0] == 0
    request = account.clients["recommender"].made[0]
    shape = SERVICE.operation_model("CreateInferenceRecommendationsJob").input_shape
    assert not ParamValidator().validate(request, shape).has_errors()
    assert re.fullmatch(shape.members["JobName"].metadata["pattern"], request["JobName"])
    assert len(request["JobName"]) <= shape.members["JobName"].metadata["max"]
    assert len(NAMES.sizing_jobs) < 40  # what SageMaker keeps of it in the names of what the job makes
    assert request["JobName"].startswith(f"{NAMES.sizing_jobs}3-")
    assert request["RoleArn"] == f"arn:aws:iam::111122223333:role/{NAMES.stack}--sizing"
    asked = request["InputConfig"]
    assert asked["ModelPackageVersionArn"].endswith(f"/{GROUP}/3")
    container = asked["ContainerConfig"]
    assert (container["Domain"], container["Task"], container["SupportedEndpointType"]) == ("MACHINE_LEARNING", "REGRESSION", "RealTime")
    assert (container["Framework"], container["FrameworkVersion"]) == ("XGBOOST", "3.2-0")
    assert container["SupportedInstanceTypes"] == TYPES
    assert "VpcConfig" not in asked


def test_the_golden_rows_are_the_requests_one_file_each(account: ScriptAccount, capsys) -> None:
    recommended(capsys)
    url = account.clients["recommender"].made[0]["InputConfig"]["ContainerConfig"]["PayloadConfig"]["SamplePayloadUrl"]
    assert url.startswith(f"s3://artifacts/pipelines/{NAMES.training_pipeline}/")
    with tarfile.open(fileobj=io.BytesIO(account.s3.objects[url.removeprefix("s3://")]), mode="r:gz") as archive:
        bodies = [archive.extractfile(name).read() for name in archive.getnames()]  # type: ignore[union-attr]
    assert bodies == [b'50.5,"Lima, Peru"\n', b"70,\n"]


def test_in_a_network_the_job_is_in_it_too(account: ScriptAccount, capsys, monkeypatch) -> None:
    monkeypatch.setenv("VPC_SUBNET_IDS", "subnet-1,subnet-2")
    monkeypatch.setenv("VPC_SECURITY_GROUP_IDS", "sg-1")
    recommended(capsys)
    network = account.clients["recommender"].made[0]["InputConfig"]["VpcConfig"]
    assert network == {"Subnets": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}


def test_a_container_of_another_name_is_no_xgboost(account: ScriptAccount, capsys) -> None:
    account.sagemaker.packages[3]["InferenceSpecification"]["Containers"][0]["Image"] = "own/sagemaker-xgboost-like:3.2-0"
    recommended(capsys)
    assert "Framework" not in account.clients["recommender"].made[0]["InputConfig"]["ContainerConfig"]


def test_the_job_is_followed_and_its_answer_is_what_make_capacity_reads(account: ScriptAccount, capsys) -> None:
    code, printed = recommended(capsys)
    statuses = re.findall(r"^job \S+: (\w+)$", printed, re.MULTILINE)
    assert (code, statuses) == (0, ["PENDING", "IN_PROGRESS", "COMPLETED"])
    rows = [" ".join(line.split()) for line in printed.splitlines() if line.startswith("  ")]
    assert rows == [
        "1 x ml.c5.large 50.0 requests/s 4.0 ms USD 0.100 an hour",
        "2 x ml.m5.large 200.0 requests/s 4.0 ms USD 0.300 an hour",
    ]
    file = Path("out/recommender/abalone.json")
    assert capacity_plan.tried(file) == [f"--inference-recommender={file}"]
    options = instances.read(file, given(20, p99_ms=60, workers=2))
    assert [(option.instance_type, option.usd_per_hour) for option in options] == [("ml.c5.large", 0.1), ("ml.m5.large", 0.15)]


def test_nothing_is_added_to_make_capacity_where_nothing_was_tried(account: ScriptAccount) -> None:
    assert capacity_plan.tried(recommend.file_of("abalone")) == []


def test_a_dry_run_says_what_it_costs_and_starts_nothing(account: ScriptAccount, capsys) -> None:
    code, printed = recommended(capsys, "--dry-run")
    assert code == 0
    assert f"tries version 3 with 2 golden rows on {', '.join(TYPES)}" in printed
    # 0.1 USD an hour for 45 minutes; nobody has noted what the other type costs.
    assert "at most USD 0.08 for 45 minutes of each (a page, noted 2026-01), and what ml.c5.large cost, of which Prices" in printed
    assert (account.clients["recommender"].made, account.s3.writes) == ([], [])


NOT_OFFERED = {
    "the local account": refusal(NotEmulatedError("sagemaker", "x").code, "The local account does not implement sagemaker:x.", "List"),
    "a region without it": refusal("UnknownOperationException", "", "ListInferenceRecommendationsJobs"),
    "closed": refusal("AccessDeniedException", "Inference Recommender is not available to new customers.", "List"),
}


@pytest.mark.parametrize("case", NOT_OFFERED)
def test_where_it_is_not_offered_that_is_said_and_no_failure(account: ScriptAccount, capsys, case: str) -> None:
    account.clients["recommender"].refuses = NOT_OFFERED[case]
    code, printed = recommended(capsys)
    assert (code, len(printed.splitlines())) == (0, 1)
    assert printed.startswith("skipped: Inference Recommender is not offered here (")
    assert (account.clients["recommender"].made, account.s3.writes) == ([], [])


def test_who_may_not_ask_is_told_so(account: ScriptAccount, capsys) -> None:
    account.clients["recommender"].refuses = refusal("AccessDeniedException", "User: x is not authorized to perform: y", "List")
    code, printed = recommended(capsys)
    assert (code, printed) == (2, "error: List: AccessDeniedException: User: x is not authorized to perform: y\n")


def test_a_failed_job_says_why_and_leaves_the_answer_of_before(account: ScriptAccount, capsys) -> None:
    recommended(capsys)
    before = Path("out/recommender/abalone.json").read_bytes()
    become(account, Recommender(("FAILED",), "INVALID_INPUT: the container answered 400"))
    code, printed = recommended(capsys)
    assert code == 1
    assert re.search(r"^error: job \S+ is FAILED: INVALID_INPUT: the container answered 400$", printed, re.MULTILINE)
    assert Path("out/recommender/abalone.json").read_bytes() == before


def test_a_job_that_was_started_before_is_read_and_none_is_started(account: ScriptAccount, capsys) -> None:
    assert recommended(capsys, "--job", "earlier")[0] == 0
    assert json.loads(Path("out/recommender/abalone.json").read_text(encoding="utf-8"))["JobName"] == "earlier"
    assert account.clients["recommender"].made == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--job", "gone"], "job gone does not exist"),
        (["--version", "7"], "version 7 of"),
        (["--instance-type", "ml.p5.48xlarge"], "version 3 is registered for ml.m5.large, ml.c5.large (INSTANCE_TYPES of"),
        (["--model", "arrests"], "--model is 'arrests'"),
    ],
)
def test_bad_input_is_one_line_and_starts_nothing(account: ScriptAccount, capsys, arguments: list[str], said: str) -> None:
    code, printed = recommended(capsys, *arguments)
    assert (code, len(printed.splitlines()), said in printed) == (2, 1, True), printed
    assert (account.clients["recommender"].made, account.s3.writes) == ([], [])
