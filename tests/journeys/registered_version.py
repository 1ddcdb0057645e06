"""A version that the real training pipeline registers in a local account, with a small budget: for tests that need one."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from build_scripts import run_pipeline, upload_data
from build_scripts.publish import code_files, publish
from local_account.account import Account
from packages.local_account.tests.small_pipelines import wait_for
from settings import PROJECT
from tests.journeys.data_version_function import create_data_version_function

ROOT = Path(__file__).resolve().parents[2]
DEFINE = Path(__file__).with_name("define_small_pipeline.py")
ROLE = "arn:aws:iam::111122223333:role/pipeline"
ARTIFACTS, DATA = "artifacts", "data"


@dataclass(frozen=True)
class Registered:
    """`data`: the CSV file that was uploaded. `environment`: of a person who runs the scripts against the account."""

    arn: str
    data: Path
    environment: dict[str, str]

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _run(self.environment, "-m", f"build_scripts.{name}", *arguments)


def register(account: Account, folder: Path) -> Registered:
    """Upload abalone, run the pipeline to its end, and return the version."""
    s3, sagemaker = account.client("s3"), account.client("sagemaker")
    for bucket in (ARTIFACTS, DATA):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    data = upload_data.example_file("abalone", folder)
    s3.upload_file(str(data), DATA, f"training/abalone/{data.name}")
    environment = _environment(account)
    create_data_version_function(account)
    code_uri, _ = publish(s3, ARTIFACTS, code_files())
    defined = _run(environment, str(DEFINE), code_uri, ROLE, ARTIFACTS, DATA)
    assert defined.returncode == 0, defined.stderr
    run_pipeline.upsert(sagemaker, PROJECT.sagemaker_pipeline, defined.stdout, ROLE, [])
    arn = run_pipeline.start(sagemaker, PROJECT.sagemaker_pipeline, {"GitCommit": "a" * 40}, "unknown")
    wait_for(lambda: sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] != "Executing", 300)
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    failures = [f"{step['StepName']}: {step['FailureReason']}" for step in steps if step.get("FailureReason")]
    assert not failures, failures
    packages = sagemaker.list_model_packages(ModelPackageGroupName=PROJECT.model_package_group)["ModelPackageSummaryList"]
    return Registered(str(packages[0]["ModelPackageArn"]), data, environment)


def _environment(account: Account) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    names = {
        "ARTIFACT_BUCKET": ARTIFACTS,
        "DATA_BUCKET": DATA,
        "SAGEMAKER_PIPELINE_ROLE_ARN": ROLE,
        "KMS_KEY_ARN": str(account.client("kms").create_key()["KeyMetadata"]["Arn"]),
    }
    return {**inherited, **account.context.client_environment, **names, "PYTHONPATH": str(ROOT)}


def _run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
