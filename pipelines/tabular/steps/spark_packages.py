"""What Spark's image lacks comes with the job as wheels, and is unpacked on each host before anything imports it.

SageMaker's Spark image has Python 3.12, NumPy 1.26 and pandas, and neither pyarrow nor scikit-learn (`smsparkbuild/py312/Pipfile.runtime`
of aws/sagemaker-spark-container, v1.3). The wheels are those of requirements.lock, NumPy's among them, so that both images have the same
versions (build_scripts/spark_wheels.py puts them into the bucket). A job needs no network for it. Standard library only.
Imported first by what runs in the driver (prepare_on_spark.py) and in each worker (spark_tasks.py): importing it is enough.
"""

from __future__ import annotations

import fcntl
import importlib.util
import sys
import tempfile
import zipfile
from pathlib import Path

#: The input of the job in which they are, beside that of the code.
WHEELS = Path(__file__).resolve().parents[1] / "packages"


def make_importable(wheels: Path, folder: Path) -> None:
    """Where the Python that runs this has no pyarrow: unpacks the wheels into `folder`, once on each host, and looks there first."""
    if importlib.util.find_spec("pyarrow") is not None or not wheels.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the workers of a host begin together
        finished = folder / ".finished"
        if not finished.exists():
            for wheel in sorted(wheels.glob("*.whl")):
                with zipfile.ZipFile(wheel) as archive:
                    archive.extractall(folder)
            finished.touch()
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()


make_importable(WHEELS, Path(tempfile.gettempdir()) / "spark-packages")
