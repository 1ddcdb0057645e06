"""Every build names a Python that its image has, that pyproject.toml allows and that install.py does not refuse."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet

from build_scripts.install import SUPPORTED
from local_account.codebuild.buildspec import Buildspec, parse
from local_account.codebuild.runtimes import Runtimes, select

ROOT = Path(__file__).resolve().parents[2]
NODE_USERS = ("infra.serving", "app", "cdk")  # what runs the CDK, which is JavaScript


@pytest.fixture
def builds(resources: Any) -> dict[str, tuple[str, Buildspec]]:
    """Image and buildspec of every CodeBuild project."""
    projects = resources("AWS::CodeBuild::Project").values()
    return {
        project["Name"]: (project["Environment"]["Image"], parse((ROOT / project["Source"]["BuildSpec"]).read_text(encoding="utf-8")))
        for project in projects
    }


@pytest.fixture
def chosen(builds: dict[str, tuple[str, Buildspec]]) -> dict[str, Runtimes]:
    return {name: select(image, spec.runtimes) for name, (image, spec) in builds.items()}


def test_every_build_names_its_python(builds: dict[str, tuple[str, Buildspec]]) -> None:
    assert builds
    assert {name for name, (_, spec) in builds.items() if "python" not in spec.runtimes} == set()


def test_the_python_of_every_build_is_one_that_the_project_takes(chosen: dict[str, Runtimes]) -> None:
    allowed = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"])
    for name, runtimes in chosen.items():
        assert runtimes.python is not None, f"{name} uses an image whose Python nobody knows"
        assert runtimes.python in allowed, name
        major, minor = map(int, runtimes.python.split(".")[:2])
        assert SUPPORTED[0] <= (major, minor) <= SUPPORTED[1], name


def test_install_allows_what_pyproject_allows() -> None:
    allowed = SpecifierSet(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"])
    for minor in range(8, 20):
        assert (SUPPORTED[0] <= (3, minor) <= SUPPORTED[1]) is (f"3.{minor}.1" in allowed), f"3.{minor}"


def test_a_build_that_runs_the_cdk_names_its_node(builds: dict[str, tuple[str, Buildspec]]) -> None:
    """CodeBuild sets up only the runtimes that are named, once one is."""
    with_cdk = {
        name
        for name, (_, spec) in builds.items()
        if any(word in NODE_USERS for phase in spec.phases.values() for command in phase.commands for word in command.split())
    }
    assert with_cdk == {"shop--build"}
    assert {name for name in with_cdk if "nodejs" not in builds[name][1].runtimes} == set()
