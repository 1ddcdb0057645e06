"""Decides and renders what CloudFormation deploys: one template and one parameter file per environment, all with one version.

Without `--stage`: for all environments, before the first one gets it. With it: for that one alone, right before it is deployed there, so
that a rejection, and a change of what serves, count until then. `--leaving`: a return from that version.
In this order: wait until the stack and the endpoint that come first can be changed; choose the version, which has to be approved; fetch the
templates that the build of the commit kept; refuse what cannot be changed or would fail half-way; write. One process: each costs a second.
Input: MODEL, REQUESTED_PACKAGE, STAGE, LEAVING, REBUILT. Output: the folder rendered/ (the pipeline's artifact), chosen.env for the shell.
Another instance type of what scales takes two updates of its stack (type_change.py), and so does a challenger that was left behind
(left_challenger.py): the files of the second are below rendered/second/, and everywhere else the same as those of the first.
Next: the CloudFormation actions of the pipeline, then verify.py.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError, VerdictError, add_model_option, parser, read_settings, run
from build_scripts.endpoint_templates import template
from build_scripts.kept_templates import fetch
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import Version, find, number_of
from deploy_scripts import serving_image
from deploy_scripts.choose_version import LATEST, choose, exported, require_deployable
from deploy_scripts.deployments import outputs_of
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.left_challenger import Left, left_challenger, unguarded
from deploy_scripts.live_capacity import live_fleet, refuse_conversion
from deploy_scripts.member_archive import MemberArchive
from deploy_scripts.on_fleet import copies_now, refuse_absent, refuse_move
from deploy_scripts.regional_copy import client_in, copy, image_in, original, publish_in
from deploy_scripts.stack_states import describe_stack, refuse_obstructed
from deploy_scripts.type_change import TypeChange, coming
from deploy_scripts.update_guard import guarded_or_not, refuse_alarmed
from deploy_scripts.wait_for_endpoint import wait_until_updatable
from pipelines.monitoring.code import code_files
from pipelines.monitoring.pipeline import CODE, IMAGE, PACKAGE, VERSION
from settings_schema import Batch, Component, Endpoint, Environment, Member, Model, Serverless, ServingNames
from settings_schema.reading import Settings
from settings_schema.rebuilding import NEVER, REBUILT
from settings_schema.rollout import COPIES, MODEL_DATA, SERVING_IMAGE, TARGET, UPDATE, Update
from settings_schema.serving import OnEndpoint

#: Folder of the files of the second update.
SECOND = "second/"


@dataclass(frozen=True)
class Target:
    """Where a model goes: `environments` in their order, of which `first` gets what is rendered; `last` serves, `tested` comes before it.

    `leaving`: of a return.

    `updates_twice`: whether the pipeline has an action for the second update of a stack (infra/model/rollout_pipeline.py).
    """

    project: ProjectEnvironment
    model: Model
    environments: Sequence[Environment]
    last: Environment
    tested: Environment
    assembly: Path
    leaving: str = ""
    updates_twice: bool = True
    rebuilt: str = NEVER

    @classmethod
    def of(cls, settings: Settings, given: argparse.Namespace) -> Target:
        environments = [settings.environment(given.stage)] if given.stage else settings.environments
        project, model = ProjectEnvironment(settings.project), settings.model(given.model)
        asked = {"leaving": given.leaving, "updates_twice": bool(given.second_update), "rebuilt": given.rebuilt}
        return cls(project, model, environments, settings.production, settings.staging, given.assembly, **asked)

    @property
    def first(self) -> Environment:
        return self.environments[0]

    def names(self, environment: Environment) -> ServingNames:
        return self.model.names(self.project.project).at(environment.name)

    def place(self, environment: Environment) -> EnvironmentPlace:
        return EnvironmentPlace(self.project, environment, self.names(environment))


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


def refuse_impossible(target: Target, environment: Environment, version: Version) -> None:
    """Raises ProblemError for what SageMaker would refuse half-way through the update."""
    serving, where = target.model.serving[environment.name], f"models/: {target.model.name}, {environment.name}"
    if isinstance(serving, Serverless):
        names = target.names(environment)
        refuse_conversion(live_fleet(target.place(environment), names), names, where)
        return
    if isinstance(serving, Member):
        return  # on the fleet's instances
    if isinstance(serving, Component):
        refuse_absent(target.place(environment), target.names(environment), serving, where)
        refuse_move(target.place(environment), target.names(environment), serving, where)
        return
    allowed = version.transform_types if isinstance(serving, Batch) else version.instance_types
    where = f"{where}, {type(serving).__name__}.instance_type"
    if allowed and serving.instance_type not in allowed:
        raise ProblemError(f"{where} is {serving.instance_type!r}; version {version.number} allows {', '.join(allowed)}")


def files(target: Target, version: Version) -> dict[str, Any]:
    """Name -> content of each file. Raises ProblemError and VerdictError for what cannot be deployed, before anything is written."""
    project, model = target.project, target.model
    refuse_obstructed(model, [(item, target.names(item), target.place(item)) for item in target.environments])
    contents = {item.name: template(target.assembly, target.names(item).stack) for item in target.environments}
    updates: dict[str, str] = {}
    for environment in target.environments:
        serving = model.serving[environment.name]
        if isinstance(serving, OnEndpoint) and not isinstance(serving, Member):
            updates[environment.name] = _update(target, environment, serving, contents[environment.name])
        refuse_impossible(target, environment, version)
    changes = {item.name: _change(target, item) for item in target.environments}
    made: dict[str, Any] = {}
    for environment in target.environments:
        name, names, content, change = environment.name, target.names(environment), contents[environment.name], changes[environment.name]
        known = _values(project, model, version, target.place(environment).region, content)
        known |= {UPDATE: updates[name]} if name in updates else {}
        if isinstance(serving := model.serving[name], Component):
            known |= {COPIES: copies_now(target.place(environment), names, serving)}
        if isinstance(serving, Member):
            package = project.client("sagemaker").describe_model_package(ModelPackageName=version.arn)
            known |= {TARGET: MemberArchive.of(package, names).target}
        known |= _lean(target, environment, version) if model.is_lean(name) else {}
        known |= {REBUILT: _rebuilt(target, environment)} if REBUILT in content.get("Parameters", {}) else {}
        left = _left(target, environment)
        if left and left.goes_unguarded(leaving=bool(target.leaving)):
            content = unguarded(content)
        second = content, known | (change.parameters if change else {})
        for folder, (body, values) in (("", _first(target, environment, change, left) or second), (SECOND, second)):
            made[f"{folder}{names.stack}.template.json"] = body
            made[f"{folder}{name}.parameters.json"] = template_configuration(values, body, names, project.project_id)
    return made


def _rebuilt(target: Target, environment: Environment) -> str:
    """The day, where what serves is made anew; otherwise the one that is there, so that nothing is."""
    if target.rebuilt != NEVER:
        return target.rebuilt
    stack = describe_stack(target.place(environment).client("cloudformation"), target.names(environment).stack) or {}
    return next((item["ParameterValue"] for item in stack.get("Parameters", []) if item["ParameterKey"] == REBUILT), NEVER)


def _lean(target: Target, environment: Environment, version: Version) -> dict[str, str]:
    """What the team's own image is given: which one it is, and the version's archive in the environment's region."""
    project, region = target.project, target.place(environment).region
    image = serving_image.newest(project, region, _asked_image(target, environment))
    print(f"{environment.name}: the team's own image, {image.partition('@')[2]}", flush=True)
    arn = copy(project, version.arn, region)
    package = client_in(project, "sagemaker", region).describe_model_package(ModelPackageName=arn)
    (container,) = package["InferenceSpecification"]["Containers"]
    return {SERVING_IMAGE: image, MODEL_DATA: str(container["ModelDataUrl"])}


