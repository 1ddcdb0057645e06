"""A model that nobody has written yet: drafted from a person's file, in a copy of the checkout, so that their own stays as it is.

In: the file, what to predict, a folder that the story removes at its end. Out: `Drafted`; SetupError says why there is no draft. Next:
`subject.py`.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from build_scripts.command_line import ProblemError
from build_scripts.describe_data import describe, name_of
from demo.errors import SetupError
from demo.terminal import quiet_git
from settings_schema.reading import Settings, model_of


@dataclass(frozen=True)
class Drafted:
    """`checkout`: the copy, whose only model is the draft. `settings`: what it says. `data`: as training reads it."""

    checkout: Path
    settings: Settings
    model: str
    data: Path
    report: list[str]


def draft(checkout: Path, settings: Settings, data: Path, target: str, folder: Path) -> Drafted:
    """Raises SetupError, too, where git cannot read the checkout."""
    name, described, copy = name_of(data), folder / "described", folder / "checkout"
    described.mkdir()
    try:
        found = describe(data, target, name, settings, described)
    except ProblemError as error:
        raise SetupError(str(error)) from error
    copy_working_tree(checkout, copy, folder / "copied.git")
    for file in (copy / "models").glob("[!_]*.py"):
        file.unlink()
    file = copy / "models" / found.draft.name
    shutil.copyfile(found.draft, file)
    model = model_of(file, settings.environments, settings.fleets)
    return Drafted(copy, replace(settings, models={model.name: model}), model.name, found.data, found.report)


def copy_working_tree(checkout: Path, copy: Path, repository: Path) -> None:
    """Every file that is not ignored, as it is now. `repository`: for git to list them by; the checkout's own is not touched."""
    git = quiet_git("--git-dir", str(repository), "--work-tree", str(checkout))
    copy.mkdir()
    for command in (["init", "--quiet"], ["add", "--all", "."], ["checkout-index", "--all", f"--prefix={copy.resolve()}/"]):
        done = subprocess.run([*git, *command], cwd=checkout, capture_output=True, text=True)
        if done.returncode:
            raise SetupError(
                f"`git {command[0]}` failed: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no reason given'}"
            )
