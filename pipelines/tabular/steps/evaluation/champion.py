"""The version now in production, scored on the same test rows with its own code.

Input: the endpoint's name. Output: predictions of the champion, or why there are none. Next: `comparison.py`.
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
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import archive
import numpy as np
from dataset import Rows
from decisions import Predictions
from failure import BadInput

SCORING_TIMEOUT_SECONDS = 600


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


def from_endpoint(endpoint: str, scratch: Path) -> Champion:
    """Endpoint -> configuration -> model -> model package -> archive. A missing endpoint has no champion.

    SageMaker lets each of the others be deleted while the endpoint goes on serving. Nobody can compare with it then, and that is said: a
    later version has to be able to replace it. Raises BadInput when AWS refuses: a comparison that is quietly skipped is no gate.
    """
    import boto3  # only needed with an endpoint
    from botocore.exceptions import BotoCoreError, ClientError

    sagemaker, s3 = boto3.client("sagemaker"), boto3.client("s3")
    packed = scratch / "champion.tar.gz"
    try:
        described = _found(sagemaker.describe_endpoint, EndpointName=endpoint)
        if described is None:
            return Champion()
        config = _found(sagemaker.describe_endpoint_config, EndpointConfigName=described["EndpointConfigName"])
        if config is None:
            return Champion(absent=f"the endpoint config of {endpoint} was deleted")
        model = _found(sagemaker.describe_model, ModelName=config["ProductionVariants"][0]["ModelName"])
        if model is None:
            return Champion(absent=f"the model of {endpoint} was deleted")
        name = str((model.get("PrimaryContainer") or model["Containers"][0]).get("ModelPackageName") or "none")
        if name == "none":
            return Champion(absent=f"{endpoint} serves a model of no registered version")
        package = _found(sagemaker.describe_model_package, ModelPackageName=name)
        if package is None:
            return Champion(name=name, absent=f"version {name.rsplit('/', 1)[-1]} in production was deleted from the registry")
        place = urlsplit(package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
        content = _found(s3.get_object, Bucket=place.netloc, Key=place.path.lstrip("/"))
        if content is None:
            return Champion(name=name, absent=f"the archive of version {name.rsplit('/', 1)[-1]} in production was deleted from S3")
        with packed.open("wb") as file:
            shutil.copyfileobj(content["Body"], file)
    except (BotoCoreError, ClientError, KeyError) as error:
        raise BadInput(f"the version that serves {endpoint} cannot be read for the comparison: {type(error).__name__} {error}") from None
    return from_archive(packed, scratch, package["ModelPackageArn"], package.get("CustomerMetadataProperties", {}))


def _found(call: Callable[..., Any], **request: str) -> Any:
    """What the call answers; None where AWS says that there is no such thing.

    SageMaker's describes say it in the words of a ValidationException: `Could not find ...`, or `... does not exist`.
    """
    from botocore.exceptions import ClientError

    try:
        return call(**request)
    except ClientError as error:
        code, message = str(error.response["Error"].get("Code")), str(error.response["Error"].get("Message"))
        if code in ("NoSuchKey", "NoSuchBucket", "404") or re.search(r"could not find|not found|does not exist", message, re.IGNORECASE):
            return None
        raise


def from_archive(packed: Path, scratch: Path, name: str, facts: dict[str, str] | None = None) -> Champion:
    folder = scratch / "champion"
    archive.unpack(packed, folder)
    return Champion(name, folder, facts or {}, hashlib.sha256(packed.read_bytes()).hexdigest())


def incomparable(champion: Champion, dataset: dict[str, Any], classes: list[str] | None) -> str | None:
    """Why the champion cannot be scored on these rows, or None. It answers another question, or needs a column that is gone."""
    if champion.folder is None:
        return champion.absent
    theirs = champion.preparation
    if (theirs["dataset"]["problem"], theirs["dataset"]["target"]) != (dataset["problem"], dataset["target"]):
        return f"production predicts {theirs['dataset']['target']} ({theirs['dataset']['problem']})"
    if theirs["classes"] != classes:
        return f"production knows the classes {theirs['classes']}"
    gone = [name for name in theirs["dataset"]["features"] if name not in dataset["features"]]
    return f"production needs the column {gone[0]!r}" if gone else None


def predict(champion: Champion, rows: Rows, scratch: Path) -> Predictions:
    """What the champion answers to raw rows, by its own code: so it decides as it does in production. Raises BadInput."""
    source, answer = scratch / "rows.csv", scratch / "answer.json"
    write_rows(rows, champion.preparation["dataset"]["features"], source)
    script = Path(__file__).parents[1] / "score.py"
    command = [sys.executable, str(script), "--model-dir", str(champion.folder), "--rows", str(source), "--output", str(answer)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=SCORING_TIMEOUT_SECONDS, check=False)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise BadInput(f"the version in production ({champion.name}) could not score the test rows: {reason}")
    records = json.loads(answer.read_text(encoding="utf-8"))["predictions"]
    several = "probabilities" in records[0]
    scores = np.array([record["probabilities" if several else "score"] for record in records], dtype=np.float64)
    classes = champion.preparation["classes"]
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
