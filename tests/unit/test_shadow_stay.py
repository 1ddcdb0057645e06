"""A version's stay in production's shadow: seen for its time, over when something else is deployed, and never left there."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from build_scripts.command_line import ProblemError
from deploy_scripts.shadow_stay import ShadowFunction, Stay, stay
from settings_schema import Shadow
from tests.example_models import ABALONE, PRODUCTION, PROJECT

NAMES = ABALONE.names(PROJECT).at(PRODUCTION.name)
MOMENT = datetime(2026, 1, 5, 12, 0, 20, tzinfo=UTC)


class Account:
    """`says`: what the function answers, by turns. `minutes`: how many CloudWatch has, one more each time it is asked."""

    def __init__(self) -> None:
        self.shadow = False
        self.asked: list[str] = []
        self.refuses = ""
        self.fails = False
        self.minutes = 0
        self.when_seen: Callable[[int], None] = lambda minute: None

    def client(self, service: str, *_: object) -> Any:
        return self

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        assert FunctionName == NAMES.of_model.change_shadow_function
        package = json.loads(Payload)["package"]
        self.asked.append(package)
        if self.refuses:
            return answer({"changed": False, "reason": self.refuses})
        self.shadow = bool(package) and not self.fails
        return answer({"changed": True, "reason": "done"})

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "StackStatusReason": "no capacity"}]}

    def describe_endpoint(self, **_: str) -> dict[str, Any]:
        shadows = [{"VariantName": "Shadow", "CurrentInstanceCount": 2}] if self.shadow else []
        production = [{"VariantName": "AllTraffic", "CurrentInstanceCount": 2 if self.minutes < 2 else 4}]
        known = {"LastModifiedTime": MOMENT, "ShadowProductionVariants": shadows, "ProductionVariants": production}
        return {"EndpointStatus": "InService", **known}

    def get_paginator(self, _: str) -> Any:
        def paginate(*, MetricDataQueries: list[Any], StartTime: datetime, **_: Any) -> list[Any]:  # noqa: N803
            assert datetime(2026, 1, 5, 12, 1, tzinfo=UTC) == StartTime, "the first whole minute"
            self.minutes += 1
            self.when_seen(self.minutes)
            moments = [StartTime + timedelta(minutes=number) for number in range(self.minutes)]
            return [{"MetricDataResults": [{"Id": "seen", "Timestamps": moments, "Values": [1.0] * len(moments)}]}]

        return SimpleNamespace(paginate=paginate)


def answer(said: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"Payload": io.BytesIO(json.dumps(said).encode()), **more}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return Account()


def stayed(account: Account, seen: Callable[[Stay], None] = lambda _: None) -> Stay:
    project: Any = account
    function = ShadowFunction(project, NAMES.of_model.change_shadow_function)
    return stay(function, project, NAMES, "arn:version/3", Shadow(minutes=3), seen)


def test_it_is_seen_for_its_time_and_taken_out(account: Account) -> None:
    """Production has scaled from two instances to four meanwhile."""
    there: list[bool] = []
    made = stayed(account, lambda _: there.append(account.shadow))
    assert made == Stay(datetime(2026, 1, 5, 12, 1, tzinfo=UTC), 3, 2, production=(2, 4))
    assert (account.asked, there) == (["arn:version/3", ""], [True])


def test_what_may_not_go_in_is_a_reason_and_nothing_is_taken_out(account: Account) -> None:
    account.refuses = "nothing serves yet"
    assert stayed(account) == Stay(ended="nothing serves yet")
    assert account.asked == ["arn:version/3"]


def test_a_return_ends_it_and_what_was_seen_counts(account: Account) -> None:
    def returned(minute: int) -> None:
        account.shadow = minute < 2

    account.when_seen = returned
    seen: list[Stay] = []
    made = stayed(account, seen.append)
    assert (made.minutes, seen) == (2, [made]) and "by a return or another deployment" in made.ended
    assert account.asked == ["arn:version/3"], "there is nothing to take out"


def test_instances_that_do_not_start_are_told_with_the_reason(account: Account) -> None:
    account.fails = True
    assert stayed(account) == Stay(ended="its instances did not come into service: no capacity")


def test_it_is_taken_out_also_where_looking_at_it_fails(account: Account) -> None:
    def fail(_: Stay) -> None:
        raise ProblemError("no metrics")

    with pytest.raises(ProblemError, match="no metrics"):
        stayed(account, fail)
    assert account.asked == ["arn:version/3", ""] and not account.shadow


def test_a_function_that_fails_is_named(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "invoke", lambda **_: answer({"errorMessage": "KeyError: STACK_NAME"}, FunctionError="Unhandled"))
    with pytest.raises(ProblemError, match="change-shadow failed: KeyError: STACK_NAME; its log says more"):
        stayed(account)
