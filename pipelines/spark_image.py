"""SageMaker's Spark image: which one prepares on several instances, and the packages that it lacks.

Sources: `image_uris` of the SageMaker SDK, whose list has AWS's account in each region; `new_images.yml` (the newest release) and
`smsparkbuild/py312/Pipfile.runtime` (what Python has there) of aws/sagemaker-spark-container. Python is that of the XGBoost image, and so
are the packages: both engines run the same code on the same versions. Used by pipelines/tabular/jobs.py and build_scripts/spark_wheels.py.
"""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

SPARK, PYTHON, RELEASE = "3.5", "3.12", "v1.3"
#: In the order in which they need each other; NumPy also because the image's is another one.
PACKAGES = ("numpy", "pyarrow", "scipy", "joblib", "threadpoolctl", "scikit-learn")
LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"
_PINNED = re.compile(r"^(?P<name>[a-z0-9][\w.-]*)==(?P<rest>.*(?:\n    --hash.*)*)", re.MULTILINE)


@functools.cache
def uri(region: str) -> str:
    """Asked once: the SDK reads every endpoint of AWS each time."""
    from sagemaker.core import image_uris

    wanted = {"py_version": f"py{PYTHON.replace('.', '')}", "container_version": RELEASE}
    # Any type without a GPU: the image is the same.
    return str(image_uris.retrieve("spark", region, version=SPARK, instance_type="ml.m5.xlarge", **wanted))


@functools.cache
def pins() -> str:
    """The lines of requirements.lock for `PACKAGES`, with the hashes of their files."""
    found = {pinned["name"]: pinned[0] for pinned in _PINNED.finditer(LOCK.read_text(encoding="utf-8"))}
    return "\n".join(found[name] for name in PACKAGES) + "\n"


def wheels_prefix() -> str:
    """Where their wheels are published: with other versions it is another place. Jobs may read what lies below code/."""
    return f"code/spark-{hashlib.sha256(f'{PYTHON} {pins()}'.encode()).hexdigest()[:16]}"
