"""Publishes the code of the pipeline's steps to the artifact bucket, under the hash of its content.

Input: pipelines/tabular/steps/ and the specification made from settings.py.
Output: s3://<artifact bucket>/code/<hash>/ with every file under steps/, and sourcedir.tar.gz of the same files.
Equal code gives an equal address, so a commit that does not change it publishes nothing and retrains nothing.
Next: run_pipeline.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from build_scripts.command_line import parser, run
from build_scripts.missing import found_object
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.step_modules import STEPS, load
from build_scripts.write_once import put_once
from pipelines.tabular.specification import specification_json

HASH_LENGTH = 16
_SKIPPED = {"__pycache__", "specification.json"}  # a specification in the checkout is not what settings.py says now


def code_files(folder: Path = STEPS) -> dict[str, bytes]:
    """Relative path -> content of everything a step ships with, the specification included."""
    files = [file for file in folder.rglob("*") if file.is_file() and not any(map(_is_skipped, file.relative_to(folder).parts))]
    published = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files if file.suffix != ".pyc"}
    return dict(sorted({**published, "specification.json": specification_json().encode()}.items()))


def _is_skipped(part: str) -> bool:
    """Tools leave caches in the folder, such as .mypy_cache: the address must not depend on who has run them."""
    return part in _SKIPPED or part.startswith(".")


def code_prefix(files: Mapping[str, bytes]) -> str:
    """`code/<hash>`: the same for the same files, whatever machine or time."""
    return f"code/{load('archive').sha256(files)[:HASH_LENGTH]}"


def publish(s3: Any, bucket: str, files: Mapping[str, bytes], key_arn: str | None = None) -> tuple[str, bool]:
    """The code's address, and whether it had to be uploaded. The archive goes last: where it is, everything is."""
    prefix = code_prefix(files)
    archive = f"{prefix}/sourcedir.tar.gz"
    if _exists(s3, bucket, archive):
        return f"s3://{bucket}/{prefix}", False
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn} if key_arn else {}
    for path, content in files.items():
        put_once(s3, bucket, f"{prefix}/steps/{path}", content, encryption)
    return f"s3://{bucket}/{prefix}", put_once(s3, bucket, archive, load("archive").pack(files), encryption)


def _exists(s3: Any, bucket: str, key: str) -> bool:
    """Whoever may not tell writes it, and is told then what is the case."""
    return found_object(s3.head_object, Bucket=bucket, Key=key) is not None


def main(arguments: Sequence[str]) -> int:
    parser(__doc__).parse_args(arguments)
    project = ProjectEnvironment()
    files = code_files()
    uri, uploaded = publish(project.client("s3"), project.artifact_bucket, files, project.key_arn)
    print(f"{'published' if uploaded else 'unchanged'}: {len(files)} files at {uri}/")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
