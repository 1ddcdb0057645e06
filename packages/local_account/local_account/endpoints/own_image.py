"""An image that was pushed to an account's own ECR, as its instances start it: its entry point, by this account's Python.

In: the image that a model names. Out: `OwnImage`, or None for an image of nobody here, such as AWS's own, for which `model_server.py`
stands in. There is no Docker here: what starts is what the image's layers hold, which have to come with its manifest (`data` of a
descriptor: image-spec of the Open Container Initiative), by its configuration's entry point, command and variables. Packages are the
account's own; a lock in a layer (`requirements.lock`) has to agree with them, so that the same program answers. The log says all this.
"""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_account.context import Context
from local_account.errors import InvalidError, NotEmulatedError
from local_account.roles import Role

_ADDRESS = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([a-z0-9._/-]+)(?:@(sha256:[0-9a-f]{64})|:(\S+))")
_LOCK = "requirements.lock"
_PIN = re.compile(r"^([\w.-]+)==([\w.+!-]+)", re.MULTILINE)
#: What pulling takes besides: "CreateModel API: Execution Role Permissions" of the SageMaker guide.
_PULL = ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer")


@dataclass(frozen=True)
class OwnImage:
    """`command`: this account's Python with the arguments of entry point and command. `environment`: of the image, with local paths."""

    address: str
    command: Sequence[str]
    environment: Mapping[str, str]

    @property
    def said(self) -> str:
        return (
            f"no Docker here: the entry point of {self.address} starts with this account's Python and packages, which are those of its lock"
        )


def pull(context: Context, role: Role, image: str, folder: Path) -> OwnImage | None:
    """Into `folder`. Raises ServiceError for an image that the role may not pull, that is not there, or that cannot start here."""
    named = _ADDRESS.fullmatch(image)
    owner = context.places.of_arn(f"arn:aws:ecr:{named[2]}:{named[1]}:repository/{named[3]}") if named else None
    if named is None or owner is None or not _has_repository(owner, named[3]):
        return None
    if owner.settings.account_id != role.place.settings.account_id:
        raise NotEmulatedError("sagemaker", f"a container of {image}, of another account: no policy of a repository is asked here")
    for action in _PULL:
        role.require("ecr", action, {"registryId": named[1], "repositoryName": named[3]})
    asked = {"imageDigest": named[4]} if named[4] else {"imageTag": named[5]}
    answer = role.client("ecr").batch_get_image(registryId=named[1], repositoryName=named[3], imageIds=[asked])
    if not answer["images"]:
        raise InvalidError(f"Requested image {image} not found.")
    manifest = json.loads(answer["images"][0]["imageManifest"])
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(_content(layer, image))) as archive:
            archive.extractall(folder, filter="data")
    for lock in folder.rglob(_LOCK):
        _require_same(lock.read_text(encoding="utf-8"), image)
    return _started(image, json.loads(_content(manifest["config"], image))["config"], folder)


def _has_repository(owner: Context, name: str) -> bool:
    try:
        owner.client("ecr").describe_repositories(repositoryNames=[name])
    except ClientError:
        return False
    return True


def _content(descriptor: Mapping[str, Any], image: str) -> bytes:
    if "data" not in descriptor:
        raise NotEmulatedError("sagemaker", f"a container of {image}, whose layers are not in its manifest: there is no Docker here")
    return base64.b64decode(descriptor["data"])


def _require_same(lock: str, image: str) -> None:
    here = {name: _version(name) for name in dict(_PIN.findall(lock))}
    for name, pinned in _PIN.findall(lock):
        if here[name] != pinned:
            raise InvalidError(
                f"{image} has {name} {pinned}, and this account has {here[name]}; allowed: the same, or answers would differ"
            )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def _started(image: str, told: Mapping[str, Any], folder: Path) -> OwnImage:
    program, *arguments = [*told.get("Entrypoint", []), *told.get("Cmd", [])] or [""]
    if not re.fullmatch(r"python3?", program):
        raise NotEmulatedError("sagemaker", f"a container of {image}, whose entry point is {program or 'none'} and not python")
    variables = dict(pair.split("=", 1) for pair in told.get("Env", []))
    local = {name: value.replace("/opt/", f"{folder}/opt/") for name, value in variables.items()}
    return OwnImage(image, [sys.executable, *arguments], local)
