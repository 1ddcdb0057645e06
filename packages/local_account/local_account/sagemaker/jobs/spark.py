"""SageMaker's Spark image: `smspark-submit` is on the PATH of its job, and runs the script by the local mode of pyspark.

In AWS it starts YARN on every instance, and the first one's driver works with all of them (`smspark/cli.py` and `job.py` of
aws/sagemaker-spark-container). Here Spark is one process that starts workers on this machine, whatever the number of instances.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from local_account.errors import NotEmulatedError
from local_account.sagemaker.jobs import smspark_submit
from local_account.sagemaker.jobs.container import Container

_IMAGE = re.compile(r"\.dkr\.ecr[.-].*/sagemaker-spark-processing[:@]")


def is_wanted(given: Mapping[str, Any]) -> bool:
    """Whether the request or the description of a processing job names the image."""
    return bool(_IMAGE.search(given["AppSpecification"].get("ImageUri", "")))


def require_possible() -> None:
    """Raises NotEmulatedError where Spark cannot run here."""
    missing = "pyspark (the extra `spark`: `pip install pyspark==3.5.7`)" if importlib.util.find_spec("pyspark") is None else ""
    missing = missing or ("" if shutil.which("java") or os.environ.get("JAVA_HOME") else "Java 8, 11 or 17, in which Spark runs")
    if missing:
        raise NotEmulatedError("sagemaker", f"CreateProcessingJob with the Spark image: this machine lacks {missing}")


def environment(container: Container, message: str) -> dict[str, str]:
    """Of the container's process, with the program on its disk. `message`: the container's file in which a job says how it ended."""
    folder = container.path("/bin")
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "smspark-submit"
    command = shlex.join([sys.executable, smspark_submit.__file__, str(container.path(message))])
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    kept = {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ}
    return {**kept, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
