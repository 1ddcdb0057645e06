"""A version that was really registered is rebuilt byte for byte, and scores a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from local_account.account import Account
from tests.local_account.registered_version import DATA, Registered, register


@pytest.fixture(scope="module")
def registered(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    return register(account, tmp_path_factory.mktemp("data"))


def test_a_registered_version_is_rebuilt_byte_for_byte_although_the_data_has_moved_on(
    account: Account, registered: Registered, tmp_path: Path
) -> None:
    account.client("s3").put_object(Bucket=DATA, Key="training/abalone/abalone.csv", Body=b"sex,length\nM,1\n")
    rebuilt = tmp_path / "rebuilt.tar.gz"
    finished = registered.script("reproduce", "--model-package-arn", registered.arn, "--save", str(rebuilt))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    facts = account.client("sagemaker").describe_model_package(ModelPackageName=registered.arn)["CustomerMetadataProperties"]
    assert finished.stdout.splitlines()[-1] == f"identical: model.tar.gz has sha256 {facts['model-sha256']}"
    assert facts["data-versions"] in finished.stdout
