"""The answers of both variants to the same requests, of what data capture wrote: `<capture>/<variant>/yyyy/mm/dd/hh/*.jsonl`.

A pair is found by what was asked: the shadow gets a copy, body and content type alike, and a version answers the same to the same. AWS
does not say whether an event's or an inference's id is the same in both, so none of them is gone by. Of many requests the same sample is
taken on both sides, by a digest of the request. Left out: checks and load tests, and what either refused.
Sources: SageMaker developer guide, "Capture data from real-time endpoint"; "Create a shadow test" for capture of both variants.
Next: comparison.py.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from build_scripts.invocation import CHECK_PREFIX, CSV, JSON
from build_scripts.objects import keys
from build_scripts.version_contract import Contract
from deploy_scripts.comparison import PRODUCTION, SHADOW, Rows
from deploy_scripts.shadow_metrics import VARIANTS
from settings_schema import Problem

#: Pairs are at most about so many.
MOST = 20_000
_NO_TRAFFIC = (CHECK_PREFIX, "load-test--")
_HOUR = timedelta(hours=1)


def pairs(
    s3: Any, bucket: str, capture: str, since: datetime, until: datetime, contracts: Mapping[str, Contract], requests: int
) -> list[tuple[Rows, Rows]]:
    """`capture`: prefix of the endpoint. `contracts`: of both versions, by PRODUCTION and SHADOW. `requests`: how many the shadow got."""
    keep_every = max(1, requests // MOST)
    answers = {
        name: {
            request: rows
            for line in _captured(s3, bucket, f"{capture}{variant}/", since, until)
            if (request := asked(line)) and int(request[:8], 16) % keep_every == 0 and (rows := answered(line, contracts[name])) is not None
        }
        for name, variant in VARIANTS.items()
    }
    both = [request for request in answers[PRODUCTION] if request in answers[SHADOW]]
    return [(answers[PRODUCTION][request], answers[SHADOW][request]) for request in both]


def _captured(s3: Any, bucket: str, prefix: str, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    """Lines of the hours in question whose time is within them."""
    first, last = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (since, until))
    hour = since.replace(minute=0, second=0, microsecond=0)
    while hour <= until:
        for key in keys(s3, bucket, f"{prefix}{hour:%Y/%m/%d/%H}/"):
            for text in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines():
                line = json.loads(text)
                if first <= line["eventMetadata"]["inferenceTime"] <= last:
                    yield line
        hour += _HOUR


def asked(line: Mapping[str, Any]) -> str:
    """A digest of the request; empty for what was no traffic."""
    if str(line["eventMetadata"].get("inferenceId", "")).startswith(_NO_TRAFFIC):
        return ""
    given = line["captureData"].get("endpointInput") or {}
    return hashlib.sha256(f"{given.get('observedContentType')}\n{given.get('encoding')}\n{given.get('data')}".encode()).hexdigest()


def answered(line: Mapping[str, Any], contract: Contract) -> Rows | None:
    """None for a refusal, and for what is no answer of such a version (inference.py's `output_fn`)."""
    given = line["captureData"].get("endpointOutput") or {}
    kind = str(given.get("observedContentType", "")).partition(";")[0].strip().lower()
    text = str(given.get("data", ""))
    try:
        text = base64.b64decode(text).decode() if given.get("encoding") == "BASE64" else text
        if kind == JSON:
            return [(prediction.get("predicted_label"), float(prediction["score"])) for prediction in json.loads(text)["predictions"]]
        return _of_csv(text, contract) if kind == CSV else None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _of_csv(text: str, contract: Contract) -> Rows:
    """A value; or a class, then the probability of the positive one, or of each, of which the highest is the decided one's."""
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    if contract.problem is Problem.REGRESSION:
        return [(None, float(row[0])) for row in rows]
    return [(row[0], max(float(cell) for cell in row[1:])) for row in rows]
