"""Chooses the version to deploy and pins it: one template and one parameter file per stage, used by both stages.

The registry says what to deploy: the newest approved version, or the one that the pipeline variable ModelPackageArn names. Its archive has
to be the one that was evaluated, and made by the commit that it names.
Input: cdk.out (from kept_templates.py), REQUESTED_PACKAGE. Output: the folder rendered/ (artifact of the pipeline) and
rendered.env with MODEL_PACKAGE_ARN and MODEL_PACKAGE_VERSION.
It ends when the staging endpoint can be updated. Next: the CloudFormation actions of the deploy pipeline, then verify.py.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError, parser, run
from build_scripts.endpoint_templates import resource, template
from build_scripts.evaluated_artifact import require_code_of, require_unchanged
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, describe, newest_approved
from deploy_scripts.live_endpoint import describe_endpoint, first_variant
from deploy_scripts.wait_for_endpoint import wait_until_updatable
from settings import ENVIRONMENTS, PROJECT, STAGING, Environment

LATEST = "latest-approved"


def choose(sagemaker: Any, group: str, requested: str = LATEST) -> Version:
    """Raises ProblemError if nothing is approved, or if the requested version is not."""
    if requested == LATEST:
        newest = newest_approved(sagemaker, group)
        if newest is None:
            raise ProblemError(
                f"no version of {group} is approved; approve one in Studio or with `python -m deploy_scripts.approve --version N`"
            )
        return newest
    if f":model-package/{group}/" not in requested:
        raise ProblemError(f"ModelPackageArn is {requested!r}; allowed: {LATEST}, or the ARN of a version of {group}")
    version = describe(sagemaker, requested)
    if version.approval != "Approved":
        raise ProblemError(f"version {version.number} is {version.approval}; only an approved version is deployed")
    return version


def parameters(version: Version, content: Mapping[str, Any], outputs: Mapping[str, str]) -> dict[str, str]:
    """Values for the parameters that a template declares; others would be refused. `outputs`: of the foundation stack."""
    values = {**outputs, "ModelPackageArn": version.arn}
    declared: Mapping[str, Any] = content.get("Parameters", {})
    missing = [name for name, definition in declared.items() if name not in values and "Default" not in definition]
    if missing:
        raise ProblemError(f"no value for the template parameters {', '.join(missing)}; known: {', '.join(sorted(values))}")
    return {name: values[name] for name in declared if name in values}


def template_configuration(version: Version, content: Mapping[str, Any], outputs: Mapping[str, str]) -> dict[str, Any]:
    """CodePipeline's "template configuration" file: parameters and stack tags.

    No tag may differ from one deployment to the next: CloudFormation gives a stack's tags to every resource, and would update each of them.
    For a scalable target that sets the bounds back which a schedule had set. What is deployed say the stack's parameter and its output.
    """
    return {"Parameters": parameters(version, content, outputs), "Tags": {tag["Key"]: tag["Value"] for tag in PROJECT.tags()}}


def refuse_impossible(environment: Environment, version: Version, content: dict[str, Any], live_instance_type: str | None) -> None:
    """Raises ProblemError for what SageMaker would refuse half-way through the update.

    "RetainAllVariantProperties" keeps the live instance count, which SageMaker does not do across instance types (UpdateEndpoint).
    """
    wanted = environment.instance_type
    where = f"settings.py Environment({environment.name!r}).instance_type"
    if version.instance_types and wanted not in version.instance_types:
        raise ProblemError(f"{where} is {wanted!r}; version {version.number} allows {', '.join(version.instance_types)}")
    retains = resource(content, "AWS::SageMaker::Endpoint").get("RetainAllVariantProperties") in (True, "true")
    if retains and live_instance_type not in (None, wanted):
        raise ProblemError(
            f"{where} changes from {live_instance_type} to {wanted!r} while the scaled-out capacity is kept, which SageMaker refuses; "
            f"deploy once with autoscaling=None, or delete stack {PROJECT.endpoint_stack(environment)} first"
        )


def live_instance_type(sagemaker: Any, endpoint_name: str) -> str | None:
    """Instance type that serves now; None if there is no endpoint, or nothing says so any more."""
    endpoint = describe_endpoint(sagemaker, endpoint_name)
    variant = first_variant(sagemaker, endpoint) if endpoint else None
    return str(variant["InstanceType"]) if variant else None


def write(output: Path, version: Version, contents: Mapping[str, Any], outputs: Mapping[str, str]) -> None:
    """Everything is computed before the first file is written."""
    files: dict[Path, str] = {}
    for environment in ENVIRONMENTS:
        stack = PROJECT.endpoint_stack(environment)
        configuration = template_configuration(version, contents[stack], outputs)
        files[output / f"{stack}.template.json"] = json.dumps(contents[stack], indent=1)
        files[output / f"{environment.name}.parameters.json"] = json.dumps(configuration, indent=1)
    output.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text + "\n", encoding="utf-8")


def exported(version: Version) -> str:
    """Shell assignments; the buildspec exports them as variables of the pipeline."""
    values = {"MODEL_PACKAGE_ARN": version.arn, "MODEL_PACKAGE_VERSION": str(version.number)}
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    project = ProjectEnvironment()
    sagemaker = project.client("sagemaker")
    version = choose(sagemaker, project.model_package_group, given.package)
    print(require_unchanged(project.client("s3"), version))
    require_code_of(version, project.commit)
    contents = {
        PROJECT.endpoint_stack(environment): template(given.assembly, PROJECT.endpoint_stack(environment)) for environment in ENVIRONMENTS
    }
    for environment in ENVIRONMENTS:
        live = live_instance_type(sagemaker, PROJECT.endpoint_name(environment))
        refuse_impossible(environment, version, contents[PROJECT.endpoint_stack(environment)], live)
    needed = {name for content in contents.values() for name in content.get("Parameters", {})} - {"ModelPackageArn"}
    write(given.output, version, contents, project.foundation_outputs if needed else {})
    given.variables.write_text(exported(version), encoding="utf-8")
    print(f"deploying version {version.number}: {version.arn}", flush=True)
    print("if CloudFormation refuses it (a quota, a name, a role), `make preflight` says what to do", flush=True)
    wait_until_updatable(sagemaker, PROJECT.endpoint_name(STAGING))
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    options.add_argument("--package", default=os.environ.get("REQUESTED_PACKAGE") or LATEST, help="a version's ARN (default: %(default)s)")
    options.add_argument(
        "--assembly", type=Path, default=Path("cdk.out"), help="what `python -m infra.endpoint` wrote (default: %(default)s)"
    )
    options.add_argument("--output", type=Path, default=Path("rendered"), help="folder of templates and parameters (default: %(default)s)")
    options.add_argument("--variables", type=Path, default=Path("rendered.env"), help="file of shell exports (default: %(default)s)")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
