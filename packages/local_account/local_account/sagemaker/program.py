"""How the image starts a program of ours: it puts it into `/opt/ml/code`, installs it with `pip install .` and imports it from there.

In: where the code is, the container's environment, and whether the container has a network. Out: nothing, or NotInstalledError with the
words of pip and of the toolkit. Nothing is really installed here: what is imported is the folder, as in the image, where it comes first
on the path. Used for training jobs (`jobs/training.py`) and for models (`endpoints/model_server.py`, `transform/worker.py`).

Sources: `_modules.py` and `_server.py` of sagemaker-containers 2.8.6.post2; pip 26.1, which the image has, run on such a folder without
an index; docker/xgboost of github.com/aws/deep-learning-containers, whose own test of network isolation is marked as failing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

#: What Python's configuration readers take for false. `--no-build-isolation` switches an option off, so false means no isolation.
_FALSE = ("0", "false", "no", "off", "n", "f")
#: The image's interpreter, as the toolkit's messages name it.
PYTHON = "/opt/venv/bin/python3"


class NotInstalledError(Exception):
    """pip could not install the program. `log` is what it printed; the text is what the toolkit makes of it."""

    def __init__(self, command: str, log: Sequence[str]) -> None:
        super().__init__(f'InstallModuleError:\nCommand "{command}"')
        self.log = "\n".join([*log, str(self)])


def require_installable(code: Path, environment: Mapping[str, Any], *, has_network: bool) -> None:
    """Raises NotInstalledError where pip would have to fetch something and has no network."""
    if has_network:
        return
    requirements = code / "requirements.txt"
    command = f"{PYTHON} -m pip install .{' -r requirements.txt' if requirements.is_file() else ''}"
    if str(environment.get("PIP_NO_BUILD_ISOLATION", "1")).strip().lower() not in _FALSE:
        words = [*_not_found("setuptools>=40.8.0"), "ERROR: Failed to build 'file:///opt/ml/code' when installing build dependencies"]
        raise NotInstalledError(command, ["  Installing build dependencies: finished with status 'error'", *words])
    for requirement in _unmet(requirements):
        raise NotInstalledError(command, _not_found(requirement))


def _not_found(requirement: str) -> list[str]:
    return [
        f"ERROR: Could not find a version that satisfies the requirement {requirement} (from versions: none)",
        f"ERROR: No matching distribution found for {requirement}",
    ]


def _unmet(requirements: Path) -> Iterator[str]:
    """Lines of requirements.txt that name a package which is not installed."""
    lines = requirements.read_text(encoding="utf-8").splitlines() if requirements.is_file() else []
    for line in (line.split("#")[0].strip() for line in lines):
        name = re.match(r"[A-Za-z0-9][\w.-]*", line)
        try:
            metadata.version(name[0]) if name else None
        except metadata.PackageNotFoundError:
            yield line


def has_network(request: Mapping[str, Any]) -> bool:
    """Whether the containers of a model or job may fetch anything: not in network isolation, and not in a VPC.

    The local account has no routes: it takes a VPC to be one without a way out, as the template's own is.
    """
    return not (request.get("EnableNetworkIsolation") or (request.get("VpcConfig") or {}).get("Subnets"))
