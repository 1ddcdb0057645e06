"""Local equals cloud: the lock pins what the SageMaker XGBoost 3.2-0 image has inside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines.tabular.target import XGBOOST_VERSION

ROOT = Path(__file__).resolve().parents[2]

#: "SageMaker XGBoost 3.2-0": docs.aws.amazon.com/sagemaker/latest/dg/xgboost.html, and the image's requirements.
CONTAINER = {
    "xgboost-cpu": "3.2.0",  # the same module as xgboost, without the 700 MB for graphics cards
    "scikit-learn": "1.8.0",
    "pandas": "2.2.3",
    "numpy": "2.1.0",
    "scipy": "1.15.0",
    "pyarrow": "22.0.0",
    "flask": "3.1.3",
}


@pytest.mark.parametrize(("package", "version"), CONTAINER.items())
def test_the_lock_pins_the_version_of_the_container(package: str, version: str) -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = re.findall(rf"^{re.escape(package)}==(\S+)", lock, re.MULTILINE)
    assert pinned == [version]


def test_the_pipeline_names_the_image_that_the_versions_are_of() -> None:
    assert XGBOOST_VERSION == "3.2-0"
