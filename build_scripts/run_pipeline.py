"""Creates or updates the models' SageMaker pipelines, and starts each that is not what ran last.

Input: models/, pipelines/<kind>/pipeline.py and the steps' code, which it publishes first (publish.py).
Output: an execution of a model, unless one with the same definition has succeeded or is running.

    python -m build_scripts.run_pipeline --definitions out/definitions   a build: every model; one that fails keeps no other from starting
    python -m build_scripts.run_pipeline --model abalone --wait
    python -m build_scripts.run_pipeline --model abalone --parameter MetricThreshold=2.2 --wait   what has not changed comes from the cache
    python -m build_scripts.run_pipeline --model abalone --force --wait                           nothing does

Of a model whose stack is not there the code is published, and nothing starts: once `npx cdk deploy` has made it, the build runs again.
Next: follow.py shows an execution; the version it registers waits for approval (deploy_scripts/approve.py).
"""

from __future__ import annotations

import argparse
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from build_scripts import data_size
from build_scripts.command_line import ProblemError, add_model_option, explain, parser, read_settings, run
from build_scripts.define_pipeline import define, file_of
from build_scripts.follow import follow, steps_of
from build_scripts.missing import found
from build_scripts.objects import bucket_and_key, keys
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.publish import code_address, code_files, publish, published_code
from build_scripts.run_estimate import Estimate, Instances, Run, estimate
from build_scripts.step_modules import load
from settings_schema import DataSet, Model, Prices
from settings_schema.reading import Settings

COMMIT_PREFIX = "commit "
_LOOK_BACK = 20  # executions; more would mean twenty failures in a row
#: What the registry takes as a version's metadata (CustomerMetadataValue in SageMaker's service model), where these are recorded.
_METADATA = (r"[\w .:/=+\-@]{1,256}", "1 to 256 letters, numbers, spaces and _ . : / = + - @")
#: Patterns of parameter values by name or type, and what a person reads.
_VALUES = {
    "Integer": (r"[1-9]\d*", "whole numbers from 1"),  # all are counts
    "Float": (r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", "numbers"),
    "InputDataUrl": (r"s3://[a-z0-9][a-z0-9.-]+/.*", "s3://bucket/prefix/"),
    "GitCommit": _METADATA,
    "TriggerReason": _METADATA,
}


@dataclass(frozen=True)
class Decision:
    start: bool
    reason: str
    following: str | None = None  # ARN of the execution that already does it


def plan(definition: str, runs: Sequence[Mapping[str, str]], *, forced: bool, data: str = "") -> Decision:
    """`runs`, newest first: arn, status, definition and data of recent executions. Only one that succeeded or runs counts.

    `data`: the versions of the files that are there now; empty where they may not be looked at.
    """
    if forced:
        return Decision(True, "asked for")
    for past in runs:
        if past["status"] in ("Executing", "Succeeded"):
            if _canonical(past["definition"]) != _canonical(definition):
                return Decision(True, "the definition has changed")
            if past["status"] == "Executing":
                return Decision(False, "the same definition is running", past["arn"])
            if data and past.get("data", data) != data:
                return Decision(True, "the data have changed")
            return Decision(False, "the same definition has succeeded; a complete upload of new data starts it, and so does --force")
    return Decision(True, "no run has succeeded with it yet" if runs else "first run")


def _canonical(definition: str) -> Any:
    return json.loads(definition)


def upsert(sagemaker: Any, name: str, definition: str, role_arn: str, tags: Sequence[Mapping[str, str]], commit: str = "unknown") -> str:
    """Create or update the pipeline; returns created, updated or unchanged.

    The description names the commit that the definition is from: a retraining starts without a push, and reads it there.
    """
    described = {"PipelineDescription": f"{COMMIT_PREFIX}{commit}"}
    current = found(sagemaker.describe_pipeline, PipelineName=name)
    if current is None:
        sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=role_arn, Tags=list(tags), **described)
        return "created"
    if _canonical(current["PipelineDefinition"]) == _canonical(definition) and current["RoleArn"] == role_arn:
        return "unchanged"
    sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=role_arn, **described)
    return "updated"


def recent_runs(sagemaker: Any, name: str) -> list[dict[str, str]]:
    page = sagemaker.list_pipeline_executions(PipelineName=name, SortBy="CreationTime", SortOrder="Descending", MaxResults=_LOOK_BACK)
    runs: list[dict[str, str]] = []
    for summary in page["PipelineExecutionSummaries"]:
        arn, status = summary["PipelineExecutionArn"], summary["PipelineExecutionStatus"]
        counts = status in ("Executing", "Succeeded")
        definition = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)["PipelineDefinition"] if counts else ""
        runs.append({"arn": arn, "status": status, "definition": definition, **data_of(sagemaker, arn, status)})
        if counts:
            break
    return runs


