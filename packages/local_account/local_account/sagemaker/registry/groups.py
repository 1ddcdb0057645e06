"""Model package groups and their resource policies."""

from __future__ import annotations

import builtins
import json
import threading
from collections.abc import Mapping
from typing import Any

from local_account.context import Context
from local_account.errors import ServiceError
from local_account.sagemaker import listing
from local_account.sagemaker.jobs.record import now
from local_account.sagemaker.tags import tags_of


class ModelPackageGroups:
    """Groups by name."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._groups: dict[str, dict[str, Any]] = {}
        self._policies: dict[str, str] = {}
        self._lock = threading.Lock()

    def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = request["ModelPackageGroupName"]
        arn = self.context.arn("sagemaker", f"model-package-group/{name.lower()}")
        with self._lock:
            if name.lower() in map(str.lower, self._groups):  # the ARN has the name in lower case, and is one group's
                raise ServiceError("ValidationException", f"Model Package Group already exists: {arn}")
            self._groups[name] = {
                **{key: value for key, value in request.items() if key != "Tags"},
                "ModelPackageGroupArn": arn,
                "CreationTime": now(),
                "CreatedBy": {},
                "ModelPackageGroupStatus": "Completed",
            }
        tags_of(self.context).add(arn, request.get("Tags"))
        return {"ModelPackageGroupArn": arn}

    def get(self, name_or_arn: str) -> dict[str, Any]:
        name = name_or_arn.rpartition("/")[2] if name_or_arn.startswith("arn:") else name_or_arn
        with self._lock:
            group = next((group for known, group in self._groups.items() if name in (known, known.lower())), None)
        if group is None:
            raise ServiceError("ValidationException", f"Model Package Group {name} does not exist.")
        return dict(group)

    def all(self) -> builtins.list[dict[str, Any]]:
        with self._lock:
            return [dict(group) for group in self._groups.values()]

    def exists(self, name: str) -> bool:
        with self._lock:
            return name in self._groups

    def delete(self, name_or_arn: str) -> None:
        group = self.get(name_or_arn)
        with self._lock:
            self._groups.pop(group["ModelPackageGroupName"])
            self._policies.pop(group["ModelPackageGroupName"], None)
        tags_of(self.context).forget(group["ModelPackageGroupArn"])

    def list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Those of this account: no other account shares any with it."""
        items, token = listing.page(
            [] if request.get("CrossAccountFilterOption") == "CrossAccount" else self.all(),
            request,
            sort_fields={"Name": "ModelPackageGroupName", "CreationTime": "CreationTime"},
            name_field="ModelPackageGroupName",
        )
        return listing.answer("ModelPackageGroupSummaryList", items, token)

    def put_policy(self, request: Mapping[str, Any]) -> dict[str, Any]:
        group = self.get(request["ModelPackageGroupName"])
        try:
            json.loads(request["ResourcePolicy"])
        except ValueError as error:
            raise ServiceError("ValidationException", f"ResourcePolicy is not JSON: {error}") from error
        self._policies[group["ModelPackageGroupName"]] = request["ResourcePolicy"]
        return {"ModelPackageGroupArn": group["ModelPackageGroupArn"]}

    def get_policy(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = self.get(request["ModelPackageGroupName"])["ModelPackageGroupName"]
        if name not in self._policies:
            raise ServiceError("ValidationException", f"Cannot find resource policy for: {name}")
        return {"ResourcePolicy": self._policies[name]}

    def policy_for(self, arn: str) -> str | None:
        """The policy that decides about a group or one of its versions, by its ARN; None if there is none."""
        kind, _, rest = arn.rpartition(":")[2].partition("/")
        if kind not in ("model-package-group", "model-package"):
            return None
        by_arn = {name.lower(): policy for name, policy in self._policies.items()}  # as ARNs have the names
        return by_arn.get(rest.partition("/")[0].lower())

    def delete_policy(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._policies.pop(self.get(request["ModelPackageGroupName"])["ModelPackageGroupName"], None)
        return {}
