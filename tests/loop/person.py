"""Someone with a terminal, and a clone of their own to change and push: what they do and wait for, for the loop's tests.

Their project and models are those of `team/`, whatever stands in settings.py and models/ of this checkout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo import loop
from demo.clock import AccountClock, next_monday
from demo.subject import subject
from demo.terminal import Terminal
from settings_schema import ModelNames, ProjectNames
from settings_schema.reading import read
from tests.loop.clone import ROOT, TEAM, make_clone

SETTINGS = read(TEAM)
PROJECT = SETTINGS.project.names
ABALONE, ARRESTS = (subject(SETTINGS, model) for model in SETTINGS.models.values())
#: The third model, which comes later: its file waits beside the others.
THIRD_FILE = TEAM / "abalone_adult.py"
THIRD = PROJECT.model("abalone-adult")
#: A bake of five simulated minutes takes half a second.
SPEED = 600.0


@dataclass
class Person:
    """`clone` is their working tree, `repository` what they commit and push it to, `project` whose names it has."""

    terminal: Terminal
    clone: Path
    repository: loop.Repository
    project: ProjectNames = PROJECT

    def change(self, path: str, before: str, after: str) -> None:
        file = self.clone / path
        text = file.read_text(encoding="utf-8")
        assert before in text, f"{path} has no {before!r} any more"
        file.write_text(text.replace(before, after, 1), encoding="utf-8")

    def push(self, message: str) -> str:
        self.repository.commit(message)
        return self.repository.push()

    def executions(self, pipeline: str) -> set[str]:
        return {execution["pipelineExecutionId"] for execution in loop.pipeline_executions(self.terminal, pipeline)}

    def push_and_build(self, message: str) -> tuple[str, str]:
        """Execution id and final status of the build that the push started."""
        pipeline = self.project.build_pipeline
        known = self.executions(pipeline)
        self.push(message)
        execution = loop.new_execution(self.terminal, pipeline, known)
        return execution, loop.end_of_pipeline(self.terminal, pipeline, execution)

    def build(self, message: str) -> None:
        """Push, and see the build succeed."""
        execution, status = self.push_and_build(message)
        assert status == "Succeeded", loop.failure_of(self.terminal, self.project.build_pipeline, execution)

    def script(self, name: str, *arguments: str) -> str:
        """Run one of the project's scripts in the clone; what it printed."""
        return self.terminal.run(name.replace(".", "-"), ["python", "-m", name, *arguments], cwd=self.clone)

    def trainings(self, names: ModelNames) -> list[str]:
        """ARNs of executions, newest first."""
        return [str(execution["PipelineExecutionArn"]) for execution in loop.training_executions(self.terminal, names)]

    def new_training(self, names: ModelNames, known: Sequence[str]) -> str:
        """The execution that something starts, or has started, besides the `known` ones."""

        def started() -> str | None:
            return next((arn for arn in self.trainings(names) if arn not in known), None)

        return loop.wait_for(f"a training of {names.model}", started, seconds=60)

    def finish_training(self, execution_arn: str) -> str:
        """Final status of an execution of a SageMaker pipeline."""
        loop.wait_for("the end of the training", lambda: loop.training_ended(self.terminal, execution_arn) or None)
        answer = self.terminal.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=execution_arn)
        return str(answer["PipelineExecutionStatus"])

    def trained(self, names: ModelNames, known: Sequence[str]) -> str:
        """The version that a new training registers, once it has."""
        training = self.new_training(names, known)
        assert self.finish_training(training) == "Succeeded", self.reasons(training)
        newest = loop.versions(self.terminal, names)[0]["ModelPackageArn"]
        made = self.terminal.client("sagemaker").describe_model_package(ModelPackageName=newest)["MetadataProperties"]["GeneratedBy"]
        assert made == training, f"{training} has registered nothing"
        return str(newest)

    def reasons(self, execution: str) -> str:
        """Why the steps of a SageMaker execution failed."""
        return " ".join(str(step.get("FailureReason", "")) for step in loop.steps(self.terminal, execution))

    def facts_of(self, version_arn: str) -> dict[str, str]:
        package = self.terminal.client("sagemaker").describe_model_package(ModelPackageName=version_arn)
        return dict(package["CustomerMetadataProperties"])

    def approve(self, names: ModelNames, version_arn: str) -> str:
        """Approve in the registry; the execution of the deploy pipeline that this started."""
        return self.judge(names, version_arn, "Approved")

    def reject_live(self, names: ModelNames, version_arn: str) -> str:
        """Reject what production serves; the execution of the return pipeline that this started, once it has succeeded."""
        known = self.executions(names.return_pipeline)
        loop.judge(self.terminal, version_arn, "Rejected", "test")
        execution = loop.new_execution(self.terminal, names.return_pipeline, known)
        status = loop.end_of_pipeline(self.terminal, names.return_pipeline, execution)
        assert status == "Succeeded", loop.failure_of(self.terminal, names.return_pipeline, execution)
        return execution

    def judge(self, names: ModelNames, version_arn: str, status: str) -> str:
        known = self.executions(names.deploy_pipeline)
        loop.judge(self.terminal, version_arn, status, "test")
        return loop.new_execution(self.terminal, names.deploy_pipeline, known)

    def let_into_production(self, names: ModelNames, execution: str, before: Callable[[], None] = lambda: None) -> None:
        """Answer the approval that a deployment asks for once it is on staging, having done what comes `before`."""
        waiting = loop.wait_for("the approval for production", lambda: self.waiting_or_ended(names, execution))
        assert isinstance(waiting, dict), loop.failure_of(self.terminal, names.deploy_pipeline, execution)
        before()
        loop.answer_approval(self.terminal, names, waiting, "Approved", "test")

    def waiting_or_ended(self, names: ModelNames, execution: str) -> dict[str, str] | str | None:
        status = loop.status_of(self.terminal, names.deploy_pipeline, execution)
        if status in loop.PIPELINE_ENDS:
            return status
        waiting = loop.waiting_approval(self.terminal, names, execution)
        return dict(waiting) if waiting else None

    def deployed(self, names: ModelNames, execution: str) -> str:
        """The execution, once it has succeeded."""
        status = loop.end_of_pipeline(self.terminal, names.deploy_pipeline, execution)
        assert status == "Succeeded", loop.failure_of(self.terminal, names.deploy_pipeline, execution)
        return execution

    def release(self, names: ModelNames, version_arn: str) -> str:
        """Through both approvals; the execution that did it."""
        execution = self.approve(names, version_arn)
        self.let_into_production(names, execution)
        return self.deployed(names, execution)


