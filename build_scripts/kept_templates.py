"""Keeps the endpoint templates of a built commit, so that deploying the commit takes them instead of synthesizing again.

    python -m build_scripts.kept_templates keep     in the build, after `python -m infra.endpoint`
    python -m build_scripts.kept_templates fetch    in the deploy pipeline

Input: cdk.out and CODEBUILD_RESOLVED_SOURCE_VERSION. Output: s3://<artifact bucket>/code/templates/<commit>/<stack>.template.json,
and back into cdk.out. What was tested is what is deployed: a commit that was not built has no templates and is not deployed.
Next: infra/model_deploy/start_deployment/, which compares them with what is deployed; deploy_scripts/render.py.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, parser, run
from build_scripts.endpoint_templates import template_file
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.write_once import put_once
from settings import ENVIRONMENTS, PROJECT

STACKS = tuple(PROJECT.endpoint_stack(environment) for environment in ENVIRONMENTS)


def key(commit: str, stack: str) -> str:
    return f"code/templates/{commit}/{stack}.template.json"


def keep(s3: Any, bucket: str, commit: str, assembly: Path, key_arn: str | None) -> None:
    """Raises ProblemError if other templates are kept under the commit's name: whoever wrote them was not its build."""
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_arn} if key_arn else {}
    for stack in STACKS:
        put_once(s3, bucket, key(commit, stack), template_file(assembly, stack).read_bytes(), encryption)


def fetch(s3: Any, bucket: str, commit: str, assembly: Path) -> None:
    """Put the commit's templates into `assembly`, all of them or none. Raises ProblemError if they were not kept."""
    found = {stack: _read(s3, bucket, key(commit, stack)) for stack in STACKS}
    if None in found.values():
        raise ProblemError(
            f"no endpoint templates of commit {commit[:12]} are kept: its build did not succeed, so it is not deployed; "
            f"`aws lambda invoke --function-name {PROJECT.start_deployment_function} /dev/stdout` deploys one that was built"
        )
    assembly.mkdir(parents=True, exist_ok=True)
    for stack, content in found.items():
        (assembly / f"{stack}.template.json").write_bytes(content or b"")


def _read(s3: Any, bucket: str, name: str) -> bytes | None:
    """The object, or None. Without the permission to list, S3 answers AccessDenied for one that is not there."""
    try:
        return bytes(s3.get_object(Bucket=bucket, Key=name)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "404", "AccessDenied"):
            raise
        return None


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    options.add_argument("action", choices=("keep", "fetch"))
    options.add_argument(
        "--assembly", type=Path, default=Path("cdk.out"), help="what `python -m infra.endpoint` writes (default: %(default)s)"
    )
    options.add_argument("--commit", default=os.environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION"), help="default: the build's")
    given = options.parse_args(arguments)
    if not given.commit:
        raise ProblemError("no commit is given; use --commit, or set CODEBUILD_RESOLVED_SOURCE_VERSION as CodeBuild does")
    project = ProjectEnvironment()
    s3 = project.client("s3")
    if given.action == "keep":
        keep(s3, project.artifact_bucket, given.commit, given.assembly, project.key_arn)
    else:
        fetch(s3, project.artifact_bucket, given.commit, given.assembly)
    print(f"endpoint templates of {given.commit[:12]}: {'kept' if given.action == 'keep' else 'as they were built'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
