"""Opt-in: what only a real account can show. `pytest tests/aws --aws` with credentials and a deployed project; jobs cost cents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from build_scripts.command_line import read_settings
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.environment_place import EnvironmentPlace, Role
from settings_schema import Batch, Environment
from settings_schema.fleet import OnFleet
from settings_schema.reading import Settings
from settings_schema.serving import OnEndpoint

REASON = "needs a real AWS account with the project deployed; run `pytest tests/aws --aws`"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--aws", action="store_true", help="run the tests that need a real AWS account")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--aws", default=False):
        for item in items:
            if "tests/aws" in item.path.as_posix():
                item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture(scope="session")
def settings() -> Settings:
    """What the deployed project is made of: here, and only here, tests read what a team has set."""
    return read_settings()


@pytest.fixture(scope="session")
def project(settings: Settings) -> ProjectEnvironment:
    return ProjectEnvironment(settings.project)


def has_its_own(serving: OnEndpoint | Batch) -> bool:
    """An endpoint, which is not shared with other models."""
    return isinstance(serving, OnEndpoint) and not isinstance(serving, OnFleet)


@pytest.fixture(scope="session")
def endpoints_at(settings: Settings, project: ProjectEnvironment) -> Callable[[Environment, str], list[tuple[Any, str]]]:
    """(environment, service) -> a client of that service where the environment lives, and its name, for models with one of their own."""

    def endpoints(environment: Environment, service: str) -> list[tuple[Any, str]]:
        client = EnvironmentPlace(project, environment, Role.DEPLOY).client(service)
        served = [model for model in settings.models.values() if has_its_own(model.serving[environment.name])]
        return [(client, model.names(settings.project).at(environment.name).endpoint) for model in served]

    return endpoints
