"""The load test of the template: which endpoint, what it is sent, and how slow is too slow. The engine: packages/capacity."""

from __future__ import annotations

import io
from typing import Any

import pytest

from build_scripts.command_line import ProblemError, run
from build_scripts.project_environment import ProjectEnvironment
from capacity.measure import sender
from deploy_scripts import load_test
from deploy_scripts.load_test import golden_bodies, parser
from settings_schema import Categorical, Numeric
from tests.unit import script_account
from tests.unit.script_account import MODEL, PROJECT, SETTINGS


def options(*arguments: str) -> Any:
    return parser().parse_args(["--endpoint", "e", "--p99-ms", "500", *arguments])


@pytest.mark.parametrize("arguments", [["--seconds", "0"], ["--safety", "0"], ["--content-type", "image/png"]])
def test_bounds_that_do_not_bound_are_refused_before_anything_is_sent(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script_account.install(monkeypatch)
    assert run(load_test.main, ["--endpoint", "e", "--p99-ms", "5", *arguments]) == 2
    error = capsys.readouterr().err.strip()
    assert "allowed" in error and "\n" not in error


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
        ("application/jsonlines", '{"größe": null, "lane, road": "1,5", "side": "a \\"b\\""}\n'.encode()),
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
    send = sender(runtime, "e", content_type, bodies)
    for _ in range(3):
        send()
    assert runtime.bodies == [bodies[0], bodies[1], bodies[0]]
    assert bodies[0] == first


def test_a_version_that_was_deleted_has_no_golden_rows_and_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    account = script_account.install(monkeypatch)
    account.sagemaker.serve("e", 3)
    with pytest.raises(ProblemError, match="serves version 3, which was deleted from the registry"):
        golden_bodies(ProjectEnvironment(PROJECT), account.sagemaker, options())


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
    assert run(load_test.main, arguments) == 2
    assert named in capsys.readouterr().err


def test_the_latency_that_is_too_much_is_that_of_who_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    script_account.install(monkeypatch)
    given = parser().parse_args(["--environment", "try"])
    load_test.place_of(given, SETTINGS)
    assert (given.endpoint, given.p99_ms) == ("shop--abalone--try", 500.0)
