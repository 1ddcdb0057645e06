"""Least privilege, measured: what a role was granted and never used, what would be missed, and what was refused."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo import __main__ as demo
from demo import own_paths, permissions_page
from demo.errors import StageError
from local_account import clock_control, permissions
from local_account.account import Account
from local_account.authorization.record import MOST_RESOURCES
from local_account.authorization.usage import Grant, Role, allowing_statements, measured
from local_account.roles import sagemaker_role
from packages.local_account.tests.roles import make_role, set_policy, trust

ROOT = Path(__file__).resolve().parents[3]
HERE = "us-east-1:111122223333"
READ = {"Sid": "Read", "Effect": "Allow", "Action": ["logs:DescribeLogStreams", "logs:GetLogEvents"], "Resource": "*"}
TAGGED = {
    "Sid": "Make",
    "Effect": "Allow",
    "Action": ["sagemaker:CreateModelPackageGroup", "sagemaker:AddTags"],
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:RequestTag/team": "ours"}},
}
TWICE = [
    {"Sid": "One", "Effect": "Allow", "Action": "sqs:ListQueues", "Resource": "*"},
    {"Sid": "Other", "Effect": "Allow", "Action": "sqs:List*", "Resource": "*"},
]


@pytest.fixture(scope="module")
def asked(account: Account) -> Any:
    """A role that used a part of what it has; the client that asks for it."""
    arn = make_role(account, "measured", READ, TAGGED, *TWICE)
    role = sagemaker_role(account.context, arn, account.context.arn("sagemaker", "pipeline/p"))
    account.client("logs").create_log_group(logGroupName="/seen")
    for _ in range(3):
        role.client("logs").describe_log_streams(logGroupName="/seen")
    role.client("sagemaker").create_model_package_group(ModelPackageGroupName="g", Tags=[{"Key": "team", "Value": "ours"}])
    role.client("sqs").list_queues()
    with contextlib.suppress(ClientError):
        role.client("logs").delete_log_group(logGroupName="/seen")
    return role


def report_of(account: Account) -> tuple[Role, dict[str, Grant]]:
    roles, _ = permissions.read(permissions.report(account.context))
    role, grants = next((role, grants) for role, grants in roles if role.name == "measured")
    return role, {grant.sid: grant for grant in grants}


def test_the_report_says_of_each_statement_what_it_allowed_and_what_nobody_asked_for(account: Account, asked: Any) -> None:
    _, grants = report_of(account)
    assert (grants["Read"].requests, grants["Read"].used) == (3, ["logs:DescribeLogStreams"])
    assert grants["Read"].never_used == ["logs:GetLogEvents"]
    assert grants["Read"].services == ["logs"]


def test_resources_that_were_never_reached_are_named(account: Account, asked: Any) -> None:
    set_policy(account, "measured", [{**READ, "Resource": [f"arn:aws:logs:{HERE}:log-group:/seen", f"arn:aws:logs:{HERE}:log-group:/not"]}])
    try:
        assert report_of(account)[1]["Read"].never_reached == [f"arn:aws:logs:{HERE}:log-group:/not"]
    finally:
        set_policy(account, "measured", [READ, TAGGED, *TWICE])


def test_a_request_is_kept_with_the_context_that_its_conditions_ask_for(account: Account, asked: Any) -> None:
    _, requests = permissions.read(permissions.report(account.context))
    made = next(item for item in requests if item.action == "sagemaker:CreateModelPackageGroup")
    assert made.keys == {"aws:requesttag/team": "ours"}


def test_what_two_statements_allow_needs_neither_of_them_alone(account: Account, asked: Any) -> None:
    _, grants = report_of(account)
    assert (grants["One"].requests, grants["One"].alone) == (1, 0)
    assert (grants["Other"].requests, grants["Other"].alone) == (1, 0)
    assert grants["Make"].alone == 2  # the group, and its tags


def test_without_its_statement_a_request_that_was_recorded_is_refused(account: Account, asked: Any) -> None:
    role, grants = report_of(account)
    _, requests = permissions.read(permissions.report(account.context))
    listed = next(item for item in requests if item.action == "logs:DescribeLogStreams" and item.role == role.arn)
    read = grants["Read"]
    assert allowing_statements(role, listed, "us-east-1") == [(read.policy, read.index)]
    assert allowing_statements(role.without(read.policy, read.index), listed, "us-east-1") == []


def test_a_refusal_is_in_the_report_with_who_asked_for_what(account: Account, asked: Any) -> None:
    _, requests = permissions.read(permissions.report(account.context))
    (refused,) = [item for item in requests if item.lacking and item.role.endswith("role/measured")]
    assert (refused.action, refused.resource) == ("logs:DeleteLogGroup", f"arn:aws:logs:{HERE}:log-group:/seen")
    assert refused.principal.endswith("assumed-role/measured/SageMaker")
    assert refused.lacking == "identity-based policy"


def test_what_the_administrator_may_do_is_nobody_s_grant(account: Account, asked: Any) -> None:
    account.client("sts").get_caller_identity()
    account.client("s3").list_buckets()
    _, requests = permissions.read(permissions.report(account.context))
    assert [item for item in requests if "user/administrator" in item.principal and item.allowed] == []


def test_the_record_stays_small_whatever_is_asked_for(account: Account, asked: Any) -> None:
    logs = asked.client("logs")
    before = sum(grant.requests for grant in report_of(account)[1].values())
    for number in range(MOST_RESOURCES + 20):
        with contextlib.suppress(ClientError):
            logs.describe_log_streams(logGroupName=f"/group-{number}")
    kept = [item for item in account.context.authorizer.record.requests() if item.action == "logs:DescribeLogStreams"]
    assert len(kept) <= MOST_RESOURCES + 1
    assert sum(grant.requests for grant in report_of(account)[1].values()) == before + MOST_RESOURCES + 20


def ask(account: Account, method: str, password: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", account.settings.port, timeout=10)
    try:
        credentials = base64.b64encode(f":{password}".encode()).decode()
        connection.request(method, permissions.PATH, headers={"Authorization": f"Basic {credentials}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_a_person_asks_for_the_report_over_http(account: Account, asked: Any) -> None:
    status, body = ask(account, "GET", account.settings.secret)
    assert status == 200
    assert "measured" in {role["arn"].rsplit("/", 1)[-1] for role in json.loads(body)["roles"]}
    assert ask(account, "PUT", account.settings.secret)[0] == 405
    assert ask(account, "GET", "guess")[0] == 401


def test_the_demo_asks_at_the_paths_that_the_account_has() -> None:
    assert (own_paths.CLOCK, own_paths.PERMISSIONS) == (clock_control.PATH, permissions.PATH)


def test_the_page_names_roles_statements_and_refusals(account: Account, asked: Any, tmp_path: Path) -> None:
    permissions_page.write(tmp_path / "p.html", permissions.report(account.context))
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    for words in ("<strong>measured</strong>", "Read", "logs:GetLogEvents", "logs:DeleteLogGroup", "no identity-based policy allows it"):
        assert words in text
    assert "<script" not in text


def test_a_page_of_an_account_that_does_not_run_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert permissions_page.main(["--state", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"permissions: no local account answers for {tmp_path}")


def test_roles_are_measured_apart() -> None:
    mine, other = (Role(f"arn:aws:iam::111122223333:role/{name}", "", "", (), {"p": {"Statement": [READ]}}) for name in ("mine", "other"))
    assert [(use.role.name, use.requests) for use in measured([mine, other], [], "us-east-1")] == [("mine", 0), ("other", 0)]


def test_an_account_that_stopped_has_left_its_report(tmp_path: Path) -> None:
    """In a process of its own: one account at a time runs in a process, and this module's does."""
    trusted, allowed = json.dumps(trust()), json.dumps({"Version": "2012-10-17", "Statement": [READ]})
    program = f"""
from pathlib import Path
from local_account.account import Account
from local_account.context import AccountSettings
with Account(AccountSettings(state_directory=Path({str(tmp_path)!r}), port=0)) as account:
    account.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument={trusted!r})
    account.client("iam").put_role_policy(RoleName="r", PolicyName="p", PolicyDocument={allowed!r})
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)
    report = json.loads((tmp_path / permissions.FILE).read_text(encoding="utf-8"))
    assert [grant["never_used"] for role in report["roles"] for grant in role["grants"]] == [READ["Action"]]


def test_a_demo_that_ends_early_names_the_page_of_what_was_refused(
    account: Account, asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends_early(*_: Any) -> None:
        raise StageError("Prepare failed")

    monkeypatch.setattr(demo.story, "tell", ends_early)
    monkeypatch.setattr(demo, "ask", lambda *_: permissions.report(account.context))
    assert demo.main(["--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert str(tmp_path / "permissions.html") in (said.out + said.err)
    assert "logs:DeleteLogGroup" in (tmp_path / "permissions.html").read_text(encoding="utf-8")
