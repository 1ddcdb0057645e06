"""Chapter 5 of a model with endpoints: its traffic changes, the watch says what and what it costs; labels come, and a training learns.

The clock jumps from hour to hour, so that a window is over as soon as its requests are sent. Everything else is as in an account: requests
with inference ids, captured; the monitoring pipeline; labels sent by the script; alarms; the training that one of them starts.
In: a version in production. Out: `Watched`, for the page. Next: pipelines/monitoring/, infra/model/start_retraining/.
"""

from __future__ import annotations

import csv
import io
import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from build_scripts import registry
from build_scripts.invocation import CSV, csv_body
from build_scripts.version_contract import Contract
from demo import known_rows, loop
from demo.clock import AccountClock
from demo.errors import StageError
from demo.facts import ModelFacts, Watched
from demo.known_rows import KnownRow
from demo.narrator import Narrator
from demo.terminal import Terminal
from settings_schema import Endpoint, Problem

#: Of one window: more than min_rows, and few enough to be sent in seconds.
_REQUESTS = 400
_SENDERS = 8
#: A quarter of an hour after its end a window is judged (pipelines/monitoring/steps/windows.py).
_JUDGED_AFTER = timedelta(minutes=17)
#: The last captured requests wait at most a second for more of them (local_account/endpoints/data_capture.py).
_CAPTURED_SECONDS = 1.2
_SEED = 20
#: Who asks has changed: only rows that are among the highest of the column on which the model relies most come, this share of all.
_SHARE = 0.3
#: And each is a little larger in all that is measured: a test row itself would teach nothing, and rightly (tabular/steps/learned_split.py).
_LARGER = 1.05


def watched(models: Sequence[ModelFacts]) -> Sequence[ModelFacts]:
    """The first regression by an endpoint that is watched, learns from its answers, and has a number to ask about."""
    return [model for model in models if _shows(model)][:1]


def _shows(facts: ModelFacts) -> bool:
    model = facts.subject.model
    learns = model.retraining.on_drift and model.retraining.learn_from_answers
    return (
        isinstance(facts.subject.in_production, Endpoint)
        and model.watch is not None
        and learns
        and model.data.problem is Problem.REGRESSION
    )


def watch(terminal: Terminal, narrator: Narrator, facts: ModelFacts, clock: AccountClock) -> None:
    story = Story(terminal, narrator, facts, clock)
    clock.set(requests_keep_pace=False)
    story.traffic_changes()
    story.watch_finds_it()
    story.labels_come()
    story.training_learns()


