"""The version now in production, scored on the same test rows with its own code.

Input: the names of the pipelines that bring the model to production, forth and back. Output: predictions of the champion, or why there
are none. Next: `comparison.py`.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import archive
import numpy as np
import split
from dataset import Rows
from decisions import Predictions
from failure import BadInput
from numpy.typing import NDArray

SCORING_TIMEOUT_SECONDS = 600
#: And the time that so many rows take: a row of 31 columns takes a twentieth of a millisecond (benchmarks/evaluation).
FEWEST_ROWS_SECOND = 2_000
#: Variable of both pipelines that names the version which an execution releases, and what its builds export of the version's archive.
VERSION_VARIABLE, ARCHIVE_VARIABLE, HASH_VARIABLE = "ModelPackageArn", "MODEL_DATA_URL", "MODEL_SHA256"
#: Metadata of a version that has its archive's hash.
_HASH = "model-sha256"
#: Fewer say nothing about a difference.
FEWEST_ROWS = 30


@dataclass(frozen=True)
class Champion:
    """`name`: the package's ARN, or "none". `folder`: where it is unpacked; None without one, and then `absent` says why.

    `facts`: its registry metadata. `sha256`: of its archive.
    """

    name: str = "none"
    folder: Path | None = None
    facts: dict[str, str] = field(default_factory=dict)
    sha256: str = ""
    absent: str = "no version is in production"

    @property
    def version(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "version.json").read_text(encoding="utf-8"))) if self.folder else {}

    @property
    def preparation(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "preparation.json").read_text(encoding="utf-8"))) if self.folder else {}


def released_by(pipelines: Sequence[str], scratch: Path) -> Champion:
    """The version that one of the pipelines released last -> model package -> archive. Whatever serves it, and in whichever account.

    Without a release there is no champion. Of a version that was deleted from the registry since, which serves on, its deployment has said
    where the archive is. What is nowhere any more cannot be compared with, and that is said: a later version has to be able to replace it.
    Raises BadInput when AWS refuses: a comparison that is quietly skipped is no gate.
    """
    import boto3  # only needed with a deploy pipeline
    from botocore.exceptions import BotoCoreError, ClientError

    s3, packed = boto3.client("s3"), scratch / "champion.tar.gz"
    try:
        codepipeline = boto3.client("codepipeline")
        released = [release for pipeline in pipelines if (release := _released(codepipeline, pipeline))]
        if not released:
            return Champion()
        last = max(released)
        name, number = last.version, last.version.rsplit("/", 1)[-1]
        package = _found(boto3.client("sagemaker").describe_model_package, ModelPackageName=name) or {}
        recorded = {} if package else _recorded(codepipeline, last)
        url = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] if package else recorded.get(ARCHIVE_VARIABLE)
        if not url:
            return Champion(name=name, absent=f"version {number} in production was deleted from the registry")
        place = urlsplit(url)
        content = _found(s3.get_object, Bucket=place.netloc, Key=place.path.lstrip("/"))
        if content is None:
            return Champion(name=name, absent=f"the archive of version {number} in production was deleted from S3")
        with packed.open("wb") as file:
            shutil.copyfileobj(content["Body"], file)
    except (BotoCoreError, ClientError, KeyError) as error:
        raise BadInput(
            f"what {' or '.join(pipelines)} released last cannot be read for the comparison: {type(error).__name__} {error}"
        ) from None
    facts = package.get("CustomerMetadataProperties", {})
    current, evaluated = from_archive(packed, scratch, name, facts), facts.get(_HASH) or recorded.get(HASH_VARIABLE)
    if evaluated not in (None, "", "unknown", current.sha256):
        return Champion(name=name, absent=f"the archive of version {number} in production is not the one that was evaluated")
    return current


class Release(NamedTuple):
    """When the version was there, its ARN, and the execution that brought it."""

    ended: datetime
    version: str
    pipeline: str
    execution: str


def _recorded(codepipeline: Any, release: Release) -> dict[str, str]:
    """What the builds of a deployment exported, where the version's archive is among it; empty of one from before they did."""
    request: dict[str, Any] = {"pipelineName": release.pipeline, "filter": {"pipelineExecutionId": release.execution}}
    while True:
        page = codepipeline.list_action_executions(**request)
        exported = [(action.get("output") or {}).get("outputVariables") or {} for action in page["actionExecutionDetails"]]
        if found := next((dict(variables) for variables in exported if variables.get(ARCHIVE_VARIABLE)), None):
            return found
        if "nextToken" not in page:
            return {}
        request["nextToken"] = page["nextToken"]


