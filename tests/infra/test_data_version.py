"""The function that a training asks first: the pipeline may invoke it, it may list the training data, and nothing more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from settings import PROJECT
from tests.infra.test_policies import as_list, statements


@pytest.fixture
def function(resources: Any) -> dict[str, Any]:
    functions = resources("AWS::Lambda::Function", "mlops-model-build").values()
    return next(item for item in functions if item.get("FunctionName") == PROJECT.data_version_function)


def test_the_pipeline_s_role_may_invoke_this_function_and_no_other(templates: Any) -> None:
    resources = [
        resource
        for where, statement in statements(templates)
        if where.startswith("mlops-foundation/PipelineRole") and "lambda:InvokeFunction" in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    ]
    assert len(resources) == 1
    assert json.dumps(resources[0]).rstrip('"]}').endswith(f":function:{PROJECT.data_version_function}")


def test_it_may_list_the_training_data_and_nothing_more(templates: Any) -> None:
    own = [statement for where, statement in statements(templates) if where.startswith("mlops-model-build/DataVersion")]
    allowed = {action: statement for statement in own for action in as_list(statement["Action"])}
    assert set(allowed) == {"logs:CreateLogStream", "logs:PutLogEvents", "s3:ListBucketVersions"}
    assert allowed["s3:ListBucketVersions"]["Condition"] == {"StringLike": {"s3:prefix": "training/*"}}


def test_it_is_made_of_files_that_work_alone(app: Any, function: dict[str, Any]) -> None:
    key = function["Code"]["S3Key"].removesuffix(".zip")
    folder = Path(app.outdir) / f"asset.{key}"
    assert {file.name for file in folder.iterdir()} == {"data_versions.py", "failure.py", "registry_text.py"}
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
