"""A function's log group comes back only if its role may make it: Lambda developer guide, "Configuring CloudWatch log groups"."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from local_account.account import Account

from .roles import EVERYTHING, make_role

WRITING = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}


def code() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", "def handler(event, context):\n    print('hello')\n")
    return buffer.getvalue()


@pytest.mark.parametrize(("statement", "comes_back"), [(WRITING, False), (EVERYTHING, True)], ids=["may write only", "may make groups"])
def test_a_log_group_that_was_deleted_comes_back_only_if_the_role_may_make_it(
    account: Account, statement: dict[str, Any], comes_back: bool
) -> None:
    name = f"talks-{comes_back}"
    role, logs, function = make_role(account, name, statement), account.client("logs"), account.client("lambda")
    logs.create_log_group(logGroupName=f"/own/{name}")
    function.create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role,
        Handler="handler.handler",
        Code={"ZipFile": code()},
        LoggingConfig={"LogGroup": f"/own/{name}"},
    )

    def groups() -> list[str]:
        function.invoke(FunctionName=name)
        return [group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePrefix=f"/own/{name}")["logGroups"]]

    assert groups() == [f"/own/{name}"]
    logs.delete_log_group(logGroupName=f"/own/{name}")
    assert groups() == ([f"/own/{name}"] if comes_back else [])