def _released(codepipeline: Any, pipeline: str) -> Release | None:
    """The last one of a pipeline. The version's ARN is a variable of the execution. CodePipeline lists the newest first, for twelve months.

    The end counts, not the beginning: a return passes a deployment that waits for its approval.
    """
    request: dict[str, str] = {"pipelineName": pipeline}
    while True:
        page = _found(codepipeline.list_pipeline_executions, **request) or {"pipelineExecutionSummaries": []}
        for execution in page["pipelineExecutionSummaries"]:
            if execution["status"] == "Succeeded":
                identifier = execution["pipelineExecutionId"]
                run = codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=identifier)["pipelineExecution"]
                values = {variable["name"]: variable.get("resolvedValue") for variable in run.get("variables", [])}
                if str(values.get(VERSION_VARIABLE)).startswith("arn:"):
                    return Release(execution["lastUpdateTime"], str(values[VERSION_VARIABLE]), pipeline, identifier)
        if "nextToken" not in page:
            return None
        request["nextToken"] = page["nextToken"]


def _found(call: Callable[..., Any], **request: str) -> Any:
    """What the call answers; None where AWS says that there is no such thing.

    SageMaker's describes say it in the words of a ValidationException: `Could not find ...`, or `... does not exist`.
    """
    from botocore.exceptions import ClientError

    try:
        return call(**request)
    except ClientError as error:
        code, message = str(error.response["Error"].get("Code")), str(error.response["Error"].get("Message"))
        words = r"could not find|not found|does not exist"
        if code in ("NoSuchKey", "NoSuchBucket", "404", "PipelineNotFoundException") or re.search(words, message, re.IGNORECASE):
            return None
        raise


def from_archive(packed: Path, scratch: Path, name: str, facts: dict[str, str] | None = None) -> Champion:
    folder = scratch / "champion"
    archive.unpack(packed, folder)
    return Champion(name, folder, facts or {}, hashlib.sha256(packed.read_bytes()).hexdigest())


def incomparable(champion: Champion, preparation: Mapping[str, Any]) -> str | None:
    """Why the champion cannot be scored on these rows, or None. It answers another question, or needs a column as it was.

    `preparation`: preparation.json of the version that is judged.
    """
    if champion.folder is None:
        return champion.absent
    theirs, ours = champion.preparation, preparation
    if any(theirs["dataset"][name] != ours["dataset"][name] for name in ("problem", "target")):
        return f"production predicts {theirs['dataset']['target']} ({theirs['dataset']['problem']})"
    if theirs["classes"] != ours["classes"]:
        return f"production knows the classes {theirs['classes']}"
    gone = [name for name in theirs["dataset"]["features"] if name not in ours["dataset"]["features"]]
    if gone:
        return f"production needs the column {gone[0]!r}"
    text = [name for name in _columns(theirs, "numeric") if name not in _columns(ours, "numeric")]
    return f"production reads the column {text[0]!r} as a number" if text else None


