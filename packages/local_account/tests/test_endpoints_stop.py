"""When the account goes, its model servers go."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil

from local_account.account import Account
from local_account.context import AccountSettings
from local_account.endpoints.registry import Endpoints

from .endpoint_models import create_configuration, create_endpoint, create_model, invoke, variant
from .roles import make_roles


def test_stopping_the_account_leaves_no_model_server(tmp_path: Path) -> None:
    with Account(AccountSettings(state_directory=tmp_path / "account", port=0)) as account:
        make_roles(account)
        create_model(account, "doubling")
        del Endpoints.at(account.context).launcher.environment["PYTHONHASHSEED"]  # from the warm containers, as outside of tests
        create_configuration(account, "two", variant("doubling", count=2))
        assert create_endpoint(account, "left-running", "two")["EndpointStatus"] == "InService"
        variants = Endpoints.at(account.context).by_name["left-running"].variants()
        processes = [psutil.Process(instance.pid) for each in variants for instance in each.instances]
        assert len(processes) == 2
        assert json.loads(invoke(account, "left-running", b"4")["Body"]) == [8.0]
    for _ in range(100):
        if not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes):
            return
        time.sleep(0.02)
    raise AssertionError("a model server outlived the account")
