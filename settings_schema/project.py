"""What is true for the whole project: its name, where it lives, where its code is, and what its environments are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from settings_schema.names import RESERVED_ENVIRONMENTS, EnvironmentNames, ProjectNames
from settings_schema.value import Value, name_field

_Account = Annotated[str, Field(pattern=r"^\d{12}$", description="12 digits")]
_Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", description="a region such as eu-west-1")]
_NO_BUCKETS = ("xn--", "sthree-", "amzn-s3-demo-")
_RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)  # what CloudWatch Logs takes


def _retention(days: int) -> int:
    if days not in _RETENTIONS:
        raise ValueError
    return days


_Retention = Annotated[int, Field(description=f"one of {_RETENTIONS}"), AfterValidator(_retention)]


class Project(Value):
    """Names and project-wide choices. `account` and `region`, of the build and the training: None takes the CLI's at deploy time."""

    name: str = name_field(shortest=2, longest=16)
    account: _Account | None = None
    region: _Region | None = None
    branch: str = "main"
    notification_email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", description="an e-mail address")] | None = None
    log_retention_days: _Retention = 90
    retain_data: bool = True  # keep buckets, key, repository and registry when the stacks go
    in_vpc: bool = False  # train in a VPC of its own, with private endpoints to AWS services

    @model_validator(mode="after")
    def _buckets_may_be_called_so(self) -> Project:
        """Source: "Bucket naming rules" of the S3 user guide."""
        begins = next((prefix for prefix in _NO_BUCKETS if f"{self.name}--".startswith(prefix)), "")
        self.require(not begins, "name", self.name, f"another name: S3 takes no bucket whose name begins with {begins}")
        return self

    @property
    def names(self) -> ProjectNames:
        return ProjectNames(project=self.name)


class Environment(Value):
    """A place where versions serve: one account and region. None: where the project's own are."""

    name: str = name_field(longest=12)
    account: _Account | None = None
    region: _Region | None = None
    protected: bool = False  # termination protection, and data is kept when the stacks go
    in_vpc: bool = False  # endpoints and batch jobs run in a VPC of the environment's own

    @model_validator(mode="after")
    def _is_not_a_word_of_ours(self) -> Environment:
        allowed = f"another name than {', '.join(RESERVED_ENVIRONMENTS)}, which the project has"
        self.require(self.name not in RESERVED_ENVIRONMENTS, "name", self.name, allowed)
        return self

    def names(self, project: Project) -> EnvironmentNames:
        return project.names.environment(self.name)


class Source(Value):
    """Where the code lies."""


class CodeCommit(Source):
    """The code lies in a CodeCommit repository of the project's own, which the build stack makes."""


class CodeConnection(Source):
    """The code lies at GitHub, GitLab or Bitbucket, reached through a connection that a person has set up once.

    Source: "Add a third-party Git source provider to a pipeline" of the CodePipeline user guide.
    """

    connection_arn: str = Field(
        pattern=r"^arn:aws(-[\w]+)*:(codeconnections|codestar-connections):[a-z0-9-]+:\d{12}:connection/[a-f0-9-]{36}$",
        description="the ARN of a connection: arn:aws:codeconnections:<region>:<account>:connection/<id>",
    )
    repository: str = Field(pattern=r"^[^/\s]+(/[^/\s]+)+$", description="owner/name, as the provider spells it")


class Prices(Value):
    """On-demand USD per instance-hour of real-time inference, as noted on `as_of`. Only used to compare settings.

    Of serverless inference: USD for a second of a GB while it answers, and while it is kept ready. None: not noted.
    """

    region: str
    as_of: str = Field(pattern=r"^\d{4}-\d{2}(-\d{2})?$", description="a date such as 2025-06 or 2025-06-30")
    source: str
    usd_per_hour: Mapping[str, Annotated[float, Field(gt=0)]]
    serverless_usd_per_gb_second: Annotated[float, Field(gt=0)] | None = None
    provisioned_usd_per_gb_second: Annotated[float, Field(gt=0)] | None = None
