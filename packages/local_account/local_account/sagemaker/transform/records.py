"""Cuts input into payloads, and joins predictions with their records. Pure.

Source: CreateTransformJob (SplitType, BatchStrategy, MaxPayloadInMB, AssembleWith) and "Associate prediction results with input
records" in the SageMaker guide (filters, JoinSource).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

from local_account.sagemaker.transform.json_path import select

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
_OUTPUT_KEY = "SageMakerOutput"


class RecordError(ValueError):
    """A record cannot be cut, filtered or joined."""


def split(content: bytes, split_type: str) -> list[bytes]:
    """Records of a file: its lines, or the whole file."""
    if split_type != "Line":
        return [content] if content else []
    return [line.rstrip(b"\r") for line in content.split(b"\n") if line.strip()]


def payloads(records: Sequence[bytes], *, strategy: str, max_bytes: int) -> Iterator[list[bytes]]:
    """Groups of records for one request each: one record, or as many as fit."""
    group: list[bytes] = []
    size = 0
    for record in records:
        if len(record) + 1 > max_bytes:
            raise RecordError(f"a record has {len(record)} bytes; MaxPayloadInMB allows {max_bytes}")
        if group and (strategy == "SingleRecord" or size + len(record) + 1 > max_bytes):
            yield group
            group, size = [], 0
        group.append(record)
        size += len(record) + 1
    if group:
        yield group


def parse(record: bytes, content_type: str) -> Any:
    """A CSV line as a list of fields, JSON as what it says."""
    if content_type == CSV:
        return next(csv.reader([record.decode()]), [])
    try:
        return json.loads(record)
    except ValueError as error:
        raise RecordError(f"a record is not JSON: {error}") from error


def text(value: Any, content_type: str) -> bytes:
    """The inverse of `parse`."""
    if content_type != CSV:
        return json.dumps(value).encode()
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow(value if isinstance(value, list) else [value])
    return buffer.getvalue().encode()


def filtered_input(record: bytes, content_type: str, path: str) -> bytes:
    return record if path == "$" else text(_chosen(parse(record, content_type), path), content_type)


def joined(record: bytes, prediction: bytes, *, content_type: str, accept: str, join: bool, output_filter: str) -> bytes:
    """What is written for one record: the prediction, joined with its input if asked, then filtered."""
    if not join and output_filter == "$":
        return prediction
    predicted = parse(prediction, accept)
    if not join:
        return text(_chosen(predicted, output_filter), accept)
    source = parse(record, content_type)
    if isinstance(source, list):
        merged: Any = source + (predicted if isinstance(predicted, list) else [predicted])
    elif isinstance(source, dict):
        merged = {**source, _OUTPUT_KEY: predicted}
    else:
        raise RecordError("JoinSource Input needs records that are CSV lines, JSON arrays or JSON objects")
    written_as = CSV if content_type == CSV else accept if accept != CSV else JSON
    return text(_chosen(merged, output_filter), written_as)


def predictions(body: bytes, accept: str, count: int) -> list[bytes]:
    """One answer's predictions, one for each of the `count` records of its request."""
    if count == 1:
        return [body.strip(b"\r\n")]
    if accept == JSON:
        values = json.loads(body)
        values = values.get("predictions", values) if isinstance(values, dict) else values
        parts = [json.dumps(value).encode() for value in values] if isinstance(values, list) else []
    else:
        parts = [line.rstrip(b"\r") for line in body.split(b"\n") if line.strip()]
    if len(parts) != count:
        raise RecordError(f"the model answered {len(parts)} predictions for {count} records, so they cannot be joined")
    return parts


def _chosen(value: Any, path: str) -> Any:
    try:
        return select(value, path)
    except (KeyError, IndexError, TypeError) as error:
        raise RecordError(f"filter {path!r} selects nothing in {str(value)[:120]}: {error}") from error
