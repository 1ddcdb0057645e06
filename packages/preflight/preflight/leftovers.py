"""What an earlier deployment left that stands in nobody's way: its names cannot clash, but whoever deploys should know of it."""

from __future__ import annotations

from collections.abc import Iterator

from preflight.finding import Finding, passed
from preflight.situation import Situation
from preflight.stack_states import status_of


def check_leftovers(situation: Situation) -> Iterator[Finding]:
    """SageMaker pipelines that builds make, no stack. With nothing deployed they are an earlier deployment's, whose roles are gone."""
    names = situation.app.pipelines
    if not names or not situation.is_own or any(status_of(situation, stack) for stack in situation.stacks):
        return
    left = [name for name in names if situation.account.find("sagemaker", "describe_pipeline", PipelineName=name) is not None]
    if left:
        yield passed("left behind", f"SageMaker pipelines of an earlier deployment: {', '.join(left)}", "the next build takes them over")
