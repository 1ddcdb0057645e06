"""What a person does in the loop and what they wait for: one function each, through `cdk`, `git` and boto3.

Used by the story (`story.py`) and by tests/loop. In: a `Terminal`. Out: what AWS answered; StageError says why not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from demo.errors import StageError
from demo.subject import Subject
from demo.terminal import Terminal, quiet_git
from settings_schema import CodeConnection, ModelNames, ServingNames
from settings_schema.names import VARIANT
from settings_schema.reading import Settings

#: Each look is a signed request, answered by the same two cores that do the work that is waited for: what lasts is looked at less often.
POLL_SECONDS, MOST_POLL_SECONDS, SHARE_OF_WAIT = 0.25, 0.6, 0.1
#: No stage of the loop takes minutes on any machine: one that does hangs, and the story says so.
PATIENCE_SECONDS = 300.0
PIPELINE_ENDS = {"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"}
_EXECUTION_ENDS = {"Succeeded", "Failed", "Stopped"}
_UPLOAD = ("python", "-m", "build_scripts.upload_data")

Found = TypeVar("Found")


def wait_for(what: str, look: Callable[[], Found | None], *, seconds: float = PATIENCE_SECONDS, log: Path | None = None) -> Found:
    """The first answer of `look` that is not None. Raises StageError, naming `what`, when it takes too long."""
    began = time.monotonic()
    while (found := look()) is None:
        waited = time.monotonic() - began
        if waited > seconds:
            raise StageError(f"{what} did not come within {seconds:.0f} s", log)
        time.sleep(min(max(POLL_SECONDS, SHARE_OF_WAIT * waited), MOST_POLL_SECONDS))
    return found


# ------------------------------------------------------------------------------------- the infrastructure


def bootstrap(terminal: Terminal) -> None:
    target = f"aws://{terminal.account['account_id']}/{terminal.account['region']}"
    # Away from `cdk.json`: with an explicit target nothing needs to be synthesized, and synthesis runs elsewhere meanwhile.
    terminal.run("cdk-bootstrap", ["cdk", "bootstrap", target], cwd=terminal.logs)


def synthesize(terminal: Terminal, assembly: Path, **variables: str) -> list[str]:
    """Write the cloud assembly and return its stacks' names. `variables`: of the command's environment."""
    environment = {**_synthesis_environment(terminal), **variables}
    terminal.run("cdk-synth", ["cdk", "synth", "--quiet", "--output", str(assembly)], extra=environment)
    manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
    return sorted(
        artifact.get("properties", {}).get("stackName", name)
        for name, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    )


def _synthesis_environment(terminal: Terminal) -> dict[str, str]:
    python = terminal.environment["PATH"].split(":")[1]
    return {"PYTHONPATH": str(terminal.checkout), "VIRTUAL_ENV": str(Path(python).parent)}


def deploy(terminal: Terminal, assembly: Path) -> None:
    """Deploy what `synthesize` wrote: the same bytes, without a second synthesis."""
    command = [
        "cdk",
        "deploy",
        "--all",
        "--app",
        str(assembly),
        "--require-approval",
        "never",
        "--concurrency",
        "4",
        "--progress",
        "events",
    ]
    terminal.run("cdk-deploy", command)


def wait_for_stack(terminal: Terminal, name: str) -> None:
    """Until somebody else has made it; a stack that fails is theirs to tell."""
    cloudformation = terminal.client("cloudformation")

    def is_there() -> bool | None:
        try:
            (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        except cloudformation.exceptions.ClientError:
            return None
        return stack["StackStatus"] == "CREATE_COMPLETE" or None

    wait_for(f"stack {name}", is_there)


def check_data(terminal: Terminal, subjects: Sequence[Subject]) -> None:
    """Raises StageError for a person's file that breaks the contract of its model. Needs no account."""
    for subject in subjects:
        if subject.data is not None:
            terminal.run("check-data", [*_UPLOAD, "--model", subject.name, "--check-only", str(subject.data.resolve())])


def upload_data(terminal: Terminal, model: str, file: Path | None = None) -> None:
    """A person's file, or the example's; without the marker that would start a training before there is code."""
    source = ["--model", model, str(file.resolve())] if file else ["--example", model]
    terminal.run(f"upload-{model}", [*_UPLOAD, *source, "--no-trigger"])


def data_bucket(terminal: Terminal, settings: Settings) -> str:
    return settings.project.names.data_bucket(terminal.account["account_id"], terminal.account["region"])


