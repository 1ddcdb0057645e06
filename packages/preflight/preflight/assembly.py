"""What `cdk synth` wrote: the stacks with their templates, and what each needs of the bootstrap stack.

Input: cdk.out, the CLI's cloud assembly (manifest.json, nested ones in folders). Output: `Stack`s. Next: `sites.py`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from botocore.session import Session

from preflight.errors import PreflightError

#: How the CDK says that a stack fits any account, or any region.
UNKNOWN = "unknown"
_STACK = "aws:cloudformation:stack"
_REFERENCE = re.compile(r"\$\{([\w:.]+)\}")


@dataclass(frozen=True, slots=True)
class Stack:
    """`by_pipeline`: of a stage, which a pipeline deploys and `cdk deploy --all` does not. `properties` are the manifest's."""

    name: str
    template: Mapping[str, Any]
    environment: str = "aws://unknown-account/unknown-region"
    properties: Mapping[str, Any] = field(default_factory=dict)
    by_pipeline: bool = False

    @property
    def account(self) -> str:
        """UNKNOWN where the app leaves it open."""
        return self._part(0)

    @property
    def region(self) -> str:
        return self._part(1)

    def _part(self, index: int) -> str:
        part = [*self.environment.removeprefix("aws://").split("/"), "", ""][index]
        return UNKNOWN if part in ("", f"{UNKNOWN}-account", f"{UNKNOWN}-region") else part

    def resources(self, *types: str) -> dict[str, dict[str, Any]]:
        """Properties by logical id; of every type if none is named."""
        found = self.template.get("Resources", {}).items()
        return {name: item.get("Properties", {}) for name, item in found if not types or item["Type"] in types}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the templates go: stands for the pseudo parameters in them. `known`: what other references stand for, where that is known."""

    account: str
    region: str
    known: Mapping[str, str] = field(default_factory=dict)

    def text(self, value: Any) -> str | None:
        """A string of a template, made of `Ref`, `Fn::GetAtt`, `Fn::Join` and `Fn::Sub`; None where it takes a deployment."""
        if isinstance(value, str | int | float):
            return str(value)
        if not isinstance(value, Mapping) or len(value) != 1:
            return None
        (function, given), *_ = value.items()
        if function in ("Ref", "Fn::GetAtt"):
            return self._references.get(given if isinstance(given, str) else ".".join(map(str, given)))
        if function == "Fn::Join":
            parts = [self.text(part) for part in given[1]]
            return None if None in parts else str(given[0]).join(part for part in parts if part is not None)
        if function != "Fn::Sub":
            return None
        pattern, variables = (given, {}) if isinstance(given, str) else given
        own = {name: text for name, part in variables.items() if (text := self.text(part)) is not None}
        return self.knowing({**self.known, **own}).filled(pattern)

    def loosely(self, value: Any) -> str:
        """As `text`, with a question mark for each part that takes a deployment."""
        (function, given), *_ = value.items() if isinstance(value, Mapping) else [("", value)]
        if function == "Fn::Join":
            return str(given[0]).join(self.loosely(part) for part in given[1])
        if function == "Fn::Sub":
            text, own = (given, {}) if isinstance(given, str) else given
            known = {**self._references, **{name: self.loosely(part) for name, part in own.items()}}
            return _REFERENCE.sub(lambda match: known.get(match[1], "?"), text)
        return self.text(value) or "?"

    def filled(self, text: str) -> str | None:
        """`${AWS::Region}` and the like in it; None if anything else is left."""
        made = _REFERENCE.sub(lambda match: self._references.get(match[1], match[0]), text)
        return None if "${" in made else made

    def knowing(self, known: Mapping[str, str]) -> Place:
        return replace(self, known=known)

    @property
    def _references(self) -> dict[str, str]:
        pseudo = {"AWS::Region": self.region, "AWS::AccountId": self.account, "AWS::Partition": partition_of(self.region)}
        return {**self.known, **pseudo}


@functools.cache
def partition_of(region: str) -> str:
    """`aws`, `aws-cn` or the like. Botocore reads all of AWS's endpoints for it."""
    return str(Session().get_partition_for_region(region))


def read(folder: Path, synthesize: str) -> list[Stack]:
    """The stacks of `cdk deploy --all` and those of nested assemblies. `synthesize`: the command that writes it. Raises PreflightError."""
    if not (folder / "manifest.json").is_file():
        raise PreflightError(f"{folder} has no manifest.json; `{synthesize}` writes it, or name another folder with --assembly")
    try:
        return [*_stacks(folder, by_pipeline=False)]
    except (OSError, ValueError, KeyError) as error:
        raise PreflightError(f"{folder} is not what `cdk synth` writes; `{synthesize}` writes it again") from error


def _stacks(folder: Path, *, by_pipeline: bool) -> Iterator[Stack]:
    for name, artifact in _json(folder / "manifest.json")["artifacts"].items():
        properties = artifact.get("properties", {})
        if artifact["type"] == _STACK:
            template = _json(folder / properties["templateFile"])
            yield Stack(properties.get("stackName", name), template, artifact.get("environment", ""), properties, by_pipeline)
        elif artifact["type"] == "cdk:cloud-assembly":
            yield from _stacks(folder / properties["directoryName"], by_pipeline=True)


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
