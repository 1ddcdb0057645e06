"""Which steps of an execution can start, and when it is over. Pure. Used by `execution.py`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from local_account.sagemaker.pipelines.definition import Definition, Step


class Outcome(StrEnum):
    """How a step ended. A skipped one was never started: its branch was not taken, or what it waited for ended differently."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"
    SKIPPED = "Skipped"


@dataclass
class Progress:
    """State of one execution: how steps ended, which way conditions went, which steps run now."""

    definition: Definition
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    branches: dict[str, bool] = field(default_factory=dict)
    running: set[str] = field(default_factory=set)
    stopping: bool = False

    def ready(self) -> list[Step]:
        """Steps to start now, in the order of the definition. Marks those that never will as skipped."""
        while skipped := [step.name for step in self._waiting() if self._verdict(step) is False]:  # which can make others unreachable
            self.outcomes |= dict.fromkeys(skipped, Outcome.SKIPPED)
        return [] if self.stopping else [step for step in self._waiting() if self._verdict(step) and self._may_still_start(step)]

    @property
    def failed(self) -> list[str]:
        return [name for name, outcome in self.outcomes.items() if outcome is Outcome.FAILED]

    def status(self) -> str:
        """Status of the execution once nothing runs and nothing is ready."""
        if self.stopping:
            return "Stopped"
        handled = {name for step in self.definition.steps.values() for name in step.triggers if self._handles(step, name)}
        if any(name not in handled for name in self.failed):
            return "Failed"
        return "CompletedWithFailures" if self.failed else "Succeeded"

    def _waiting(self) -> list[Step]:
        return [step for step in self.definition.steps.values() if step.name not in self.outcomes and step.name not in self.running]

    def _verdict(self, step: Step) -> bool | None:
        """True: may run. False: never will. None: not decided yet."""
        if step.branch and self.branches.get(step.branch[0], step.branch[1]) != step.branch[1]:
            return False
        decided = True
        for name, trigger in step.triggers.items():
            outcome = self.outcomes.get(name)
            if outcome is None:
                decided = False
            elif outcome is Outcome.SKIPPED or (trigger != "Any" and trigger != outcome):
                return False
        return True if decided else None

    def _may_still_start(self, step: Step) -> bool:
        # After a failure nothing new starts, except what waits for exactly that.
        return not self.failed or any(trigger != "Completed" for trigger in step.triggers.values())

    def _handles(self, step: Step, name: str) -> bool:
        return step.triggers[name] in ("Failed", "Any") and self.outcomes.get(step.name) is Outcome.COMPLETED