class Story:
    """In the order of its methods; each is a stage, and what came of it is in the facts."""

    def __init__(self, terminal: Terminal, narrator: Narrator, facts: ModelFacts, clock: AccountClock) -> None:
        self._terminal, self._narrator, self._facts, self._clock = terminal, narrator, facts, clock
        self._names, self._contract = facts.subject.production, _contract(facts)
        self._bucket = loop.environment_bucket(terminal, self._names)
        self._hour = datetime.min.replace(tzinfo=UTC)
        self._truths: list[tuple[str, str]] = []
        self._trained = {str(execution["PipelineExecutionArn"]) for execution in loop.training_executions(terminal, self._names.of_model)}
        self._watched = Watched()
        facts.watched = self._watched

    # ------------------------------------------------------------------------------------------------- the requests

    def traffic_changes(self) -> None:
        """A whole hour's requests, each with an id of the client's own."""
        with self._narrator.stage(self._facts.subject.titled("Traffic changes")) as stage:
            self._hour = (self._clock.now() + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
            self._clock.set(now=self._hour + timedelta(minutes=1))
            folder = known_rows.address(self._facts.metadata["contract-url"])
            rows = known_rows.read(loop.read_s3(self._terminal, folder), self._contract)
            column = self._most_relied_on()
            highest = _highest(rows, self._contract.features.index(column))
            changed = [self._larger(row) for row in random.Random(_SEED).choices(highest, k=_REQUESTS)]
            with ThreadPoolExecutor(_SENDERS) as pool:
                list(pool.map(self._ask, enumerate(changed)))
            time.sleep(_CAPTURED_SECONDS)
            stage.note = f"{_REQUESTS} requests, all of them with a {column} that only {_SHARE:.0%} of the test rows have"

    def _larger(self, row: KnownRow) -> KnownRow:
        """As far as the contract allows."""
        limits = {column["name"]: column["maximum"] for column in self._contract.described["numeric"]}
        cells = list(row.cells)
        for place, name in enumerate(self._contract.numeric):
            if cells[place]:
                value, limit = float(cells[place]) * _LARGER, limits[name]
                cells[place] = repr(round(value if limit is None else min(value, limit), 6))
        return KnownRow(cells, repr(float(row.truth) * _LARGER))

    def _most_relied_on(self) -> str:
        """Of the numeric columns, by the attributions of the evaluation."""
        folder = self._facts.metadata["contract-url"].rpartition("/")[0]
        explained = json.loads(loop.read_s3(self._terminal, f"{folder}/explainability.json"))
        (method,) = explained["explanations"].values()
        values: dict[str, float] = method["label0"]["global_shap_values"]
        return max(self._contract.numeric, key=lambda name: values[name])

    def _ask(self, numbered: tuple[int, KnownRow]) -> None:
        number, row = numbered
        name = f"order-{number:04d}"
        self._terminal.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=self._names.endpoint, ContentType=CSV, Body=csv_body([row.cells]), InferenceId=name
        )["Body"].read()
        self._truths.append((name, row.truth))

    # ---------------------------------------------------------------------------------------------------- the watch

    def watch_finds_it(self) -> None:
        """The schedule starts the pipeline; nobody does."""
        with self._narrator.stage(self._facts.subject.titled("The watch judges the hour")) as stage:
            self._clock.set(now=self._hour + timedelta(hours=1) + _JUDGED_AFTER)
            loop.wait_for("the findings", self._findings, log=self._terminal.account_logs)
            self._watched.findings = self._findings() or {}
            moved = [breach for breach in self._watched.findings["breaches"] if breach["kind"] == "drift"]
            features = [breach["feature"] for breach in sorted(moved, key=lambda breach: -breach["effect"])]
            if not features:
                raise StageError(
                    f"the watch found nothing in {self._window}: {self._watched.findings['reasons']}", self._terminal.account_logs
                )
            stage.note = f"{', '.join(features[:3])} moved; {self._loss('estimate', 'estimated at')}"

    def _loss(self, part: str, word: str) -> str:
        for version in self._watched.findings["versions"]:
            if version[part]:
                before = float(self._facts.metadata["metric-value"])
                return f"{version[part]['metric']} {word} {version[part]['value']:.3g}, {before:.3g} at evaluation"
        return f"nothing is known of its {part}"

    @property
    def _window(self) -> str:
        return f"{self._hour:%Y-%m-%dT%HZ}--{self._hour + timedelta(hours=1):%Y-%m-%dT%HZ}"

    def _findings(self) -> dict[str, Any] | None:
        """Of the hour, once its report is there as well."""
        s3, folder = self._terminal.client("s3"), f"{self._names.monitoring}windows/{self._window}/"
        try:
            self._watched.report_html = s3.get_object(Bucket=self._bucket, Key=f"{folder}report.html")["Body"].read().decode()
            found: dict[str, Any] = json.loads(s3.get_object(Bucket=self._bucket, Key=f"{folder}findings.json")["Body"].read())
        except s3.exceptions.NoSuchKey:
            return None
        return found

    # --------------------------------------------------------------------------------------------------- the labels

    def labels_come(self) -> None:
        subject = self._facts.subject
        with self._narrator.stage(subject.titled("Labels come")) as stage:
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([("inference_id", "truth"), *sorted(self._truths)])
            file = self._terminal.directory / "labels.csv"
            file.write_text(text.getvalue(), encoding="utf-8")
            where = ["--model", subject.name, "--environment", self._names.environment]
            self._terminal.run("send-labels", ["python", "-m", "deploy_scripts.send_labels", *where, str(file)])
            hours = ["--from", f"{self._hour:%Y-%m-%dT%H:%MZ}", "--to", f"{self._hour + timedelta(hours=1):%Y-%m-%dT%H:%MZ}"]
            self._watched.judged_at = self._narrator.elapsed()
            self._terminal.run("monitor", ["python", "-m", "build_scripts.monitor", *where, *hours, "--wait"])
            self._watched.findings = self._findings() or self._watched.findings
            self._watched.labels = len(self._truths)
            stage.note = f"{len(self._truths)} truths: {self._loss('realised', 'is')}"

    # ------------------------------------------------------------------------------------------------- the training

    def training_learns(self) -> None:
        """Started by the alarm, once there is something to learn from."""
        names = self._names.of_model
        with self._narrator.stage(self._facts.subject.titled("The alarm starts a training")) as stage:
            execution = loop.wait_for("a training that the alarm starts", self._new_training, log=self._terminal.account_logs)
            loop.wait_for("the end of the training", lambda: loop.training_ended(self._terminal, execution) or None)
            waiting = [
                version for version in loop.versions(self._terminal, names) if version["ModelApprovalStatus"] == "PendingManualApproval"
            ]
            if not waiting:
                raise StageError("the training registered no version", self._terminal.account_logs)
            arn = str(waiting[0]["ModelPackageArn"])
            version = registry.describe(self._terminal.client("sagemaker"), arn)
            self._watched.next_version, self._watched.pending_at = version.number, self._narrator.elapsed()
            self._watched.next_report_html = loop.read_s3(self._terminal, version.facts["report-url"]).decode()
            metric = f"{version.facts['metric']} {float(version.facts['metric-value']):.4g}"
            stage.note = f"version {version.number} waits for approval, {metric}: {version.facts['trigger']}"

    def _new_training(self) -> str | None:
        executions = loop.training_executions(self._terminal, self._names.of_model)
        new = [str(execution["PipelineExecutionArn"]) for execution in executions]
        return next((arn for arn in new if arn not in self._trained), None)


def _highest(rows: Sequence[KnownRow], column: int) -> list[KnownRow]:
    known = sorted((row for row in rows if row.cells[column] != ""), key=lambda row: float(row.cells[column]))
    return known[-max(1, round(_SHARE * len(known))) :]


def _contract(facts: ModelFacts) -> Contract:
    if facts.contract is None:
        raise StageError("no version was registered, so nobody knows what to ask", None)
    return facts.contract
