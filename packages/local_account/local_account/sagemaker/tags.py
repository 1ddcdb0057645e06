"""Tags of everything that SageMaker keeps here, by ARN."""

from __future__ import annotations

import builtins
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from local_account import listing
from local_account.context import Context, Part
from local_account.errors import InvalidError
from local_account.sagemaker.api import Operation

#: `…:model-package/<group>/<version>`. Its group may have tags: API reference of CreateModelPackage, Tags.
_VERSION = re.compile(r".*:model-package/[^/]+/\d+")
_MOST_TAGS = 50  # of one resource, as `TagList` of botocore's model has it
#: What AWS says of them (https://github.com/aws/aws-cdk/issues/33699).
NOT_OF_VERSIONS = "Tags are not supported in Model Package versions. Please add them to the Model Package Group"


class Tags(Part):
    """AddTags, DeleteTags and ListTags. A resource is known from its creation to its deletion, with or without tags."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._tags: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def operations(self) -> dict[str, Operation]:
        return {"AddTags": self.add_tags, "DeleteTags": self.delete_tags, "ListTags": self.list_tags}

    def add(self, arn: str, tags: Iterable[Mapping[str, str]] | None) -> None:
        """Tags of a resource that is being created."""
        with self._lock:
            self._tags[arn] = {tag["Key"]: tag["Value"] for tag in tags or []}

    def forget(self, arn: str) -> None:
        with self._lock:
            self._tags.pop(arn, None)

    def of(self, arn: str) -> builtins.list[dict[str, str]]:
        with self._lock:
            return [{"Key": key, "Value": value} for key, value in self._tags.get(arn, {}).items()]

    def add_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            known = self._known(request["ResourceArn"])
            wanted = known | {tag["Key"]: tag["Value"] for tag in request["Tags"]}
            if len(wanted) > _MOST_TAGS:
                raise InvalidError(f"{request['ResourceArn']} would have {len(wanted)} tags; allowed: {_MOST_TAGS}.")
            known.update(wanted)
        return {"Tags": self.of(request["ResourceArn"])}

    def delete_tags(self, request: Mapping[str, Any]) -> None:
        with self._lock:
            known = self._known(request["ResourceArn"])
            for key in request["TagKeys"]:
                known.pop(key, None)

    def list_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._known(request["ResourceArn"])
        return listing.cut("Tags", self.of(request["ResourceArn"]), request)

    def _known(self, arn: str) -> dict[str, str]:
        """A resource's tags. Raises a ValidationException for what has none, and never can have."""
        if _VERSION.fullmatch(arn):
            raise InvalidError(NOT_OF_VERSIONS)
        if arn not in self._tags:
            raise InvalidError(f"Resource {arn} does not exist.")
        return self._tags[arn]
