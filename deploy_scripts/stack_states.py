"""Can what serves a model in an environment be changed? If not: one line, with the command that mends it.

Input: what CloudFormation and SageMaker say of the stack and the endpoint. What a state means: `preflight.obstacle`, which preflight says
before a deployment, render.py before a version goes to staging, and status.py at any time. Next: render.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.missing import found
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.served import describe_served
from preflight.obstacle import NOT_THERE, REPLACED_ON_FAILURE, Obstacle, of_endpoint, of_stack
from settings_schema import Environment, Member, Model, ServingNames
from settings_schema.serving import OnEndpoint


def obstacle(stack: Mapping[str, Any] | None, protected: bool, endpoint: Mapping[str, Any] | None = None) -> str | None:
    """`standing` in one line."""
    stands = standing(stack, protected, endpoint)
    return str(stands) if stands else None


def standing(stack: Mapping[str, Any] | None, protected: bool, endpoint: Mapping[str, Any] | None = None) -> Obstacle | None:
    """What has to be mended by a person before a deployment, with the command. None: it goes on, or the pipeline replaces what failed.

    `stack`, `endpoint`: as DescribeStacks and DescribeEndpoint describe them, None for one that is not there. `protected`: the
    environment is, so that nothing of it is replaced (infra/model/deploy_pipeline.py). What is only in progress is no obstacle.
    """
    stands = of_stack(stack, () if protected else REPLACED_ON_FAILURE)
    if stands is None and (stack is None or stack["StackStatus"] not in REPLACED_ON_FAILURE):
        stands = of_endpoint(endpoint, stack, datetime.now(UTC))
    return stands


def describe_stack(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """None if there is no such stack, or a change set of it only."""
    answer = found(cloudformation.describe_stacks, StackName=name)
    stack: dict[str, Any] | None = answer["Stacks"][0] if answer else None
    return None if stack is None or stack["StackStatus"] in NOT_THERE else stack


def refuse_obstructed(model: Model, environments: Iterable[tuple[Environment, ServingNames, EnvironmentPlace]]) -> None:
    """Raises ProblemError with all that stands in the way, in every environment that a version passes: before it passes the first."""
    lines = []
    for environment, names, place in environments:
        stack, endpoint = describe_stack(place.client("cloudformation"), names.stack), None
        serving = model.serving[environment.name]
        if isinstance(serving, OnEndpoint) and not isinstance(serving, Member):
            endpoint = describe_served(place.client("sagemaker"), names, serving)
        if line := obstacle(stack, environment.protected, endpoint):
            lines.append(f"{environment.name}: {line}")
    if lines:
        raise ProblemError(f"nothing is deployed: {'; '.join(lines)}")