def data_of(sagemaker: Any, arn: str, status: str) -> dict[str, str]:
    """`data`: what an execution that succeeded has learned from, as its first step said. Nothing if it may not be asked."""
    if status != "Succeeded":
        return {}
    try:
        steps = steps_of(sagemaker, arn)
    except ClientError:
        return {}
    lambdas = [step["Metadata"]["Lambda"] for step in steps if "Lambda" in step.get("Metadata", {})]
    outputs = {output["Name"]: output["Value"] for each in lambdas for output in each.get("OutputParameters", [])}
    return {"data": outputs["version"]} if "version" in outputs else {}


def data_now(s3: Any, url: str) -> str:
    """The versions of the files at `url`, in the words of the first step; empty where they may not be listed."""
    data_versions = load("data_versions")
    try:
        return str(data_versions.find(s3, url))
    except (data_versions.BadInput, ClientError):
        return ""


def checked_parameters(definition: str, given: Mapping[str, str], dataset: DataSet) -> dict[str, str]:
    """Raises ProblemError for a name that the pipeline does not declare, or a value that is not of its type or range."""
    declared = {parameter["Name"]: parameter for parameter in json.loads(definition)["Parameters"]}
    for name, value in given.items():
        if name not in declared:
            raise ProblemError(f"parameter {name!r} is unknown; allowed: {', '.join(declared)} (pipelines/tabular/pipeline.py)")
        allowed = _VALUES.get(name) or _VALUES.get(declared[name]["Type"])
        if allowed and not re.fullmatch(allowed[0], value):
            raise ProblemError(f"parameter {name} is {value!r}; allowed: {allowed[1]}")
        choices = declared[name].get("EnumValues")
        if choices and value not in choices:
            raise ProblemError(f"parameter {name} is {value!r}; allowed: {', '.join(choices)}")
        if name == "MetricThreshold" and not dataset.judged_by.can_be(float(value)):
            raise ProblemError(
                f"parameter {name} is {value!r}; allowed for {dataset.metric}, the model's metric: {dataset.judged_by.allowed}"
            )
    return dict(given)


def read_definition(path: Path, code_uri: str) -> str:
    """What define_pipeline.py wrote. Raises ProblemError if it is there for other code than this checkout's."""
    definition = path.read_text(encoding="utf-8")
    if f"{code_uri}/" not in definition:
        raise ProblemError(f"{path} does not use the code at {code_uri}/; write it again with `python -m build_scripts.define_pipeline`")
    return definition


def default_values(definition: str) -> dict[str, str]:
    return {parameter["Name"]: str(parameter.get("DefaultValue", "")) for parameter in json.loads(definition)["Parameters"]}


def has_data(s3: Any, url: str) -> bool:
    """Whether there are data files below `url`; also True without the permission to look. Raises ProblemError for no such bucket."""
    bucket, prefix = bucket_and_key(url)
    is_data = load("data_versions").is_data
    try:
        return any(map(is_data, keys(s3, bucket, prefix)))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket":
            raise ProblemError(f"InputDataUrl is {url!r}, but there is no bucket {bucket!r}") from error
        if code in ("AccessDenied", "AccessDeniedException"):
            return True
        raise


def start(sagemaker: Any, name: str, parameters: Mapping[str, str], commit: str) -> str:
    request: dict[str, Any] = {
        "PipelineName": name,
        "PipelineParameters": [{"Name": key, "Value": value} for key, value in parameters.items()],
    }
    if commit != "unknown":
        request["PipelineExecutionDisplayName"] = f"commit-{commit[:12]}"
    return str(sagemaker.start_pipeline_execution(**request)["PipelineExecutionArn"])


def is_deployed(cloudformation: Any, stack: str) -> bool:
    """Whether the model has its role, its registry and what else a run needs. Not while its stack is made for the first time."""
    answer = found(cloudformation.describe_stacks, StackName=stack)
    status = str(answer["Stacks"][0]["StackStatus"]) if answer else ""
    return status == "CREATE_COMPLETE" or status.startswith(("UPDATE_", "IMPORT_"))


