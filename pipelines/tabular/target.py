"""Where a definition will run: the names, keys and places that are not settings.

Made by `build_scripts/run_pipeline.py` from the environment that CodeBuild gives; read by `pipeline.py` and its parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pipelines.offline_session import OfflineSession  # isort: skip - before every other import of the SDK

from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join

#: What every job and model needs whose image starts a program of ours. The image runs `pip install .` on the program when it starts
#: (sagemaker_containers/_modules.py), and its pip, 26.1, builds in an environment of its own, for which it fetches setuptools from
#: the internet: without a network it does not start, and with one an unpinned package comes in. The image has setuptools.
#: The option is one that switches off, so 0 and false mean no isolation, and 1 and true mean isolation (docs/decisions/0079).
PROGRAM_ENVIRONMENT = {"PIP_NO_BUILD_ISOLATION": "0"}


@dataclass(frozen=True, kw_only=True)
class Target:
    """One account and region.

    code_uri: `s3://<bucket>/code/<hash>`, where the steps are published.
    kms_key: ARN that encrypts volumes and outputs; None uses the bucket's default.
    subnets, security_group_ids: jobs run inside this VPC when given.
    """

    region: str
    role: str
    bucket: str
    data_bucket: str
    code_uri: str
    project: str
    tags: list[dict[str, str]]
    pipeline: str
    model_package_group: str
    champion_endpoint: str
    data_version_function_name: str
    image: str
    kms_key: str | None = None
    subnets: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()
    session: OfflineSession = field(repr=False)

    @property
    def data_version_function(self) -> str:
        """ARN of the function that says which data there is (infra/model_build/data_version.py): of the role's account."""
        _, partition, _, _, account, *_ = self.role.split(":")
        return f"arn:{partition}:lambda:{self.region}:{account}:function:{self.data_version_function_name}"

    @property
    def code_hash(self) -> str:
        return self.code_uri.rstrip("/").rsplit("/", 1)[-1]

    def job_prefix(self, step: str) -> str:
        """`<project>-<step>`: SageMaker adds the execution's id, and the role's permissions name this prefix."""
        return f"{self.project}-{step.lower()}"

    def output_uri(self, *parts: str) -> Join:
        """A place of this execution's own, so that a run never overwrites another's evidence."""
        root = f"s3://{self.bucket}/pipelines/{self.pipeline}"
        return Join(on="/", values=[root, ExecutionVariables.PIPELINE_EXECUTION_ID, *parts])
