"""What it took to make the version: time, instances, billed seconds, USD and what spare capacity saved, for report and approver's page.

Input: the execution that this evaluation is a step of, and prices. Output: plain values, of all steps so far; the evaluation's own job
counts until now. What the account does not tell keeps no version from being judged: `problem` says why. Next: `report.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import billing
from failure import BadInput


def prices(texts: Sequence[str]) -> dict[str, float]:
    """USD an instance-hour by type, of `ml.m5.xlarge=0.23 ml.m5.large=0.115`, however it is split. Raises BadInput."""
    pairs = [pair.partition("=") for text in texts for pair in text.split()]
    try:
        return {kind: float(usd) for kind, _, usd in pairs}
    except ValueError as error:
        raise BadInput(f"--prices is {' '.join(texts)!r}; allowed: ml.m5.xlarge=0.23 ml.m5.large=0.115 (PRICES of settings.py)") from error


def read(execution: str, usd_per_hour: Mapping[str, float], noted: str) -> dict[str, Any] | None:
    """`execution`: its ARN; empty outside of a pipeline, where there is nothing to tell. `noted`: when the prices were."""
    if not execution:
        return None
    import boto3  # only needed then
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        sagemaker = boto3.client("sagemaker")
        pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=execution, SortOrder="Ascending")
        steps = [step for page in pages for step in page["PipelineExecutionSteps"]]
        return {**_told(billing.of_steps(sagemaker, steps), usd_per_hour, noted), "seconds": _seconds(steps), "problem": ""}
    except (ClientError, BotoCoreError) as error:
        return {"problem": f"what it took cannot be seen: {error}"}


def _told(steps: Sequence[billing.Step], usd_per_hour: Mapping[str, float], noted: str) -> dict[str, Any]:
    hours = billing.instance_hours(steps)
    unpriced = sorted(set(hours) - set(usd_per_hour))
    usd = None if unpriced else sum(usd_per_hour[kind] * count for kind, count in hours.items())
    return {
        "steps": [_step(step) for step in steps],
        "instance_hours": sum(hours.values()),
        "usd": usd,
        "prices_noted": noted,
        "unpriced": unpriced,
    }


def _step(step: billing.Step) -> dict[str, Any]:
    names = ("name", "instances", "cached", "ran_seconds", "billed_seconds", "saved")
    return {"jobs": len(step.jobs), **{name: getattr(step, name) for name in names}}


def _seconds(steps: Sequence[Mapping[str, Any]]) -> float:
    """Since the first step began, waits for instances among them."""
    begun = [step["StartTime"] for step in steps if "StartTime" in step]
    return (datetime.now(UTC) - min(begun)).total_seconds() if begun else 0.0
