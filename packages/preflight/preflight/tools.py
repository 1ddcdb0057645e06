"""The tools on this machine: Python, Node, the CDK's CLI and libraries, in the versions that the project pins.

Sources: requires-python and the pins of pyproject.toml, the CLI's pin of package.json, in `App.root`. Without it nothing is looked at.
Next: `source.py`.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from preflight.finding import Finding, failed, passed
from preflight.situation import Situation

_CLI = "aws-cdk"
_EXACT = re.compile(r"\d+\.\d+\.\d+")
_SHOWN = ("aws-cdk-lib", "sagemaker", "boto3")


def check_python(situation: Situation) -> Iterator[Finding]:
    if allowed := _project(situation).get("requires-python"):
        yield python(platform.python_version(), str(allowed), situation.app.words.other_python)


def python(version: str, allowed: str, other: str) -> Finding:
    """`other`: the command that makes an environment with another one."""
    if version in SpecifierSet(allowed):
        return passed("Python", f"{version}; allowed: {allowed}")
    return failed("Python", f"{version}; allowed: {allowed}", "make the environment with another Python", other)


def check_cli(situation: Situation) -> Iterator[Finding]:
    """The CLI that `npx cdk` runs here. Another one may not read what the library wrote."""
    package = _read(situation, "package.json", json.loads)
    pinned = {**package.get("dependencies", {}), **package.get("devDependencies", {})}.get(_CLI)
    if pinned is None or situation.app.root is None:
        return
    installed, install = _installed_cli(situation.app.root), situation.app.words.install
    if installed is None or (_EXACT.fullmatch(pinned) and installed != pinned):
        yield failed("CDK CLI", f"{installed or 'not installed here'}; package.json pins {pinned}", "install it", install)
    elif shutil.which("node") is None:
        yield failed("CDK CLI", f"{installed}, but there is no node on PATH to run it", "install one", install)
    else:
        yield passed("CDK CLI", f"{installed}, as pinned" if installed == pinned else f"{installed}; package.json allows {pinned}")


def check_libraries(situation: Situation) -> Iterator[Finding]:
    """What pyproject.toml pins is installed in that version."""
    pins = {item.name: str(item.specifier) for item in map(Requirement, _project(situation).get("dependencies", [])) if item.specifier}
    installed = {name: _version(name) for name in pins}
    wrong = [
        f"{name} {installed[name] or 'missing'} ({pins[name]})" for name in pins if (installed[name] or "") not in SpecifierSet(pins[name])
    ]
    if wrong:
        yield failed("libraries", ", ".join(wrong), "install what is pinned", situation.app.words.install)
    elif pins:
        first = [name for name in _SHOWN if name in pins] or list(pins)[:1]
        shown = ", ".join(f"{name} {installed[name]}" for name in first)
        yield passed("libraries", f"{shown} and {len(pins) - len(first)} more, as pinned")


def _project(situation: Situation) -> dict[str, Any]:
    return dict(_read(situation, "pyproject.toml", tomllib.loads).get("project", {}))


def _read(situation: Situation, name: str, parse: Any) -> dict[str, Any]:
    """Nothing where the project has no such file."""
    file = situation.app.root / name if situation.app.root else None
    return dict(parse(file.read_text(encoding="utf-8"))) if file and file.is_file() else {}


def _installed_cli(root: Path) -> str | None:
    file = root / "node_modules" / _CLI / "package.json"
    return str(json.loads(file.read_text(encoding="utf-8"))["version"]) if file.is_file() else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
