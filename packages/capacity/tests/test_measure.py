"""The load test measures rightly, stays within its bounds and refuses bounds that do not bound."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from capacity import measure, service
from capacity.load import Bounds, Limiter, Stage, run_stage, run_stages, summarise
from capacity.model import CapacityError


def bounds(**changes: Any) -> Bounds:
    return Bounds(**{"seconds": 60, "max_rps": 200, "max_senders": 32, "p99_ms": 500, **changes})


def stage(senders: int, rps: float, latency_ms: float, errors: int = 0) -> Stage:
    count = int(rps * 10)
    return Stage(senders, 10.0, count + errors, errors, (latency_ms,) * count)


GIVEN = ["--endpoint", "e", "--p99-ms", "500", "--payload", "row.csv"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seconds", "0"],
        ["--seconds", "-1"],
        ["--max-rps", "0"],
        ["--max-rps", "1e9"],
        ["--safety", "0"],
        ["--max-senders", "0"],
        ["--p99-ms", "0"],
        ["--output", "."],
    ],
)
def test_bounds_that_do_not_bound_are_refused_before_anything_is_asked(
    arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "boto3", None)
    assert measure.main([*GIVEN, *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert "allowed" in error and "\n" not in error


def test_the_limiter_spaces_requests() -> None:
    limiter = Limiter(10.0, now=lambda: 5.0)
    assert [round(limiter.delay(), 3) for _ in range(4)] == [0.0, 0.1, 0.2, 0.3]


def test_a_stage_stays_below_the_rate() -> None:
    """However slow the machine: one that has no time for it sends fewer."""
    made = run_stage(lambda: None, 4, 0.3, Limiter(100.0))
    assert made.requests <= 31 and made.errors == 0


def test_failures_are_counted() -> None:
    def fail() -> None:
        raise ConnectionError

    assert run_stage(fail, 1, 0.1, Limiter(50.0)).errors > 0


def planned(results: dict[int, Stage]) -> list[Stage]:
    return run_stages(
        lambda: None, bounds(max_rps=1000), lambda stage: None, stage=lambda send, senders, seconds, limiter: results[senders]
    )


def test_senders_double_until_throughput_is_flat() -> None:
    found = planned({1: stage(1, 50, 20), 2: stage(2, 98, 20), 4: stage(4, 100, 40), 8: stage(8, 100, 80)})
    assert [s.senders for s in found] == [1, 2, 4]


def test_senders_stop_when_latency_exceeds_the_limit() -> None:
    assert [s.senders for s in planned({1: stage(1, 50, 20), 2: stage(2, 98, 900)})] == [1, 2]


def test_the_formula_is_max_rps_times_safety_times_60() -> None:
    result = summarise([stage(1, 50, 20), stage(2, 96, 20), stage(4, 100, 900)], bounds(), 0.5, 2)
    assert result["max_rps_per_instance"] == pytest.approx(48)
    assert result["target_invocations_per_instance"] == pytest.approx(48 * 0.5 * 60)
    assert result["workers"] == 1  # 48 requests/s x 20 ms = 0.96 requests in service


def test_the_result_is_what_the_simulator_reads(tmp_path: Path) -> None:
    path = tmp_path / "load.json"
    path.write_text(json.dumps(summarise([stage(1, 50, 20), stage(2, 98, 20)], bounds(), 0.5, 1)))
    measured = service.read(path)
    assert measured.workers == 2 and measured.mean_seconds == pytest.approx(0.020)


def test_an_endpoint_that_is_too_slow_from_the_start_is_said() -> None:
    with pytest.raises(CapacityError, match="even one sender"):
        summarise([stage(1, 1, 5000)], bounds(p99_ms=100), 0.5, 1)


def test_senders_that_get_no_answer_at_all_end_the_test() -> None:
    with pytest.raises(CapacityError, match="no answer"):
        planned({1: Stage(1, 10.0, 3, 3, ())})


class Runtime:
    """Answers with an error of this code."""

    def __init__(self, code: str, original: int | None = None) -> None:
        self._code, self._original = code, original
        self.asked: list[str] = []

    def invoke_endpoint(self, **arguments: Any) -> Any:
        self.asked.append(arguments["EndpointName"])
        response: Any = {
            "Error": {"Code": self._code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": 424 if self._original else 400},
        }
        if self._original:
            response["OriginalStatusCode"] = self._original
        raise ClientError(response, "InvokeEndpoint")


def test_a_refused_request_ends_the_test_and_an_overload_is_counted() -> None:
    with pytest.raises(CapacityError, match="refuses the request"):
        measure.sender(Runtime("ModelError", 415), "e", "text/csv", [b""])()
    with pytest.raises(ConnectionError):
        measure.sender(Runtime("ModelError", 503), "e", "text/csv", [b""])()
    runtime = Runtime("ThrottlingException")
    with pytest.raises(ConnectionError):
        measure.sender(runtime, "e", "text/csv", [b""])()
    assert runtime.asked == ["e"]


class Endpoints:
    """SageMaker with one endpoint, whose config may be gone."""

    def __init__(self, status: str = "InService", config: bool = True) -> None:
        self._status, self._config = status, config

    def describe_endpoint(self, *, EndpointName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells it so
        if EndpointName != "e":
            raise ClientError({"Error": {"Code": "ValidationException", "Message": f'Could not find endpoint "{EndpointName}".'}}, "D")
        variants = [{"CurrentInstanceCount": 2}, {"CurrentInstanceCount": 1}]
        return {"EndpointStatus": self._status, "EndpointConfigName": "c", "ProductionVariants": variants}

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> dict[str, Any]:  # noqa: N803 - boto3 spells it so
        if not self._config:
            raise ClientError({"Error": {"Code": "ValidationException", "Message": f"Could not find {EndpointConfigName}"}}, "D")
        return {"ProductionVariants": [{"InstanceType": "ml.m5.large"}]}


@pytest.mark.parametrize(("config", "instance_type"), [(True, "ml.m5.large"), (False, None)])
def test_all_instances_share_the_load_also_of_an_endpoint_whose_config_was_deleted(config: bool, instance_type: str | None) -> None:
    assert measure.target_of(Endpoints(config=config), "e") == measure.Target("e", 3, instance_type)


@pytest.mark.parametrize(
    ("endpoints", "name", "says"),
    [(Endpoints(), "f", "f does not exist"), (Endpoints("Updating"), "e", "e is Updating; allowed: InService")],
)
def test_an_endpoint_that_is_not_there_or_changes_is_not_loaded(endpoints: Endpoints, name: str, says: str) -> None:
    with pytest.raises(CapacityError, match=says):
        measure.target_of(endpoints, name)


class Answers:
    """A model server that answers everything."""

    def invoke_endpoint(self, **_: Any) -> dict[str, Any]:
        return {"Body": io.BytesIO(b"1")}


def test_any_endpoint_is_measured_with_one_row_and_the_result_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Boto3:
        @staticmethod
        def client(service: str, config: Any = None) -> Any:
            return Endpoints() if service == "sagemaker" else Answers()

    monkeypatch.setattr(measure, "boto3", Boto3)
    (tmp_path / "row.csv").write_bytes(b"1,2")
    given = ["--endpoint", "e", "--p99-ms", "500", "--payload", str(tmp_path / "row.csv"), "--seconds", "1", "--max-rps", "100"]
    assert measure.main([*given, "--max-senders", "1", "--output", str(tmp_path / "out" / "load.json")]) == 0
    result = json.loads((tmp_path / "out" / "load.json").read_text())
    assert (result["endpoint"], result["instance_count"], result["instance_type"]) == ("e", 3, "ml.m5.large")
    assert f"Target tracking: {result['max_rps_per_instance']:.1f} x 0.5 x 60 = " in capsys.readouterr().out


def test_a_payload_that_cannot_be_read_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert measure.main(["--endpoint", "e", "--p99-ms", "500", "--payload", "nowhere.csv"]) == 2
    assert capsys.readouterr().err.startswith("capacity: payload nowhere.csv cannot be read")
