"""An image of the entry point and its lock, without a base and packages, for an account that starts it with its own: a local one.

It is an image as ECR takes it: a manifest with a configuration and one layer, whose contents are in the manifest itself (`data` of a
descriptor: image-spec of the Open Container Initiative), so that one request pushes and one pulls it. Entry point, command and variables
are those that the Dockerfile says. Equal files give equal bytes, and so one digest.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping
from typing import Any

_OCI = "application/vnd.oci.image"
#: Where the Dockerfile puts what a layer holds.
_PLACE, LOCK = "opt/serving", "requirements.lock"


def push(ecr: Any, repository: str, tag: str, files: Mapping[str, bytes]) -> str:
    """The image's digest. `files`: of the folder that has the Dockerfile."""
    media_type = f"{_OCI}.manifest.v1+json"
    made = manifest(files)
    image = ecr.put_image(repositoryName=repository, imageTag=tag, imageManifest=made, imageManifestMediaType=media_type)["image"]
    return str(image["imageId"]["imageDigest"])


def manifest(files: Mapping[str, bytes]) -> str:
    held = _archive({f"{_PLACE}/{name}": content for name, content in files.items() if name == LOCK or name.startswith("serving/")})
    layer = _descriptor(f"{_OCI}.layer.v1.tar+gzip", gzip.compress(held, mtime=0))
    configuration = {
        "architecture": "amd64",
        "os": "linux",
        "config": _told(files["Dockerfile"].decode()),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(held).hexdigest()}"]},
    }
    config = _descriptor(f"{_OCI}.config.v1+json", json.dumps(configuration, sort_keys=True).encode())
    return json.dumps({"schemaVersion": 2, "mediaType": f"{_OCI}.manifest.v1+json", "config": config, "layers": [layer]}, sort_keys=True)


def _told(dockerfile: str) -> dict[str, Any]:
    lists = {name.title(): json.loads(given) for name, given in re.findall(r"^(ENTRYPOINT|CMD) (\[.*\])$", dockerfile, re.MULTILINE)}
    variables = [pair for line in re.findall(r"^ENV (.+)$", dockerfile, re.MULTILINE) for pair in line.split()]
    return {**lists, "Env": variables}


def _archive(files: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return written.getvalue()


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content), "data": base64.b64encode(content).decode()}
