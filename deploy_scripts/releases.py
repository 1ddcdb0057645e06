"""What CodePipeline remembers of a model: which versions served production, and what became of those that were tried.

Of its two pipelines: one deploys a version through the gates, the other one returns production to a version that served before. It
remembers twelve months. start_deployment (infra/model/start_deployment/) decides by the same history, and
tests/unit/test_releases.py holds both to each other. Next: undeployed.py, model_state.py, roll_back.py.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from build_scripts.missing import is_missing
from build_scripts.registry import Version
from settings_schema import ModelNames

#: Variable of both pipelines (infra/model/deploy_pipeline.py).
PACKAGE = "ModelPackageArn"
_AT_ONCE = 8  # questions: a year of releases is read in seconds


@dataclass(frozen=True)
class Execution:
    """Of a pipeline, and the version that it was started for; `said`: why it was stopped, or CodePipeline's own summary."""

    pipeline: str
    identifier: str
    status: str
    started: datetime
    package: str = ""
    said: str = ""


class History:
    """Executions of a model's pipelines, newest first. Asks only as far back as it has to."""

    def __init__(self, codepipeline: Any, names: ModelNames) -> None:
        self._codepipeline, self._names = codepipeline, names
        self._packages: dict[tuple[str, str], str] = {}

    def package(self, pipeline: str, identifier: str) -> str:
        """ARN of the version that an execution is of; empty for one that was started without."""
        if not identifier:
            return ""
        key = (pipeline, identifier)
        if key not in self._packages:
            detail = self._codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=identifier)["pipelineExecution"]
            given = {variable["name"]: variable.get("resolvedValue", "") for variable in detail.get("variables", [])}
            self._packages[key] = str(given.get(PACKAGE, ""))
        return self._packages[key]

    def served(self, versions: Iterable[Version]) -> dict[str, datetime]:
        """ARN -> when the last deployment of it that succeeded began, of those of these versions that have served production.

        A deployment before the version was made is of another one that had its ARN, in a group that was deleted meanwhile.
        """
        asked = {version.arn: version for version in versions}
        since = _since(asked.values())
        wanted = [item for item in self._executions(since) if item["status"] == "Succeeded"]
        last: dict[str, datetime] = {}
        for execution in self._with_packages(wanted):
            version = asked.get(execution.package)
            if version is not None and _is_after(execution.started, version.created):
                last.setdefault(execution.package, execution.started)
        return last

    def of(self, version: Version) -> list[Execution]:
        """Executions that were started for this version, newest first."""
        return [item for item in self._with_packages(self._executions(version.created)) if item.package == version.arn]

    def _with_packages(self, summaries: Iterable[Mapping[str, Any]]) -> list[Execution]:
        listed = list(summaries)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            packages = pool.map(lambda item: self.package(item["pipelineName"], item["pipelineExecutionId"]), listed)
            return [_execution(item, package) for item, package in zip(listed, packages, strict=True)]

    def _executions(self, since: datetime | None) -> Iterator[Mapping[str, Any]]:
        """Of both pipelines, merged, newest first; none that began before `since`."""
        both = [self._of_pipeline(name, since) for name in (self._names.deploy_pipeline, self._names.return_pipeline)]
        return heapq.merge(*both, key=lambda item: item["startTime"], reverse=True)

    def _of_pipeline(self, pipeline: str, since: datetime | None) -> Iterator[Mapping[str, Any]]:
        """None of a pipeline that there is not: a model whose stack was not deployed anew has no way back yet."""
        try:
            for page in self._codepipeline.get_paginator("list_pipeline_executions").paginate(pipelineName=pipeline):
                for item in page["pipelineExecutionSummaries"]:
                    if since is not None and item["startTime"] < since:
                        return
                    yield {**item, "pipelineName": pipeline}
        except ClientError as error:
            if not is_missing(error):
                raise


def _execution(summary: Mapping[str, Any], package: str) -> Execution:
    said = (summary.get("stopTrigger") or {}).get("reason") or summary.get("statusSummary") or ""
    return Execution(summary["pipelineName"], summary["pipelineExecutionId"], summary["status"], summary["startTime"], package, said)


def _since(versions: Iterable[Version]) -> datetime | None:
    """When the oldest of them was made; None where one does not say."""
    times = [version.created for version in versions]
    known = [time for time in times if time is not None]
    return min(known) if known and len(known) == len(times) else None


def _is_after(time: datetime, created: datetime | None) -> bool:
    return created is None or time > created
