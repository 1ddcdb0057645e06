"""A running local account for the tests of this directory: one per module, so that no module sees another's resources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_account.account import Account
from local_account.context import AccountSettings, Profile
from tests.local_account.roles import make_roles
from tests.local_account.several_accounts import ELSEWHERE, OTHER


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
