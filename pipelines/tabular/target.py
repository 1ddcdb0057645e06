"""What all steps of a definition share: the model's names, and where it will run.

Input: the project, the model and a `Place`. Read by `pipeline.py` and its parts.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from pipelines.offline_session import OfflineSession  # isort: skip - before every other import of the SDK

from sagemaker.core import image_uris
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join

from pipelines.place import Place
from pipelines.xgboost_image import PROGRAM_ENVIRONMENT as PROGRAM_ENVIRONMENT
from pipelines.xgboost_image import VERSION as XGBOOST_VERSION
from settings_schema import Model, ModelNames, Project


@dataclass(frozen=True, kw_only=True)
class Target:
    """One model in one account and region.

    code_uri: `s3://<bucket>/code/<hash>`, where the steps are published.
    kms_key: ARN that encrypts volumes and outputs.
    subnets, security_group_ids: jobs run inside this VPC when given.
    """

    names: ModelNames
    region: str
    role: str
    bucket: str
    data_bucket: str
    code_uri: str
    tags: list[dict[str, str]]
    image: str
    kms_key: str
    subnets: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    session: OfflineSession = field(repr=False)

    @classmethod
    def of(cls, project: Project, model: Model, place: Place, code_uri: str) -> Target:
        names = model.names(project)
        return cls(
            names=names,
            region=place.region,
            role=place.role_arn(names.pipeline_role),
            bucket=place.artifact_bucket,
            data_bucket=place.data_bucket,
            code_uri=code_uri.rstrip("/"),
            tags=place.tags(names),
            image=xgboost_image(place.region),
            kms_key=place.key_arn,
            subnets=place.subnets,
            security_group_ids=place.security_group_ids,
            session=OfflineSession(place.region, place.artifact_bucket),
        )

    @property
    def data_version_function(self) -> str:
        """ARN of the function that says which data there is: of the role's account."""
        _, partition, _, _, account, *_ = self.role.split(":")
        return f"arn:{partition}:lambda:{self.region}:{account}:function:{self.names.data_version_function}"

    @property
    def code_hash(self) -> str:
        return self.code_uri.rsplit("/", 1)[-1]

    @property
    def prefix(self) -> str:
        """Below it, in the bucket, lies what runs and trials write."""
        return f"pipelines/{self.names.training_pipeline}"

    def output_uri(self, *parts: str) -> Join:
        """A place of this execution's own, so that a run never overwrites another's evidence."""
        return Join(on="/", values=[f"s3://{self.bucket}/{self.prefix}", ExecutionVariables.PIPELINE_EXECUTION_ID, *parts])


@functools.cache
def xgboost_image(region: str) -> str:
    """Asked once: the SDK reads every endpoint of AWS each time."""
    return str(image_uris.retrieve("xgboost", region, version=XGBOOST_VERSION))
