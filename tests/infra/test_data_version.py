"""The function that a training asks first: the pipeline may invoke it, it may list the training data and read how much was learned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.infra.grants import only, roles

FUNCTION = "shop--abalone--data-version"


@pytest.fixture
def function(resources: Any) -> dict[str, Any]:
    functions = resources("AWS::Lambda::Function", "shop--abalone").values()
    return next(item for item in functions if item.get("FunctionName") == FUNCTION)


def test_the_pipeline_s_role_may_invoke_this_function_and_no_other(templates: Any) -> None:
    role = only(roles(templates), "shop--abalone/TrainingRole")
    invoked = [resource for statement in role.allowing("lambda:InvokeFunction") for resource in statement.resources]
    assert invoked == [f"arn:aws:lambda:us-east-1:111122223333:function:{FUNCTION}"]


def test_it_may_list_the_training_data_and_read_none_of_it(templates: Any) -> None:
    role = only(roles(templates), "shop--abalone/DataVersion")
    allowed = {action: statement for statement in role.statements for action in statement.actions}
    assert set(allowed) == {"logs:CreateLogStream", "logs:PutLogEvents", "s3:ListBucketVersions", "s3:GetObject", "kms:Decrypt"}
    bucket = "arn:aws:s3:::shop--data-111122223333-us-east-1"
    assert list(allowed["s3:GetObject"].resources) == [f"{bucket}/training/abalone/learned/*/_tally.json"]
    assert not role.may("s3:GetObject", f"{bucket}/training/abalone/learned/live/2026-11-27T14Z--2026-11-27T15Z.csv")
    assert allowed["s3:ListBucketVersions"].condition == {"StringLike": {"s3:prefix": "training/abalone/*"}}


def test_it_is_made_of_files_that_work_alone(app: Any, function: dict[str, Any]) -> None:
    key = function["Code"]["S3Key"].removesuffix(".zip")
    folder = Path(app.outdir) / f"asset.{key}"
    assert {file.name for file in folder.iterdir()} == {"data_versions.py", "failure.py", "registry_text.py", "sources.py"}
    module, name = function["Handler"].split(".")
    finished = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = ['.']; import {module}; assert callable({module}.{name})"],
        cwd=folder,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
