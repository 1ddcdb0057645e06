"""Claims about a push that changes an endpoint's settings only."""

from __future__ import annotations

from build_scripts.registry import Version
from build_scripts.start_deployment import plan

VERSION = Version(arn="arn:package/3", number=3, approval="Approved")
OLD, NEW = {"Resources": {"Size": 1}}, {"Resources": {"Size": 2}}


def test_changed_template_rolls_the_approved_version() -> None:
    decision = plan(VERSION, {"staging": OLD, "production": NEW}, {"staging": OLD, "production": OLD})
    assert decision.start
    assert "version 3" in decision.reason
    assert "production" in decision.reason
    assert "staging" not in decision.reason


def test_equal_templates_deploy_nothing() -> None:
    assert not plan(VERSION, {"staging": OLD}, {"staging": OLD}).start


def test_stack_that_is_not_there_is_deployed() -> None:
    assert plan(VERSION, {"staging": OLD}, {"staging": None}).start


def test_without_an_approved_version_nothing_is_deployed() -> None:
    assert not plan(None, {"staging": NEW}, {}).start
