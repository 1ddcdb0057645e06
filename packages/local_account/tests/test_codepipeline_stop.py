"""An account that stops leaves nothing of its builds and executions, and the next one starts without them."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil

from local_account.account import Account
from local_account.context import AccountSettings

from . import small_pipelines as small
from .roles import make_roles


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_stopped_account_leaves_no_process_thread_or_source(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    settings = AccountSettings(state_directory=tmp_path / "state", port=0)
    with Account(settings) as account:
        make_roles(account)
        small.prepare(account)
        small.commit(account, tmp_path / "files", {"readme.md": "hello"})
        small.create(account, "running", {"name": "Go", "actions": [small.command("Go", f"echo $$ > {pid_file}; sleep 300")]})
        small.create(account, "waiting", {"name": "Gate", "actions": [small.approval()]})
        small.start(account, "running")
        small.start(account, "waiting")
        small.token(account, "waiting", "Gate")
        pid = int(small.wait_for(lambda: pid_file.exists() and pid_file.read_text().strip()))
    small.wait_for(lambda: not is_running(pid))
    small.wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith(("_go", "_run_action", "build "))])
    assert not list((tmp_path / "state" / "builds").glob("*"))

    with Account(AccountSettings(state_directory=tmp_path / "state", port=0)) as account:
        assert account.client("codepipeline").list_pipelines()["pipelines"] == []
        assert account.client("codebuild").list_builds()["ids"] == []
