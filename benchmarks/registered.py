"""A version of abalone that the real training pipeline registered in a local account, with the budget of models/abalone.py.

Used by benchmarks.training (how good is it?) and benchmarks.reproducibility (can it be made again?).
"""

from __future__ import annotations

import contextlib
import io
import json
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
from settings_schema import Model, ModelNames
from settings_schema.reading import read as read_settings

ROOT = Path(__file__).resolve().parents[1]
ARTIFACTS, DATA = "artifacts", "data"


@dataclass(frozen=True)
class Registered:
    """`data`: the raw CSV. `archive`: the registered model.tar.gz. `environment`: of the scripts that talk to the account."""

    model: Model
    version: Version
    data: Path
    archive: bytes
    environment: Mapping[str, str]

    def script(self, name: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs `build_scripts.<name>`; `more` are further environment variables."""
        return _script({**self.environment, **more}, name, *arguments)


@contextlib.contextmanager
def registered_abalone() -> Iterator[Registered]:
    """For as long as the block lasts. Ends the program with the script's own words if nothing was registered.

    Raises SettingsError where models/ has no abalone any more.
    """
    settings = read_settings()
    abalone = settings.model("abalone")
    names = abalone.names(settings.project)
    with tempfile.TemporaryDirectory() as scratch, Account(AccountSettings(state_directory=Path(scratch, "account"), port=0)) as account:
        for role in ("benchmark", names.pipeline_role):
            make_role(account.client("iam"), role)
        _create_stack(account, names)
        s3, sagemaker = account.client("s3"), account.client("sagemaker")
        for bucket in (ARTIFACTS, DATA):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        _create_data_version_function(account, names)
        data = example_file("abalone", Path(scratch))
        s3.upload_file(str(data), DATA, f"{names.training_data}{data.name}")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **account.context.client_environment,
            "ARTIFACT_BUCKET": ARTIFACTS,
            "DATA_BUCKET": DATA,
            "KMS_KEY_ARN": account.client("kms").create_key()["KeyMetadata"]["Arn"],
        }
        finished = _script(environment, "run_pipeline", "--model", abalone.name, "--wait")
        if finished.returncode:
            raise SystemExit(f"nothing was registered:\n{finished.stdout}{finished.stderr}")
        version = describe(sagemaker, versions(sagemaker, names.model_package_group)[0])
        package = sagemaker.describe_model_package(ModelPackageName=version.arn)
        archive = read(s3, package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])
        assert archive is not None
        yield Registered(abalone, version, data, archive, environment)


def _create_stack(account: Account, names: ModelNames) -> None:
    """A model's stack, as far as a training asks for it: without one nothing is started."""
    group = {"Type": "AWS::SageMaker::ModelPackageGroup", "Properties": {"ModelPackageGroupName": names.model_package_group}}
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(StackName=names.stack, TemplateBody=json.dumps({"Resources": {"Group": group}}))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=names.stack, WaiterConfig={"Delay": 1})


def _create_data_version_function(account: Account, names: ModelNames) -> None:
    """What a training asks first, as infra/ deploys it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("data_versions.py", "failure.py", "registry_text.py", "sources.py"):
            archive.write(STEPS / name, name)
    account.client("lambda").create_function(
        FunctionName=names.data_version_function,
        Runtime="python3.14",
        Role=ROLE,
        Handler="data_versions.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=60,
    )


def _script(environment: Mapping[str, str], name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"build_scripts.{name}", *arguments]
    return subprocess.run(command, env=dict(environment), cwd=ROOT, capture_output=True, text=True, check=False)
