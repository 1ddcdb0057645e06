"""The commands and settings of a section of docs/deploy.md, as they stand in its blocks, made to run in a test."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.loop.clone import ROOT


def commands(section: str, *, block: int = 0) -> list[list[str]]:
    """Of one of its blocks, counted from the first."""
    lines = _blocks(section, "console")[block].replace("\\\n", " ").splitlines()
    return [command for line in lines if (command := shlex.split(line, comments=True))]


def values(section: str) -> str:
    """The lines of settings.py that it shows."""
    (block,) = _blocks(section, "python")
    return block


def _blocks(section: str, language: str) -> list[str]:
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def as_run_here(command: list[str], assembly: Path) -> list[str]:
    """`npx` would look for the CLI below the clone, one synthesis is enough, and nobody answers what asks before it deletes."""
    command = command[1:] if command[0] == "npx" else command
    if {"deploy_scripts.tear_down", "deploy_scripts.retire"} & set(command):
        return [*command, "--yes"]
    if command[0] != "cdk" or command[1] == "bootstrap":
        return command
    agreed = {"destroy": ["--force"], "deploy": ["--require-approval", "never"]}.get(command[1], [])
    return [*command, "--app", str(assembly), "--no-notices", *agreed]
