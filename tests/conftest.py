"""Tests see nothing of the machine that could lead them elsewhere, except those that are told to ask a real account (`--aws`).

Done when this file is read, which is before any test's module: the SageMaker SDK asks for the person's profile as soon as it is imported.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

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

IN_MEMORY = Path("/dev/shm")

if "--aws" not in sys.argv:
    own = {name: value for name, value in in_utf8(only_ours(os.environ)).items() if not name.startswith(OF_A_BUILD)}
    own |= {name: without_proxy_here(own.get(name, "")) for name in NO_PROXY}
    os.environ.clear()
    os.environ.update(own)

# Where this is set, as in many containers, each account, build and script that a test starts would compile the same packages again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# jsii's 200 MB are unpacked once for all checkouts and clones that tests make, not once in each: `make` says the same.
os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", str(Path(__file__).resolve().parents[1] / ".cache" / "jsii"))
# The CDK would validate each app that a test synthesizes, which takes longer than making it; tests/infra/test_policies.py asks for it.
os.environ.setdefault("CDK_VALIDATION", "false")


def has_room(folder: Path) -> bool:
    """For the temporary files of all tests, some 0.5 GB, and for programs that are started there."""
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        return False
    return shutil.disk_usage(folder).free > 4 << 30 and not os.statvfs(folder).f_flag & os.ST_NOEXEC


# Every build of the loop unpacks a clone of a thousand files: where Linux keeps files in memory that takes a seventh of the time.
if has_room(IN_MEMORY):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(IN_MEMORY))

# The same inputs each time, however slow the machine: whether a commit passes depends on the commit. New ones are drawn by
# `pytest --hypothesis-profile default`.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever hypothesis generates inputs for takes seconds in all: builds leave it to `make test`."""
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.thorough)
