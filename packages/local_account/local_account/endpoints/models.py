"""CreateModel and its siblings: what a model was created with, and the one container that is served for it.

`package.py` unpacks the container, for endpoints and for batch transform. A model of several containers (an inference pipeline) and
a package of several are refused where a model is made of them: served by the first one alone, they would answer something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_account.context import Context
from local_account.errors import InvalidError, NotEmulatedError
from local_account.roles import Role, sagemaker_role
from local_account.sagemaker import requests
from local_account.sagemaker.registry.packages import ModelPackages
from local_account.sagemaker.resources import Kind, Resources

_FORBIDDEN = 403


class Models(Resources):
    """Models, and what is served for each."""

    kind = Kind(
        "Model",
        "model",
        taken='Cannot create already existing model "{arn}".',
        missing='Could not find model "{arn}".',
        listed="Models",
    )

    def create(self, request: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        self._require_data(self._resolved(_only_container(request)), request, self.arn(request["ModelName"]))
        return super().create({"EnableNetworkIsolation": False, **request}, **more)

    def _require_data(self, container: Mapping[str, Any], request: Mapping[str, Any], arn: str) -> None:
        """Raises a ValidationException, as CreateModel does, for model data that is not there, or not for the model's role."""
        from botocore.exceptions import ClientError

        url = data_url(container)
        if is_multi_model(request):  # it names a prefix, where nothing has to be yet
            _require_prefix(url)
            return
        if not url or "ExecutionRoleArn" not in request:  # without a role, its first use fails (`role`)
            return
        bucket, _, key = url.removeprefix("s3://").partition("/")
        if not url.startswith("s3://") or not bucket or not key:
            raise InvalidError(f"ModelDataUrl {url!r} is not an S3 URI; allowed: s3://bucket/key")
        try:
            sagemaker_role(self.context, request["ExecutionRoleArn"], arn).client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != _FORBIDDEN:
                raise InvalidError(f"Could not find model data at {url}.") from error
            raise InvalidError(_cannot_access(url, request["ExecutionRoleArn"], self.context)) from error

    def container(self, name: str) -> dict[str, Any]:
        """The container of a model as it is served: with the image, data and environment of the model package that it names.

        Raises ServiceError if there is no such model or package any more, or if it cannot be served here.
        """
        return self._resolved(_only_container(self.record(name)))

    def _resolved(self, container: Mapping[str, Any]) -> dict[str, Any]:
        if "ModelPackageName" not in container:
            return dict(container)
        named = container["ModelPackageName"]
        owner = self.context.places.of_arn(named) or self.context  # another account's, once its group's policy has allowed it
        package = ModelPackages.at(owner).describe({"ModelPackageName": named})
        specified = (package.get("InferenceSpecification") or {}).get("Containers") or []
        if len(specified) != 1:
            raise NotEmulatedError("sagemaker", f"CreateModel of a model package with {len(specified)} containers (an inference pipeline)")
        for name in specified[0].keys() & {"AdditionalS3DataSource", "AdditionalModelDataSources"}:
            raise NotEmulatedError("sagemaker", f"CreateModel of a model package with {name}")
        requests.refuse("CreateModel", {"PrimaryContainer": specified[0]})
        environment = {**(specified[0].get("Environment") or {}), **(container.get("Environment") or {})}
        return {**specified[0], **container, "Environment": environment}

    def role(self, name: str) -> Role:
        """The execution role of a model, in whose name its data is read, its containers run and its logs are written.

        Raises ServiceError for a model that has none, which SageMaker cannot run either.
        """
        model = self.record(name)
        if "ExecutionRoleArn" not in model:
            raise InvalidError(f"model {name} has no ExecutionRoleArn, so SageMaker may not read its data")
        return sagemaker_role(self.context, model["ExecutionRoleArn"], model["ModelArn"])


def is_multi_model(model: Mapping[str, Any]) -> bool:
    """Whether a model's container hosts many models."""
    return _only_container(model).get("Mode") == "MultiModel"


def _require_prefix(url: str) -> None:
    """SageMaker guide, "Create a Multi-Model Endpoint": ModelDataUrl is the prefix in S3 below which the archives are."""
    if not url.startswith("s3://") or not url.endswith("/"):
        raise InvalidError(f"ModelDataUrl {url!r} of a multi-model container is no prefix; allowed: s3://bucket/prefix/")


def data_url(container: Mapping[str, Any]) -> str:
    """Where a container's data are; empty for one without any."""
    return str(container.get("ModelDataUrl") or container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri", ""))


def _cannot_access(url: str, role_arn: str, context: Context) -> str:
    """As CreateModel words it (AWS re:Post, "Could not access model data at s3://…")."""
    return (
        f'Could not access model data at {url}. Please ensure that the role "{role_arn}" exists and that its trust relationship policy '
        'allows the action "sts:AssumeRole" for the service principal "sagemaker.amazonaws.com". Also ensure that the role has '
        f'"s3:GetObject" permissions and that the object is located in {context.settings.region}.'
    )


def _only_container(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """The container of a model. Raises ServiceError for a request that has none, or more than the local account serves."""
    if model.get("PrimaryContainer") and model.get("Containers"):
        raise InvalidError("A model has PrimaryContainer or Containers; both are given.")
    containers = [model["PrimaryContainer"]] if model.get("PrimaryContainer") else model.get("Containers") or []
    if not containers:
        raise InvalidError("A model needs PrimaryContainer or Containers; neither is given.")
    if len(containers) > 1:
        raise NotEmulatedError("sagemaker", f"CreateModel with {len(containers)} Containers (an inference pipeline)")
    if not containers[0].get("Image") and not containers[0].get("ModelPackageName"):
        raise InvalidError("A container of a model needs Image or ModelPackageName; neither is given.")
    only: Mapping[str, Any] = containers[0]
    return only