def environment_bucket(terminal: Terminal, names: ServingNames) -> str:
    """Of the environment that a model serves in."""
    environment = names.of_model.of_project.environment(names.environment)
    return environment.bucket(terminal.account["account_id"], terminal.account["region"])


# --------------------------------------------------------------------------------------------- the change


class Repository:
    """The person's clone: their working tree, committed into a repository beside it, so that their own is not touched."""

    def __init__(self, terminal: Terminal, settings: Settings, working_tree: Path, directory: Path) -> None:
        self._terminal, self._working_tree = terminal, working_tree
        source, self._branch = settings.source, settings.project.branch
        self._path = (
            f"connections/{source.repository}" if isinstance(source, CodeConnection) else f"repos/{settings.project.names.repository}"
        )
        self._git = quiet_git("--git-dir", str(directory), "--work-tree", str(working_tree))
        if not directory.exists():
            self._run("init", "--quiet")
            exclude = working_tree / ".git" / "info" / "exclude"
            if exclude.is_file():
                (directory / "info" / "exclude").write_bytes(exclude.read_bytes())

    def _run(self, *arguments: str) -> str:
        return self._terminal.run("git", [*self._git, *arguments], cwd=self._working_tree)

    def commit(self, message: str) -> str:
        """Commit every file that is not ignored, as it is now; returns the commit's id."""
        self._run("add", "--all", ".")
        self._run("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head()

    def head(self) -> str:
        """Id of the newest commit here."""
        return self._run("rev-parse", "HEAD").strip()

    def push(self) -> str:
        """Push to the account's repository, or to the one behind the connection; returns the commit's id."""
        self._run("push", "--quiet", f"{self._terminal.account['endpoint_url']}/v1/{self._path}", f"HEAD:{self._branch}")
        return self.head()


# ----------------------------------------------------------------------------------------- the pipelines


def pipeline_executions(terminal: Terminal, pipeline: str) -> list[Mapping[str, Any]]:
    """Executions of a CodePipeline, newest first, as ListPipelineExecutions has them."""
    answer = terminal.client("codepipeline").list_pipeline_executions(pipelineName=pipeline)
    executions: list[Mapping[str, Any]] = answer["pipelineExecutionSummaries"]
    return executions


def new_execution(terminal: Terminal, pipeline: str, known: set[str], *, seconds: float = 30.0) -> str:
    """Id of an execution that is not among the `known` ones, once something has started it."""

    def look() -> str | None:
        ids = [execution["pipelineExecutionId"] for execution in pipeline_executions(terminal, pipeline)]
        return next((execution for execution in ids if execution not in known), None)

    return wait_for(f"an execution of {pipeline}", look, seconds=seconds)


def actions(terminal: Terminal, pipeline: str, execution: str) -> dict[str, Mapping[str, Any]]:
    """`Stage/Action` -> its details in this execution, as ListActionExecutions has them; the newest attempt of each."""
    answer = terminal.client("codepipeline").list_action_executions(pipelineName=pipeline, filter={"pipelineExecutionId": execution})
    found: dict[str, Mapping[str, Any]] = {}
    for action in sorted(answer["actionExecutionDetails"], key=lambda action: action["startTime"]):
        found[f"{action['stageName']}/{action['actionName']}"] = action
    return found


def status_of(terminal: Terminal, pipeline: str, execution: str) -> str:
    answer = terminal.client("codepipeline").get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution)
    return str(answer["pipelineExecution"]["status"])


def end_of_pipeline(terminal: Terminal, pipeline: str, execution: str, *, seconds: float = PATIENCE_SECONDS) -> str:
    """Status in which the execution ended."""

    def look() -> str | None:
        status = status_of(terminal, pipeline, execution)
        return status if status in PIPELINE_ENDS else None

    return wait_for(f"the end of {pipeline}", look, seconds=seconds)


def failure_of(terminal: Terminal, pipeline: str, execution: str) -> str:
    """What the failed action of an execution says about itself."""
    for name, action in actions(terminal, pipeline, execution).items():
        if action["status"] == "Failed":
            result = action.get("output", {}).get("executionResult", {})
            return f"{name} failed: {result.get('externalExecutionSummary') or result.get('errorDetails', {}).get('message', 'no summary')}"
    return f"{pipeline} ended without a failed action"


def training_executions(terminal: Terminal, names: ModelNames) -> list[Mapping[str, Any]]:
    """Executions of a model's SageMaker pipeline, newest first; none before it exists."""
    sagemaker = terminal.client("sagemaker")
    try:
        answer = sagemaker.list_pipeline_executions(PipelineName=names.training_pipeline, SortBy="CreationTime", SortOrder="Descending")
    except sagemaker.exceptions.ClientError:
        return []
    executions: list[Mapping[str, Any]] = answer["PipelineExecutionSummaries"]
    return executions


