"""Opt-in: what only a real account can show. `pytest tests/aws --aws` with credentials and a deployed project; jobs cost cents."""

from __future__ import annotations

import pytest

from build_scripts.project_environment import ProjectEnvironment

REASON = "needs a real AWS account with the project deployed; run `pytest tests/aws --aws`"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--aws", action="store_true", help="run the tests that need a real AWS account")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--aws", default=False):
        for item in items:
            if "tests/aws" in item.path.as_posix():
                item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture(scope="session")
def project() -> ProjectEnvironment:
    return ProjectEnvironment()
