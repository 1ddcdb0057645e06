"""Model package groups and their resource policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from local_account.context import Context
from local_account.errors import InvalidError
from local_account.sagemaker.api import Operation
from local_account.sagemaker.resources import Kind, Resources


class ModelPackageGroups(Resources):
    """Groups, each with at most one policy."""

    kind = Kind(
        "ModelPackageGroup",
        "model-package-group",
        taken="Model Package Group already exists: {arn}",
        missing="Model Package Group {name} does not exist.",
        listed="ModelPackageGroupSummaryList",
        order="Ascending",
        folds_case=True,
    )

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._policies: dict[str, str] = {}

    def operations(self) -> dict[str, Operation]:
        return super().operations() | {
            "PutModelPackageGroupPolicy": self.put_policy,
            "GetModelPackageGroupPolicy": self.get_policy,
            "DeleteModelPackageGroupPolicy": self.delete_policy,
        }

    def create(self, request: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        return super().create(request, CreatedBy={}, ModelPackageGroupStatus="Completed", **more)

    def delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        deleted = super().delete(request)
        self._policies.pop(deleted[self.arn_field], None)
        return deleted

    def put_policy(self, request: Mapping[str, Any]) -> dict[str, Any]:
        arn = self.describe(request)[self.arn_field]
        try:
            json.loads(request["ResourcePolicy"])
        except ValueError as error:
            raise InvalidError(f"ResourcePolicy is not JSON: {error}") from error
        self._policies[arn] = request["ResourcePolicy"]
        return {"ModelPackageGroupArn": arn}

    def get_policy(self, request: Mapping[str, Any]) -> dict[str, Any]:
        group = self.describe(request)
        if group[self.arn_field] not in self._policies:
            raise InvalidError(f"Cannot find resource policy for: {group[self.name_field]}")
        return {"ResourcePolicy": self._policies[group[self.arn_field]]}

    def policy_for(self, arn: str) -> str | None:
        """The policy that decides about a group or one of its versions, by its ARN; None if there is none."""
        kind, _, rest = arn.rpartition(":")[2].partition("/")
        if kind not in ("model-package-group", "model-package"):
            return None
        return self._policies.get(self.arn(rest.partition("/")[0]))

    def delete_policy(self, request: Mapping[str, Any]) -> None:
        self._policies.pop(self.describe(request)[self.arn_field], None)
