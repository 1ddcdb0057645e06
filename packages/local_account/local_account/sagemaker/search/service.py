"""The Search operation: records of what this account has, filtered, sorted and in pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local_account.context import Context
from local_account.errors import NotEmulatedError, ServiceError
from local_account.sagemaker import listing, requests
from local_account.sagemaker.search.expression import test_of
from local_account.sagemaker.search.properties import OTHER, property_of
from local_account.sagemaker.tags import tags_of

#: Every resource of one kind, as Describe tells of it.
Records = Callable[[], Sequence[Mapping[str, Any]]]


class Search:
    """`resources` has what can be searched for, by the name that the API has for it: member of SearchRecord."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.resources: dict[str, Records] = {}

    def search(self, request: Mapping[str, Any]) -> dict[str, Any]:
        resource = request["Resource"]
        if resource not in self.resources:
            raise NotEmulatedError("sagemaker", f"Search with Resource {resource}")
        shape = requests.service_model().shape_for("SearchRecord").members[resource]
        records = [] if request.get("CrossAccountFilterOption") == "CrossAccount" else self._records(resource, shape)
        if "SearchExpression" in request:
            fulfils = test_of(request["SearchExpression"], shape, resource)
            records = [record for record in records if fulfils(record)]
        visible = [record for record in records if _is_visible(record, request.get("VisibilityConditions") or [])]
        items, token = listing.cut(_sorted(visible, request, shape, resource), request)
        hits = {"TotalHits": {"Value": len(visible), "Relation": "EqualTo"}}
        return {**listing.answer("Results", [{resource: item} for item in items], token), **hits}

    def _records(self, resource: str, shape: Any) -> list[Mapping[str, Any]]:
        """Members that a record has not are left out, so that no filter sees what a client cannot."""
        tags = tags_of(self._context)
        found = self.resources[resource]()
        return [requests.as_shape(shape, {**item, "Tags": tags.of(item.get(f"{resource}Arn", ""))}) for item in found]


def search_of(context: Context) -> Search:
    """The search of an account; the same object at every call."""
    return context.part(Search, lambda: Search(context))


def _sorted(records: Sequence[Mapping[str, Any]], request: Mapping[str, Any], shape: Any, resource: str) -> list[Mapping[str, Any]]:
    """By SortBy, or by LastModifiedTime; the latest first unless asked otherwise. Groups have no time but that of their creation."""
    default = "LastModifiedTime" if "LastModifiedTime" in shape.members else "CreationTime"
    if default not in shape.members and "SortBy" not in request:
        return list(records)
    known = property_of(shape, resource, request.get("SortBy") or default)
    if known.kind == OTHER:
        raise ServiceError("ValidationException", f"SortBy {known.name} of {resource} is a {OTHER}, which has no order.")
    return listing.in_order(records, lambda record: next(iter(known.values(record)), None), request.get("SortOrder") or "Descending")


def _is_visible(record: Mapping[str, Any], conditions: Sequence[Mapping[str, str]]) -> bool:
    """Whether a resource has the tags' values that are asked for; one that does not have such a tag is visible, too."""
    tags = {f"Tags.{tag['Key']}": tag["Value"] for tag in record.get("Tags", [])}
    return all(tags.get(condition["Key"], condition.get("Value")) == condition.get("Value") for condition in conditions)
