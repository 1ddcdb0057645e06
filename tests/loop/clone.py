"""A clone of this checkout as a team would have it, with values of its own: `team/`, whatever settings.py and models/ say here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEAM = Path(__file__).with_name("team")


def make_clone(clone: Path) -> None:
    """Every file that is not ignored, with the team's values. Of its own tests one of each folder: they are not what is tested here."""
    copy_working_tree(clone)
    for path in (clone / "tests").rglob("test_*.py"):
        if path.name not in ("test_missing.py", "test_registry_text.py"):
            path.unlink()
    shutil.rmtree(clone / "models")
    shutil.copytree(TEAM / "models", clone / "models")
    shutil.copy(TEAM / "settings.py", clone / "settings.py")


def copy_working_tree(clone: Path) -> None:
    """Every file that is not ignored, as `git ls-files` names it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            target = clone / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
