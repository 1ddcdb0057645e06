"""One account, deployed once, for every test of the loop. Fixtures are the stations of a version; each needs the one before."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo import loop
from demo.terminal import Terminal
from settings import PRODUCTION, PROJECT, STAGING
from tests.loop.seen_processes import Watch
from tests.loop.survivors import MARK

ROOT = Path(__file__).resolve().parents[2]
#: A bake of five simulated minutes takes half a second.
SPEED = 600.0


@dataclass
class Person:
    """Someone with a terminal, and a clone of their own to change and push."""

    terminal: Terminal
    clone: Path
    repository: loop.Repository

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
        known = self.executions(PROJECT.build_pipeline)
        self.push(message)
        execution = loop.new_execution(self.terminal, PROJECT.build_pipeline, known)
        return execution, loop.end_of_pipeline(self.terminal, PROJECT.build_pipeline, execution)

    def finish_training(self, execution_arn: str) -> str:
        """Final status of an execution of the SageMaker pipeline."""
        loop.wait_for("the end of the training", lambda: loop.training_ended(self.terminal, execution_arn) or None)
        answer = self.terminal.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=execution_arn)
        return str(answer["PipelineExecutionStatus"])

    def approve(self, version_arn: str) -> str:
        """Approve in the registry; the execution of the deploy pipeline that this started."""
        return self.judge(version_arn, "Approved")

    def judge(self, version_arn: str, status: str) -> str:
        known = self.executions(PROJECT.deploy_pipeline)
        loop.judge(self.terminal, version_arn, status, "test")
        return loop.new_execution(self.terminal, PROJECT.deploy_pipeline, known)

    def let_into_production(self, execution: str, before: Callable[[], None] = lambda: None) -> None:
        """Answer the approval that a deployment asks for once it is on staging, having done what comes `before`."""
        waiting = loop.wait_for("the approval for production", lambda: self.waiting_or_ended(execution))
        assert isinstance(waiting, dict), loop.failure_of(self.terminal, PROJECT.deploy_pipeline, execution)
        before()
        loop.answer_approval(self.terminal, waiting, "Approved", "test")

    def waiting_or_ended(self, execution: str) -> dict[str, str] | str | None:
        status = loop.status_of(self.terminal, PROJECT.deploy_pipeline, execution)
        if status in loop.PIPELINE_ENDS:
            return status
        waiting = loop.waiting_approval(self.terminal, execution)
        return dict(waiting) if waiting else None


@pytest.fixture(scope="session")
def mark() -> Iterator[str]:
    """In the environment of everything that the account of these tests starts."""
    with pytest.MonkeyPatch.context() as patch:
        value = uuid.uuid4().hex
        patch.setenv(MARK, value)
        yield value


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the account of these tests, with all that belongs to it."""
    return tmp_path_factory.mktemp("loop")


@pytest.fixture(scope="session")
def seen_processes(directory: Path) -> Iterator[Watch]:
    watch = Watch(directory)
    watch.start()
    yield watch
    watch.stop()


@pytest.fixture(scope="session")
def person(directory: Path, mark: str, seen_processes: Watch) -> Iterator[Person]:
    """The account with its infrastructure and data, and a clone whose tuning is short."""
    terminal = Terminal(ROOT, directory)
    try:
        terminal.start_account(speed=SPEED)
        loop.bootstrap(terminal)
        loop.synthesize(terminal, directory / "cdk.out")
        loop.deploy(terminal, directory / "cdk.out")
        loop.upload_data(terminal)
        clone = directory / "clone"
        copy_working_tree(clone)
        someone = Person(terminal, clone, loop.Repository(terminal, clone, directory / "clone.git"))
        _shorten(someone)
        yield someone
    finally:
        terminal.close()


def copy_working_tree(clone: Path) -> None:
    """Every file that is not ignored, as `git ls-files` names it or, without a repository, as it lies there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if name and source.is_file():
            target = clone / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())


def _shorten(person: Person) -> None:
    """The loop is under test: one short trial for each algorithm, and of the project's own tests the settings' alone."""
    for path in (person.clone / "tests").rglob("test_*.py"):
        if path.name not in ("test_settings.py", "test_split.py"):
            path.unlink()
    person.change("settings.py", "trials: int = 4", "trials: int = 1")
    person.change("settings.py", "parallel_trials: int = 2", "parallel_trials: int = 1")
    person.change("settings.py", '"num_round": 600', '"num_round": 60')


@dataclass(frozen=True)
class Version:
    """A registered version, and what each endpoint served at the moment when it came here."""

    arn: str
    commit: str
    staging: str | None
    production: str | None
    deployment: str = ""


def station(person: Person, version_arn: str, commit: str, deployment: str = "") -> Version:
    live = {environment.name: loop.live_version(person.terminal, environment) for environment in (STAGING, PRODUCTION)}
    return Version(version_arn, commit, live["staging"], live["production"], deployment)


@pytest.fixture(scope="session")
def registered(person: Person) -> Version:
    """The first push has been built and trained."""
    execution, status = person.push_and_build("First push")
    assert status == "Succeeded", loop.failure_of(person.terminal, PROJECT.build_pipeline, execution)
    training = loop.training_executions(person.terminal)[0]["PipelineExecutionArn"]
    assert person.finish_training(training) == "Succeeded", loop.steps(person.terminal, training)
    return station(person, loop.versions(person.terminal)[0]["ModelPackageArn"], person.repository.head())


@pytest.fixture(scope="session")
def staged(person: Person, registered: Version) -> Version:
    """The first version is approved, serves staging and waits for the second approval."""
    execution = person.approve(registered.arn)
    waiting = loop.wait_for("the approval for production", lambda: person.waiting_or_ended(execution))
    assert isinstance(waiting, dict), loop.failure_of(person.terminal, PROJECT.deploy_pipeline, execution)
    return station(person, registered.arn, registered.commit, execution)


@pytest.fixture(scope="session")
def released(person: Person, staged: Version) -> Version:
    """The first version serves production."""
    waiting = loop.waiting_approval(person.terminal, staged.deployment)
    assert waiting is not None
    loop.answer_approval(person.terminal, waiting, "Approved", "test")
    status = loop.end_of_pipeline(person.terminal, PROJECT.deploy_pipeline, staged.deployment)
    assert status == "Succeeded", loop.failure_of(person.terminal, PROJECT.deploy_pipeline, staged.deployment)
    return station(person, staged.arn, staged.commit, staged.deployment)
