"""Unpacks what a SageMaker model serves: image environment, code and model files.

In: a model name (`models.py` finds its container, also in a model package). Out: `ServedModel`, ready for `fleet.py` to start instances of.
The program is copied to `/opt/ml/code`, as the image does when it starts (`local_account/sagemaker/program.py`).
"""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from local_account.authorization.credentials import Credentials
from local_account.context import Context
from local_account.endpoints import own_image
from local_account.endpoints.models import Models, data_url
from local_account.endpoints.own_image import OwnImage
from local_account.errors import InvalidError
from local_account.roles import Role
from local_account.sagemaker.jobs import isolation
from local_account.sagemaker.program import has_network

_CONTAINER_MODEL_DIRECTORY = "/opt/ml/model"
#: Of a container: output of its first process, beside which others write. Here each has its own, which is followed alike.
_CONTAINER_OUTPUT, _OWN_OUTPUT = "/proc/1/fd/1", "/dev/stdout"
#: By which SageMaker tells the image to start its multi-model server (`serving.py` of the image).
MULTI_MODEL = "SAGEMAKER_MULTI_MODEL"


@dataclass(frozen=True)
class ServedModel:
    """Unpacked model files and the environment their container gets, with the container's paths replaced by local ones.

    `code`: the program, the container's `/opt/ml/code`. `has_network`: whether its start may fetch anything. `credentials` are those of
    the model's role; a model under network isolation has none. `loads_later`: a multi-model container, which starts without a model.
    `image`: of the account's own ECR, whose entry point serves; None for those that the account stands in for.
    """

    directory: Path
    code: Path
    environment: dict[str, str]
    has_network: bool
    credentials: Credentials | None
    loads_later: bool = False
    image: OwnImage | None = None

    @property
    def opt_ml(self) -> Path:
        return self.code.parent


def unpack(context: Context, model_name: str, directory: Path) -> ServedModel:
    """Download and extract the model into `directory`, which is replaced. Raises ServiceError that says what is wrong with it."""
    models = Models.at(context)
    container, model, role = models.container(model_name), models.describe({"ModelName": model_name}), models.role(model_name)
    url = data_url(container)
    if not url.startswith("s3://") or not url.endswith(".tar.gz"):
        raise InvalidError(f"model {model_name}: the model data is {url!r}; allowed: s3://<bucket>/<key>.tar.gz")
    shutil.rmtree(directory, ignore_errors=True)
    extract(role, url, directory)
    pulled = directory.parent / "image"
    shutil.rmtree(pulled, ignore_errors=True)
    image = own_image.pull(context, role, container.get("Image", ""), pulled)
    return replace(_served(role, container, model, directory), image=image)


def unpack_multi_model(context: Context, model_name: str, directory: Path) -> ServedModel:
    """The container of a multi-model endpoint, without any model: `directory`, its `/opt/ml/models`, is emptied. Raises ServiceError.

    Its program is none of theirs: SAGEMAKER_SUBMIT_DIRECTORY is one address for all models (`serving_mms.py` of the image).
    """
    models = Models.at(context)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    served = _served(models.role(model_name), models.container(model_name), models.describe({"ModelName": model_name}), directory)
    return replace(served, environment={**served.environment, MULTI_MODEL: "true"}, loads_later=True)


def _served(role: Role, container: Mapping[str, Any], model: Mapping[str, Any], directory: Path) -> ServedModel:
    environment = dict(container.get("Environment") or {})
    isolated = isolation.is_wanted(model)
    here = {name: str(value).replace(_CONTAINER_OUTPUT, _OWN_OUTPUT) for name, value in environment.items()}
    local = {name: value.replace(_CONTAINER_MODEL_DIRECTORY, str(directory)) for name, value in here.items()}
    code = directory.parent / "code"
    _submit(role, local.get("SAGEMAKER_SUBMIT_DIRECTORY", ""), code, isolated=isolated)
    credentials = None if isolated else role.credentials
    return ServedModel(directory, code, {"SM_MODEL_DIR": str(directory), **local}, has_network(model), credentials)


def _submit(role: Role, source: str, code: Path, *, isolated: bool) -> None:
    """`download_and_extract` of sagemaker_containers/_files.py: an address in S3, which isolation cuts off, or a folder there."""
    shutil.rmtree(code, ignore_errors=True)
    code.mkdir(parents=True)
    if source.startswith("s3://") and not isolated:
        extract(role, source, code)
    elif source and Path(source).is_dir():
        shutil.copytree(source, code, dirs_exist_ok=True)


def extract(role: Role, url: str, directory: Path) -> None:
    """Raises ServiceError for what the role may not read, ClientError for what is not there, InvalidError for what is no archive."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    directory.mkdir(parents=True, exist_ok=True)
    archive = directory.parent / f"{directory.name}.download"
    # The answer to a HEAD, with which boto3 begins, has no words: this says who may not read what.
    role.require("s3", "GetObject", {"Bucket": bucket, "Key": key})
    try:
        role.client("s3").download_file(bucket, key, str(archive))
        with tarfile.open(archive) as tar:
            tar.extractall(directory, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise InvalidError(f"{url} is not a tar.gz archive: {error}") from error
    finally:
        archive.unlink(missing_ok=True)
