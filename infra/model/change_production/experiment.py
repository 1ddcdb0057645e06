"""Lambda: begins an experiment in production, and ends it. What builds run is pushed code, which may not change production (decision 93).

Input: the deploy pipeline's review of an experiment has opened or was answered; a deployment or a return ended; an alarm on the challenger
is on; the clock. Each only wakes it: it looks what is the case, and does what experiment_plan.py says. It changes parameters of the stack
that is there, the challenger's weight, and the answer to that one review; it takes a version only from that review, so there is one
experiment at a time. By hand, `{"package": <ARN>}` says why not.
Output: `{"did": one of What, "reason": text}`. Environment: see `Names`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError

from . import experiment_plan as planned
from . import production as serving
from .experiment_plan import BEGAN, NEVER, PACKAGE, TIME, Pipelines, Production, Review, Step, What, changes, name, plan

CHAMPION, VARIANT = "AllTraffic", "Challenger"  # settings_schema/names.py
_ASKED = "ModelPackageArn"  # variable of the deploy pipeline
_CHOSEN = "MODEL_PACKAGE_ARN"  # variable that its action Render puts out (deploy_scripts/render.py)
_LONGEST_SUMMARY, _LONGEST_SUBJECT = 500, 99  # of PutApprovalResult 512; of Publish less than 100
#: Its errors for a review that somebody else has answered meanwhile.
_ANSWERED = ("ApprovalAlreadyCompletedException", "InvalidApprovalTokenException")


@dataclass(frozen=True)
class Names(serving.Names):
    """`stage`, `action`: of the review. `results`: prefix in the environment's `bucket`; `alarms`: on the challenger; `days`: of an
    experiment at most; `percent`: of the requests that the challenger gets.
    """

    model: str
    stage: str
    action: str
    bucket: str
    results: str
    alarms: tuple[str, ...]
    days: int
    percent: int
    topic: str

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Names:
        return cls(
            **cls.known(variables),
            model=variables["MODEL"],
            stage=variables["EXPERIMENT_STAGE_NAME"],
            action=variables["EXPERIMENT_ACTION_NAME"],
            bucket=variables["BUCKET"],
            results=variables["RESULTS_PREFIX"],
            alarms=tuple(json.loads(variables["ALARM_NAMES"])),
            days=int(variables["DAYS_AT_MOST"]),
            percent=int(variables["CHALLENGER_PERCENT"]),
            topic=variables["ALERT_TOPIC_ARN"],
        )


def handler(event: Mapping[str, Any], context: object) -> dict[str, str]:
    names = Names.of(os.environ)
    there = serving.clients(names.region, names.role, "cloudformation", "sagemaker", "cloudwatch", "s3", session="change-experiment")
    token, pipelines = _pipelines(names)
    production = look(names, there)
    if event.get("package"):
        return _said(Step(What.WAIT, _why_not_by_hand(production)))
    by_clock = event.get("source") == "schedule"
    step = plan(production, pipelines, _result(names, there, production), _now(event), names.days, by_clock=by_clock)
    _do(step, names, there, production, pipelines, token, _now(event))
    return _said(step)


def _why_not_by_hand(production: Production) -> str:
    begins = "an experiment begins once a version is approved for production, in the deploy pipeline; nothing changed"
    if not production.challenger:
        return begins
    return f"{name(production.challenger)} is in an experiment with {name(production.live)}, and there is one at a time; {begins}"


def _do(
    step: Step, names: Names, there: Mapping[str, Any], production: Production, pipelines: Pipelines, token: str, now: datetime
) -> None:
    review = pipelines.review
    if step.what is What.BEGIN and review is not None:
        copied, number = serving.copy(names.group, names.region, review.package), review.package.rsplit("/", 1)[-1]
        _update(names, there, {**changes(copied, number, f"{now:{TIME}}"), planned.INSTANCES: planned.share(production, names.percent)})
    elif step.what in (What.SCALE, What.HOLD):
        _update(names, there, planned.SCALED if step.what is What.SCALE else planned.HELD)
    elif step.what is What.LEAVE:
        _update(names, there, changes())
    elif not token and step.what in (What.END, What.PASS):
        raise LookupError("the review that has just opened has no token yet; this is tried again")
    elif step.what in (What.END, What.PASS):
        if production.alarms and not production.silent:
            _silence(names, there)
        _answer(names, token, "Rejected" if step.what is What.END else "Approved", step.reason)


def _update(names: Names, there: Mapping[str, Any], changed: Mapping[str, str]) -> None:
    stack = serving.described(there["cloudformation"], names.stack) or {}
    serving.update(there["cloudformation"], names.stack, serving.parameters_of(stack), changed)


def _silence(names: Names, there: Mapping[str, Any]) -> None:
    """No request goes to it from now on; to take it out makes a new fleet, which takes minutes. An endpoint that changes refuses that.

    Whatever is in its way, the review is answered, which takes it out as well.
    """
    try:
        wanted = [{"VariantName": VARIANT, "DesiredWeight": 0.0}]
        there["sagemaker"].update_endpoint_weights_and_capacities(EndpointName=names.endpoint, DesiredWeightsAndCapacities=wanted)
    except ClientError as error:
        print(f"its weight stays for now: {error}")


def _answer(names: Names, token: str, status: str, reason: str) -> None:
    """A no is told to people: the execution ends, and nobody has decided that."""
    result = {"status": status, "summary": reason[:_LONGEST_SUMMARY]}
    asked = {"pipelineName": names.deploy_pipeline, "stageName": names.stage, "actionName": names.action}
    try:
        boto3.client("codepipeline").put_approval_result(**asked, result=result, token=token)
    except ClientError as error:
        if error.response["Error"]["Code"] not in _ANSWERED:
            raise
        return
    if status == "Rejected":
        subject = f"{names.model}: the experiment is over"[:_LONGEST_SUBJECT]
        boto3.client("sns").publish(TopicArn=names.topic, Subject=subject, Message=f"{names.model}: {reason}\n")


def look(names: Names, there: Mapping[str, Any]) -> Production:
    stack = serving.described(there["cloudformation"], names.stack)
    if stack is None:
        return Production()
    parameters, deployed = serving.parameters_of(stack), serving.deployed(stack)
    endpoint = serving.unless_gone(there["sagemaker"].describe_endpoint, EndpointName=names.endpoint) or {}
    live, tried = serving.original(names.region, deployed) if deployed else "", parameters.get(PACKAGE, "")
    challenger = (serving.original(names.region, tried) or tried) if tried else ""  # which leaves also where its copy was deleted
    variants = {item["VariantName"]: item for item in endpoint.get("ProductionVariants") or ()}
    text = parameters.get(BEGAN, NEVER)
    began = None if text == NEVER else datetime.strptime(text, TIME).replace(tzinfo=UTC)
    return Production(
        status=str(stack["StackStatus"]),
        endpoint_status=str(endpoint.get("EndpointStatus", "")),
        has_place=PACKAGE in parameters,
        updated=stack.get("LastUpdatedTime"),
        why=serving.failure(there["cloudformation"], names.stack) if "ROLLBACK_COMPLETE" in stack["StackStatus"] else "",
        live=live,
        live_approval=serving.approval(boto3.client("sagemaker"), names.group, live) if live else "",
        challenger=challenger,
        began=began,
        alarms=_alarms(names, there, began) if challenger and began else (),
        silent=variants.get(VARIANT, {}).get("CurrentWeight") == 0,
        instances=int(variants.get(CHAMPION, {}).get("DesiredInstanceCount", 1)),
        scaling=parameters.get(planned.SCALING, ""),
    )


def _alarms(names: Names, there: Mapping[str, Any], began: datetime) -> list[str]:
    """One that is on since before is of another challenger."""
    described = there["cloudwatch"].describe_alarms(AlarmNames=list(names.alarms))["MetricAlarms"]
    return [item["AlarmName"] for item in described if item["StateValue"] == "ALARM" and item["StateUpdatedTimestamp"] >= began]


def _pipelines(names: Names) -> tuple[str, Pipelines]:
    """With the token of the review that is open, which whoever answers has to know."""
    client = boto3.client("codepipeline")
    stages = {stage["stageName"]: stage for stage in client.get_pipeline_state(name=names.deploy_pipeline)["stageStates"]}
    returns = client.list_pipeline_executions(pipelineName=names.return_pipeline)["pipelineExecutionSummaries"]
    newest = max((item["startTime"] for item in returns), default=None)
    is_on = any(serving.is_on(item) for item in returns)
    releases = serving.is_on(stages[names.release].get("latestExecution") or {})
    latest = next((item.get("latestExecution") or {} for item in stages[names.stage].get("actionStates", [])), {})  # it has one action
    if latest.get("status") != "InProgress":
        return "", Pipelines(None, is_on, newest, releases)
    execution = stages[names.stage]["latestExecution"]["pipelineExecutionId"]
    package = _package(client, names, execution)
    review = Review(latest["lastStatusChange"], package, serving.approval(boto3.client("sagemaker"), names.group, package))
    return str(latest.get("token", "")), Pipelines(review, is_on, newest, releases)


def _package(client: Any, names: Names, execution: str) -> str:
    """ARN of the version that an execution is of. One that was started in the console names none, and Render has chosen it."""
    detail = client.get_pipeline_execution(pipelineName=names.deploy_pipeline, pipelineExecutionId=execution)["pipelineExecution"]
    asked = next((str(item.get("resolvedValue", "")) for item in detail.get("variables", []) if item["name"] == _ASKED), "")
    if ":model-package/" in asked:
        return asked
    pages = client.get_paginator("list_action_executions")
    found = pages.paginate(pipelineName=names.deploy_pipeline, filter={"pipelineExecutionId": execution})
    outputs = (action.get("output", {}).get("outputVariables", {}) for page in found for action in page["actionExecutionDetails"])
    return next((str(item[_CHOSEN]) for item in outputs if _CHOSEN in item), asked)


def _result(names: Names, there: Mapping[str, Any], production: Production) -> dict[str, Any]:
    """What the watch has said of this experiment; empty before. Listed first: GetObject says that nothing is there to those only who may
    list the whole bucket (API reference).
    """
    if not production.challenger or production.began is None:
        return {}
    key = f"{names.results}{production.challenger.rsplit('/', 1)[-1]}.json"
    if all(item["Key"] != key for item in there["s3"].list_objects_v2(Bucket=names.bucket, Prefix=key).get("Contents", [])):
        return {}
    found: dict[str, Any] = json.loads(there["s3"].get_object(Bucket=names.bucket, Key=key)["Body"].read())
    return found if found.get("began") == f"{production.began:{TIME}}" else {}


def _now(event: Mapping[str, Any]) -> datetime:
    """The account's, which each event and schedule says."""
    text = event.get("time")
    return datetime.fromisoformat(str(text)).astimezone(UTC) if text else datetime.now(UTC)


def _said(step: Step) -> dict[str, str]:
    print(f"{step.what}: {step.reason}")
    return {"did": step.what.value, "reason": step.reason}