def unseen(champion: Champion, preparation: Mapping[str, Any], rows: Rows) -> NDArray[np.bool_]:
    """The test rows that production has not learned from, as far as can be known: none where rows were told apart by what is not here.

    Without an identifier a row's side depends on all its columns, so that a new column moves rows from production's training rows here.
    Of a version that time has split, `later` knows.
    """
    theirs, ours = champion.preparation, preparation
    if _split(theirs) == _split(ours):
        return np.ones(rows.count, dtype=bool)
    if theirs.get("split_by") != "features" or not set(_columns(theirs, "categorical")) <= rows.categorical.keys():
        return np.zeros(rows.count, dtype=bool)
    numeric = {name: rows.numeric[name] for name in _columns(theirs, "numeric")}
    categorical = {name: rows.categorical[name] for name in _columns(theirs, "categorical")}
    shares = theirs["preparation"]["split"]
    return split.sides(split.content_buckets(numeric, categorical, shares["salt"]), shares["validation"], shares["test"])[2]


def time_of(champion: Champion) -> str | None:
    """The column whose time split production's rows; None where something else did."""
    preparation = champion.preparation
    return str(preparation["preparation"]["split"]["by_time"]) if preparation.get("split_by") == "time" else None


def later(champion: Champion, times: NDArray[np.float64] | None, form: str) -> NDArray[np.bool_] | None:
    """Which test rows are of production's test time or later, so that it has not learned from them. `times`: of its column, in the form.

    None where the column is no more, or is another one: then nobody can know.
    """
    ends = champion.preparation["split_ends"]
    return None if times is None or form != ends["form"] else times >= ends["test"]


def _split(preparation: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a row's side of the split depends on."""
    dataset, by = preparation["dataset"], preparation.get("split_by")
    told_apart = (
        dataset["identifier"] if by == "identifier" else [sorted(_columns(preparation, kind)) for kind in ("numeric", "categorical")]
    )
    # Of before there was a choice, a version does not say that it has none.
    return by, told_apart, {name: value for name, value in preparation["preparation"]["split"].items() if value is not None}


def _columns(preparation: Mapping[str, Any], kind: str) -> list[str]:
    return [column["name"] for column in preparation["dataset"][kind]]


def predict(champion: Champion, batches: Iterable[Rows], scratch: Path) -> Predictions:
    """What the champion answers to raw rows, by its own code: so it decides as it does in production. Raises BadInput.

    A file for each batch, all read by one process, which holds one at a time.
    """
    asked, answered = scratch / "rows", scratch / "answers"
    asked.mkdir()
    count = 0
    for number, rows in enumerate(batches):
        write_rows(rows, champion.preparation["dataset"]["features"], asked / f"{number:06d}.csv")
        count += rows.count
    script = Path(__file__).parents[1] / "score.py"
    command = [sys.executable, str(script), "--model-dir", str(champion.folder), "--rows", str(asked), "--output", str(answered)]
    seconds = SCORING_TIMEOUT_SECONDS + count / FEWEST_ROWS_SECOND
    result = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise BadInput(f"the version in production ({champion.name}) could not score the test rows: {reason}")
    classes = champion.preparation["classes"]
    parts = [_predictions(file, classes) for file in sorted(answered.iterdir())]
    return Predictions(np.concatenate([part.scores for part in parts]), np.concatenate([part.decided for part in parts]))


def _predictions(answer: Path, classes: Sequence[str] | None) -> Predictions:
    records = json.loads(answer.read_text(encoding="utf-8"))["predictions"]
    several = "probabilities" in records[0]
    scores = np.array([record["probabilities" if several else "score"] for record in records], dtype=np.float64)
    if classes is None:
        return Predictions.of(scores, None)
    return Predictions(scores, np.array([classes.index(record["predicted_label"]) for record in records], dtype=np.float64))


def write_rows(rows: Rows, names: list[str], path: Path) -> None:
    """Raw rows as a request carries them: no header, empty cells for missing values. `repr` keeps every bit of a float."""
    columns = [
        [_text(value) for value in rows.numeric[name].tolist()] if name in rows.numeric else [value or "" for value in rows.texts(name)]
        for name in names
    ]
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(zip(*columns, strict=True))


def _text(value: float) -> str:
    return "" if math.isnan(value) else repr(value)
