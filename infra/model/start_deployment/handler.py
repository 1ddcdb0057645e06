"""Lambda: starts the deploy and the return pipeline, and decides what no pushed code may: which version, which commit, who is asked.

Input: a version's approval changed; a build, a deployment or a return ended; the schedule; or, by hand, `{"package": <ARN>}` or nothing.
Each only wakes it: it looks what is the case (`State`), and does what plan.py says. Output: what it started, and why.
Environment: see `Names`. Next: plan.py; deploy_scripts/render.buildspec.yml.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import boto3
from botocore.exceptions import ClientError

from . import decisions
from .history import commits, in_production, runs, was_asked
from .plan import Plan, plan, what_is_overtaken
from .registry import Registry
from .stacks import Stack, changed, cloudformation, deployed
from .state import APPROVED, REJECTED, Run, Start, State, Stop, Version, Wake
from .told import tell

#: Variables of the pipelines (infra/model/rollout_pipeline.py, return_pipeline.py).
PACKAGE, LEAVING, REBUILT = "ModelPackageArn", "Leaving", "Rebuilt"
_LONGEST_REASON = 200  # of StopPipelineExecution
#: Its errors for an execution that has ended, and for one that somebody else, or the same at the same moment, is stopping.
_ENDS_ANYHOW = ("PipelineExecutionNotStoppableException", "DuplicatedStopRequestException")


@dataclass(frozen=True)
class Names:
    """`versions`: what the ARN of each begins with. `stacks` serve the model, the last one in production. `told`: key in `bucket` of what
    was told last; `decisions`: prefix there of who decided what.
    """

    model: str
    group: str
    versions: str
    build_pipeline: str
    deploy_pipeline: str
    return_pipeline: str
    source_action: str
    bucket: str
    told: str
    decisions: str
    topic: str
    stacks: tuple[Stack, ...]

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Names:
        return cls(
            model=variables["MODEL"],
            group=variables["MODEL_PACKAGE_GROUP"],
            versions=variables["VERSIONS_ARN"],
            build_pipeline=variables["BUILD_PIPELINE_NAME"],
            deploy_pipeline=variables["DEPLOY_PIPELINE_NAME"],
            return_pipeline=variables["RETURN_PIPELINE_NAME"],
            source_action=variables["SOURCE_ACTION_NAME"],
            bucket=variables["ARTIFACT_BUCKET"],
            told=variables["TOLD_KEY"],
            decisions=variables["DECISIONS_PREFIX"],
            topic=variables["ALERT_TOPIC_ARN"],
            stacks=tuple(Stack(**given) for given in json.loads(variables["SERVING_STACKS"])),
        )


def wake_of(event: Any) -> Wake:
    """What of an event counts: who was decided about, or asked for. By hand it is whatever somebody typed."""
    if not isinstance(event, Mapping) or "source" not in event:
        return Wake(by_hand=True, requested=_requested(event or {}))
    if event.get("rebuild_after_days"):
        now = datetime.fromisoformat(event["time"])
        return Wake(rebuild_before=now - timedelta(days=int(event["rebuild_after_days"])), rebuilt=f"{now:%Y-%m-%d}")
    detail = event.get("detail") or {}
    arn, status = str(detail.get("ModelPackageArn", "")), detail.get("ModelApprovalStatus")
    return Wake(approved=arn if status == APPROVED else "", rejected=arn if status == REJECTED else "")


def _requested(typed: Any) -> str:
    """What is asked for; empty for nothing. Anything but one ARN stays as it was typed, for the line that refuses it."""
    if typed == {}:
        return ""
    package = typed.get("package") if isinstance(typed, Mapping) and len(typed) == 1 else None
    return package if isinstance(package, str) and package else json.dumps(typed)


def look(names: Names, codepipeline: Any) -> State:
    """Production's version first: what ends meanwhile is then still on its way, and its end wakes this again."""
    registry, live = Registry(names.group, names.versions), names.stacks[-1]
    package, rebuilt = deployed(live)
    of_commit = functools.partial(changed, boto3.client("s3"), names.bucket, names.stacks)
    return State(
        model=names.model,
        production=registry.find(registry.original(package)) if package else None,
        entered=in_production(codepipeline, names.deploy_pipeline),
        asked=functools.cache(functools.partial(was_asked, codepipeline, names.deploy_pipeline)),
        approved=registry.approved(),
        deploys=runs(codepipeline, names.deploy_pipeline),
        returns=runs(codepipeline, names.return_pipeline),
        built=commits(codepipeline, names.build_pipeline),
        find=registry.find,
        changed=functools.cache(of_commit),
        production_stack=live.name,
        rebuilt=rebuilt,
    )


def handler(event: Any, context: object) -> dict[str, str | None]:
    names, codepipeline = Names.of(os.environ), boto3.client("codepipeline")
    cloudformation.cache_clear()  # credentials of another account end, and a warm function lives on
    state = look(names, codepipeline)
    decision = plan(state, wake_of(event))
    _stop(codepipeline, names, decision.stops)
    returned = _start(codepipeline, names, names.return_pipeline, decision.back, state.returns)
    started = _start(codepipeline, names, names.deploy_pipeline, decision.forth, state.deploys)
    reason = "; ".join(decision.reasons)
    print(f"{_said(decision, started, returned)}: {reason}")
    if decision.told is not None:
        tell(decision.told, names.topic, names.bucket, names.told)
    if started:  # another event may have started another version meanwhile: whoever looks last sees both
        _stop(codepipeline, names, what_is_overtaken(look(names, codepipeline)))
    decisions.keep(names.bucket, names.decisions, names.group, names.deploy_pipeline, decisions.packages(state.deploys))
    return {"started": started, "returned": returned, "reason": reason}


def _stop(client: Any, names: Names, stops: Iterable[Stop]) -> None:
    """What they have begun is abandoned: a review is closed with it. One that has ended, or is being stopped, needs no stop."""
    for stop in stops:
        pipeline = names.return_pipeline if stop.of_return else names.deploy_pipeline
        given = {"pipelineExecutionId": stop.run.identifier, "abandon": True, "reason": stop.reason[:_LONGEST_REASON]}
        try:
            client.stop_pipeline_execution(pipelineName=pipeline, **given)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _ENDS_ANYHOW:
                raise


def _start(client: Any, names: Names, pipeline: str, start: Start | None, known: Sequence[Run]) -> str | None:
    if start is None:
        return None
    given = {PACKAGE: start.version.arn, LEAVING: start.leaving, REBUILT: start.rebuilt}
    values = {name: value for name, value in given.items() if value}
    execution = client.start_pipeline_execution(
        name=pipeline,
        variables=[{"name": name, "value": value} for name, value in values.items()],
        sourceRevisions=[{"actionName": names.source_action, "revisionType": "COMMIT_ID", "revisionValue": start.commit}],
        clientRequestToken=request_token(start.version, start.commit, known),
    )
    return str(execution["pipelineExecutionId"])


def request_token(version: Version, commit: str, known: Sequence[Run]) -> str:
    """The same for all that decide the same about what the newest execution left: of two events at once only one starts something.

    What it starts is the newest execution from then on, so whoever decides later has another token, and sees what is under way.
    """
    newest = known[0].identifier if known else ""
    return hashlib.sha256("|".join((version.arn, commit, newest)).encode()).hexdigest()


def _said(decision: Plan, started: str | None, returned: str | None) -> str:
    parts = [f"returns with {returned} of {decision.back.commit}"] if decision.back else []
    parts += [f"started {started} with {decision.forth.commit}"] if decision.forth else []
    return " and ".join(parts) or "nothing started"
