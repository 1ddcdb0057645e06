"""Where the time of a request goes within the image's worker: run by the environment's own Python.

    python profile_request.py REQUESTS < bodies

In: the worker's environment variables, and a row on each line. Out: microseconds of a request of one row in the whole application (Flask,
the toolkit and the program), and where there is a program in its functions alone; and of ten thousand rows in those. Medians of single
requests, which others on a busy machine disturb least.
"""

import importlib
import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from sagemaker_containers import _env

MANY_ROWS = 10_000


def microseconds(answer: Callable[[Any], object], bodies: Sequence[Any]) -> float:
    spent = []
    for body in bodies:
        begun = time.perf_counter()
        answer(body)
        spent.append(1e6 * (time.perf_counter() - begun))
    return statistics.median(spent)


def environ(body: bytes) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/invocations",
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.0",
        "CONTENT_TYPE": "text/csv",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_ACCEPT": "text/csv",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def main(requests: int) -> None:
    bodies = [line.rstrip(b"\n") for line in sys.stdin.buffer]
    bodies = (bodies * (requests // len(bodies) + 1))[:requests]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the program says in its log
    from sagemaker_xgboost_container import serving

    sys.path.insert(0, _env.code_dir)
    found = {"application": microseconds(lambda body: b"".join(serving.main(environ(body), lambda *_: None)), bodies)}
    program = _env.ServingEnv().module_name
    if program:
        module = importlib.import_module(program)
        model = module.model_fn(_env.model_dir)

        def answer(text: str) -> Any:
            return module.output_fn(module.predict_fn(module.input_fn(text, "text/csv"), model), "text/csv")

        texts = [body.decode() for body in bodies]  # as the toolkit hands them on
        many = "\n".join((texts * (MANY_ROWS // len(texts) + 1))[:MANY_ROWS])
        found |= {"program": microseconds(answer, texts), "many_rows": microseconds(answer, [many] * 9)}
    print(json.dumps(found), file=answers, flush=True)
    os._exit(0)  # a program that speaks has a thread


if __name__ == "__main__":
    main(int(sys.argv[1]))
