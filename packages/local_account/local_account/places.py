"""Which account and region something belongs to: decided here, for requests, hooks and loops alike.

A place is an account in a region. Each has a `Context` of its own, made when it is first asked for, with the state of every service
there; one process serves them all. A request's account is the one that issued its credentials, its region that of the signature's scope
(IAM user guide, "Elements of an AWS API request signature"). MiniStack keeps its stores by the same two, in variables of the running
work (`request_scope`), and moto by headers: both are told here and in `gateway.py`, and read nowhere else.
Input: the first context, whose settings name the accounts. Output: contexts. Next: `context.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from local_account.authorization.credentials import Issued
from local_account.authorization.record import Record
from local_account.clients import Clients
from local_account.clock import Clock
from local_account.errors import ServiceError
from local_account.processes import Processes

if TYPE_CHECKING:
    from local_account.context import Context


_REGION_AND_ACCOUNT = 4


class Places:
    """The accounts and regions of one process, and what they share. Thread-safe."""

    def __init__(self, first: Context) -> None:
        settings = first.settings
        self.first = first
        self.account_ids = settings.account_ids
        self.clock = Clock(settings.speed)
        self.processes = Processes()
        self.stopping = threading.Event()
        self.issued = Issued()
        self.record = Record()
        self.clients = Clients(settings.endpoint_url)
        self._contexts: dict[tuple[str, str], Context] = {(settings.account_id, settings.region): first}
        self._begin: Sequence[Callable[[Context], None]] = ()
        self._lock = threading.RLock()  # beginning one place may ask for another

    def begin(self, steps: Sequence[Callable[[Context], None]]) -> None:
        """Do `steps` for each place: for those that there are now, for others when they are first asked for."""
        self._begin = steps
        for context in self.all():
            for step in steps:
                step(context)

    def at(self, account_id: str, region: str) -> Context:
        """The context of an account in a region. Raises ServiceError for an account that this process does not have."""
        with self._lock:
            if (account_id, region) not in self._contexts:
                self._contexts[account_id, region] = self._made(account_id, region)
            return self._contexts[account_id, region]

    def _made(self, account_id: str, region: str) -> Context:
        if account_id not in self.account_ids:
            accounts = ", ".join(self.account_ids)
            raise ServiceError("AccessDenied", f"Account {account_id} is not one of this local account's: {accounts} (--account).", 403)
        settings = self.first.settings
        directory = settings.state_directory / "accounts" / account_id / region
        context = type(self.first)(
            dataclasses.replace(settings, account_id=account_id, region=region, state_directory=directory, profiles=()), self
        )
        for step in self._begin:
            step(context)
        return context

    def here(self) -> Context:
        """The context of the work that is running: of a request that an emulator answers, or of what began for a context."""
        from ministack.core.responses import get_account_id, get_region

        account_id = get_account_id()
        return self.at(account_id, get_region()) if account_id in self.account_ids else self.first

    def all(self) -> list[Context]:
        """Those in use so far."""
        with self._lock:
            return list(self._contexts.values())

    def of_arn(self, arn: str) -> Context | None:
        """The context of what an ARN names; None for what is of no account or region, and for an account that is not here."""
        parts = arn.split(":", 5)
        is_here = len(parts) > _REGION_AND_ACCOUNT and parts[3] != "" and parts[4] in self.account_ids
        return self.at(parts[4], parts[3]) if is_here else None


@contextlib.contextmanager
def scope(account_id: str, region: str) -> Iterator[None]:
    """Within the block, MiniStack's stores are those of an account in a region."""
    from ministack.core.responses import request_scope

    with request_scope(account_id, region):
        yield


@functools.cache
def regions() -> frozenset[str]:
    """The regions of AWS, by botocore's endpoints."""
    import botocore.session

    return frozenset(botocore.session.get_session().get_available_regions("sts"))
