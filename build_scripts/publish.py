"""Publishes the code of a model's steps to the artifact bucket, under the hash of its content: what trains it, and what watches it.

    python -m build_scripts.publish --model abalone

Input: pipelines/<kind>/steps/ and the specification made from the model's file: so a change of one model is a new address of that one,
and a change of shared steps one of each. What watches it is pipelines/monitoring/code.py's, below another hash.
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
from build_scripts.spark_wheels import publish_wheels
from build_scripts.step_modules import folder, load
from build_scripts.write_once import put_once, require_same
from pipelines.monitoring.code import code_files as monitoring_files
from pipelines.published_code import code_prefix, files_of
from pipelines.tabular.specification import specification_json
from settings_schema import Model

AT_ONCE = 8  # requests; a client of boto3 keeps ten connections


def code_files(model: Model, steps: Path | None = None) -> dict[str, bytes]:
    """Relative path -> content of everything a step ships with, the specification included. `steps`: default, those of its pipeline."""
    return dict(sorted({**files_of(steps or folder(model.pipeline)), "specification.json": specification_json(model).encode()}.items()))


def published_code(model: Model) -> dict[str, dict[str, bytes]]:
    """What runs it -> files, each with an address of its own: of the training and, where the model is watched, of that."""
    watching = {"monitoring": monitoring_files(model)} if model.watch else {}
    return {"training": code_files(model), **watching}


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
    place = ProjectEnvironment(settings.project)
    for what, files in published_code(settings.model(given.model)).items():
        uri, uploaded = publish(place.client("s3"), place.artifact_bucket, files, place.key_arn)
        print(f"{what}: {'published' if uploaded else 'unchanged'}, {len(files)} files at {uri}/")
    if settings.model(given.model).processing.spark:
        uri, uploaded = publish_wheels(place.client("s3"), place.artifact_bucket, place.key_arn)
        print(f"packages of Spark: {'published' if uploaded else 'unchanged'} at {uri}/")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
