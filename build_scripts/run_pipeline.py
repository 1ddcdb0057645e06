"""Creates or updates the SageMaker pipeline, and starts it if it is not what ran last.

Input: pipelines/tabular/pipeline.py, settings.py, and the steps' code, which it publishes first (publish.py).
Output: an execution, unless one with the same definition has succeeded or is running.

    python -m build_scripts.run_pipeline --wait
    python -m build_scripts.run_pipeline --parameter MetricThreshold=2.2 --wait    what has not changed comes from the step cache
    python -m build_scripts.run_pipeline --force --wait                            nothing does

Next: follow.py shows an execution; the version it registers waits for approval (deploy_scripts/approve.py).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import re
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError, parser, run
from build_scripts.follow import follow
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.publish import code_files, code_prefix, publish
from build_scripts.step_modules import load
from settings import DATASET, DataSet

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
        pages = list(sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn))
    except ClientError:
        return {}
    steps = [step for page in pages for step in page["PipelineExecutionSteps"]]
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


def checked_parameters(definition: str, given: Mapping[str, str], dataset: DataSet = DATASET) -> dict[str, str]:
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
                f"parameter {name} is {value!r}; allowed for {dataset.metric}, the metric of settings.py: {dataset.judged_by.allowed}"
            )
    return dict(given)


def code_address(project: ProjectEnvironment, files: Mapping[str, bytes]) -> str:
    """Where publish.py puts the files; the definition names it."""
    return f"s3://{project.artifact_bucket}/{code_prefix(files)}"


def read_definition(path: Path, code_uri: str) -> str:
    """What define_pipeline.py wrote. Raises ProblemError if it is there for other code than this checkout's."""
    definition = path.read_text(encoding="utf-8")
    if f"{code_uri}/" not in definition:
        raise ProblemError(f"{path} does not use the code at {code_uri}/; write it again with `python -m build_scripts.define_pipeline`")
    return definition


def define(project: ProjectEnvironment, code_uri: str) -> str:
    """The definition's JSON. Imports the SageMaker SDK, which takes seconds."""
    with quiet():
        from pipelines.tabular.pipeline import get_pipeline

        pipeline = get_pipeline(
            project.region,
            project.pipeline_role_arn,
            code_uri=code_uri,
            bucket=project.artifact_bucket,
            data_bucket=project.data_bucket,
            kms_key=project.key_arn,
            subnets=project.subnets,
            security_group_ids=project.security_group_ids,
            project_id=project.project_id,
            pipeline_name=project.pipeline_name,
            model_package_group=project.model_package_group,
        )
        return str(pipeline.definition())


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """The SDK logs each look-up of an endpoint and a default, to a handler of its own on the root logger."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        root.setLevel(level)
        root.handlers[:] = handlers


def default_values(definition: str) -> dict[str, str]:
    return {parameter["Name"]: str(parameter.get("DefaultValue", "")) for parameter in json.loads(definition)["Parameters"]}


def has_data(s3: Any, url: str) -> bool:
    """Whether there are data files below `url`; also True without the permission to look. Raises ProblemError for no such bucket."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    is_data = load("data_versions").is_data
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return any(is_data(item["Key"]) for page in pages for item in page.get("Contents", []))
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


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    project = ProjectEnvironment()
    s3, sagemaker = project.client("s3"), project.client("sagemaker")
    files = code_files()
    code_uri = code_address(project, files)
    definition = read_definition(given.definition, code_uri) if given.definition else define(project, code_uri)
    parameters = checked_parameters(definition, dict(given.parameter))
    reason = given.reason or ("manual" if project.commit == "unknown" else "push")
    checked_parameters(definition, {"TriggerReason": reason})
    url = parameters.get("InputDataUrl") or default_values(definition)["InputDataUrl"]
    ready = has_data(s3, url)
    if not ready and (given.wait or given.force or parameters):  # somebody waits for a training, not only a build for its end
        raise ProblemError(f"there is no data at {url}; `python -m build_scripts.upload_data` uploads it and starts the training")
    _, uploaded = publish(s3, project.artifact_bucket, files, project.key_arn)
    print(f"code: {'published' if uploaded else 'unchanged'} at {code_uri}/")
    state = upsert(sagemaker, project.pipeline_name, definition, project.pipeline_role_arn, project.tags, project.commit)
    print(f"pipeline {project.pipeline_name}: {state}")
    if not ready:
        print(f"not started: there is no data at {url} yet; `python -m build_scripts.upload_data` uploads it and starts the training")
        return 0
    runs = recent_runs(sagemaker, project.pipeline_name)
    decision = plan(definition, runs, forced=bool(given.force or parameters), data=data_now(s3, url))
    arn = decision.following
    if decision.start:
        facts = {"GitCommit": project.commit, "TriggerReason": reason, **({"CacheKey": uuid.uuid4().hex} if given.force else {})}
        arn = start(sagemaker, project.pipeline_name, {**facts, **parameters}, project.commit)
    print(f"{'started ' + str(arn) if decision.start else 'not started'}: {decision.reason}")
    return follow(sagemaker, arn, logs=project.client("logs")) if given.wait and arn else 0


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    options.add_argument(
        "--parameter", action="append", default=[], type=_parameter, metavar="NAME=VALUE", help="a pipeline parameter; repeatable"
    )
    options.add_argument("--definition", type=Path, help="what define_pipeline.py wrote (default: define it now)")
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
