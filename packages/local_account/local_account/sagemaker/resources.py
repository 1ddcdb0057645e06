"""What SageMaker keeps as it was created: models, endpoint configurations, pipelines, groups of model packages.

In: requests of their Create, Describe, List and Delete operations. Out: the answers, or ServiceError in SageMaker's words for a name that
is taken or of nothing. Used by `pipelines/service.py`, `registry/groups.py`, `endpoints/models.py` and `endpoints/configurations.py`.
"""

from __future__ import annotations

import builtins
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from local_account import listing
from local_account.context import Context, Part
from local_account.errors import InvalidError, ServiceError
from local_account.sagemaker.api import Operation
from local_account.sagemaker.jobs.record import now
from local_account.sagemaker.tags import Tags


@dataclass(frozen=True)
class Kind:
    """`resource` is the stem of every member's name, such as Model; `path` is what its ARNs have before the name.

    `taken` and `missing` are SageMaker's messages, with `{name}` and `{arn}`. Where ARNs have names in lower case (`folds_case`), a name
    that differs in case only is taken, too. `listed` and `order` are the List operation's member and default, as the API reference says.
    """

    resource: str
    path: str
    taken: str
    missing: str
    listed: str
    missing_code: str = "ValidationException"
    order: str = "Descending"
    folds_case: bool = False


class Resources(Part):
    """All of one kind in one account, in the order in which they were created. Thread-safe; `lock` is for changes of a record."""

    kind: ClassVar[Kind]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.name_field, self.arn_field = f"{self.kind.resource}Name", f"{self.kind.resource}Arn"
        self.lock = threading.RLock()
        self._by_arn: dict[str, dict[str, Any]] = {}

    def arn(self, name: str) -> str:
        """Of a name, which may be an ARN already."""
        if name.startswith("arn:"):
            return name
        return self.context.arn("sagemaker", f"{self.kind.path}/{name.lower() if self.kind.folds_case else name}")

    def create(self, request: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Keep what the request says, and `more`. Raises ServiceError for a name that is taken."""
        name = request[self.name_field]
        arn = self.arn(name)
        with self.lock:
            if arn in self._by_arn:
                raise InvalidError(self.kind.taken.format(name=name, arn=arn))
            given = {key: value for key, value in request.items() if key != "Tags"}
            self._by_arn[arn] = {**given, self.arn_field: arn, "CreationTime": now(), **more}
        Tags.at(self.context).add(arn, request.get("Tags"))
        return {self.arn_field: arn}

    def record(self, name: str) -> dict[str, Any]:
        """The record itself, by name or ARN. Raises ServiceError if there is none."""
        found = self.find(name)
        if found is None:
            raise ServiceError(self.kind.missing_code, self.kind.missing.format(name=name, arn=self.arn(name)))
        return found

    def find(self, name: str) -> dict[str, Any] | None:
        with self.lock:
            return self._by_arn.get(self.arn(name))

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self.record(request[self.name_field]))

    def delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self.lock:
            record = self._by_arn.pop(self.record(request[self.name_field])[self.arn_field])
        Tags.at(self.context).forget(record[self.arn_field])
        return {self.arn_field: record[self.arn_field]}

    def operations(self) -> dict[str, Operation]:
        """The four operations of the kind, by name."""
        resource, each = self.kind.resource, {"Create": self.create, "Describe": self.describe, "Delete": self.delete}
        return {**{f"{verb}{resource}": operation for verb, operation in each.items()}, f"List{resource}s": self.list}

    def all(self) -> builtins.list[dict[str, Any]]:
        with self.lock:
            return [dict(record) for record in self._by_arn.values()]

    def list(self, request: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
        """One page of all of them, or of those that the caller has `chosen`."""
        items = self.all() if chosen is None else chosen
        fields = {"Name": self.name_field, "CreationTime": "CreationTime"}
        order, name = self.kind.order, self.name_field
        return listing.page(self.kind.listed, items, request, sort_fields=fields, default_order=order, name_field=name)
