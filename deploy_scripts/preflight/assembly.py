"""What `cdk synth` wrote: the stacks with their templates, and what each needs of the bootstrap stack.

Input: cdk.out, the CLI's cloud assembly (manifest.json, nested ones in folders). Output: `Stack`s. Next: `needs.py` for jobs and fleets.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.session import Session

from build_scripts.command_line import ProblemError

_STACK = "aws:cloudformation:stack"
_PSEUDO = re.compile(r"\$\{(AWS::\w+)\}")


@dataclass(frozen=True, slots=True)
class Stack:
    """`by_pipeline`: deployed by the deploy pipeline, not by `cdk deploy --all`. `properties` are the manifest's."""

    name: str
    template: Mapping[str, Any]
    environment: str = "aws://unknown-account/unknown-region"
    properties: Mapping[str, Any] = field(default_factory=dict)
    by_pipeline: bool = False

    def resources(self, *types: str) -> dict[str, dict[str, Any]]:
        """Properties by logical id; of every type if none is named."""
        found = self.template.get("Resources", {}).items()
        return {name: item.get("Properties", {}) for name, item in found if not types or item["Type"] in types}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the templates go: stands for the pseudo parameters in them."""

    account: str
    region: str

    def text(self, value: Any) -> str | None:
        """A string of a template, made of `Ref` of pseudo parameters, `Fn::Join` and `Fn::Sub`; None where it takes a deployment."""
        if isinstance(value, str):
            return value
        if not isinstance(value, Mapping) or len(value) != 1:
            return None
        (function, given), *_ = value.items()
        if function == "Ref":
            return self._pseudo.get(given)
        if function == "Fn::Join":
            parts = [self.text(part) for part in given[1]]
            return None if None in parts else str(given[0]).join(part for part in parts if part is not None)
        return self.filled(given) if function == "Fn::Sub" and isinstance(given, str) else None

    def filled(self, text: str) -> str | None:
        """`${AWS::Region}` and the like in it; None if anything else is left."""
        made = _PSEUDO.sub(lambda match: self._pseudo.get(match[1], match[0]), text)
        return None if "${" in made else made

    @property
    def _pseudo(self) -> dict[str, str]:
        return {"AWS::Region": self.region, "AWS::AccountId": self.account, "AWS::Partition": partition_of(self.region)}


@functools.cache
def partition_of(region: str) -> str:
    """`aws`, `aws-cn` or the like. Botocore reads all of AWS's endpoints for it."""
    return str(Session().get_partition_for_region(region))


def read(folder: Path) -> list[Stack]:
    """The stacks of `cdk deploy --all` and those of nested assemblies. Raises ProblemError."""
    if not (folder / "manifest.json").is_file():
        raise ProblemError(f"{folder} has no manifest.json; `make synth` writes it, or name another folder with --assembly")
    return [*_stacks(folder, by_pipeline=False)]


def _stacks(folder: Path, *, by_pipeline: bool) -> Iterator[Stack]:
    try:
        artifacts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["artifacts"]
    except (OSError, ValueError, KeyError) as error:
        raise ProblemError(f"{folder / 'manifest.json'} is not what `cdk synth` writes; `make synth` writes it again") from error
    for name, artifact in artifacts.items():
        properties = artifact.get("properties", {})
        if artifact["type"] == _STACK:
            template = json.loads((folder / properties["templateFile"]).read_text(encoding="utf-8"))
            environment = artifact.get("environment", "")
            yield Stack(properties.get("stackName", name), template, environment, properties, by_pipeline)
        elif artifact["type"] == "cdk:cloud-assembly":
            yield from _stacks(folder / properties["directoryName"], by_pipeline=True)