def steps(terminal: Terminal, execution_arn: str) -> list[Mapping[str, Any]]:
    """Steps of a SageMaker pipeline execution in the order in which they started."""
    answer = terminal.client("sagemaker").list_pipeline_execution_steps(
        PipelineExecutionArn=execution_arn, SortOrder="Ascending", MaxResults=100
    )
    found: list[Mapping[str, Any]] = answer["PipelineExecutionSteps"]
    return found


def changes(look: Callable[[], Mapping[str, str]], over: Callable[[], bool]) -> Iterator[tuple[str, str]]:
    """(name, status) whenever a status changes, until `over`; what `look` answers after that comes too."""
    seen: dict[str, str] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        last = over()
        for name, status in look().items():
            if seen.get(name) != status:
                seen[name] = status
                yield name, status
        if last:
            return
        if time.monotonic() > deadline:
            raise StageError(f"nothing ended within {PATIENCE_SECONDS:.0f} s; last seen: {seen}")
        time.sleep(POLL_SECONDS)


def training_ended(terminal: Terminal, execution_arn: str) -> bool:
    answer = terminal.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=execution_arn)
    return answer["PipelineExecutionStatus"] in _EXECUTION_ENDS


# ------------------------------------------------------------------------------------------ the approvals


def versions(terminal: Terminal, names: ModelNames) -> list[Mapping[str, Any]]:
    """A model's versions in the registry, newest first."""
    answer = terminal.client("sagemaker").list_model_packages(
        ModelPackageGroupName=names.model_package_group, SortBy="CreationTime", SortOrder="Descending"
    )
    found: list[Mapping[str, Any]] = answer["ModelPackageSummaryList"]
    return found


def judge(terminal: Terminal, model_package_arn: str, status: str, why: str) -> None:
    """Approve or reject a version, as the buttons in SageMaker Studio do."""
    terminal.client("sagemaker").update_model_package(
        ModelPackageArn=model_package_arn, ModelApprovalStatus=status, ApprovalDescription=why
    )


def waiting_approval(terminal: Terminal, names: ModelNames, execution: str | None = None) -> Mapping[str, str] | None:
    """Stage, action and token of the manual approval that a model's deploy pipeline waits for, if it does."""
    state = terminal.client("codepipeline").get_pipeline_state(name=names.deploy_pipeline)
    for stage in state["stageStates"]:
        here = stage.get("latestExecution", {}).get("pipelineExecutionId")
        for action in stage["actionStates"]:
            latest = action.get("latestExecution", {})
            if latest.get("status") == "InProgress" and latest.get("token") and execution in (None, here):
                return {"stage": stage["stageName"], "action": action["actionName"], "token": latest["token"]}
    return None


def answer_approval(terminal: Terminal, names: ModelNames, waiting: Mapping[str, str], status: str, why: str) -> None:
    terminal.client("codepipeline").put_approval_result(
        pipelineName=names.deploy_pipeline,
        stageName=waiting["stage"],
        actionName=waiting["action"],
        token=waiting["token"],
        result={"status": status, "summary": why},
    )


# ----------------------------------------------------------------------------------------------- what serves


def instance_count(terminal: Terminal, names: ServingNames) -> int:
    variants = terminal.client("sagemaker").describe_endpoint(EndpointName=names.endpoint)["ProductionVariants"]
    return next(int(variant["CurrentInstanceCount"]) for variant in variants if variant["VariantName"] == VARIANT)


def live_version(terminal: Terminal, names: ServingNames) -> str | None:
    """Model package behind an environment's endpoint, or behind what scores its batches; None while there is none."""
    sagemaker = terminal.client("sagemaker")
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=names.endpoint)
    except sagemaker.exceptions.ClientError:
        model = terminal.outputs(names.stack).get("ModelName")
    else:
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        model = config["ProductionVariants"][0]["ModelName"]
    if model is None:
        return None
    described = sagemaker.describe_model(ModelName=model)
    containers = [described["PrimaryContainer"]] if described.get("PrimaryContainer") else described["Containers"]
    # In an image of the team's own a model is made of the version's data, not of its package.
    return str(containers[0].get("ModelPackageName") or terminal.outputs(names.stack)["DeployedModelPackageArn"])


def read_s3(terminal: Terminal, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body: bytes = terminal.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body
