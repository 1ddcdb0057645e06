"""Which languages a build's image has, and which version a buildspec's `runtime-versions` chooses. Next: `stand_in.py`.

What is asked for is refused in CodeBuild's words. Without a name the image's default counts, which for Python is the newest.
Source: `runtimes.yml` and `Dockerfile` of ubuntu/standard/8.0 in https://github.com/aws/aws-codebuild-docker-images (1590e48), and
"Runtime versions" of the CodeBuild user guide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from local_account.codebuild.buildspec import BuildspecError

#: Runtime -> version that the buildspec names -> full version, where the image says it.
_STANDARD_8: Mapping[str, Mapping[str, str]] = {
    "dotnet": {"8.0": "8.0", "10.0": "10.0"},
    "golang": {"1.24": "1.24", "1.25": "1.25", "1.26": "1.26"},
    "java": {"corretto8": "8", "corretto11": "11", "corretto17": "17", "corretto21": "21", "corretto25": "25"},
    "nodejs": {"22": "22", "24": "24"},
    "php": {"8.2": "8.2", "8.3": "8.3", "8.4": "8.4", "8.5": "8.5"},
    "python": {"3.10": "3.10.20", "3.11": "3.11.15", "3.12": "3.12.13", "3.13": "3.13.12", "3.14": "3.14.3"},
    "ruby": {"3.3": "3.3", "3.4": "3.4", "4.0": "4.0"},
    "rust": {"1.93": "1.93"},
}
_IMAGES = {"aws/codebuild/standard:8.0": _STANDARD_8}
_DEFAULT_PYTHON = "3.14"  # the Dockerfile's last `pyenv global`
#: A version that the image lacks but installs when it is asked for: the guide's "Custom runtime versions".
_CUSTOM = re.compile(r"(corretto)?\d+(\.\d+){0,2}")


@dataclass(frozen=True)
class Runtimes:
    """`python`: the full version that the build's `python` has, or None where the image is not known here. `notes`: lines for the log."""

    python: str | None
    notes: tuple[str, ...]


def select(image: str, asked: Mapping[str, str]) -> Runtimes:
    """`asked`: the buildspec's runtime -> version. Raises BuildspecError as CodeBuild refuses it."""
    available = _IMAGES.get(image)
    if available is None:
        notes = [f"ignored runtime-versions: the local account knows those of {', '.join(_IMAGES)} only"] if asked else []
        return Runtimes(None, tuple(notes))
    chosen = {name: _version(available, name, version) for name, version in asked.items()}
    notes = [f"Selecting '{name}' runtime version '{asked[name]}' based on manual selections..." for name in asked]
    return Runtimes(chosen.get("python", available["python"][_DEFAULT_PYTHON]), tuple(notes))


def _version(available: Mapping[str, Mapping[str, str]], name: str, asked: str) -> str:
    if name not in available:
        raise BuildspecError(f"Unknown runtime named '{name}'. This build image has the following runtimes: {', '.join(sorted(available))}")
    versions = available[name]
    newest_first = list(versions)[::-1]
    if asked == "latest":
        return versions[newest_first[0]]
    if asked.endswith(".x"):  # the newest of a major version
        asked = next((version for version in newest_first if version.startswith(asked[:-1])), asked)
    if asked not in versions and not _CUSTOM.fullmatch(asked):
        raise BuildspecError(
            f"Unknown runtime version named '{asked}' of {name}. This build image has the following versions: {', '.join(versions)}"
        )
    return versions.get(asked, asked)