def _asked_image(target: Target, environment: Environment) -> str | None:
    """The image with which the version was tested, for where it serves; the one that is there, for a return; else None, the newest."""
    goes_on = len(target.environments) == 1 and environment != target.tested
    source = environment if target.leaving else target.tested if goes_on else None
    return serving_image.deployed(target.place(source), target.names(source)) if source else None


def _change(target: Target, environment: Environment) -> TypeChange | None:
    """Another instance type under what scales, told before anything happens. Raises ProblemError where the pipeline cannot do it yet."""
    names = target.names(environment)
    change = coming(target.place(environment), names, target.model.serving[environment.name])
    if change and change.first and not target.updates_twice:
        stack = names.of_model.stack
        raise ProblemError(f"{environment.name} gets {change}, for which the pipelines have no action yet: `npx cdk deploy {stack}`")
    if change:
        print(f"{environment.name}: {change}", flush=True)
    return change


def _left(target: Target, environment: Environment) -> Left | None:
    """A challenger that this deployment takes out: where it goes next, and no other way of serving has taken the endpoint's place."""
    if environment != target.first or not isinstance(target.model.serving[environment.name], Endpoint):
        return None
    return left_challenger(target.place(environment), target.names(environment))


def _first(
    target: Target, environment: Environment, change: TypeChange | None, left: Left | None
) -> tuple[dict[str, Any], dict[str, str]] | None:
    """Template and parameters of an update that comes before; None where one does it."""
    place, names = target.place(environment), target.names(environment)
    alone = left.first_update(place, names, leaving=bool(target.leaving)) if left else None
    if alone:
        print(f"{environment.name}: first {left}", flush=True)
    if change is None or change.first is None:
        return alone
    template, parameters = change.first
    return template, parameters | (alone[1] if alone else {})


