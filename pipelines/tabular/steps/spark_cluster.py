"""The Spark cluster that a job's driver works with, and one line where Spark gives up.

On SageMaker `smspark-submit` has started YARN on the job's hosts and runs the driver on the first of them (client mode, `smspark/cli.py` of
aws/sagemaker-spark-container). Each host has the job's inputs in the same place, the code among them, so a worker imports the scripts from
there and nothing is sent. Used by `prepare_on_spark.py`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CODE = Path(__file__).resolve().parent
_CAUSE = re.compile(r"^(?:Caused by: )?[\w.$]+(?:Error|Exception|Failure|Killed)\w*: .+|.*exited? (?:with|related).*", re.MULTILINE)


class SparkStopped(Exception):  # noqa: N818 - it says what happened
    """Spark could not finish, whatever was tried again: a host died, or its memory or disk was too small."""


@contextlib.contextmanager
def running() -> Iterator[Any]:
    """A SparkContext, of the cluster that spark-submit names, else of this machine's processors. Raises SparkStopped."""
    from py4j.protocol import Py4JError
    from pyspark import SparkConf, SparkContext

    settings = {
        "spark.executorEnv.PYTHONPATH": str(CODE),
        "spark.rdd.compress": "true",  # pieces on disk
        "spark.driver.maxResultSize": "0",  # columns come to the driver, a part at a time
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    configuration = (
        SparkConf().setAll(list(settings.items())).setIfMissing("spark.master", "local[*]").setIfMissing("spark.app.name", "Prepare")
    )
    context = SparkContext.getOrCreate(configuration)
    context.setLogLevel("ERROR")
    try:
        yield context
    except Py4JError as error:
        raise SparkStopped(f"Spark could not finish: {reason(str(error))}; the log has what each host said") from error
    finally:
        context.stop()


def reason(said: str) -> str:
    """The last cause that Spark's trace names: the first one is what was called."""
    causes = _CAUSE.findall(said)
    return " ".join((causes or said.splitlines() or ["no reason"])[-1].removeprefix("Caused by: ").split())[:500]
