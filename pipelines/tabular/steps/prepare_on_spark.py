"""Step 1 on several instances: prepare.py with Spark as its engine. Arguments, outputs, findings and bytes are the same.

Run by `spark-submit` on the first host: submit_spark.py. Next: `spark_engine.py`.
"""

from __future__ import annotations

import spark_packages as spark_packages  # isort: skip - before anything that the image lacks

import failure
import prepare
import spark_cluster
from spark_engine import SparkEngine


def main(argv: list[str]) -> None:
    """Prepares the data. Raises BadInput; then nothing is written."""
    with spark_cluster.running() as context:
        prepare.run(argv, SparkEngine(context))


if __name__ == "__main__":
    failure.run(main)
