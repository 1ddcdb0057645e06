"""One running account: the port, the emulators, and every service of ours, started and stopped together.

    with Account(AccountSettings(state_directory=Path("out/account"), port=0)) as account:
        account.client("s3").list_buckets()

Input: `AccountSettings`. Output: an HTTP port on 127.0.0.1, and `<state>/account.json` with what clients need.
Next: `gateway.py` (how a request finds its service), `emulators.py` (what answers it).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import json
import logging
import os
import shutil
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from local_account import (
    buckets,
    cloudformation,
    codecommit,
    connections,
    emulators,
    events,
    function_roles,
    monitoring,
    notifications,
    permissions,
    private_files,
    profiles,
    s3_encryption,
    scheduler,
)
from local_account.authorization import simulation
from local_account.client_environment import LEADS_ELSEWHERE
from local_account.codebuild import service as codebuild
from local_account.codepipeline import change_detection
from local_account.codepipeline import operations as codepipeline
from local_account.context import AccountSettings, Context
from local_account.endpoints import operations as endpoints
from local_account.sagemaker import operations as sagemaker
from local_account.scaling import control_loop
from local_account.scaling import operations as scaling

#: Each has `install(context)`, once for all accounts; the order matters where one wraps another's hook.
AREAS = (
    buckets,
    codecommit,
    monitoring,
    scaling,
    codebuild,
    codepipeline,
    function_roles,
    notifications,
    events,
    scheduler,
    s3_encryption,
    cloudformation,
)
#: Each has `begin(context)`, once for each account and region that is used; time passes for them in this order.
BEGUN = (sagemaker, connections, endpoints, monitoring, control_loop, change_detection)
DESCRIPTION_FILE = "account.json"
#: Shows that a directory is an account's, which its next one may empty: a name that nothing else gives to a file.
_LOCK_FILE = ".local-account.lock"
_OWNER_ONLY = 0o700
_START_TIMEOUT_SECONDS = 30.0


class CannotStartError(Exception):
    """The account cannot start here; the message says why and what to do."""


class Account:
    """An emulated AWS account inside this process, or several (`AccountSettings.profiles`).

    One such process at a time: the emulators keep their state in module globals.
    """

    _running = threading.Lock()

    def __init__(self, settings: AccountSettings) -> None:
        self.settings = settings
        self._stack = contextlib.ExitStack()
        self._context: Context | None = None
        self.replaced_another = False  # whether an earlier account's resources were in the state directory

    @property
    def context(self) -> Context:
        if self._context is None:
            raise CannotStartError("The local account is not running; call start() first.")
        return self._context

    def client(self, service: str, *, account: str | None = None, region: str | None = None) -> Any:
        """A boto3 client for an account's administrator: of the default account and region, where no other is given."""
        return self.at(account, region).administrators_client(service)

    def at(self, account: str | None = None, region: str | None = None) -> Context:
        """What services of an account share in a region."""
        return self.context.places.at(account or self.settings.account_id, region or self.settings.region)

    def start(self) -> Self:
        """Serve, and return when requests are answered. Raises CannotStartError, having undone everything."""
        with contextlib.ExitStack() as stack:
            if not self._running.acquire(blocking=False):
                raise CannotStartError("A local account is already running in this process; stop it first.")
            stack.callback(self._running.release)
            if shutil.which("git") is None:
                raise CannotStartError("git is not on PATH, and the account's repositories need it. Install it with your package manager.")
            listener = stack.enter_context(_listen(self.settings.port))
            state_directory = self.settings.state_directory.resolve()
            self.replaced_another = stack.enter_context(_own(state_directory))
            port = listener.getsockname()[1]
            self.settings = dataclasses.replace(self.settings, port=port, state_directory=state_directory)
            context = Context(self.settings)
            self._context = context
            with _writable(state_directory):
                stack.enter_context(_log_to(context.log_path("account", "account")))
                stack.enter_context(emulators.installed(context))
                stack.callback(context.close)
                for account_id in self.settings.account_ids:
                    self.at(account_id).keyring.make_administrator()
                simulation.install()
                for area in AREAS:
                    area.install(context)
                context.places.begin([area.begin for area in BEGUN])
                stack.enter_context(_served(context, listener))
                _describe(context)
            stack.callback(permissions.write, context)
            self._stack = stack.pop_all()
        return self

    def stop(self) -> None:
        """Stop serving and end every process that the account started. Safe to repeat."""
        if self._context is not None:
            self._context.stopping.set()
        self._stack.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise CannotStartError(
            f"Port {port} of 127.0.0.1 cannot be used ({reason}). Stop what uses it, or choose another with --port."
        ) from error
    listener.listen(128)
    return listener


