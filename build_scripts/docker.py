"""The few commands of Docker that build an image of a pinned base and bring it to ECR. Raises ProblemError with what Docker says.

The manifest is Docker's, of one image: CreateModel takes neither that of the Open Container Initiative nor an index of several, which
BuildKit makes where it attests how an image was built ("Unsupported manifest media type", aws/amazon-sagemaker-feedback#180).
"""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from build_scripts.command_line import ProblemError

#: SageMaker's instances with XGBoost's image have this processor, and the lock has wheels for it alone.
_PLATFORM = "linux/amd64"
_BASE = re.compile(r"^ARG BASE=(\S+)$", re.MULTILINE)


def base_of(dockerfile: str) -> str:
    """The base that a Dockerfile names in `ARG BASE=...`."""
    named = _BASE.search(dockerfile)
    if named is None:
        raise ProblemError("images/lean/Dockerfile names no base; allowed: a line ARG BASE=<image>:<tag>, which FROM ${BASE} uses")
    return named[1]


def digest_of(image: str) -> str:
    """What the tag means now, in its registry."""
    return _docker(["buildx", "imagetools", "inspect", image, "--format", "{{.Manifest.Digest}}"]).strip()


def build(folder: Path, base: str, tag: str) -> None:
    """`tag`: by which this machine knows the image."""
    as_docker = ["--provenance=false", "--output", "type=docker"]
    _docker(["buildx", "build", "--platform", _PLATFORM, *as_docker, "--pull", "--build-arg", f"BASE={base}", "--tag", tag, str(folder)])


def push(ecr: Any, repository: str, tag: str) -> None:
    """To the registry of the client's account and region."""
    image = f"{_login(ecr)}/{repository}:{tag}"
    _docker(["tag", tag, image])
    _docker(["push", image])


def copy(source: Any, ecr: Any, repository: str, tag: str) -> None:
    """From one registry to another, byte for byte: without the option, the copy would be an index around the image.

    Source: "docker buildx imagetools create" of Docker's reference, and commands/imagetools/create.go of docker/buildx for two registries.
    """
    image = f"{_login(source)}/{repository}:{tag}"
    _docker(["buildx", "imagetools", "create", "--prefer-index=false", "--tag", f"{_login(ecr)}/{repository}:{tag}", image])


def _login(ecr: Any) -> str:
    """The registry of the client's account and region. Its password goes by standard input, and is good for twelve hours."""
    (granted,) = ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(granted["authorizationToken"]).decode().partition(":")
    registry = str(granted["proxyEndpoint"]).removeprefix("https://")
    _docker(["login", "--username", user, "--password-stdin", registry], password)
    return registry


def _docker(command: Sequence[str], given: str = "") -> str:
    try:
        ended = subprocess.run(["docker", *command], input=given, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ProblemError(f"docker cannot be started: {error}; a build needs privileged mode (infra/image/image_pipeline.py)") from None
    if ended.returncode:
        said = (ended.stderr.strip() or ended.stdout.strip() or "nothing").splitlines()[-1]
        raise ProblemError(f"`docker {command[0]}` failed: {said}")
    return ended.stdout
