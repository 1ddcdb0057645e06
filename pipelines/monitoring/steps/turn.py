"""One run of a watch at a time: a second one waits until the first has ended, and then does what is left to do.

Input: the store of the environment's bucket, and the name of this run's job (the file of every processing job's container that says so:
"How Amazon SageMaker Processing Configures Your Processing Container" of its guide). Output: `run.json` below the model's prefix, which
names the job whose turn it is. Nothing gives a turn back: it is over when the job has ended, however that was, and SageMaker knows whether
it has; so no clock is read, and a job that was killed holds up nobody. Called by monitor.py; next: watch.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failure import BadInput
from store import GoneError, Store

FILE = "run.json"
#: ProcessingJobStatus of what still writes (API reference of DescribeProcessingJob).
_RUNNING = ("InProgress", "Stopping")
#: "ResourceNotFound" is what the API reference has; other Describe calls of SageMaker say the second of what is not there.
_NOT_THERE = ("ResourceNotFound", "ValidationException")
_SECONDS_BETWEEN_LOOKS = 5


@dataclass(frozen=True)
class Turn:
    """`key`: of `run.json`. `job`: this run's. `is_running`: whether another job may still write. `wait`: between two looks."""

    store: Store
    key: str
    job: str
    is_running: Callable[[str], bool]
    wait: Callable[[], None] = lambda: time.sleep(_SECONDS_BETWEEN_LOOKS)

    def take(self) -> None:
        """Returns when it is this job's turn. Its own longest runtime ends a wait that has no end."""
        said = ""
        while True:
            etag, holder = self._holder()
            if holder == self.job:  # also where the answer to a write was lost, and the client has sent it once more
                return
            if holder and self.is_running(holder):
                if said != holder:
                    print(f"another run is under way ({holder}); this one goes on when it has ended", flush=True)
                said = holder
                self.wait()
                continue
            content = json.dumps({"job": self.job}) + "\n"
            self.store.write_if_unchanged(self.key, content.encode(), "application/json", etag)

    def _holder(self) -> tuple[str | None, str]:
        """ETag of what is there, and the job that it names; nobody where it is damaged. The ETag is looked up first: what is written in
        between has another one, so that taking the turn fails.
        """
        etag = next((item.etag for item in self.store.list(self.key) if item.key == self.key), None)
        try:
            return etag, str(json.loads(self.store.read(self.key).read())["job"])
        except (GoneError, ValueError, KeyError, TypeError, RecursionError):
            return etag, ""


def job_of(configuration: str) -> str:
    """Name of the job whose container this is. `configuration`: path of its processingjobconfig.json. Raises BadInput."""
    try:
        return str(json.loads(Path(configuration).read_text(encoding="utf-8"))["ProcessingJobName"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{configuration} names no processing job ({error!r}); outside of one, give --folder") from None


def running(sagemaker: Any) -> Callable[[str], bool]:
    """Whether a job runs; one that is not there does not. `sagemaker`: boto3's client."""

    def ask(job: str) -> bool:
        try:
            return sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobStatus"] in _RUNNING
        except sagemaker.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _NOT_THERE:
                return False
            raise

    return ask
