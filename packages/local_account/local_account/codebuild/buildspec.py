"""Reads a buildspec file into typed values and refuses what the local account cannot do. Next: `build.py`.

Reference: https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

PHASES = ("install", "pre_build", "build", "post_build")
_SHELLS = {"bash": "bash", "sh": "sh", "/bin/sh": "sh"}
#: Section -> its keys, and those of the reference that are not done here: what they ask for would be left out.
_KEYS: Mapping[str, tuple[str, str]] = {
    "the buildspec": ("version env phases artifacts cache", "batch proxy reports run-as"),
    "env": ("shell variables parameter-store secrets-manager exported-variables", "git-credential-helper"),
    "phases": (" ".join(PHASES), ""),
    **{f"phases.{name}": ("commands finally on-failure runtime-versions", "run-as") for name in PHASES},
    "artifacts": ("files name base-directory discard-paths exclude-paths", "secondary-artifacts enable-symlinks s3-prefix"),
}


class BuildspecError(ValueError):
    """The buildspec is wrong, or asks for something that the local account does not do."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """`on_failure` None: the transitions of the service (a failed build phase still runs post_build)."""

    commands: tuple[str, ...] = ()
    finally_commands: tuple[str, ...] = ()
    on_failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class ArtifactFiles:
    """Which files of the source directory are the build's output. Patterns are relative to `base_directory`."""

    files: tuple[str, ...]
    base_directory: str = "."
    discard_paths: bool = False
    exclude_paths: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Buildspec:
    phases: Mapping[str, Phase]
    runtimes: Mapping[str, str] = field(default_factory=dict)  # of phases.install.runtime-versions
    shell: str = "sh"
    variables: Mapping[str, str] = field(default_factory=dict)
    parameter_store: Mapping[str, str] = field(default_factory=dict)
    secrets_manager: Mapping[str, str] = field(default_factory=dict)
    exported_variables: tuple[str, ...] = ()
    artifacts: ArtifactFiles | None = None
    ignored: tuple[str, ...] = ()  # sections without effect here; the build's log says so


def parse(text: str) -> Buildspec:
    """Buildspec of a YAML text. Raises BuildspecError."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildspecError(f"the buildspec is not YAML: {' '.join(str(error).split())}") from error
    spec = _section(document, "the buildspec")
    if str(spec.get("version")) != "0.2":
        raise BuildspecError(f"buildspec version is {spec.get('version')!r}; the local account runs version 0.2")
    environment = _section(spec.get("env"), "env")
    artifacts = _artifacts(_section(spec.get("artifacts"), "artifacts"))
    phases = _section(spec.get("phases"), "phases")
    if not phases:
        raise BuildspecError(f"the buildspec has no phases; allowed: at least one of {', '.join(PHASES)}")
    return Buildspec(
        phases={name: _phase(name, phases[name]) for name in PHASES if name in phases},
        runtimes=_runtimes(text, phases),
        shell=_shell(environment),
        variables={name: str(value) for name, value in _mapping(environment.get("variables"), "env.variables").items()},
        parameter_store=_mapping(environment.get("parameter-store"), "env.parameter-store"),
        secrets_manager=_mapping(environment.get("secrets-manager"), "env.secrets-manager"),
        exported_variables=_strings(environment.get("exported-variables"), "env.exported-variables"),
        artifacts=artifacts,
        ignored=("cache: has no effect in the local account",) if "cache" in spec else (),
    )


def _section(value: Any, place: str) -> Mapping[str, Any]:
    """A section whose keys are known. Raises BuildspecError that names the others."""
    section, (allowed, not_done) = _mapping(value, place), (names.split() for names in _KEYS[place])
    asked = [key if place == "the buildspec" else f"{place}.{key}" for key in section if key in not_done]
    if asked:
        raise BuildspecError(f"the local account does not implement {', '.join(asked)} of a buildspec")
    unknown = sorted(set(section) - set(allowed))
    if unknown:
        raise BuildspecError(f"{place} has unknown keys: {', '.join(unknown)}; allowed: {', '.join(allowed)}")
    return section


def _shell(environment: Mapping[str, Any]) -> str:
    asked = environment.get("shell", "sh")
    if asked not in _SHELLS:
        raise BuildspecError(f"env.shell is {asked!r}; the local account runs {', '.join(_SHELLS)}")
    return _SHELLS[asked]


def _phase(name: str, value: Any) -> Phase:
    phase = _section(value, f"phases.{name}")
    if not phase.get("commands") and not (name == "install" and phase.get("runtime-versions")):
        raise BuildspecError(f"phases.{name} has no commands")
    on_failure = phase.get("on-failure")
    if on_failure not in (None, "ABORT", "CONTINUE"):
        raise BuildspecError(f"phases.{name}.on-failure is {on_failure!r}; the local account implements ABORT and CONTINUE")
    return Phase(
        commands=_strings(phase.get("commands"), f"phases.{name}.commands"),
        finally_commands=_strings(phase.get("finally"), f"phases.{name}.finally"),
        on_failure=on_failure,
    )


def _runtimes(text: str, phases: Mapping[str, Any]) -> Mapping[str, str]:
    """Versions as they are written: YAML would read 3.10 as the number 3.1. Only `install` has them."""
    for name, phase in phases.items():
        if name != "install" and isinstance(phase, Mapping) and "runtime-versions" in phase:
            raise BuildspecError(f"phases.{name} has runtime-versions; allowed: in phases.install")
    written = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - the base loader makes nothing but texts, lists and mappings
    install = _mapping(written.get("phases"), "phases").get("install")
    versions = install.get("runtime-versions") if isinstance(install, Mapping) else None
    return {name: str(version) for name, version in _mapping(versions or None, "phases.install.runtime-versions").items()}


def _artifacts(section: Mapping[str, Any]) -> ArtifactFiles | None:
    if not section:
        return None
    files = _strings(section.get("files"), "artifacts.files")
    if not files:
        raise BuildspecError("artifacts.files is empty; allowed: at least one pattern, such as '**/*'")
    return ArtifactFiles(
        files=files,
        base_directory=str(section.get("base-directory", ".")),
        discard_paths=str(section.get("discard-paths", "no")).lower() in ("yes", "true"),
        exclude_paths=_strings(section.get("exclude-paths"), "artifacts.exclude-paths"),
    )


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BuildspecError(f"{where} is {type(value).__name__}; allowed: a mapping")
    return {str(key): item for key, item in value.items()}


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    items: Sequence[Any] = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise BuildspecError(f"{where} is {value!r}; allowed: a list of strings (quote a command that contains ': ')")
    return tuple(items)