def _update(target: Target, environment: Environment, serving: OnEndpoint, content: Mapping[str, Any]) -> str:
    """The value of the parameter, with a line that says why. Raises VerdictError where a guarded update would be undone."""
    names, place = target.names(environment), target.place(environment)
    if target.leaving:
        update, why, live = Update.AT_ONCE, f"version {number_of(target.leaving)} must not come back", None
    else:
        update, why, live = guarded_or_not(target.project, place, names, serving)
    if update is Update.GUARDED and environment == target.first:
        refuse_alarmed(place, names, content, live, is_last=environment == target.last)
    print(f"{environment.name}: {'all at once' if update is Update.AT_ONCE else 'guarded by its alarms'}, because {why}", flush=True)
    return update.value


def require_to_return(target: Target) -> None:
    """Raises VerdictError if production has a version meanwhile that is approved and is not the one to leave: there is nothing to mend."""
    names, place = target.names(target.first), target.place(target.first)
    stacks = found(place.client("cloudformation").describe_stacks, StackName=names.stack)
    deployed = outputs_of(stacks["Stacks"][0]).get("DeployedModelPackageArn") if stacks else None
    live = original(target.project, deployed) if deployed else None
    version = find(target.project.client("sagemaker"), live) if live and live != target.leaving else None
    if version is not None and version.approval == "Approved":
        left = number_of(target.leaving)
        raise VerdictError(
            f"nothing to return from: {target.first.name} has version {version.number} now, which is approved, not version {left}"
        )


def _values(project: ProjectEnvironment, model: Model, version: Version, region: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Of everything that a deployment decides anew: the version, and of the watch over it the code and the image it runs in."""
    known = {PACKAGE: copy(project, version.arn, region), VERSION: str(version.number)}
    if CODE in content.get("Parameters", {}):
        known |= {CODE: publish_in(project, region, code_files(model)), IMAGE: image_in(version.image or "", region)}
    return known


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    target = Target.of(settings, given)
    # A return takes a challenger out itself, and so does what nothing else would do it for any more (left_challenger.py).
    alone = bool(given.experiment) and not target.leaving
    wait_until_updatable(target.place(target.first), target.names(target.first), target.model.serving[target.first.name], alone=alone)
    version = choose(target.project, target.names(target.first).of_model.model_package_group, given.package)
    if target.leaving:
        require_to_return(target)
    print(require_deployable(target.project, version), flush=True)
    if given.commit:  # by hand: what `python -m infra.serving` wrote
        project, names = target.project, target.names(target.first).of_model
        fetch(project.client("s3"), project.artifact_bucket, given.commit, given.assembly, names, target.environments)
    made = files(target, version)
    given.output.mkdir(parents=True, exist_ok=True)
    for name, content in made.items():
        (given.output / name).parent.mkdir(exist_ok=True)
        (given.output / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    given.variables.write_text(exported(version), encoding="utf-8")
    print(f"rendered version {version.number} for {', '.join(item.name for item in target.environments)}: {version.arn}")
    print("if CloudFormation refuses it (a quota, a name, a role), `make preflight` says what to do", flush=True)
    return 0


def _options() -> argparse.ArgumentParser:
    options, environment = parser(__doc__), os.environ
    add_model_option(options)
    chosen = environment.get("REQUESTED_PACKAGE") or LATEST
    options.add_argument("--package", default=chosen, help="ARN of the version (default: REQUESTED_PACKAGE, or the newest approved one)")
    options.add_argument("--stage", default=environment.get("STAGE"), help="of the environments only this one (default: STAGE, or all)")
    options.add_argument(
        "--leaving", default=environment.get("LEAVING", ""), help="a return: ARN of the version that it is to be rid of (default: LEAVING)"
    )
    options.add_argument("--rebuilt", default=environment.get("REBUILT", NEVER), help="the day, if it is made anew (default: REBUILT)")
    options.add_argument(
        "--second-update",
        default=environment.get("SECOND_UPDATE", ""),
        help="the pipeline's action that updates the stack a second time (default: SECOND_UPDATE)",
    )
    options.add_argument(
        "--experiment",
        default=environment.get("EXPERIMENT", ""),
        help="the pipeline's stage of experiments, with which goes the function that ends them (default: EXPERIMENT)",
    )
    options.add_argument(
        "--commit",
        default=environment.get("CODEBUILD_RESOLVED_SOURCE_VERSION"),
        help="whose kept templates are taken (default: CodeBuild's)",
    )
    options.add_argument(
        "--assembly", type=Path, default=Path("cdk.out"), help="folder of the templates, or what `python -m infra.serving` wrote (cdk.out)"
    )
    options.add_argument("--output", type=Path, default=Path("rendered"), help="folder of templates and parameters (default: %(default)s)")
    options.add_argument("--variables", type=Path, default=Path("chosen.env"), help="file of shell exports (default: %(default)s)")
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
