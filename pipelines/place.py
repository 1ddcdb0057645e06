"""Where a definition will run: what a pipeline asks of it. By hand and in a build it is build_scripts/project_environment.py.

Used by every `get_pipeline`, which is a pure function of the project, the model and this.
"""

from __future__ import annotations

from typing import Protocol

from settings_schema import ModelNames


class Place(Protocol):
    """One account and region. `subnets`, `security_group_ids`: jobs run inside this VPC, if there are any."""

    @property
    def region(self) -> str: ...
    @property
    def artifact_bucket(self) -> str: ...
    @property
    def data_bucket(self) -> str: ...
    @property
    def key_arn(self) -> str: ...
    @property
    def subnets(self) -> tuple[str, ...]: ...
    @property
    def security_group_ids(self) -> tuple[str, ...]: ...

    def role_arn(self, name: str) -> str: ...

    def tags(self, names: ModelNames) -> list[dict[str, str]]: ...
