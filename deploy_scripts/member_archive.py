"""A version as a model of a multi-model fleet: what its archive is called there, and what is in it.

It is the archive that was evaluated with one file more, `environment.json`: what an endpoint of its own would tell its container
(pipelines/fleet/steps/members.py). An instance fetches a name once ("Add or Remove Models" of the SageMaker guide), so each version has a
name of its own, and each change of that environment, too: `<model>/<version>-<digest>.tar.gz`. Pure. Used by offer.py, render.py.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from build_scripts.command_line import ProblemError
from pipelines.xgboost_image import REPOSITORY, VERSION
from settings_schema import ServingNames

ENVIRONMENT = "environment.json"
_DIGEST_SIGNS = 8


@dataclass(frozen=True)
class MemberArchive:
    """`environment`: of the process that serves it."""

    names: ServingNames
    number: int
    environment: Mapping[str, str]

    @classmethod
    def of(cls, package: Mapping[str, Any], names: ServingNames) -> MemberArchive:
        """`package`: as DescribeModelPackage describes the version. Raises ProblemError for another model's, whose number would be taken
        for one of this model's, and for one that the fleet's container cannot run.
        """
        number, group = int(package["ModelPackageVersion"]), names.of_model.model_package_group
        if package["ModelPackageGroupName"] != group:
            raise ProblemError(
                f"--package (or MODEL_PACKAGE_ARN) is a version of {package['ModelPackageGroupName']}; allowed: one of {group}"
            )
        containers: list[dict[str, Any]] = (package.get("InferenceSpecification") or {}).get("Containers") or [{}]
        container: dict[str, Any] = containers[0] if len(containers) == 1 else {"Image": f"{len(containers)} containers"}
        image = str(container.get("Image", "")).rsplit("/", 1)[-1]
        if image != f"{REPOSITORY}:{VERSION}":
            raise ProblemError(
                f"version {number} of {names.model} runs in {image or 'no image'}; allowed on a multi-model fleet: {REPOSITORY}:{VERSION}, "
                "which all of its models share (pipelines/xgboost_image.py); train again, or give it another kind of endpoint"
            )
        environment = {**(container.get("Environment") or {}), **names.live_metrics_variables, "MODEL_VERSION": str(number)}
        return cls(names, number, environment)

    @property
    def target(self) -> str:
        """`TargetModel` of InvokeEndpoint: the key below the fleet's prefix."""
        digest = hashlib.sha256(self._environment_file).hexdigest()[:_DIGEST_SIGNS]
        return f"{self.names.model}/{self.number}-{digest}.tar.gz"

    @property
    def _environment_file(self) -> bytes:
        return json.dumps(self.environment, sort_keys=True).encode()

    def packed(self, archive: IO[bytes]) -> bytes:
        """The same bytes for the same version. `archive`: the gzipped tar that was evaluated."""
        buffer = io.BytesIO()
        with (
            tarfile.open(fileobj=archive, mode="r:gz") as given,
            gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
            tarfile.open(fileobj=zipped, mode="w") as made,
        ):
            for entry in given:
                made.addfile(entry, given.extractfile(entry) if entry.isfile() else None)
            told = tarfile.TarInfo(ENVIRONMENT)
            told.size = len(self._environment_file)
            made.addfile(told, io.BytesIO(self._environment_file))
        return buffer.getvalue()
