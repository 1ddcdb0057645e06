"""The serving contract: what the container would answer, the model server answers."""

from __future__ import annotations

import http.client
import importlib
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import flask
import pytest

from local_account.endpoints import router_key, serving_contract
from local_account.endpoints.model_server import ModelServer
from local_account.endpoints.serving_contract import BaseInferenceToolkitError, ContractError, Server, UnsupportedFormatError


def model_fn(_directory: str) -> str:
    return "model"


def served(**functions: Any) -> Server:
    return Server({"model_fn": model_fn, **functions}, Path("unused"))


def echo(**functions: Any) -> Server:
    """Answers what `input_fn` got, as text."""
    given: Mapping[str, Any] = {
        "input_fn": lambda data, content_type: (data, content_type),
        "predict_fn": lambda data, model: (*data, model),
        "output_fn": lambda prediction, accept: (repr((*prediction, accept)), "text/plain"),
        **functions,
    }
    return served(**given)


def test_text_types_arrive_as_text_and_others_as_bytes() -> None:
    assert echo().respond(b"1", "text/csv", "*/*").body == b"('1', 'text/csv', 'model', 'application/json')"
    assert echo().respond(b"1", "application/x-npy", "text/csv").body == b"(b'1', 'application/x-npy', 'model', 'text/csv')"
    assert echo().respond(b"1", "text/csv; a=b").body == b"(b'1', 'text/csv; a=b', 'model', 'application/json')"


def test_transform_fn_replaces_the_three() -> None:
    answer = served(transform_fn=lambda model, data, content_type, accept: (f"{model} {data} {accept}", "text/plain")).respond(
        b"x", "text/csv", "text/csv"
    )
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "text/plain; charset=utf-8", b"model x text/csv")


def test_transform_fn_beside_input_fn_is_refused() -> None:
    with pytest.raises(ContractError, match="transform_fn cannot be used together"):
        served(transform_fn=model_fn, input_fn=model_fn)


@pytest.mark.parametrize("stage", ["input_fn", "predict_fn", "output_fn"])
@pytest.mark.parametrize("error", [UnsupportedFormatError("image/png"), BaseInferenceToolkitError(400, "no", "Bad"), ValueError("plain")])
def test_whatever_is_raised_is_a_500(stage: str, error: Exception) -> None:
    def fail(*_: Any) -> Any:
        raise error

    assert echo(**{stage: fail}).respond(b"1", "text/csv").status == 500


def test_a_function_that_wants_a_context_is_a_500_as_it_gets_none() -> None:
    assert echo(predict_fn=lambda data, model, context: data).respond(b"1", "text/csv").status == 500


def test_a_response_keeps_its_status_its_type_and_its_headers() -> None:
    refusal = flask.Response("no", 415, {"x-more": "1"}, mimetype="text/plain")
    answer = echo(output_fn=lambda prediction, accept: refusal).respond(b"1", "text/csv")
    assert (answer.status, answer.body, answer.headers["x-more"]) == (415, b"no", "1")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_the_container_s_own_names_can_be_imported_as_in_the_image() -> None:
    serving_contract.install_container_modules()
    try:
        from sagemaker_containers.beta.framework import errors as old
        from sagemaker_inference import errors as new

        assert new.BaseInferenceToolkitError is BaseInferenceToolkitError
        assert old.UnsupportedFormatError is UnsupportedFormatError
        with pytest.raises(ImportError):
            importlib.import_module("sagemaker_containers.beta.framework.errors")
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] in ("sagemaker_containers", "sagemaker_inference")]:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "has no SAGEMAKER_PROGRAM"),
        ({"SAGEMAKER_PROGRAM": "inference.py"}, "no inference.py in /opt/ml/code"),
        ({"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/x"}, "no inference.py in SAGEMAKER_SUBMIT_DIRECTORY, /x"),
    ],
)
def test_a_package_without_program_says_what_it_lacks(tmp_path: Path, environment: dict[str, str], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        serving_contract.load(tmp_path, tmp_path, environment)


def test_defaults_read_csv_and_write_json_or_csv() -> None:
    model = SimpleNamespace(predict=lambda data, validate_features: [data.num_row(), data.num_col()])
    server = Server({"model_fn": lambda _directory: model}, Path("unused"))
    assert json.loads(server.respond(b"1,2,3\n4,,6", "text/csv").body) == [2, 3]
    assert server.respond(b"1,2,3\n4,,6", "text/csv", "text/csv").body == b"2\n3\n"
    assert server.respond(b"[1]", "application/json").status == 500


KEY = "0f" * 16
ROUTER = {router_key.HEADER: KEY}


@pytest.fixture
def server() -> Iterator[http.client.HTTPConnection]:
    listener = socket.create_server(("127.0.0.1", 0))
    running = ModelServer(listener, echo(), KEY)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=5)
    yield connection
    connection.close()
    running.shutdown()
    thread.join()
    running.server_close()


def test_many_requests_share_one_connection(server: http.client.HTTPConnection) -> None:
    for path in ("/ping", "/ping"):
        server.request("GET", path, headers=ROUTER)
        response = server.getresponse()
        assert (response.status, response.read()) == (200, b"")
    sock = server.sock
    server.request("POST", "/invocations", body=b"1", headers={"content-type": "text/csv", **ROUTER})
    response = server.getresponse()
    assert response.status == 200 and response.read().startswith(b"('1',")
    assert server.sock is sock, "the connection was kept alive"


def test_other_paths_and_methods_are_refused(server: http.client.HTTPConnection) -> None:
    for method, path, status in (("GET", "/models", 404), ("GET", "/invocations", 405), ("POST", "/ping", 405)):
        server.request(method, path, body=b"", headers=ROUTER)
        response = server.getresponse()
        response.read()
        assert response.status == status


@pytest.mark.parametrize("headers", [{}, {router_key.HEADER: "another"}, {router_key.HEADER: ""}])
def test_an_instance_answers_its_router_only_and_does_not_read_what_others_send(
    server: http.client.HTTPConnection, headers: dict[str, str]
) -> None:
    for method, path in (("GET", "/ping"), ("POST", "/invocations")):
        server.putrequest(method, path)
        for name, value in {"content-length": str(10**9), **headers}.items():
            server.putheader(name, value)
        server.endheaders()  # and not one byte of the body
        response = server.getresponse()
        assert (response.status, b"router only" in response.read()) == (403, True)


def test_the_container_sees_neither_the_key_nor_its_header() -> None:
    seen: dict[str, str] = {}

    class Remembers:
        def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> serving_contract.Answer:
            seen.update(headers)
            return serving_contract.Answer(200, {}, b"")

    listener = socket.create_server(("127.0.0.1", 0))
    running = ModelServer(listener, Remembers(), KEY)  # type: ignore[arg-type]
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    connection = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=5)
    connection.request("POST", "/invocations", body=b"1", headers={"content-type": "text/csv", **ROUTER})
    assert connection.getresponse().status == 200
    connection.close()
    running.shutdown()
    thread.join()
    running.server_close()
    assert seen["content-type"] == "text/csv"
    assert KEY not in str(seen) and router_key.HEADER not in seen


def test_an_instance_cannot_import_the_project(tmp_path: Path) -> None:
    from local_account.endpoints import model_server

    before = sys.path[:], os.environ.get("PYTHONPATH")
    project = str(Path(model_server.__file__).resolve().parents[2])
    try:
        sys.path[:] = [project, str(tmp_path)]
        model_server.leave_the_project()
        assert sys.path == [str(tmp_path)]
    finally:
        sys.path[:] = before[0]
        if before[1] is not None:
            os.environ["PYTHONPATH"] = before[1]
