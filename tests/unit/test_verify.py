"""Claims about verification: each way in which a deployment can be wrong is found, and success in production is remembered."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from build_scripts.command_line import VerdictError, run
from deploy_scripts import checks, verify
from settings import ARRESTS
from tests.unit import script_account
from tests.unit.script_account import DATASET, PACKAGE, ScriptAccount, refusal

ROWS = [[str(index + 1)] * len(DATASET.numeric) + ["M"] * len(DATASET.categorical) for index in range(3)]


def score(row: list[Any]) -> float:
    return float(row[0]) * 2


def golden_csv() -> str:
    header = [*DATASET.features, DATASET.target, "prediction"]
    return "\n".join([",".join(header), *(",".join([*row, str(score(row) + 1), str(score(row))]) for row in ROWS)]) + "\n"


class Runtime:
    """A model server that doubles the first column."""

    def __init__(self) -> None:
        self.bias, self.refuses, self.answer = 0.0, True, None

    def invoke_endpoint(self, *, Body: bytes, ContentType: str, **_: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        if ContentType == "text/csv":
            rows = [line.split(",") for line in Body.decode().splitlines()]
        elif ContentType == "application/json":
            rows = json.loads(Body)["instances"]
        elif self.refuses:
            error = refusal("ModelError", "unsupported", "InvokeEndpoint")
            error.response["OriginalStatusCode"] = 415
            raise error
        else:
            rows = ROWS
        answer = self.answer or json.dumps({"predictions": [{"score": score(row) + self.bias} for row in rows]}).encode()
        return {"Body": io.BytesIO(answer)}


class Stacks:
    config = "config-1"

    def describe_stack_resources(self, **_: str) -> dict[str, Any]:
        return {
            "StackResources": [
                {"ResourceType": "AWS::SageMaker::EndpointConfig", "PhysicalResourceId": f"arn:x:endpoint-config/{self.config}"}
            ]
        }


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ScriptAccount:
    made = script_account.install(monkeypatch)
    made.clients |= {"sagemaker-runtime": Runtime(), "cloudformation": Stacks()}
    made.sagemaker.add(7, **{"golden-url": "s3://artifacts/golden.csv", "git-commit": "abc"})
    made.sagemaker.serve("mlops-production", 7)
    made.sagemaker.serve("mlops-staging", 7)
    made.s3.objects["artifacts/golden.csv"] = golden_csv().encode()
    return made


def check(stage: str = "production", number: int = 7) -> int:
    return run(verify.main, ["--stage", stage, "--package", f"{PACKAGE}/{number}"])


def test_good_production_is_remembered_with_the_other_facts(account: ScriptAccount) -> None:
    assert check() == 0
    facts = account.sagemaker.packages[7]["CustomerMetadataProperties"]
    assert facts["served-production"]
    assert facts["git-commit"] == "abc"


def test_staging_is_not_production(account: ScriptAccount) -> None:
    assert check("staging") == 0
    assert "served-production" not in account.sagemaker.packages[7]["CustomerMetadataProperties"]


@pytest.mark.parametrize("status", ["Updating", "SystemUpdating"])
def test_an_endpoint_whose_instances_change_meanwhile_serves(account: ScriptAccount, status: str) -> None:
    """Autoscaling does not wait for a verification: the bounds that a deployment sets may be what makes it act."""
    account.sagemaker.endpoints["mlops-production"]["status"] = status
    assert check() == 0


def broken(account: ScriptAccount, how: str) -> None:
    runtime, registry = account.clients["sagemaker-runtime"], account.sagemaker
    if how == "taken back":
        registry.endpoints["mlops-production"]["status"] = "RollingBack"
    elif how == "another version is live":
        registry.serve("mlops-production", 6)
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
def test_each_fault_is_found_and_nothing_is_marked(
    account: ScriptAccount, capsys: pytest.CaptureFixture[str], how: str, named: str
) -> None:
    broken(account, how)
    assert check() == 1
    assert named in capsys.readouterr().err
    assert "served-production" not in account.sagemaker.packages[7]["CustomerMetadataProperties"]


def test_slow_endpoint_fails(account: ScriptAccount, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(verify.Endpoint, "milliseconds", lambda *_: 900.0)
    assert check() == 1
    assert "p99 is 900 ms; settings.py allows 500 ms" in capsys.readouterr().err


def test_version_without_golden_rows_is_said(account: ScriptAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.sagemaker.packages[7]["CustomerMetadataProperties"] = {}
    assert check() == 2
    assert "no golden-url" in capsys.readouterr().err


def test_classes_are_compared_by_name() -> None:
    header = ",".join([*ARRESTS.features, ARRESTS.target, "prediction"])
    cells = ",".join(["1"] * len(ARRESTS.features))
    golden = checks.read_golden(f"{header}\n{cells},Yes,Yes\n{cells},No,Yes\n", ARRESTS)

    def answer(*labels: str) -> checks.Answer:
        body = json.dumps({"predictions": [{"score": 0.7, "predicted_label": label} for label in labels]}).encode()
        return checks.read_answer(body, 2, ARRESTS)

    assert "2 answers equal" in checks.as_evaluated("text/csv", answer("Yes", "Yes"), golden)
    assert checks.metric(golden, answer("Yes", "Yes"), ARRESTS) == "metric: auc 0.5 on 2 golden rows"
    with pytest.raises(VerdictError, match="1 of 2 classes differ"):
        checks.as_evaluated("text/csv", answer("Yes", "No"), golden)


def test_a_metric_of_decisions_is_measured_by_what_the_endpoint_decided() -> None:
    """A probability of 0.3 is decided as Yes where the version's threshold is 0.2: the labels count, not one half."""
    header = ",".join([*ARRESTS.features, ARRESTS.target, "prediction"])
    cells = ",".join(["1"] * len(ARRESTS.features))
    dataset = replace(ARRESTS, metric="f1")
    golden = checks.read_golden(f"{header}\n{cells},Yes,Yes\n{cells},No,No\n", dataset)
    given = [{"score": 0.3, "predicted_label": "Yes"}, {"score": 0.1, "predicted_label": "No"}]
    answer = checks.read_answer(json.dumps({"predictions": given}).encode(), 2, dataset)
    assert checks.metric(golden, answer, dataset) == "metric: f1 1 on 2 golden rows"
    assert checks.metric(golden, answer, replace(ARRESTS, metric="average_precision")) == "metric: average_precision 1 on 2 golden rows"


def test_one_slow_moment_is_not_a_slow_endpoint() -> None:
    seconds = iter([900.0] * 100 + [5.0] * 100)
    assert "p99 5.0 ms" in verify.latency_line(lambda _: next(seconds), 500)


def test_an_endpoint_that_stays_slow_is_refused() -> None:
    with pytest.raises(VerdictError, match="p99 is 900 ms"):
        verify.latency_line(lambda _: 900.0, 500)
