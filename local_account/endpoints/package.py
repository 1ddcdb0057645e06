"""Unpacks what a SageMaker model serves: image environment, code and model files.

In: a model name (`models.py` finds its container, also in a model package). Out: `ServedModel`, ready for `fleet.py` to start instances of.
"""

from __future__ import annotations

import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from local_account.authorization.credentials import Credentials
from local_account.context import Context
from local_account.endpoints.models import models_of
from local_account.errors import ServiceError
from local_account.roles import Role

_CONTAINER_MODEL_DIRECTORY = "/opt/ml/model"


@dataclass(frozen=True)
class ServedModel:
    """Unpacked model files and the environment their container gets, with the container's paths replaced by local ones.

    `credentials` are those of the model's role; a model under network isolation has none.
    """

    directory: Path
    environment: dict[str, str]
    credentials: Credentials | None = None


def unpack(context: Context, model_name: str, directory: Path) -> ServedModel:
    """Download and extract the model into `directory`, which is replaced. Raises ServiceError that says what is wrong with it."""
    container, role = models_of(context).container(model_name), models_of(context).role(model_name)
    url = container.get("ModelDataUrl") or container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri", "")
    if not url.startswith("s3://") or not url.endswith(".tar.gz"):
        raise ServiceError("ValidationException", f"model {model_name}: the model data is {url!r}; allowed: s3://<bucket>/<key>.tar.gz")
    shutil.rmtree(directory, ignore_errors=True)
    _extract(role, url, directory)
    environment = dict(container.get("Environment") or {})
    submitted = environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    if submitted.startswith("s3://"):
        _extract(role, submitted, directory / "code")
        environment["SAGEMAKER_SUBMIT_DIRECTORY"] = f"{_CONTAINER_MODEL_DIRECTORY}/code"
    local = {name: str(value).replace(_CONTAINER_MODEL_DIRECTORY, str(directory)) for name, value in environment.items()}
    credentials = None if models_of(context).is_isolated(model_name) else role.credentials
    return ServedModel(directory, {"SM_MODEL_DIR": str(directory), **local}, credentials)


def _extract(role: Role, url: str, directory: Path) -> None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    directory.mkdir(parents=True, exist_ok=True)
    archive = directory.parent / f"{directory.name}.download"
    try:
        role.client("s3").download_file(bucket, key, str(archive))
        with tarfile.open(archive) as tar:
            tar.extractall(directory, filter="data")
    except tarfile.TarError as error:
        raise ServiceError("ValidationException", f"{url} is not a tar.gz archive: {error}") from error
    finally:
        archive.unlink(missing_ok=True)
