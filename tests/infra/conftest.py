"""The app of four models, synthesized once per session, as plain dictionaries: `templates[stack name]`; and those of other settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from settings_schema.reading import Settings
from tests.infra.cases import CASES, ONE, synthesize
from tests.infra.grants import Templates

if TYPE_CHECKING:
    import aws_cdk as cdk  # the app imports it first, having said where it may unpack itself

Synthesized = tuple["cdk.App", Templates]


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Settings], Synthesized]:
    """Of settings; those that were asked for before are not synthesized again."""
    done: list[tuple[Settings, Synthesized]] = []

    def of(settings: Settings) -> Synthesized:
        for known, result in done:
            if known == settings:
                return result
        done.append((settings, synthesize(settings, tmp_path_factory.mktemp("cdk.out"))))
        return done[-1][1]

    return of


@pytest.fixture(scope="session")
def app(synthesized: Callable[[Settings], Synthesized]) -> cdk.App:
    return synthesized(ONE)[0]


@pytest.fixture(scope="session")
def templates(synthesized: Callable[[Settings], Synthesized]) -> Templates:
    return synthesized(ONE)[1]


@pytest.fixture(scope="session")
def variant(synthesized: Callable[[Settings], Synthesized]) -> Callable[..., Templates]:
    """The templates of other settings than those of `ONE`."""
    return lambda **changes: synthesized(replace(ONE, **changes))[1]


@pytest.fixture(scope="session", params=CASES)
def case(request: pytest.FixtureRequest, synthesized: Callable[[Settings], Synthesized]) -> tuple[Settings, Synthesized]:
    """Settings of one, two and three accounts, of one region and two, with what they synthesize to."""
    settings = CASES[str(request.param)]
    return settings, synthesized(settings)


@pytest.fixture(scope="session")
def resources(templates: Templates) -> Callable[..., dict[str, Any]]:
    """`resources(type)` of all stacks, or of `stack`: properties by `<stack>/<logical id>`."""
    return lambda kind, stack=None: resources_of(templates, kind, stack)


def guarded_and_at_once(endpoint: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two ways in which an endpoint is updated: by the condition, and without."""
    condition, guarded, at_once = endpoint["DeploymentConfig"]["Fn::If"]
    assert condition == "Guarded"
    return guarded, at_once


def resources_of(templates: Templates, kind: str, stack: str | None = None) -> dict[str, Any]:
    return {
        f"{name}/{logical_id}": resource.get("Properties", {})
        for name, template in templates.items()
        if stack in (None, name)
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == kind
    }
