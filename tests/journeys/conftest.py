"""A running local account for the journeys through it: one per module, so that no module sees another's resources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_account.account import Account
from local_account.context import AccountSettings

# A fixture is found by its name here. Every answer of an account of these tests is held to AWS's model of it.
from packages.local_account.tests.held_answers import every_answer_is_one_of_aws as every_answer_is_one_of_aws
from packages.local_account.tests.held_answers import switch_on
from packages.local_account.tests.roles import make_roles

switch_on()


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account on a free port, with the roles that its tests name (`packages/local_account/tests/roles.py`).

    `account.client("s3")` is a boto3 client, `account.context` what services share."""
    with Account(AccountSettings(state_directory=tmp_path_factory.mktemp("account"), port=0)) as running:
        make_roles(running)
        yield running


@pytest.fixture(scope="module")
def account_directory(account: Account) -> Path:
    return account.settings.state_directory