class Training:
    """One model's pipeline, as this commit makes it. `definition`: what define_pipeline.py wrote; None defines it now."""

    def __init__(self, place: ProjectEnvironment, model: Model, definition: Path | None, prices: Prices, *, looks: bool = False) -> None:
        """`looks`: whoever starts it may read the data, as a person may and a build may not."""
        self._place, self._model, self._names = place, model, model.names(place.project)
        self._prices, self._looks = prices, looks
        self._files = code_files(model)
        self._code_uri = code_address(place.artifact_bucket, self._files)
        self._definition = read_definition(definition, self._code_uri) if definition else define(place, model, self._code_uri, prices)
        self._sagemaker, self._s3 = place.client("sagemaker"), place.client("s3")

    def run(self, given: argparse.Namespace) -> str | None:
        """ARN of the execution that this starts, or that does it already. Raises ProblemError, ClientError and BotoCoreError."""
        parameters = checked_parameters(self._definition, dict(given.parameter), self._model.data)
        reason = given.reason or ("manual" if self._place.commit == "unknown" else "push")
        checked_parameters(self._definition, {"TriggerReason": reason}, self._model.data)
        url = parameters.get("InputDataUrl") or default_values(self._definition)["InputDataUrl"]
        remedy = f"`python -m build_scripts.upload_data --model {self._model.name}` uploads it and starts the training"
        without_data = "" if has_data(self._s3, url) else f"there is no data at {url}; {remedy}"
        if without_data and (given.wait or given.force or parameters):  # somebody waits for a training, not only a build for its end
            raise ProblemError(without_data)
        self._publish()
        stack = self._names.stack
        is_there = is_deployed(self._place.client("cloudformation"), stack)
        if is_there:
            self._upsert()
        obstacle = without_data if is_there else f"stack {stack} is not deployed; `npx cdk deploy --all` makes it and starts the training"
        if obstacle:
            print(f"not started: {obstacle}")
            return None
        return self._start({"TriggerReason": reason, **parameters}, url, forced=bool(given.force or parameters), anew=given.force)

    def _publish(self) -> None:
        """Also what watches the model: a deployment of this commit names it, and finds it there."""
        for what, files in published_code(self._model).items():
            uri, uploaded = publish(self._s3, self._place.artifact_bucket, files, self._place.key_arn)
            print(f"code of the {what}: {'published' if uploaded else 'unchanged'} at {uri}/")

    def _upsert(self) -> None:
        place, pipeline = self._place, self._names.training_pipeline
        role = place.role_arn(self._names.pipeline_role)
        state = upsert(self._sagemaker, pipeline, self._definition, role, place.tags(self._names), place.commit)
        print(f"pipeline {pipeline}: {state}")

    def _start(self, parameters: Mapping[str, str], url: str, *, forced: bool, anew: bool) -> str | None:
        pipeline, commit = self._names.training_pipeline, self._place.commit
        decision = plan(self._definition, recent_runs(self._sagemaker, pipeline), forced=forced, data=data_now(self._s3, url))
        arn = decision.following
        if decision.start:
            will = expected(self._s3, self._model, self._definition, parameters, self._prices, looks=self._looks)
            for line in will.lines if will else ():
                print(line)
            facts = {"GitCommit": commit, **({"CacheKey": uuid.uuid4().hex} if anew else {})}
            arn = start(self._sagemaker, pipeline, {**facts, **parameters}, commit)
        print(f"{'started ' + str(arn) if decision.start else 'not started'}: {decision.reason}")
        return arn


def expected(s3: Any, model: Model, definition: str, given: Mapping[str, str], prices: Prices, *, looks: bool) -> Estimate | None:
    """What a run with these parameters will take and cost. None of a kind of pipeline with other parameters, and where the data cannot be
    seen. `looks`: whoever asks may read the files, as a person may and a build may not.
    """
    values = {**default_values(definition), **given}
    if not {"ProcessingInstanceType", "TrainingInstanceType", "InputDataUrl"} <= set(values):
        return None
    steps = {step["Name"]: step for step in json.loads(definition)["Steps"]}
    processing, training = (
        Instances(values[f"{kind}InstanceType"], int(values[f"{kind}InstanceCount"])) for kind in ("Processing", "Training")
    )
    disk_gib = int(steps["Prepare"]["Arguments"]["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"])
    try:
        size = data_size.measure(s3, values["InputDataUrl"], looks=looks)
    except ClientError:
        return None
    return estimate(Run(size, model, processing, training, prices, disk_gib))


def run_all(place: ProjectEnvironment, settings: Settings, given: argparse.Namespace) -> None:
    """Every model, whatever becomes of the others. Raises ProblemError that names those which could not start, each with its reason."""
    failed, models = [], settings.models.values()
    for model in models:
        print(f"model {model.name}")
        try:
            Training(place, model, file_of(given.definitions, model), settings.prices).run(given)
        except (ProblemError, ClientError, BotoCoreError, OSError) as error:
            failed.append(f"{model.name}: {explain(error)}")
            print(f"not started: {explain(error)}")
    if failed:
        raise ProblemError(f"{len(failed)} of {len(models)} models could not be started: {'; '.join(failed)}")


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    settings = read_settings()
    place = ProjectEnvironment(settings.project)
    if given.definitions and given.model is None:
        if given.wait or given.parameter:
            raise ProblemError("--wait and --parameter are for one model; name it with --model")
        run_all(place, settings, given)
        return 0
    model = settings.model(given.model)
    arn = Training(place, model, file_of(given.definitions, model) if given.definitions else None, settings.prices, looks=True).run(given)
    return follow(place.client("sagemaker"), arn, logs=place.client("logs"), prices=settings.prices) if given.wait and arn else 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    add_model_option(options)
    options.add_argument(
        "--parameter", action="append", default=[], type=_parameter, metavar="NAME=VALUE", help="a pipeline parameter; repeatable"
    )
    options.add_argument(
        "--definitions", type=Path, help="the folder that define_pipeline.py wrote, for every model (default: define one now)"
    )
    options.add_argument("--reason", help="why it runs; kept with the version (default: push in a build, manual by hand)")
    options.add_argument("--force", action="store_true", help="train anew although nothing has changed: no step comes from the cache")
    options.add_argument("--wait", action="store_true", help="follow the execution to its end, with each step's numbers")
    return options


def _parameter(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


if __name__ == "__main__":
    raise SystemExit(run(main))
