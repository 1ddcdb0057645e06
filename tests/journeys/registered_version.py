"""A version that the real training pipeline registers in a local account, with a small budget: for tests that need one.

The scripts run in a clone with the values of tests/loop/team, whatever a team has set here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from build_scripts import upload_data
from local_account.account import Account
from packages.local_account.tests.roles import make_role
from tests.journeys.data_version_function import create_data_version_function
from tests.loop.clone import make_clone
from tests.loop.person import ABALONE

ARTIFACTS, DATA = "artifacts", "data"
#: `run_pipeline` starts a model whose stack is deployed; what is in it the journeys make by hand.
STACK = {"Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}}


@dataclass(frozen=True)
class Registered:
    """`data`: the CSV file that was uploaded. `environment`: of a person who runs the scripts against the account."""

    arn: str
    data: Path
    clone: Path
    environment: dict[str, str]

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _run(self.clone, self.environment, "-m", f"build_scripts.{name}", *arguments)


def register(account: Account, folder: Path) -> Registered:
    """Upload abalone, run its pipeline to its end, and return the version."""
    names, s3, sagemaker = ABALONE.names, account.client("s3"), account.client("sagemaker")
    for bucket in (ARTIFACTS, DATA):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    data = upload_data.example_file("abalone", folder)
    s3.upload_file(str(data), DATA, f"{names.training_data}{data.name}")
    make_role(account, names.pipeline_role)
    create_data_version_function(account, names)
    account.client("cloudformation").create_stack(StackName=names.stack, TemplateBody=json.dumps(STACK))
    clone, environment = folder / "clone", _environment(account)
    make_clone(clone)
    trained = _run(clone, environment, "-m", "build_scripts.run_pipeline", "--model", "abalone", "--wait")
    assert trained.returncode == 0, trained.stdout + trained.stderr
    packages = sagemaker.list_model_packages(ModelPackageGroupName=names.model_package_group)["ModelPackageSummaryList"]
    return Registered(str(packages[0]["ModelPackageArn"]), data, clone, environment)


def _environment(account: Account) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    names = {
        "ARTIFACT_BUCKET": ARTIFACTS,
        "DATA_BUCKET": DATA,
        "KMS_KEY_ARN": str(account.client("kms").create_key()["KeyMetadata"]["Arn"]),
    }
    return {**inherited, **account.context.client_environment, **names}


def _run(clone: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, cwd=clone, capture_output=True, text=True, timeout=300, check=False)
