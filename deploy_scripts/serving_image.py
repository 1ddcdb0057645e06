"""Which of the team's own serving images a release takes: the newest that was built, and in production the one that staging was asked with.

Input: the repository in the region of the environment, and what is deployed. Output: the image by its digest, so that what serves does not
change until the next release. A return keeps the image that is there, unless it was deleted from the repository: that is how a bad image is
left. Used by render.py; built by build_scripts/lean_image.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.missing import found
from build_scripts.project_environment import ProjectEnvironment
from deploy_scripts.environment_place import EnvironmentPlace
from deploy_scripts.regional_copy import client_in
from deploy_scripts.stack_states import describe_stack
from settings_schema import ServingNames
from settings_schema.rollout import SERVING_IMAGE


def newest(project: ProjectEnvironment, region: str, like: str | None = None) -> str:
    """`<registry>/<repository>@<digest>`. `like`: an image, also of another region, that is taken if it is there.

    Raises ProblemError where there is none.
    """
    repository = project.names.image_repository
    images = list(_images(client_in(project, "ecr", region), repository))
    if not images:
        built = f"`aws codepipeline start-pipeline-execution --name {project.names.image_stack}` builds one, in minutes"
        raise ProblemError(f"the repository {repository} has no image in {region}, and models/ says image=ServingImage.LEAN; {built}")
    kept = [image for image in images if like and like.endswith(f"@{image['imageDigest']}")]
    image = (kept or sorted(images, key=lambda item: (item["imagePushedAt"], item["imageDigest"])))[-1]
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return f"{image['registryId']}.dkr.ecr.{region}.{suffix}/{repository}@{image['imageDigest']}"


def _images(ecr: Any, repository: str) -> Iterator[dict[str, Any]]:
    """Those with a tag: what BuildKit pushes beside has none."""
    request = {"repositoryName": repository}
    while True:
        page = found(ecr.describe_images, **request) or {"imageDetails": []}
        yield from (image for image in page["imageDetails"] if image.get("imageTags"))
        if not page.get("nextToken"):
            return
        request["nextToken"] = page["nextToken"]


def deployed(place: EnvironmentPlace, names: ServingNames) -> str | None:
    """The image of what a stack serves; None without a stack, and for AWS's own."""
    stack = describe_stack(place.client("cloudformation"), names.stack) or {}
    return next((item["ParameterValue"] for item in stack.get("Parameters", []) if item["ParameterKey"] == SERVING_IMAGE), None)
