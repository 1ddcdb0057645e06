"""The checks of verify.py as pure functions on what the version answered: each returns a line, or raises VerdictError."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from build_scripts.command_line import VerdictError
from build_scripts.golden import Golden
from build_scripts.invocation import Answer
from build_scripts.step_modules import load
from build_scripts.version_contract import Contract
from deploy_scripts import slow_answers
from deploy_scripts.slow_answers import Speed
from settings_schema import Problem

#: An endpoint is Updating also while autoscaling changes its instances, and SystemUpdating while AWS patches them: it serves meanwhile.
SERVING = ("InService", "Updating", "SystemUpdating")
#: Equal up to the rounding of a float32 model's answer in text.
RELATIVE_TOLERANCE = 1e-6


def as_evaluated(name: str, answer: Answer, golden: Golden) -> str:
    """It must answer what the version answered when it was evaluated."""
    if answer.labels:
        different = sum(label != expected for label, expected in zip(answer.labels, golden.expected, strict=True))
        found = f"{different} of {len(answer.labels)} classes differ"
    else:
        pairs = [(score, float(expected)) for score, expected in zip(answer.scores, golden.expected, strict=True)]
        different = sum(
            not math.isclose(score, expected, rel_tol=RELATIVE_TOLERANCE, abs_tol=RELATIVE_TOLERANCE) for score, expected in pairs
        )
        found = f"{different} of {len(pairs)} scores differ, by up to {max(abs(score - expected) for score, expected in pairs):.2g}"
    if different:
        raise VerdictError(f"{name}: {found} from the evaluation's; this is not the evaluated model")
    return f"{name}: {len(golden.rows)} answers equal the evaluation's"


def metric(golden: Golden, answer: Answer, contract: Contract) -> str:
    """The version's metric on the golden rows, by the formula of the evaluation (steps/measures.py); accuracy for several classes."""
    import numpy as np

    name, measures = contract.metric, load("measures")
    if contract.problem is Problem.MULTICLASS:
        name, right = "accuracy", [label == truth for label, truth in zip(answer.labels, golden.truth, strict=True)]
        value = sum(right) / len(right)
    elif name not in measures.METRICS:
        return f"metric: {name} of this version is not one that this commit computes; its answers are compared above"
    else:
        binary = contract.problem is Problem.BINARY
        truth = [float(cell == contract.positive_class) if binary else float(cell) for cell in golden.truth]
        scores = np.array(answer.scores)
        decided = np.array([float(label == contract.positive_class) for label in answer.labels]) if binary else scores
        value = measures.measure(name, np.array(truth), load("decisions").Predictions(scores, decided))
    if not math.isfinite(value):
        raise VerdictError(f"{name} on {len(golden.rows)} golden rows is {value}")
    return f"metric: {name} {value:.4g} on {len(golden.rows)} golden rows"


def refused(status: int | None) -> str:
    if status is None or not 400 <= status < 500:
        raise VerdictError(f"a request with the wrong content type answers {status or 200}; it must answer 4xx")
    return f"wrong content type: answers {status}"


def latency(milliseconds: Sequence[float], limit_ms: int, *, is_last: bool = False) -> str | None:
    """Client-side latency of single rows; `limit_ms` is the endpoint's p99 in models/. None: not clear yet, ask on unless `is_last`.

    Raises VerdictError where more answers are slow than one in 100.
    """
    ordered, slow = sorted(milliseconds), sum(answer > limit_ms for answer in milliseconds)
    speed = slow_answers.weigh(slow, len(ordered))
    if is_last and speed is Speed.UNCLEAR:
        speed = slow_answers.likelier(slow, len(ordered))
    if speed is Speed.UNCLEAR:
        return None
    p50, p99 = (ordered[math.ceil(share * len(ordered)) - 1] for share in (0.50, 0.99))
    if speed is Speed.SLOW:
        allowed = f"{limit_ms} ms that models/ gives 99 of 100 (p99_latency_ms)"
        raise VerdictError(f"too slow: {slow} of {len(ordered)} answers took longer than the {allowed}; p50 {p50:.0f} ms, p99 {p99:.0f} ms")
    return f"latency: p50 {p50:.1f} ms, p99 {p99:.1f} ms of {limit_ms} ms allowed ({len(ordered)} requests, {slow} slower)"


def deployed(endpoint: Mapping[str, Any], live_package: str | None, wanted_package: str, wanted_config: str | None) -> str:
    """SageMaker can roll an update back and say InService: the live config and package must be the ones deployed."""
    name = endpoint["EndpointName"]
    if endpoint["EndpointStatus"] not in SERVING:
        raise VerdictError(f"endpoint {name} is {endpoint['EndpointStatus']}: {endpoint.get('FailureReason', 'no reason given')}")
    if live_package != wanted_package:
        raise VerdictError(f"endpoint {name} serves {live_package}, not {wanted_package}; SageMaker may have rolled the update back")
    if wanted_config is not None and endpoint["EndpointConfigName"] != wanted_config:
        raise VerdictError(
            f"endpoint {name} has config {endpoint['EndpointConfigName']}, not {wanted_config}; SageMaker may have rolled the update back"
        )
    return f"deployed: {name} serves {wanted_package.rsplit('/', 1)[-1]} with config {endpoint['EndpointConfigName']}"


def deployed_model(stack: str, model_name: str, live_package: str | None, wanted_package: str) -> str:
    """Of a batch stack, which has no endpoint: the SageMaker model that its jobs run with."""
    if live_package != wanted_package:
        raise VerdictError(f"model {model_name} of stack {stack} is of {live_package}, not {wanted_package}; deploy again")
    return f"deployed: {stack} scores with {wanted_package.rsplit('/', 1)[-1]} as model {model_name}"
