"""The load test measures rightly, stays within its bounds and refuses bounds that do not bound."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from build_scripts.command_line import ProblemError
from build_scripts.project_environment import ProjectEnvironment
from capacity import service
from deploy_scripts import load_test
from deploy_scripts.load_test import (
    Limiter,
    LoadTestError,
    Stage,
    golden_bodies,
    main,
    parser,
    run_stage,
    run_stages,
    sender,
    summarise,
)
from settings_schema import Categorical, Numeric
from tests.unit import script_account
from tests.unit.script_account import MODEL, PROJECT


def options(*arguments: str) -> Any:
    return parser().parse_args(["--endpoint", "e", "--p99-ms", "500", *arguments])


def stage(senders: int, rps: float, latency_ms: float, errors: int = 0) -> Stage:
    count = int(rps * 10)
    return Stage(senders, 10.0, count + errors, errors, (latency_ms,) * count)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seconds", "0"],
        ["--seconds", "-1"],
        ["--max-rps", "0"],
        ["--max-rps", "1e9"],
        ["--safety", "0"],
        ["--max-senders", "0"],
        ["--content-type", "image/png"],
    ],
)
def test_bounds_that_do_not_bound_are_refused_before_anything_is_sent(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--endpoint", "e", *arguments]) == 2
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
        lambda: None, options("--max-rps", "1000"), lambda stage: None, stage=lambda send, senders, seconds, limiter: results[senders]
    )


def test_senders_double_until_throughput_is_flat() -> None:
    found = planned({1: stage(1, 50, 20), 2: stage(2, 98, 20), 4: stage(4, 100, 40), 8: stage(8, 100, 80)})
    assert [s.senders for s in found] == [1, 2, 4]


def test_senders_stop_when_latency_exceeds_the_limit() -> None:
    assert [s.senders for s in planned({1: stage(1, 50, 20), 2: stage(2, 98, 900)})] == [1, 2]


def test_the_formula_is_max_rps_times_safety_times_60() -> None:
    result = summarise([stage(1, 50, 20), stage(2, 96, 20), stage(4, 100, 900)], options("--safety", "0.5"), 2, None)
    assert result["max_rps_per_instance"] == pytest.approx(48)
    assert result["target_invocations_per_instance"] == pytest.approx(48 * 0.5 * 60)
    assert result["workers"] == 1  # 48 requests/s x 20 ms = 0.96 requests in service


def test_the_result_is_what_the_simulator_reads(tmp_path: Path) -> None:
    path = tmp_path / "load.json"
    path.write_text(json.dumps(summarise([stage(1, 50, 20), stage(2, 98, 20)], options(), 1, "ml.m5.large")))
    measured = service.read(path)
    assert measured.workers == 2 and measured.mean_seconds == pytest.approx(0.020)


def test_an_endpoint_that_is_too_slow_from_the_start_is_said() -> None:
    with pytest.raises(LoadTestError, match="even one sender"):
        summarise([stage(1, 1, 5000)], options("--p99-ms", "100"), 1, None)


class Answers:
    """A model server that answers everything and keeps what it was asked."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
        self.bodies.append(request["Body"])
        return {"Body": io.BytesIO(b"{}")}


@pytest.mark.parametrize(
    ("content_type", "first"),
    [
        ("text/csv", b',"1,5","a ""b"""\n'),
        ("application/json", '{"instances": [{"größe": null, "lane, road": "1,5", "side": "a \\"b\\""}]}'.encode()),
    ],
)
def test_it_sends_the_golden_rows_of_the_version_that_is_served(monkeypatch: pytest.MonkeyPatch, content_type: str, first: bytes) -> None:
    """Not of the model's columns today, which may be another one by now, and in the form of a client's."""
    account = script_account.install(monkeypatch)
    dataset = MODEL.data.but(numeric=(Numeric(name="größe"),), categorical=(Categorical(name="lane, road"), Categorical(name="side")))
    account.register(3, dataset, [["", "1,5", 'a "b"', "1", "1"], ["2", "x", "y", "1", "1"]])
    account.sagemaker.serve("e", 3)
    bodies = golden_bodies(ProjectEnvironment(PROJECT), account.sagemaker, options("--content-type", content_type))
    runtime = Answers()
    send = sender(runtime, options(), bodies)
    for _ in range(3):
        send()
    assert runtime.bodies == [bodies[0], bodies[1], bodies[0]]
    assert bodies[0] == first


def test_a_version_that_was_deleted_has_no_golden_rows_and_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    account = script_account.install(monkeypatch)
    account.sagemaker.serve("e", 3)
    with pytest.raises(ProblemError, match="serves version 3, which was deleted from the registry"):
        golden_bodies(ProjectEnvironment(PROJECT), account.sagemaker, options())


class Runtime:
    """Answers with an error of this code."""

    def __init__(self, code: str, original: int | None = None) -> None:
        self._code, self._original = code, original
        self.asked: list[str] = []

    def invoke_endpoint(self, **arguments: Any) -> Any:
        from botocore.exceptions import ClientError

        self.asked.append(arguments["EndpointName"])
        response: Any = {
            "Error": {"Code": self._code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": 424 if self._original else 400},
        }
        if self._original:
            response["OriginalStatusCode"] = self._original
        raise ClientError(response, "InvokeEndpoint")


def test_a_refused_request_ends_the_test_and_an_overload_is_counted() -> None:
    with pytest.raises(LoadTestError, match="refuses the request"):
        sender(Runtime("ModelError", 415), options(), [b""])()
    with pytest.raises(ConnectionError):
        sender(Runtime("ModelError", 503), options(), [b""])()
    runtime = Runtime("ThrottlingException")
    with pytest.raises(ConnectionError):
        sender(runtime, options(), [b""])()
    assert runtime.asked == ["e"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "endpoint shop--abalone--try does not exist"),
        (["--environment", "live"], "endpoint shop--abalone--live does not exist"),
        (["--model", "arrests"], "model arrests has no endpoint in try: models/ says Batch"),
        (["--model", "abalon"], "--model is 'abalon'; allowed: abalone, arrests"),
    ],
)
def test_the_model_s_endpoint_is_loaded_where_it_is_tested_or_where_one_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    script_account.install(monkeypatch)
    assert main(arguments) == 2
    assert named in capsys.readouterr().err


def test_the_latency_that_is_too_much_is_that_of_who_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    script_account.install(monkeypatch)
    given = parser().parse_args(["--environment", "try"])
    load_test.place_of(given)
    assert (given.endpoint, given.p99_ms) == ("shop--abalone--try", 500.0)
