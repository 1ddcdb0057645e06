"""Tests see nothing of the machine that could lead them elsewhere, except those that are told to ask a real account (`--aws`).

Done when this file is read, which is before any test's module: the SageMaker SDK asks for the person's profile as soon as it is imported.
"""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import is_hypothesis_test, settings

from local_account.client_environment import NO_PROXY, in_utf8, only_ours, without_proxy_here

#: What a build of the project finds in its environment (infra/build_project.py), and would give to tests that it runs.
OF_A_BUILD = (
    "ARTIFACT_BUCKET",
    "CODEBUILD_",
    "DATA_BUCKET",
    "EXECUTION_ID",
    "KMS_KEY_ARN",
    "MODEL",
    "REQUESTED_",
    "SAGEMAKER_",
    "STAGE",
    "VPC_",
)

if "--aws" not in sys.argv:
    own = {name: value for name, value in in_utf8(only_ours(os.environ)).items() if not name.startswith(OF_A_BUILD)}
    own |= {name: without_proxy_here(own.get(name, "")) for name in NO_PROXY}
    os.environ.clear()
    os.environ.update(own)

# The same inputs each time, however slow the machine: whether a commit passes depends on the commit. New ones are drawn by
# `pytest --hypothesis-profile default`.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever hypothesis generates inputs for takes seconds in all: builds leave it to `make test`."""
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.thorough)
