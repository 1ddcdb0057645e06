"""Renders what CloudFormation deploys: one template and one parameter file per stage, both with the version that was chosen.

Input: cdk.out (from kept_templates.py), MODEL, MODEL_PACKAGE_ARN (from choose_version.py). Output: the folder rendered/ (artifact of the
pipeline). Refuses first what CloudFormation would not change, and what SageMaker would refuse half-way.
Next: wait_for_endpoint.py, the CloudFormation actions of the deploy pipeline, then verify.py.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError, add_model_option, add_package_option, parser, read_settings, run
from build_scripts.endpoint_templates import template
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, describe
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.live_capacity import Fleet, live_fleet, refuse_other_type
from deploy_scripts.regional_copy import copy, image_in, publish_in
from deploy_scripts.stack_states import refuse_obstructed
from pipelines.monitoring.code import code_files
from pipelines.monitoring.pipeline import CODE, IMAGE, PACKAGE
from settings_schema import Endpoint, Environment, Model, ServingNames


def parameters(known: Mapping[str, str], content: Mapping[str, Any]) -> dict[str, str]:
    """Values for the parameters that a template declares; others would be refused. Raises ProblemError for one that nothing says."""
    declared: Mapping[str, Any] = content.get("Parameters", {})
    missing = [name for name, definition in declared.items() if name not in known and "Default" not in definition]
    if missing:
        raise ProblemError(f"no value for the template parameters {', '.join(missing)}; known: {', '.join(known)}")
    return {name: value for name, value in known.items() if name in declared}


def template_configuration(known: Mapping[str, str], content: Mapping[str, Any], names: ServingNames, project_id: str) -> dict[str, Any]:
    """CodePipeline's "template configuration" file: parameters and the stack's tags, of the project, the model and the environment.

    No tag may differ from one deployment to the next: CloudFormation gives a stack's tags to every resource, and would update each of them.
    For a scalable target that sets the bounds back which a schedule had set. What is deployed say the stack's parameter and its output.
    """
    return {"Parameters": parameters(known, content), "Tags": {**names.tags, "sagemaker:project-id": project_id}}


def refuse_impossible(model: Model, environment: Environment, version: Version, content: dict[str, Any], live: Fleet | None) -> None:
    """Raises ProblemError for what SageMaker would refuse half-way through the update."""
    serving = model.serving[environment.name]
    kind, allowed = ("Endpoint", version.instance_types) if isinstance(serving, Endpoint) else ("Batch", version.transform_types)
    where = f"models/: {model.name}, {environment.name}, {kind}.instance_type"
    if allowed and serving.instance_type not in allowed:
        raise ProblemError(f"{where} is {serving.instance_type!r}; version {version.number} allows {', '.join(allowed)}")
    refuse_other_type(live, serving.instance_type, content, where)


def files(
    project: ProjectEnvironment, model: Model, environments: Sequence[Environment], version: Version, assembly: Path
) -> dict[str, Any]:
    """Name -> content of each file. Raises ProblemError for what cannot be deployed, before anything is written or copied."""
    names = {item.name: model.names(project.project).at(item.name) for item in environments}
    places = {item.name: EnvironmentPlace(project, item, names[item.name]) for item in environments}
    refuse_obstructed(model, [(item, names[item.name], places[item.name]) for item in environments])
    contents = {name: template(assembly, serving.stack) for name, serving in names.items()}
    for environment in environments:
        live = None
        if isinstance(model.serving[environment.name], Endpoint):
            live = live_fleet(places[environment.name], names[environment.name])
        refuse_impossible(model, environment, version, contents[environment.name], live)
    made: dict[str, Any] = {}
    for name, content in contents.items():
        known = _values(project, model, version, places[name].region, content)
        made[f"{names[name].stack}.template.json"] = content
        made[f"{name}.parameters.json"] = template_configuration(known, content, names[name], project.project_id)
    return made


def _values(project: ProjectEnvironment, model: Model, version: Version, region: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Of everything that a deployment decides anew: the version, and of the watch over it the code and the image it runs in."""
    known = {PACKAGE: copy(project, version.arn, region)}
    if CODE in content.get("Parameters", {}):
        known |= {CODE: publish_in(project, region, code_files(model)), IMAGE: image_in(version.image or "", region)}
    return known


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    project = ProjectEnvironment(settings.project)
    version = describe(project.client("sagemaker"), given.package)
    made = files(project, settings.model(given.model), settings.environments, version, given.assembly)
    given.output.mkdir(parents=True, exist_ok=True)
    for name, content in made.items():
        (given.output / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"rendered version {version.number} for {', '.join(item.name for item in settings.environments)}")
    print("if CloudFormation refuses it (a quota, a name, a role), `make preflight` says what to do", flush=True)
    return 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    add_package_option(options)
    options.add_argument(
        "--assembly", type=Path, default=Path("cdk.out"), help="what `python -m infra.serving` wrote (default: %(default)s)"
    )
    options.add_argument("--output", type=Path, default=Path("rendered"), help="folder of templates and parameters (default: %(default)s)")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
