"""The `python` of a build, on a machine that has one Python only: the account's own, under the version that CodeBuild would run.

It stands in for another version only where the source's pyproject.toml allows both. Where it does not, the build gets a `python` that
says, and to every program is, the version of CodeBuild's image, so that what refuses that version there refuses it here.
Why, and what it simplifies: docs/decisions/0076-a-build-names-its-python.md. Next: `environment.py`.
"""

from __future__ import annotations

import platform
import sys
import sysconfig
import tomllib
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

#: Run by the interpreter as it starts. The real `sys.version_info` cannot be made anew, so a tuple with its names takes its place.
_PRESENT = """\
import collections, sys
_real = sys.version_info
_kind = collections.namedtuple("version_info", "major minor micro releaselevel serial")
sys.version_info = _kind({major}, {minor}, {micro}, _real.releaselevel, _real.serial)
sys.version = "{version} " + sys.version.partition(" ")[2]
sys.hexversion = {major} << 24 | {minor} << 16 | {micro} << 8 | 0xF0
"""
_LAUNCHER = """\
#!/bin/sh
case "$1" in -V|--version) echo "Python {version}"; exit 0;; esac
exec "{interpreter}" "$@"
"""


def can_stand_in(version: str, source: Path, own: str = platform.python_version()) -> bool:
    """Whether the machine's Python may run what asks for `version`: the same minor version, or the project takes both."""
    if _minor(version) == _minor(own):
        return True
    allowed = _allowed(source)
    return allowed is None or (version in allowed and own in allowed)


def _allowed(source: Path) -> SpecifierSet | None:
    """`requires-python` of the source; None if it says nothing that can be read."""
    try:
        project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
        return SpecifierSet(project["requires-python"])
    except (OSError, KeyError, TypeError, AttributeError, UnicodeDecodeError, tomllib.TOMLDecodeError, InvalidSpecifier):
        return None


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]


def make(folder: Path, version: str) -> Path:
    """A folder for PATH with `python` and `python3` that are `version` to all who ask. Raises OSError.

    It is a virtual environment without packages: a build starts with none of the account's.
    """
    programs = folder / "bin"
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    for made in (programs, packages):
        made.mkdir(parents=True)
    major, minor, micro = ([*version.split("."), "0", "0"])[:3]
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.base_prefix) / 'bin'}\n", encoding="utf-8")
    (packages / "sitecustomize.py").write_text(_PRESENT.format(version=version, major=major, minor=minor, micro=micro), encoding="utf-8")
    interpreter = programs / "interpreter"
    interpreter.symlink_to(Path(sys.executable).resolve())
    for name in ("python", f"python{major}", f"python{major}.{minor}"):
        (programs / name).write_text(_LAUNCHER.format(version=version, interpreter=interpreter), encoding="utf-8")
        (programs / name).chmod(0o755)
    return programs
