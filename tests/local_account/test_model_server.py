"""The serving contract: what the container would answer, the model server answers."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_account.endpoints import serving_contract
from local_account.endpoints.model_server import ModelServer
from local_account.endpoints.serving_contract import (
    Answer,
    BaseInferenceToolkitError,
    ContractError,
    GenericInferenceToolkitError,
    Transformer,
    UnsupportedFormatError,
)


def model_fn(_directory: str) -> str:
    return "model"


def transformer(**functions: Any) -> Transformer:
    return Transformer({"model_fn": model_fn, **functions}, Path("unused"))


def echo(**functions: Any) -> Transformer:
    """Answers what `input_fn` got, as text."""
    given: Mapping[str, Any] = {
        "input_fn": lambda data, content_type: (data, content_type),
        "predict_fn": lambda data, model: (*data, model),
        "output_fn": lambda prediction, accept: (repr((*prediction, accept)), "text/plain"),
        **functions,
    }
    return transformer(**given)


def test_text_types_arrive_as_text_and_others_as_bytes() -> None:
    assert echo().respond(b"1", "text/csv", "*/*").body == b"('1', 'text/csv', 'model', 'application/json')"
    assert echo().respond(b"1", "application/x-npy", "text/csv").body == b"(b'1', 'application/x-npy', 'model', 'text/csv')"


def test_transform_fn_replaces_the_three() -> None:
    served = transformer(transform_fn=lambda model, data, content_type, accept: (f"{model} {data} {accept}", "text/plain"))
    assert served.respond(b"x", "text/csv", "text/csv") == Answer(200, "text/plain", b"model x text/csv")


def test_transform_fn_beside_input_fn_is_refused() -> None:
    with pytest.raises(ContractError, match="transform_fn cannot be used together"):
        transformer(transform_fn=model_fn, input_fn=model_fn)


def test_a_function_may_take_the_context() -> None:
    assert echo(predict_fn=lambda data, model, context: (*data, context)).respond(b"1", "text/csv", None).status == 200


@pytest.mark.parametrize(
    ("stage", "error", "status"),
    [
        ("input_fn", UnsupportedFormatError("image/png"), 415),
        ("output_fn", UnsupportedFormatError("image/png"), 406),
        ("input_fn", BaseInferenceToolkitError(400, "too many columns", "Bad Request"), 400),
        ("input_fn", GenericInferenceToolkitError(422), 422),
        ("predict_fn", SimpleNamespace, 500),
        ("input_fn", ValueError("plain"), 500),
    ],
)
def test_an_error_answers_the_status_that_the_container_gives_it(stage: str, error: Any, status: int) -> None:
    def fail(*_: Any) -> Any:
        raise error if isinstance(error, Exception) else RuntimeError("bug")

    answer = echo(**{stage: fail}).respond(b"1", "text/csv", None)
    assert answer.status == status


def test_the_container_s_error_types_can_be_imported_under_their_own_names() -> None:
    serving_contract.install_container_modules()
    try:
        from sagemaker_containers.beta.framework import errors as old
        from sagemaker_inference import errors as new

        assert new.GenericInferenceToolkitError is GenericInferenceToolkitError
        assert old.UnsupportedFormatError is new.UnsupportedFormatError is UnsupportedFormatError
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] in ("sagemaker_containers", "sagemaker_inference")]:
            del sys.modules[name]


@pytest.mark.parametrize(
    ("environment", "message"), [({}, "has no SAGEMAKER_PROGRAM"), ({"SAGEMAKER_PROGRAM": "inference.py"}, "no inference.py in")]
)
def test_a_package_without_program_says_what_it_lacks(tmp_path: Path, environment: dict[str, str], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        serving_contract.load(tmp_path, environment)


def test_defaults_read_csv_and_write_json() -> None:
    model = SimpleNamespace(predict=lambda data: [data.num_row(), data.num_col()])
    served = Transformer({"model_fn": lambda _directory: model}, Path("unused"))
    assert json.loads(served.respond(b"1,2,3\n4,5,6", "text/csv", None).body) == [2, 3]
    assert served.respond(b"[1]", "application/json", None).status == 415


@pytest.fixture
def server() -> Iterator[http.client.HTTPConnection]:
    listener = socket.create_server(("127.0.0.1", 0))
    running = ModelServer(listener, echo())
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
        server.request("GET", path)
        response = server.getresponse()
        assert (response.status, response.read()) == (200, b"")
    sock = server.sock
    server.request("POST", "/invocations", body=b"1", headers={"content-type": "text/csv"})
    response = server.getresponse()
    assert response.status == 200 and response.read().startswith(b"('1',")
    assert server.sock is sock, "the connection was kept alive"


def test_other_paths_and_oversized_bodies_are_refused(server: http.client.HTTPConnection) -> None:
    server.request("GET", "/models")
    assert server.getresponse().read() == b"only /ping and /invocations are served\n"
    server.putrequest("POST", "/invocations")
    server.putheader("content-length", str(7 * 1024 * 1024))
    server.endheaders()
    assert server.getresponse().status == 413


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
