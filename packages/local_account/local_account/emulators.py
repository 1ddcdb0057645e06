"""Brings up the two emulators that the accounts are built on, inside this process, for one set of accounts at a time.

MiniStack answers S3, IAM, CloudFormation, Lambda, EventBridge and more; moto answers the services in `MOTO_SERVICES`.
Both read their identity from environment variables, some of them when imported; `installed` sets these for as long
as the account runs and puts the caller's own environment back afterwards. Next: `gateway.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import importlib
import os
import subprocess
import sys
import tempfile
import types
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local_account import client_environment, hooks, running_functions
from local_account.api import reading
from local_account.api.rules import functions
from local_account.context import Context
from local_account.places import scope
from local_account.processes import GUARD

MOTO_SERVICES = ("application-autoscaling", "codepipeline", "codecommit")
#: The service, account and region that MiniStack answers for at the moment; none for a signal to CloudFormation, which its path leads on.
_served: contextvars.ContextVar[tuple[str, str, str] | None] = contextvars.ContextVar("served", default=None)
_MOTO_PACKAGES = {"application-autoscaling": "applicationautoscaling"}


class _GuardedWorker(subprocess.Popen[str]):
    """A Lambda worker below a guard (`child_guard.py`): it ends with everything that its handlers started, and with the account.

    MiniStack gives it the account's own environment with the function's; of the account's it keeps what a function needs.
    """

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], **options: Any) -> None:
        kept = client_environment.only_needed(env)
        own = {name: value for name, value in env.items() if name.startswith("AWS_") or os.environ.get(name) != value}
        watched, self._lifeline = os.pipe()
        try:
            guard = [sys.executable, "-S", "-E", str(GUARD), "--lifeline", str(watched)]
            super().__init__([*guard, *command], env={**kept, **own}, pass_fds=(watched,), start_new_session=True, **options)
        except BaseException:
            os.close(self._lifeline)
            raise
        finally:
            os.close(watched)

    def kill(self) -> None:
        """At once, but by the guard: killed itself, it could end nothing."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def __del__(self) -> None:
        self.kill()
        super().__del__()


@contextlib.contextmanager
def installed(context: Context) -> Iterator[None]:
    """The emulators, empty and under this account's identity; emptied again at the end."""
    caller_environment, caller_tempdir = dict(os.environ), tempfile.tempdir
    try:
        _set_environment(context)
        _leave_out_what_is_not_used()
        _set_ministack_port(context)
        _route_by_the_signature()
        _guard_lambda_workers()
        _refuse_what_does_not_run()
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
    environment = client_environment.own_environment(settings, context.keyring.internal, os.environ)
    environment.pop("MOTO_ACCOUNT_ID", None)  # it goes before the account of a request
    environment.update(
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
    MiniStack's router reads botocore's model of every AWS service to learn whether a name it does not serve exists. For the protocol of
    each service that it does serve, it would read what moto has read: with a new session for each, and moto with a new loader, both of
    which look through the folders of all services first.
    """
    sys.modules.setdefault("docker", None)  # type: ignore[arg-type]  # None is how Python marks a module as not importable
    if "moto.ecs" not in sys.modules:
        sys.modules["moto.ecs"] = types.ModuleType("moto.ecs")
        sys.modules["moto.ecs"].ecs_backends = defaultdict(lambda: defaultdict(object))  # type: ignore[attr-defined]  # its one used name
    from ministack.core import responses, router
    from moto.core import utils

    router._is_aws_service_name = lambda scope_name: True
    utils.create_loader = functools.cache(utils.create_loader)
    responses._service_model = _service_model


def _service_model(service: str) -> Any:
    """botocore's model of a service by MiniStack's name; None for what is no service of AWS."""
    from botocore.exceptions import UnknownServiceError
    from ministack.core import responses

    try:
        return reading.model(responses._BOTOCORE_NAME.get(service, service))
    except UnknownServiceError:
        return None


@contextlib.contextmanager
def serving(service: str, account_id: str, region: str) -> Iterator[None]:
    """While MiniStack answers one request: the service that it was signed and checked for, and where the resource is that it is about."""
    token = _served.set((service, account_id, region))
    try:
        with scope(account_id, region):
            yield
    finally:
        _served.reset(token)


def _route_by_the_signature() -> None:
    """MiniStack guesses a request's service from its headers, host and path, and has many more services than this account.

    A request that a policy has allowed reaches the service of that policy's action, and nothing that its address looks like; in the
    account and region that were worked out for it, and not in the one that its access key looks like.
    """
    import ministack.app as app

    def detect_service(original: Callable[..., str], *request: Any) -> str:
        served = _served.get()
        return served[0] if served else original(*request)

    def set_account_id(original: Callable[[str], None], found: str) -> None:
        served = _served.get()
        original(served[1] if served else found)

    def set_region(original: Callable[[str], None], found: str) -> None:
        served = _served.get()
        original(served[2] if served else found)

    async def unless_served(original: Callable[..., Any], *request: Any, **more: Any) -> Any:
        return None if _served.get() else await original(*request, **more)

    app.detect_service = hooks.around(app.detect_service, detect_service)
    app.set_request_account_id = hooks.around(app.set_request_account_id, set_account_id)
    app.set_request_region = hooks.around(app.set_request_region, set_region)
    app._handle_pre_body_request = hooks.around(app._handle_pre_body_request, unless_served)
    app._handle_post_body_shortcuts = hooks.around(app._handle_post_body_shortcuts, unless_served)
    app._handle_special_data_plane_request = hooks.around(app._handle_special_data_plane_request, unless_served)


def _guard_lambda_workers() -> None:
    from ministack.core import lambda_runtime

    guarded = types.ModuleType("subprocess")
    guarded.__dict__.update(vars(subprocess), Popen=_GuardedWorker)
    lambda_runtime.subprocess = guarded


def _refuse_what_does_not_run() -> None:
    """A function without code, or of a language that does not run here, fails; MiniStack answers for it as if it had run.

    Code that is not where a template says fails where it is fetched, with Lambda's own words.
    """
    from ministack.services import lambda_svc

    def run(original: Callable[..., Any], function: dict[str, Any], config: dict[str, Any], *rest: Any) -> Any:
        runtime = str(config.get("Runtime", ""))
        if function.get("code_zip") and functions.runs_here(runtime):
            with running_functions.running(str(config.get("FunctionArn", ""))):
                return original(function, config, *rest)
        reason = f"The local account does not run {runtime or 'images'}" if function.get("code_zip") else "The function has no code"
        return {"body": {"errorType": "Runtime.InvalidEntrypoint", "errorMessage": reason}, "error": True, "log": reason}

    def fetch(original: Callable[..., bytes | None], bucket: str, key: str, version_id: str | None = None) -> bytes:
        code = original(bucket, key, version_id)
        if code is None:
            reason = f"there is no object s3://{bucket}/{key}"
            raise ValueError(f"Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: {reason}")
        return code

    lambda_svc._execute_function_dispatch = hooks.around(lambda_svc._execute_function_dispatch, run)
    lambda_svc._fetch_code_from_s3 = hooks.around(lambda_svc._fetch_code_from_s3, fetch)


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
