"""What every emulated service is given: which account and region it is in, its clock, its clients, its events, its processes."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from local_account import client_environment
from local_account.authorization.credentials import Credentials, Keyring
from local_account.authorization.enforcement import Authorizer
from local_account.authorization.existing import Existing
from local_account.clients import USUAL_SECONDS
from local_account.errors import ServiceError
from local_account.places import Places, scope

_log = logging.getLogger(__name__)

Kind = TypeVar("Kind")

_PLAIN_NAME = re.compile(r"\w[^/\\\x00-\x1f]*")
_LONGEST_NAME_BYTES = 240  # file systems take 255; files beside it have endings
_PLAIN_NAME_RULE = f"it must be one part of a path, at most {_LONGEST_NAME_BYTES} bytes, and begin with a letter, a digit or an underscore"


@dataclass(frozen=True)
class Profile:
    """Another account of the process, and what its administrator's profile is called and its region is: without, the id and the default."""

    account_id: str
    name: str = ""
    region: str = ""


@dataclass(frozen=True, kw_only=True)
class AccountSettings:
    """Identity of one running account, the default one where a process has several. `secret` is its administrator's, new for each run.

    `profiles` name the others; each account has every region of AWS, as in AWS, and `region` is the default.
    """

    state_directory: Path
    port: int
    account_id: str = "111122223333"
    region: str = "us-east-1"
    speed: float = 1.0
    secret: str = field(default_factory=lambda: secrets.token_hex(20))
    profiles: tuple[Profile, ...] = ()
    debug: bool = False  # keep the directories of builds and jobs after they ended

    @property
    def account_ids(self) -> tuple[str, ...]:
        """The default account first."""
        return tuple(dict.fromkeys((self.account_id, *(profile.account_id for profile in self.profiles))))

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Part:
    """State of one account and region that several modules share."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @classmethod
    def at(cls, context: Context) -> Self:
        """The place's one object of this class, made when it is first asked for."""
        return context.part(cls, lambda: cls(context))


class Context:
    """Shared by all services of one account in one region. Services keep their own state; this only connects them.

    `settings` are those of the process with this account and region, and a state directory of their own. `places` has the others.
    """

    def __init__(self, settings: AccountSettings, places: Places | None = None) -> None:
        self.settings = settings
        self.places = places or Places(self)
        self.clock = self.places.clock
        self.processes = self.places.processes
        self.stopping = self.places.stopping
        self.keyring = Keyring(settings.account_id, settings.region, settings.secret, self.places.issued)
        self.existing = Existing(settings.account_id, settings.region, self._existing_at)
        self.authorizer = Authorizer(self.keyring, self.existing, self.places.record)
        self._parts: dict[type[Any], Any] = {}
        self._parts_lock = threading.RLock()  # making one part may ask for another

    def _existing_at(self, account_id: str) -> Existing | None:
        """What there is in this region of another account; None for an account that is not in this process."""
        known = account_id in self.places.account_ids
        return self.places.at(account_id, self.settings.region).existing if known else None

    @property
    def here(self) -> Context:
        """Of all places of the process, the one whose work is running: for hooks, which the emulators call for any of them."""
        return self.places.here()

    def part(self, kind: type[Kind], make: Callable[[], Kind]) -> Kind:
        """The account's one object of a class, made when it is first asked for: state that several modules share."""
        with self._parts_lock:
            if kind not in self._parts:
                self._parts[kind] = make()
            part: Kind = self._parts[kind]
            return part

    @property
    def client_environment(self) -> dict[str, str]:
        """What the person at the keyboard needs in an environment to talk to this account, and to nothing else."""
        return client_environment.client_environment(self.settings, self.keyring.administrator, os.environ)

    def process_environment(self, credentials: Credentials | None, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Environment of a build, job or model server: what it needs of the caller's, the account's, then `extra`.

        `credentials` are those of the role that it runs as; without them it has no address to ask, either.
        """
        return {**client_environment.process_environment(self.settings, credentials, os.environ), **(extra or {})}

    def client(self, service: str, *, answers_within_seconds: int = USUAL_SECONDS) -> Any:
        """A boto3 client for the emulator's own bookkeeping: it may do everything. What may take longer than usual is asked once only.

        A service that acts for a role uses a `Role` (`roles.py`); one that acts in its own name, `client_of_service`.
        """
        return self.client_with(self.keyring.internal, service, answers_within_seconds)

    def administrators_client(self, service: str) -> Any:
        """A boto3 client of the person at the keyboard."""
        return self.client_with(self.keyring.administrator, service)

    def client_with(
        self, credentials: Credentials, service: str, answers_within_seconds: int | None = None, *, region: str | None = None
    ) -> Any:
        """A boto3 client of whoever has these credentials (`roles.py`), in this region unless another one is given."""
        return self.places.clients.get(credentials, service, region or self.settings.region, answers_within_seconds or USUAL_SECONDS)

    def client_of_service(self, service_principal: str, service: str, *, source_arn: str = "") -> Any:
        """A boto3 client that asks as a service of AWS for one of the account's resources, which only a resource's policy can allow."""
        return self.client_with(self.keyring.of_service(service_principal, source_arn), service)

    def emit(self, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str] = ()) -> None:
        """Put an event of an AWS service on the default event bus, where the account's rules see it."""
        from ministack.services import eventbridge

        entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail, default=str), "Resources": list(resources)}
        try:
            with scope(self.settings.account_id, self.settings.region):
                eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)
        except Exception:  # what a service did stays done when nobody can be told
            _log.exception("event %s of %s is lost", detail_type, source)

    def in_background(
        self, work: Callable[..., None], *arguments: Any, failed: Callable[[Exception], None] | None = None, name: str = ""
    ) -> threading.Thread:
        """Run `work` in this place on a daemon thread called `name`; the account does not wait for it when it stops.

        Whatever `work` raises is logged and given to `failed`, which ends the record that the work was about: nothing that the API
        shows may be under way for ever because the thread behind it is gone.
        """

        def run() -> None:
            try:
                with scope(self.settings.account_id, self.settings.region):
                    work(*arguments)
            except Exception as error:  # the last one who can: a thread has no caller
                if self.stopping.is_set():
                    return
                _log.exception("%s failed", thread.name)
                if failed is not None:
                    failed(error)

        thread = threading.Thread(target=run, daemon=True, name=name or getattr(work, "__name__", "work"))
        thread.start()
        return thread

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.settings.region}:{self.settings.account_id}:{resource}"

    def directory(self, *names: str) -> Path:
        """A folder of the account's state for what people name: `directory("jobs", name)`.

        Raises ServiceError for a name that is not one plain part of a path: it would lead out of its place, or be read as an option
        by the programs that get it. Each service's own pattern is stricter; this is what holds if one is not checked.
        """
        for name in names:
            if not _PLAIN_NAME.fullmatch(name) or len(name.encode()) > _LONGEST_NAME_BYTES:
                raise ServiceError("ValidationException", f"The name {name[:_LONGEST_NAME_BYTES]!r} cannot be used: {_PLAIN_NAME_RULE}.")
        return self.settings.state_directory.joinpath(*names)

    def log_path(self, kind: str, name: str) -> Path:
        """File for the output of one build, job or model server, such as logs/processing-job/<name>.log."""
        return self.settings.state_directory / "logs" / kind / f"{name.replace(':', '_').replace('/', '_')}.log"

    def close(self) -> None:
        self.stopping.set()
        self.processes.close()
