"""The process of one transform job: loads the model as the serving container does and scores files.

Run by `job.py` as `python worker.py JOB.json`; JOB.json holds the model directory, its code, the container's environment, the input and
output files and the job's settings. Exit code 0, or 1 with the reason in the job's `failure` file.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from local_account.endpoints import serving_contract
from local_account.sagemaker import program
from local_account.sagemaker.transform import records


def main(path: str) -> int:
    job = json.loads(Path(path).read_text())
    os.environ.update(job["environment"])
    try:
        program.require_installable(Path(job["code"]), job["environment"], has_network=job["has_network"])
        model = serving_contract.load(Path(job["model_directory"]), Path(job["code"]), job["environment"])
        for source, target in job["files"]:
            print(f"scoring {Path(source).name}", flush=True)
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            Path(target).write_bytes(transform(Path(source).read_bytes(), model, job))
    except program.NotInstalledError as failed:
        Path(job["failure"]).write_text(str(failed))
        sys.exit(failed.log)
    except Exception as error:
        Path(job["failure"]).write_text(f"{type(error).__name__}: {error}")
        raise
    return 0


def transform(content: bytes, model: Any, job: dict[str, Any]) -> bytes:
    """Score one file. Records are cut, filtered, sent in groups, joined and filtered again."""
    content_type, accept = job["content_type"], job["accept"]
    plain = job["join_source"] == "None" and job["output_filter"] == "$"
    written: list[bytes] = []
    for group in records.payloads(records.split(content, job["split_type"]), strategy=job["strategy"], max_bytes=job["max_payload_bytes"]):
        sent = [records.filtered_input(record, content_type, job["input_filter"]) for record in group]
        answer = model.respond(b"\n".join(sent), content_type, accept)
        if answer.status != 200:
            # A fault's answer is a page without the reason, which is in the log.
            said = answer.body.decode(errors="replace")[:300] if answer.status < 500 else "the log says why"
            raise RuntimeError(f"the model answered {answer.status} for {sent[0][:80]!r}…: {said}")
        if plain:
            written.append(answer.body.strip(b"\r\n") if job["assemble_with"] == "Line" else answer.body)
            continue
        for record, prediction in zip(group, records.predictions(answer.body, accept, len(group)), strict=True):
            written.append(
                records.joined(
                    record,
                    prediction,
                    content_type=content_type,
                    accept=accept,
                    join=job["join_source"] == "Input",
                    output_filter=job["output_filter"],
                )
            )
    separator = b"\n" if job["assemble_with"] == "Line" else b""
    return separator.join(written) + (separator if written else b"")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
