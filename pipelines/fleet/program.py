"""What a multi-model container runs, as the archive that its image fetches when it starts (`SAGEMAKER_SUBMIT_DIRECTORY`).

Output: the files of steps/ packed, the same bytes for the same files, so that only a change of them changes a fleet.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

STEPS = Path(__file__).resolve().parent / "steps"
PROGRAM = "members.py"
#: Variable of the container: where lines go that CloudWatch is to read as they are (steps/container_output.py), and its own output.
OUTPUT, CONTAINERS_OWN = "CONTAINER_OUTPUT", "/proc/1/fd/1"


def packed(files: Mapping[str, bytes] | None = None) -> bytes:
    """A gzipped tar of `files`, by their names; by default of the program."""
    if files is None:
        files = {file.name: file.read_bytes() for file in sorted(STEPS.glob("*.py"))}
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