@contextlib.contextmanager
def _own(state_directory: Path) -> Any:
    """Hold the state directory for this account alone, and start from an empty one: an account begins without resources.

    Yields whether there was an earlier account in it.
    """
    leftovers = state_directory.is_dir() and any(state_directory.iterdir())
    if leftovers and not (state_directory / _LOCK_FILE).exists():
        raise CannotStartError(f"{state_directory} has files that no local account made. Choose an empty directory with --state.")
    with _writable(state_directory):
        state_directory.mkdir(parents=True, exist_ok=True)
        state_directory.chmod(_OWNER_ONLY)  # a secret, people's data and their code
        lock = (state_directory / _LOCK_FILE).open("a", encoding="utf-8")
    try:
        _lock(lock, state_directory)
        for entry in state_directory.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != _LOCK_FILE:
                entry.unlink()
        yield leftovers
    finally:
        (state_directory / DESCRIPTION_FILE).unlink(missing_ok=True)
        shutil.rmtree(state_directory / "tmp", ignore_errors=True)
        lock.close()


@contextlib.contextmanager
def _writable(state_directory: Path) -> Any:
    """Files are made within this block. One that cannot be, on a full disk for instance, is a reason not to start."""
    try:
        yield
    except OSError as error:
        raise CannotStartError(f"{state_directory} cannot be written ({error.strerror}). Choose another directory with --state.") from error


def _lock(lock: IO[str], state_directory: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise CannotStartError(
            f"A local account is already running in {state_directory}. Stop it, or choose another directory with --state."
        ) from error


@contextlib.contextmanager
def _log_to(path: Path) -> Any:
    """Collect what the emulators and our services log in one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s [%(name)s] %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def _served(context: Context, listener: socket.socket) -> Any:
    """Answer requests on a background thread until the end of the block."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from local_account.gateway import Gateway

    config = Config()
    # hypercorn closes it when it stops. A second descriptor would keep the port open, and who connects then would wait for an answer.
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "WARNING"
    config.graceful_timeout = 0.5
    # Longer than any wait here. Where a busy machine looks late, a connection that was quiet for as long is closed with a request on it,
    # which is done and not answered; its client asks again, and is told that what it makes is there.
    config.keep_alive_timeout = 3600
    ready, ended = threading.Event(), threading.Event()
    loop = asyncio.new_event_loop()
    stopping = asyncio.Event()

    async def run() -> None:
        loop.call_later(0, ready.set)
        await serve(Gateway(context), config, shutdown_trigger=stopping.wait, mode="asgi")

    def main() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(run())
        finally:
            ended.set()

    thread = threading.Thread(target=main, daemon=True, name="account-port")
    thread.start()
    ready.wait(_START_TIMEOUT_SECONDS)
    try:
        yield
    finally:
        with contextlib.suppress(RuntimeError):  # the loop has already ended
            loop.call_soon_threadsafe(stopping.set)
        thread.join(5.0)


def _describe(context: Context) -> None:
    """Write account.json, readable by its owner only: it holds the secret."""
    settings = context.settings
    description = {
        "endpoint_url": settings.endpoint_url,
        "port": settings.port,
        "account_id": settings.account_id,
        "region": settings.region,
        "profiles": {profile.name: {"account_id": profile.account_id, "region": profile.region} for profile in profiles.of(context)},
        "speed": settings.speed,
        "process_id": os.getpid(),
        "environment": context.client_environment,
        "not_inherited": list(LEADS_ELSEWHERE),  # what its clients must not have besides: all variables that begin so
        "log": str(context.log_path("account", "account")),
    }
    profiles.write(context)
    private_files.write(settings.state_directory / DESCRIPTION_FILE, json.dumps(description, indent=2))
