"""A running local account for the tests of this directory: one per module, so that no module sees another's resources.

Tests see nothing of the machine that could lead them elsewhere, and every answer that they get is held to AWS's model.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from local_account.account import Account
from local_account.client_environment import NO_PROXY, in_utf8, only_ours, without_proxy_here
from local_account.context import AccountSettings, Profile

from .held_answers import every_answer_is_one_of_aws as every_answer_is_one_of_aws  # a fixture is found by its name here
from .held_answers import switch_on
from .roles import make_roles
from .several_accounts import ELSEWHERE, OTHER

own = in_utf8(only_ours(os.environ))
own |= {name: without_proxy_here(own.get(name, "")) for name in NO_PROXY}
own.pop("PYTHONDONTWRITEBYTECODE", None)  # each account that a test starts would compile its packages again
os.environ.clear()
os.environ.update(own)
switch_on()
# The same inputs each time, however slow the machine: whether a commit passes depends on the commit.
hypothesis_settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis_settings.load_profile("repeatable")


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account on a free port, with the roles that its tests name (`roles.py`).

    `account.client("s3")` is a boto3 client, `account.context` what services share."""
    with Account(AccountSettings(state_directory=tmp_path_factory.mktemp("account"), port=0)) as running:
        make_roles(running)
        yield running


@pytest.fixture(scope="module")
def account_directory(account: Account) -> Path:
    return account.settings.state_directory


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """Two accounts in one process: the default one, and `OTHER` (`several_accounts.py`)."""
    settings = AccountSettings(state_directory=tmp_path_factory.mktemp("accounts"), port=0, profiles=(Profile(OTHER, "other", ELSEWHERE),))
    with Account(settings) as running:
        make_roles(running)
        yield running