@dataclass(frozen=True)
class Happened:
    """What each model has been through so far: trainings and deployments, by the name of the model."""

    trainings: dict[str, set[str]]
    deployments: dict[str, set[str]]

    @classmethod
    def to(cls, person: Person, models: Sequence[ModelNames] = (ABALONE.names, ARRESTS.names)) -> Happened:
        return cls(
            {names.model: set(person.trainings(names)) for names in models},
            {names.model: person.executions(names.deploy_pipeline) for names in models},
        )

    def since(self, before: Happened) -> tuple[set[str], set[str]]:
        """Names of the models that were trained, and of those that were deployed."""
        trained = {model for model, runs in self.trainings.items() if runs - before.trainings.get(model, set())}
        return trained, {model for model, runs in self.deployments.items() if runs - before.deployments.get(model, set())}


def start(directory: Path, clone: Path) -> Person:
    """An account with the infrastructure of the team's project and the data of its two models, and their clone."""
    make_clone(clone)
    terminal = Terminal(clone, directory, tools=ROOT)
    try:
        terminal.start_account(speed=SPEED)
        AccountClock(terminal.account).set(now=next_monday("Etc/UTC"))  # six days from the schedule that trains on Sundays
        loop.bootstrap(terminal)
        deploy(terminal, directory / "cdk.out")
        for model in (ABALONE, ARRESTS):
            loop.upload_data(terminal, model.name)
    except BaseException:
        terminal.close()
        raise
    return Person(terminal, clone, loop.Repository(terminal, SETTINGS, clone, directory / "clone.git"))


def deploy(terminal: Terminal, assembly: Path) -> list[str]:
    """`cdk deploy --all` of the clone as it is; the names of the stacks in the assembly."""
    stacks = synthesize(terminal, assembly)
    loop.deploy(terminal, assembly)
    return stacks


def synthesize(terminal: Terminal, assembly: Path) -> list[str]:
    """As a person does, without the CDK's own validation, which takes longer: tests/infra/test_policies.py has it."""
    return loop.synthesize(terminal, assembly, CDK_VALIDATION="false")
