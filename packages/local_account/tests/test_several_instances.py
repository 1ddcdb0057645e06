"""Processing jobs of several instances, and of SageMaker's Spark image, in which pyspark's local mode stands for the cluster."""

from __future__ import annotations

import importlib.util
import json
import shutil
from typing import Any

import pytest

from local_account.account import Account
from local_account.errors import NotEmulatedError
from local_account.sagemaker.jobs import spark

from . import sagemaker_requests as small

SPARK = "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"
#: Of a container: who it is, and who else is there.
WHO = """
import json, os, pathlib
config = json.loads((pathlib.Path(__file__).parents[3] / "config" / "resourceconfig.json").read_text())
target = pathlib.Path(__file__).parents[2] / "output" / "who" / (config["current_host"] + ".json")
target.write_text(json.dumps([config["hosts"], os.environ["SM_CURRENT_HOST"]]))
"""
#: Workers square numbers; the script fails if it is told to.
SQUARES = """
import pathlib, sys
from pyspark import SparkContext
context = SparkContext()
squares = context.parallelize(range(4), 2).map(lambda number: number ** 2).collect()
(pathlib.Path(__file__).parents[2] / "output" / "who" / "squares.txt").write_text(repr(squares))
sys.exit(int(sys.argv[1]))
"""
OUTPUT = small.s3_output("who", f"s3://{small.BUCKET}/who")


@pytest.fixture(scope="module")
def sagemaker(account: Account) -> Any:
    small.publish(account.client("s3"), {"who.py": WHO, "squares.py": SQUARES})
    return account.client("sagemaker")


def process(sagemaker: Any, request: dict[str, Any], count: int) -> dict[str, Any]:
    name = small.new_name("several")
    request["ProcessingResources"] = {"ClusterConfig": {**small.CLUSTER["ClusterConfig"], "InstanceCount": count}}
    sagemaker.create_processing_job(ProcessingJobName=name, **request)
    long_seconds = 240  # a JVM starts, on a busy machine
    return small.wait(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus", long_seconds)


def test_each_instance_has_its_name_and_uploads_its_own_outputs(sagemaker: Any, account: Account) -> None:
    job = process(sagemaker, small.processing("who", outputs=[OUTPUT]), 2)
    assert job["ProcessingJobStatus"] == "Completed", job
    for host in ("algo-1", "algo-2"):
        seen = json.loads(small.read(account.client("s3"), f"s3://{small.BUCKET}/who/{host}.json"))
        assert seen == [["algo-1", "algo-2"], host]


def on_spark(script: str, *arguments: str) -> dict[str, Any]:
    request = small.processing(script, *arguments, outputs=[OUTPUT])
    request["AppSpecification"] |= {
        "ImageUri": SPARK,
        "ContainerEntrypoint": ["smspark-submit", f"/opt/ml/processing/input/code/{script}.py"],
    }
    return request


@pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="pyspark is not installed: the extra `spark` has it")
@pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java, in which Spark runs")
def test_a_script_runs_on_spark_whatever_the_number_of_instances_and_fails_in_the_image_s_words(sagemaker: Any, account: Account) -> None:
    job = process(sagemaker, on_spark("squares", "0"), 3)
    assert job["ProcessingJobStatus"] == "Completed", job
    assert small.read(account.client("s3"), f"s3://{small.BUCKET}/who/squares.txt") == b"[0, 1, 4, 9]"
    job = process(sagemaker, on_spark("squares", "3"), 1)
    assert job["ProcessingJobStatus"] == "Failed"
    said = "Algorithm Error: (caused by CalledProcessError): spark failed with a non-zero exit code: Command '"
    assert job["ExitMessage"].startswith(said)
    assert job["ExitMessage"].endswith("returned non-zero exit status 3.")


@pytest.mark.parametrize(
    ("package", "java", "named"), [(None, "java", r"pyspark \(the extra `spark`"), ("pyspark", None, "Java 8, 11 or 17")]
)
def test_without_spark_the_job_is_refused_with_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, package: str | None, java: str | None, named: str
) -> None:
    monkeypatch.setattr(spark.importlib.util, "find_spec", lambda _: package)
    monkeypatch.setattr(spark.shutil, "which", lambda _: java)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(NotEmulatedError, match=f"CreateProcessingJob with the Spark image: this machine lacks {named}"):
        spark.require_possible()
