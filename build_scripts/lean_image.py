"""Builds the team's own serving image and pushes it, where there is something new in it.

    python -m build_scripts.lean_image

Input: images/lean, and the digest of its base. Output: an image in ECR, of the project's region and of those where it serves. Its tag is
made of what the image is made of and of the month: where it is there already, nothing is built. So a change, a fix of the base and a new
month each make one image (infra/image/image_pipeline.py runs this every morning, and after every build of a push).
It serves nobody yet: a release takes the newest (deploy_scripts/serving_image.py), through the gates.
A local account has no registry that Docker could push to. There the image that is pushed holds the entry point and the lock alone
(plain_image.py), and the account starts the one with its own packages, which have to be those of the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from build_scripts import docker, plain_image
from build_scripts.command_line import parser, read_settings, run
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from pipelines.published_code import code_hash, files_of
from settings_schema.reading import ROOT, Settings

FOLDER = ROOT / "images" / "lean"


def tag_of(files: Mapping[str, bytes], base_digest: str, now: datetime) -> str:
    """`<hash of files and base>-<year>-<month>`."""
    made_of = hashlib.sha256(f"{code_hash(files)} {base_digest}".encode()).hexdigest()
    return f"{made_of[:16]}-{now:%Y-%m}"


def regions(settings: Settings, home: str) -> list[str]:
    """In which there is a repository, the project's own first."""
    return [home, *sorted({item.region for item in settings.lean_environments() if item.region} - {home})]


def lacking(clients: Mapping[str, Any], repository: str, tag: str) -> dict[str, Any]:
    """Those of the regions that do not have the image."""
    wanted = {"repositoryName": repository, "imageIds": [{"imageTag": tag}]}
    return {region: ecr for region, ecr in clients.items() if not (found(ecr.describe_images, **wanted) or {}).get("imageDetails")}


def spread(clients: Mapping[str, Any], missing: Mapping[str, Any], repository: str, tag: str, build: Callable[[], None]) -> None:
    """From a region that has the image to those that lack it, or built once: two builds would differ, and the digest that staging was asked
    with would not be there for a production in another region. `missing`: at least one of the regions.
    """
    having = next((region for region in clients if region not in missing), None)
    if having is None:
        having = next(iter(missing))
        build()
        docker.push(missing[having], repository, tag)
    for region, ecr in missing.items():
        if region != having:
            docker.copy(clients[having], ecr, repository, tag)
        print(f"pushed {repository}:{tag} to {region}")


def _is_local(ecr: Any) -> bool:
    return urlsplit(str(ecr.meta.endpoint_url)).hostname in ("127.0.0.1", "localhost")


def main(arguments: Sequence[str]) -> None:
    parser(__doc__).parse_args(arguments)
    settings = read_settings()
    project, repository = settings.project, settings.project.names.image_repository
    home = ProjectEnvironment(project).region
    clients = {region: ProjectEnvironment(project.but(region=region)).client("ecr") for region in regions(settings, home)}
    files = files_of(FOLDER)
    base, is_local = docker.base_of(files["Dockerfile"].decode()), _is_local(clients[home])
    pinned = base if is_local else f"{base}@{docker.digest_of(base)}"
    tag = tag_of(files, pinned, datetime.now(UTC))
    missing = lacking(clients, repository, tag)
    if not missing:
        print(f"{repository}:{tag} is there: of these files, of this base, of this month")
    elif is_local:
        print("no Docker in a local account: what is pushed is the entry point with its lock, which the account starts by its own Python")
        digests = {plain_image.push(ecr, repository, tag, files) for ecr in missing.values()}
        print(f"pushed {repository}:{tag}, {', '.join(digests)}, to {', '.join(missing)}")
    else:
        spread(clients, missing, repository, tag, lambda: docker.build(FOLDER, pinned, tag))


if __name__ == "__main__":
    raise SystemExit(run(main))
