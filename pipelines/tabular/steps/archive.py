"""Packs and unpacks `model.tar.gz` so that equal content gives equal bytes.

Used by `choose.py` (packs), `evaluate.py` and `champion.py` (unpack).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from failure import BadInput


def pack(members: Mapping[str, bytes]) -> bytes:
    """A tar.gz of `{path: content}` without times, owners or any order but that of the names."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(members.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), compresslevel=6, mtime=0)


def unpack(path: Path, folder: Path) -> None:
    """Extracts `path` into `folder`. Members that would leave the folder are refused. Raises BadInput naming the file."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            archive.extractall(folder, filter="data")
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise BadInput(f"{path.parent.name}/{path.name} cannot be unpacked: {error}") from None


def code_files(folder: Path) -> dict[str, bytes]:
    """The scripts beside this one, by relative path: what serving needs, and what the code hash covers."""
    files = [file for file in folder.rglob("*") if file.suffix in (".py", ".j2") and "__pycache__" not in file.parts]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(files)}


def sha256(members: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(members.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()
