"""What is the case, and why one looks: versions, executions of the two pipelines, what production has.

Nothing here remembers anything: the registry says what should run, CodePipeline's history what was tried, the stack what production has.
So an event may come late, twice or never. Read by handler.py. Next: plan.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

APPROVED, REJECTED, DELETED = "Approved", "Rejected", "deleted"
NEVER = "never"  # settings_schema/rebuilding.py
IN_PROGRESS, SUCCEEDED, FAILED, STOPPED, SUPERSEDED = "InProgress", "Succeeded", "Failed", "Stopped", "Superseded"
#: "The pipeline's definition was updated before the pipeline execution could be completed" (PipelineExecution): nobody decided anything.
CANCELLED = "Cancelled"


@dataclass(frozen=True)
class Version:
    """`approval` is SageMaker's word, or DELETED. `commit` is what its metadata says, which pushed code wrote: a claim."""

    arn: str
    created: datetime
    approval: str = APPROVED
    commit: str = ""

    @property
    def number(self) -> int:
        return number_of(self.arn)

    def __str__(self) -> str:
        return f"version {self.number}"


def number_of(arn: str) -> int:
    return int(arn.rsplit("/", 1)[-1])


def day_of(rebuilt: str) -> str:
    """Of the variable and the parameter; empty for what was never made anew."""
    return "" if rebuilt == NEVER else rebuilt


class Run:
    """An execution of a pipeline. Its variables are asked for when they are needed: a list of executions has none."""

    def __init__(
        self, identifier: str, status: str, started: datetime, ended: datetime, commit: str, variables: Callable[[], Mapping[str, str]]
    ) -> None:
        self.identifier, self.status, self.started, self.ended, self.commit = identifier, status, started, ended, commit
        self._read = variables

    @cached_property
    def _variables(self) -> Mapping[str, str]:
        return self._read()

    @property
    def package(self) -> str:
        """ARN of the version that it is of; empty where nothing says so."""
        given = self._variables.get("ModelPackageArn", "")
        return given if ":model-package/" in given else ""

    @property
    def leaving(self) -> str:
        """Of the return pipeline: ARN of the version that production is to be rid of."""
        return self._variables.get("Leaving", "")

    @property
    def rebuilt(self) -> str:
        """The day, of one that makes anew what serves; else empty."""
        return day_of(self._variables.get("Rebuilt", NEVER))

    @property
    def is_on(self) -> bool:
        return self.status == IN_PROGRESS

    @property
    def is_over(self) -> bool:
        return self.status not in (IN_PROGRESS, "Stopping")


@dataclass(frozen=True)
class Wake:
    """Why one looks. `approved`, `rejected`: what a person has just decided about; `requested`: the version that one asks for by hand.
    `rebuild_before`: a release of before then is to be made anew, as the one of the day `rebuilt`.
    """

    by_hand: bool = False
    rebuild_before: datetime | None = None
    rebuilt: str = ""
    approved: str = ""
    rejected: str = ""
    requested: str = ""

    @property
    def named(self) -> str:
        """A version that a person wants out, whatever came of it before."""
        return self.requested or self.approved


@dataclass(frozen=True)
class State:
    """`deploys` and `returns`: executions of the two pipelines, each newest first. `entered`: the one that is in the stage Production;
    `asked`: whether one has asked a person, who may have said yes. `rebuilt`: the day on which what serves was made anew last, or empty.

    `approved`: newest version first. `built`: commits that were built and tested, newest first. `find`: a version by its ARN, whatever
    its approval. `changed`: of a commit, the serving stacks whose deployed template is another one than it keeps.
    """

    model: str
    production: Version | None
    approved: Sequence[Version]
    deploys: Sequence[Run]
    returns: Sequence[Run]
    entered: str
    asked: Callable[[Run], bool]
    built: Sequence[str]
    find: Callable[[str], Version | None]
    changed: Callable[[str], Sequence[str]]
    production_stack: str = ""
    rebuilt: str = ""

    @cached_property
    def releases(self) -> list[Run]:
        """Executions that ended well, so their version served production, deployed by that commit. The one that ended last comes first.

        Not the one that began last: a return passes a deployment that waits in its review.
        """
        ended_well = [run for run in (*self.deploys, *self.returns) if run.status == SUCCEEDED and run.commit]
        return sorted(ended_well, key=lambda run: run.ended, reverse=True)

    @property
    def last_commit(self) -> str:
        return self.releases[0].commit if self.releases else ""

    def version_of(self, run: Run) -> Version | None:
        """None also where the version is younger than the execution, which was of another one that had its name."""
        version = self.find(run.package) if run.package else None
        return version if version and (version.approval == DELETED or version.created < run.started) else None

    def has_served(self, version: Version) -> bool:
        """A release older than the version was of another one that had its name. Which version a run is of costs a question each."""
        return any(run.started > version.created and run.package == version.arn for run in self.releases)

    def roll_back(self, *options: str) -> str:
        """The command that a person is offered."""
        return f"`{' '.join(('python -m deploy_scripts.roll_back --model', self.model, *options))}`"


@dataclass(frozen=True)
class Start:
    """`leaving`: only of a return. `rebuilt`: the day, of what is made anew, forth or back."""

    version: Version
    commit: str
    leaving: str = ""
    rebuilt: str = ""


@dataclass(frozen=True)
class Stop:
    run: Run
    of_return: bool
    reason: str


#: What starts, why or why not, and what people are told: each may be nothing.
Way = tuple[Start | None, str, str]
