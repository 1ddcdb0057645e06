"""Publishes the code of a model's steps to the artifact bucket, under the hash of its content.

    python -m build_scripts.publish --model abalone

Input: pipelines/<kind>/steps/ and the specification made from the model's file: so a change of one model is a new address of that one,
and a change of shared steps one of each.
Output: s3://<artifact bucket>/code/<hash>/ with every file under steps/, and sourcedir.tar.gz of the same files.
Equal code gives an equal address, so a commit that does not change it publishes nothing and retrains nothing. What is at that address
already has to be that code and nothing besides: a job downloads all of it.
Next: run_pipeline.py.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError, add_model_option, parser, read_settings, run
from build_scripts.objects import encryption, keys
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.step_modules import folder, load
from build_scripts.write_once import put_once, require_same
from pipelines.tabular.specification import specification_json
from settings_schema import Model

HASH_LENGTH = 16
AT_ONCE = 8  # requests; a client of boto3 keeps ten connections
_SKIPPED = {"__pycache__", "specification.json"}  # a specification in the checkout is not what the model's file says now


def code_files(model: Model, steps: Path | None = None) -> dict[str, bytes]:
    """Relative path -> content of everything a step ships with, the specification included. `steps`: default, those of its pipeline."""
    root = steps or folder(model.pipeline)
    files = [file for file in root.rglob("*") if file.is_file() and not any(map(_is_skipped, file.relative_to(root).parts))]
    published = {file.relative_to(root).as_posix(): file.read_bytes() for file in files if file.suffix != ".pyc"}
    return dict(sorted({**published, "specification.json": specification_json(model).encode()}.items()))


def _is_skipped(part: str) -> bool:
    """Tools leave caches in the folder, such as .mypy_cache: the address must not depend on who has run them."""
    return part in _SKIPPED or part.startswith(".")


def code_prefix(files: Mapping[str, bytes]) -> str:
    """`code/<hash>`: the same for the same files, whatever machine or time."""
    return f"code/{load('archive').sha256(files)[:HASH_LENGTH]}"


def code_address(bucket: str, files: Mapping[str, bytes]) -> str:
    """Where `publish` puts the files; the definition names it."""
    return f"s3://{bucket}/{code_prefix(files)}"


def publish(s3: Any, bucket: str, files: Mapping[str, bytes], key_arn: str | None = None) -> tuple[str, bool]:
    """The code's address, and whether it had to be uploaded. The archive goes last: where it is, everything is.

    Raises ProblemError for other or further objects at that address, which some other build wrote there.
    """
    prefix = code_prefix(files)
    archive, packed = f"{prefix}/sourcedir.tar.gz", load("archive").pack(files)
    wanted = {f"{prefix}/steps/{path}": content for path, content in files.items()}
    there = set(keys(s3, bucket, f"{prefix}/"))
    if strange := sorted(there - {*wanted, archive}):
        raise ProblemError(
            f"s3://{bucket}/{strange[0]} is none of the {len(files)} files of this code, and every job that runs it would get it; "
            "find out who wrote it, delete it, and build again"
        )
    encrypted = encryption(key_arn)

    def settle(key: str) -> None:
        if key in there:
            require_same(s3, bucket, key, wanted[key])
        else:
            put_once(s3, bucket, key, wanted[key], encrypted)

    with ThreadPoolExecutor(AT_ONCE) as several:  # dozens of small files for each model: most of the time is spent on the way
        list(several.map(settle, wanted))
    if archive in there:
        require_same(s3, bucket, archive, packed, _same_archive)
    return f"s3://{bucket}/{prefix}", archive not in there and put_once(s3, bucket, archive, packed, encrypted, _same_archive)


def _same_archive(one: bytes, other: bytes) -> bool:
    """By content: versions of zlib differ in how they compress."""
    try:
        return gzip.decompress(one) == gzip.decompress(other)
    except (OSError, EOFError, zlib.error):
        return False


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    add_model_option(options)
    given = options.parse_args(arguments)
    settings = read_settings()
    files = code_files(settings.model(given.model))
    place = ProjectEnvironment(settings.project)
    uri, uploaded = publish(place.client("s3"), place.artifact_bucket, files, place.key_arn)
    print(f"{'published' if uploaded else 'unchanged'}: {len(files)} files at {uri}/")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
