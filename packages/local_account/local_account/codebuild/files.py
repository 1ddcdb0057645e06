"""Files into and out of a build: unpacks the source safely, packs the artifacts reproducibly. Next: `build.py`."""

from __future__ import annotations

import io
import stat
import zipfile
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from local_account.codebuild.buildspec import ArtifactFiles

_EARLIEST_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # same files, same bytes


class ArtifactError(ValueError):
    """The artifact section names nothing that exists, or something outside the source directory."""


def unpack(archive: bytes, directory: Path) -> None:
    """Write a ZIP's files below `directory`; what would leave it is refused, before anything is written. Keeps the executable bit.

    A symbolic link becomes a file that holds the name of its target, so no name can lead elsewhere. Raises ValueError.
    """
    try:
        bundle = zipfile.ZipFile(io.BytesIO(archive))
    except zipfile.BadZipFile as error:
        raise ValueError("the source is not a ZIP file") from error
    with bundle:
        entries = bundle.infolist()
        for entry in entries:
            if entry.filename.startswith("/") or ".." in entry.filename.split("/"):
                raise ValueError(f"the source contains {entry.filename!r}, a path outside of it")
        for folder in {PurePosixPath(entry.filename if entry.is_dir() else entry.filename.rpartition("/")[0]) for entry in entries}:
            (directory / folder).mkdir(parents=True, exist_ok=True)
        for entry in entries:
            if not entry.is_dir():
                target = directory / entry.filename
                target.write_bytes(bundle.read(entry))
                if entry.external_attr >> 16 & stat.S_IXUSR:
                    target.chmod(0o755)


def select(section: ArtifactFiles, source: Path) -> dict[str, Path]:
    """Files of the artifact section: name inside the archive -> path. Raises ArtifactError."""
    root = source.resolve()
    base = (root / section.base_directory).resolve()
    if not base.is_relative_to(root):
        raise ArtifactError(f"artifacts.base-directory is {section.base_directory!r}; allowed: a directory inside the source")
    found: dict[str, Path] = {}
    for pattern in section.files:
        matches = [path for path in sorted(_matches(base, pattern)) if path.is_file()]
        if not matches:
            raise ArtifactError(f"no matching artifact paths found for {pattern!r} in {section.base_directory!r}")
        for path in matches:
            relative = path.relative_to(base).as_posix()
            if not any(_excluded(relative, pattern) for pattern in section.exclude_paths):
                found[path.name if section.discard_paths else relative] = path
    return dict(sorted(found.items()))


def _matches(base: Path, pattern: str) -> list[Path]:
    if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
        raise ArtifactError(f"artifacts.files has {pattern!r}; allowed: a pattern inside the base directory")
    exact = base / pattern
    if exact.is_file():
        return [exact]
    return list(base.glob(pattern))


def _excluded(relative: str, pattern: str) -> bool:
    return fnmatch(relative, pattern) or fnmatch(relative, pattern.replace("**/", ""))


def pack(files: dict[str, Path]) -> bytes:
    """ZIP of the files; the same contents give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, path in files.items():
            entry = zipfile.ZipInfo(name, _EARLIEST_ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644) << 16
            bundle.writestr(entry, path.read_bytes())
    return buffer.getvalue()
