"""The code of a pipeline's steps as it is published: files by relative path, and the address that follows from what is in them.

Input: folders of steps, and documents that are made for a model. Used by build_scripts/publish.py and pipelines/monitoring/code.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

_HASH_LENGTH = 16
#: A specification in the checkout is not what the model's file says now.
_SKIPPED = {"__pycache__", "specification.json"}


def files_of(folder: Path) -> dict[str, bytes]:
    """Relative path -> content of everything that ships with a step. Not what tools leave in the folder, such as .mypy_cache."""
    files = [file for file in folder.rglob("*") if file.is_file() and not any(map(_is_skipped, file.relative_to(folder).parts))]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files if file.suffix != ".pyc"}


def _is_skipped(part: str) -> bool:
    return part in _SKIPPED or part.startswith(".")


def code_hash(files: Mapping[str, bytes]) -> str:
    """The same for the same files, whatever machine or time."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()[:_HASH_LENGTH]


def code_prefix(files: Mapping[str, bytes]) -> str:
    """`code/<hash>`, below which they are published."""
    return f"code/{code_hash(files)}"
