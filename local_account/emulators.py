"""Brings up the two emulators that this account is built on, inside this process, for one account at a time.

MiniStack answers S3, IAM, CloudFormation, Lambda, EventBridge and more; moto answers the services in `MOTO_SERVICES`.
Both read their identity from environment variables, some of them when imported; `installed` sets these for as long
as the account runs and puts the caller's own environment back afterwards. Next: `gateway.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import sys
import tempfile
import types
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local_account.context import Context

MOTO_SERVICES = ("application-autoscaling", "codepipeline", "codecommit")
_MOTO_PACKAGES = {"application-autoscaling": "applicationautoscaling"}

# A MiniStack Lambda worker reads its events from standard input and ends when that closes. A handler that is
# busy when the account is killed would go on: this prelude ends it as soon as its parent is gone.
_LAMBDA_LIFELINE = """
import os as _os, threading as _threading, time as _time
def _end_with_parent(_parent=_os.getppid()):
    while _os.getppid() == _parent:
        _time.sleep(0.2)
    _os._exit(1)
_threading.Thread(target=_end_with_parent, daemon=True).start()
"""


@contextlib.contextmanager
def installed(context: Context) -> Iterator[None]:
    """The emulators, empty and under this account's identity; emptied again at the end."""
    caller_environment, caller_tempdir = dict(os.environ), tempfile.tempdir
    try:
        _set_environment(context)
        _leave_out_what_is_not_used()
        _set_ministack_port(context)
        _guard_lambda_workers()
        yield
    finally:
        reset()
        tempfile.tempdir = caller_tempdir
        os.environ.clear()
        os.environ.update(caller_environment)


def _set_environment(context: Context) -> None:
    settings = context.settings
    temporary = settings.state_directory / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    tempfile.tempdir = str(temporary)
    environment = context.process_environment(
        context.keyring.internal,
        {
            "TMPDIR": str(temporary),
            "GATEWAY_PORT": str(settings.port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": settings.account_id,
            "MINISTACK_REGION": settings.region,
            "MINISTACK_CODEBUILD_EXECUTE": "1",
            "IOT_MTLS_ENABLED": "0",
            "S3_DATA_DIR": str(temporary / "s3"),
            "STATE_DIR": str(temporary / "ministack"),
            "LOG_LEVEL": "WARNING",
            "DOCKER_HOST": f"unix://{temporary}/no-docker.sock",
            "MOTO_ACCOUNT_ID": settings.account_id,
            "MOTO_DISABLE_GLOBAL_CORS": "true",
        },
    )
    os.environ.clear()
    os.environ.update(environment)


def _set_ministack_port(context: Context) -> None:
    """MiniStack keeps the port of its first import in module constants; a later account of this process has another."""
    import ministack.app
    from ministack.services import lambda_svc

    port = str(context.settings.port)
    ministack.app._MINISTACK_PORT = port
    lambda_svc._GATEWAY_PORT = port


def _leave_out_what_is_not_used() -> None:
    """Keep start-up short and memory small.

    MiniStack imports Docker's library if it is there; this account starts plain processes instead and needs no Docker.
    moto's Application Auto Scaling imports its ECS, which imports its EC2 and 90 MB of instance types. Only targets of
    the namespace `ecs` use it, and this account has no ECS in moto.
    MiniStack's router reads botocore's model of every AWS service to learn whether a name it does not serve exists.
    """
    sys.modules.setdefault("docker", None)  # type: ignore[arg-type]  # None is how Python marks a module as not importable
    if "moto.ecs" not in sys.modules:
        sys.modules["moto.ecs"] = types.ModuleType("moto.ecs")
        sys.modules["moto.ecs"].ecs_backends = defaultdict(lambda: defaultdict(object))  # type: ignore[attr-defined]  # its one used name
    from ministack.core import router

    router._is_aws_service_name = lambda scope_name: True


def _guard_lambda_workers() -> None:
    from ministack.core import lambda_runtime

    if not lambda_runtime._PYTHON_WORKER_SCRIPT.startswith(_LAMBDA_LIFELINE):
        lambda_runtime._PYTHON_WORKER_SCRIPT = _LAMBDA_LIFELINE + lambda_runtime._PYTHON_WORKER_SCRIPT


def attach_to_loop() -> None:
    """Give MiniStack the running event loop, as its own start-up does; its schedulers are ours (`scheduler.py`)."""
    import ministack.app

    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=32, thread_name_prefix="account"))
    ministack.app._MAIN_LOOP = loop


def reset() -> None:
    """Forget every resource in both emulators, and end the Lambda workers."""
    import ministack.app

    ministack.app._reset_all_state()
    if custom_resource := sys.modules.get("ministack.services.cloudformation.custom_resource"):
        custom_resource.reset()
    for service in MOTO_SERVICES:
        moto_backends(service).reset()


def moto_backends(service: str) -> Any:
    """moto's state of one service: account id -> region -> backend."""
    package = _MOTO_PACKAGES.get(service, service)
    return getattr(importlib.import_module(f"moto.{package}.models"), f"{package}_backends")


def moto_application(service: str) -> Callable[..., Any]:
    """The WSGI application of one moto service."""
    from moto.server import create_backend_app

    application: Callable[..., Any] = create_backend_app(service)
    return application
