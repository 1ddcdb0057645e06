"""The tools on this machine: Python, Node, the CDK's CLI and libraries, in the versions that the project pins.

Sources: requires-python and the pins of pyproject.toml, the CLI's pin of package.json. Next: `source.py`.
"""

from __future__ import annotations

import json
import platform
import shutil
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from deploy_scripts.preflight.finding import Finding, failed, passed
from deploy_scripts.preflight.situation import Situation

_CLI = "aws-cdk"


def check_python(situation: Situation) -> Iterator[Finding]:
    yield python(platform.python_version(), str(_project(situation)["requires-python"]))


def python(version: str, allowed: str) -> Finding:
    if version in SpecifierSet(allowed):
        return passed("Python", f"{version}; allowed: {allowed}")
    return failed("Python", f"{version}; allowed: {allowed}", "make the environment with another Python", "make PYTHON=python3.12 setup")


def check_cli(situation: Situation) -> Iterator[Finding]:
    """The CLI that `npx cdk` runs here. Another one may not read what the library wrote."""
    pinned = json.loads((situation.root / "package.json").read_text(encoding="utf-8"))["devDependencies"][_CLI]
    installed = _installed_cli(situation.root)
    if installed != pinned:
        yield failed("CDK CLI", f"{installed or 'not installed here'}; package.json pins {pinned}", "install it", "make setup")
    elif shutil.which("node") is None:
        yield failed("CDK CLI", f"{installed}, but there is no node on PATH to run it", "make setup installs one into .venv", "make setup")
    else:
        yield passed("CDK CLI", f"{installed}, as pinned")


def check_libraries(situation: Situation) -> Iterator[Finding]:
    """What pyproject.toml pins exactly is installed in that version."""
    pins = {item.name: str(item.specifier) for item in map(Requirement, _project(situation)["dependencies"]) if item.specifier}
    installed = {name: _version(name) for name in pins}
    wrong = [
        f"{name} {installed[name] or 'missing'} ({pins[name]})" for name in pins if (installed[name] or "") not in SpecifierSet(pins[name])
    ]
    if wrong:
        yield failed("libraries", ", ".join(wrong), "install what requirements.lock says", "make setup")
    else:
        shown = ", ".join(f"{name} {installed[name]}" for name in ("aws-cdk-lib", "sagemaker", "boto3") if name in pins)
        yield passed("libraries", f"{shown} and {len(pins) - shown.count(',') - 1} more, as pinned")


def _project(situation: Situation) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((situation.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def _installed_cli(root: Path) -> str | None:
    file = root / "node_modules" / _CLI / "package.json"
    return str(json.loads(file.read_text(encoding="utf-8"))["version"]) if file.is_file() else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
