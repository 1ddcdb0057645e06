"""A version of abalone that the real training pipeline registered in a local account, with the budget of settings.py.

Used by benchmarks.training (how good is it?) and benchmarks.reproducibility (can it be made again?).
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.role import ROLE, make_role
from build_scripts.recorded_inputs import read
from build_scripts.registry import Version, describe, versions
from build_scripts.step_modules import STEPS
from build_scripts.upload_data import example_file
from local_account.account import Account
from local_account.context import AccountSettings
from settings import DATASET, PROJECT

ROOT = Path(__file__).resolve().parents[1]
ARTIFACTS, DATA = "artifacts", "data"


@dataclass(frozen=True)
class Registered:
    """`data`: the raw CSV. `model`: the registered model.tar.gz. `environment`: of the scripts that talk to the account."""

    version: Version
    data: Path
    model: bytes
    environment: Mapping[str, str]

    def script(self, name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs `build_scripts.<name>`; `more` are further environment variables."""
        return _script({**self.environment, **more}, name, *arguments)


@contextlib.contextmanager
def registered_abalone() -> Iterator[Registered]:
    """For as long as the block lasts. Ends the program with the script's own words if nothing was registered."""
    if DATASET.name != "abalone":
        raise SystemExit(f"this benchmark is about abalone, but settings.py has DATASET = {DATASET.name!r}; set DATASET = ABALONE first")
    with tempfile.TemporaryDirectory() as scratch, Account(AccountSettings(state_directory=Path(scratch, "account"), port=0)) as account:
        make_role(account.client("iam"))
        s3, sagemaker = account.client("s3"), account.client("sagemaker")
        for bucket in (ARTIFACTS, DATA):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        _create_data_version_function(account)
        data = example_file("abalone", Path(scratch))
        s3.upload_file(str(data), DATA, f"training/abalone/{data.name}")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **account.context.client_environment,
            "ARTIFACT_BUCKET": ARTIFACTS,
            "DATA_BUCKET": DATA,
            "SAGEMAKER_PIPELINE_ROLE_ARN": ROLE,
            "KMS_KEY_ARN": account.client("kms").create_key()["KeyMetadata"]["Arn"],
        }
        finished = _script(environment, "run_pipeline", "--wait")
        if finished.returncode:
            raise SystemExit(f"nothing was registered:\n{finished.stdout}{finished.stderr}")
        version = describe(sagemaker, versions(sagemaker, PROJECT.model_package_group)[0])
        package = sagemaker.describe_model_package(ModelPackageName=version.arn)
        model = read(s3, package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
        assert model is not None
        yield Registered(version, data, model, environment)


def _create_data_version_function(account: Account) -> None:
    """What a training asks first, as infra/model_build/data_version.py deploys it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("data_versions.py", "failure.py"):
            archive.write(STEPS / name, name)
    account.client("lambda").create_function(
        FunctionName=PROJECT.data_version_function,
        Runtime="python3.14",
        Role=ROLE,
        Handler="data_versions.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=60,
    )


def _script(environment: Mapping[str, str], name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"build_scripts.{name}", *arguments]
    return subprocess.run(command, env=dict(environment), cwd=ROOT, capture_output=True, text=True, check=False)
