"""Stands for the `smspark-submit` of SageMaker's Spark image: hands a script to `spark-submit`, and says how it failed as the image does.

Its options are spark-submit's but for those about event logs, which are left out (`smspark/cli.py` of aws/sagemaker-spark-container).
When the script fails, the image writes its own line where SageMaker reads a job's message, over the script's (`smspark/errors.py`).
Run as a program with the file for that line, then the options; it imports nothing of this package.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
from pathlib import Path

_WITHOUT_MEANING_HERE = ("--spark-event-logs-s3-uri", "--local-spark-event-logs-dir")


def main(message: Path, arguments: list[str]) -> int:
    pyspark = importlib.util.find_spec("pyspark")
    assert pyspark is not None and pyspark.origin is not None  # noqa: S101 - spark.py has looked
    command = [str(Path(pyspark.origin).parent / "bin" / "spark-submit"), "--master", "local[*]", *_options(arguments)]
    environment = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    code = subprocess.run(command, env={**os.environ, **environment}, check=False).returncode
    if code:
        said = f"Command '{shlex.join(command)}' returned non-zero exit status {code}."
        line = f"Algorithm Error: (caused by CalledProcessError): spark failed with a non-zero exit code: {said}"
        message.write_text(line[:1024], encoding="utf-8")
    return code


def _options(arguments: list[str]) -> list[str]:
    while arguments and arguments[0] in _WITHOUT_MEANING_HERE:
        arguments = arguments[2:]
    return arguments


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
