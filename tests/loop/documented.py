"""The commands of a section of docs/deploy.md, as they stand in its blocks, made to run in a test."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.loop.clone import ROOT


def commands(section: str, *, block: int = 0) -> list[list[str]]:
    """Of one of its blocks, counted from the first."""
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").split(f"## {section}\n")[1].split("\n## ")[0]
    found: list[str] = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    return [command for line in found[block].splitlines() if (command := shlex.split(line, comments=True))]


def as_run_here(command: list[str], assembly: Path) -> list[str]:
    """`npx` would look for the CLI below the clone, one synthesis is enough, and nobody answers what asks before it deletes."""
    command = command[1:] if command[0] == "npx" else command
    if {"deploy_scripts.tear_down", "deploy_scripts.retire"} & set(command):
        return [*command, "--yes"]
    if command[0] != "cdk":
        return command
    agreed = {"destroy": ["--force"], "deploy": ["--require-approval", "never"]}.get(command[1], [])
    return [*command, "--app", str(assembly), "--no-notices", *agreed]
