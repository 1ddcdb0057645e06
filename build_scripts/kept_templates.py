"""Keeps the serving templates of a built commit, so that deploying the commit takes them instead of synthesizing again.

    python -m build_scripts.kept_templates     in the build, after `python -m infra.serving`: of every model

Input: cdk.out and CODEBUILD_RESOLVED_SOURCE_VERSION. Output: s3://<artifact bucket>/code/templates/<commit>/<stack>.template.json,
which `fetch` brings back into cdk.out in a model's pipelines. What was tested is what is deployed: a commit that was not built has no
templates and is not deployed. Next: the start_deployment function, which compares them with what is deployed; deploy_scripts/render.py.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError, parser, read_settings, run
from build_scripts.endpoint_templates import template_file
from build_scripts.objects import content, encryption
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.write_once import put_once
from settings_schema import Environment, ModelNames


def key(commit: str, stack: str) -> str:
    return f"code/templates/{commit}/{stack}.template.json"


def stacks(names: ModelNames, environments: Sequence[Environment]) -> list[str]:
    return [names.at(environment.name).stack for environment in environments]


def keep(s3: Any, bucket: str, commit: str, assembly: Path, names: Sequence[str], key_arn: str | None) -> None:
    """Raises ProblemError if other templates are kept under the commit's name: whoever wrote them was not its build."""
    for stack in names:
        put_once(s3, bucket, key(commit, stack), template_file(assembly, stack).read_bytes(), encryption(key_arn))


def fetch(s3: Any, bucket: str, commit: str, assembly: Path, names: ModelNames, environments: Sequence[Environment]) -> None:
    """Put the commit's templates of a model into `assembly`, all of them or none. Raises ProblemError if they were not kept."""
    found = {stack: content(s3, f"s3://{bucket}/{key(commit, stack)}") for stack in stacks(names, environments)}
    if None in found.values():
        raise ProblemError(
            f"no templates of {names.model} of commit {commit[:12]} are kept: its build did not succeed, so it is not deployed; "
            f"`aws lambda invoke --function-name {names.start_deployment_function} /dev/stdout` deploys one that was built"
        )
    assembly.mkdir(parents=True, exist_ok=True)
    for stack, template in found.items():
        (assembly / f"{stack}.template.json").write_bytes(template or b"")


def main(arguments: Sequence[str]) -> int:
    options = parser(__doc__)
    options.add_argument(
        "--assembly", type=Path, default=Path("cdk.out"), help="what `python -m infra.serving` writes (default: %(default)s)"
    )
    options.add_argument("--commit", default=os.environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION"), help="default: the build's")
    given = options.parse_args(arguments)
    if not given.commit:
        raise ProblemError("no commit is given; use --commit, or set CODEBUILD_RESOLVED_SOURCE_VERSION as CodeBuild does")
    settings = read_settings()
    place = ProjectEnvironment(settings.project)
    names = [stack for model in settings.models.values() for stack in stacks(model.names(settings.project), settings.environments)]
    keep(place.client("s3"), place.artifact_bucket, given.commit, given.assembly, names, place.key_arn)
    print(f"serving templates of {given.commit[:12]}: kept")
    return 0


if __name__ == "__main__":
    raise SystemExit(run(main))
