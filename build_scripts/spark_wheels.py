"""Publishes the packages that SageMaker's Spark image lacks, as wheels of requirements.lock: a job then needs no network for them.

Input: requirements.lock. Output: s3://<artifact bucket>/code/spark-<hash>/*.whl, once for a lock: 110 MB, downloaded from the package index
where a build takes its packages from, and checked against the lock's hashes. In the container: steps/spark_packages.py.
Used by publish.py and run_pipeline.py for a model with Processing(spark=True).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.objects import encryption, keys
from build_scripts.write_once import put_once
from pipelines import spark_image

#: The image is of Amazon Linux 2023, whose glibc is 2.34, for x86_64.
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def publish_wheels(s3: Any, bucket: str, key_arn: str | None = None) -> tuple[str, bool]:
    """Their address, and whether something had to be uploaded. Raises ProblemError."""
    prefix = spark_image.wheels_prefix()
    there = [key for key in keys(s3, bucket, f"{prefix}/") if key.endswith(".whl")]
    if len(there) < len(spark_image.PACKAGES):
        with tempfile.TemporaryDirectory() as folder:
            for wheel in download(Path(folder)):
                put_once(s3, bucket, f"{prefix}/{wheel.name}", wheel.read_bytes(), encryption(key_arn))
    return f"s3://{bucket}/{prefix}", len(there) < len(spark_image.PACKAGES)


def download(folder: Path) -> list[Path]:
    """One wheel for each package, for the image's Python. Raises ProblemError."""
    pins = folder / "pins.txt"
    pins.write_text(spark_image.pins(), encoding="utf-8")
    platforms = [part for platform in _PLATFORMS for part in ("--platform", platform)]
    options = ["--no-deps", "--only-binary", ":all:", "--python-version", spark_image.PYTHON, "--implementation", "cp", *platforms]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(pins)]
    finished = subprocess.run([*command, *options, "--dest", str(folder)], capture_output=True, text=True, check=False)
    if finished.returncode:
        said = next((line for line in finished.stderr.splitlines() if line.startswith("ERROR")), "no reason given")
        raise ProblemError(
            f"the packages for Spark's image cannot be downloaded ({said}); check the network, or name an index (PIP_INDEX_URL)"
        )
    return sorted(folder.glob("*.whl"))
