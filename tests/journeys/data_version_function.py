"""The function that a training asks first, made in an account by its API. Used by the journeys that run a training pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packages.local_account.tests.sagemaker_requests import create_function
from settings_schema import ModelNames


def create_data_version_function(account: Any, names: ModelNames) -> str:
    """As infra/model/data_version.py deploys it."""
    steps = Path(__file__).resolve().parents[2] / "pipelines" / "tabular" / "steps"
    files = {
        name: (steps / name).read_text(encoding="utf-8") for name in ("data_versions.py", "failure.py", "registry_text.py", "sources.py")
    }
    return create_function(account, names.data_version_function, files, "data_versions.handler")
