"""Filters, order and pages of the List operations. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local_account.errors import ServiceError


def page(
    items: Sequence[Mapping[str, Any]],
    request: Mapping[str, Any],
    *,
    sort_fields: Mapping[str, str],
    default_sort: str = "CreationTime",
    default_order: str = "Ascending",
    name_field: str | None = None,
    equal: Mapping[str, str] | None = None,
) -> tuple[list[Mapping[str, Any]], str | None]:
    """One page of `items` and the token of the next one.

    `sort_fields` maps values of SortBy to fields; `equal` maps request members to the field they must equal;
    `name_field` is what NameContains looks into. Of two equals the one made first counts as less.
    """
    chosen = [item for item in items if _matches(item, request, name_field, equal or {})]
    field = sort_fields.get(request.get("SortBy") or default_sort)
    if field is None:
        raise ServiceError("ValidationException", f"SortBy is {request.get('SortBy')!r}; allowed: {', '.join(sort_fields)}")
    order = request.get("SortOrder") or default_order
    positions = sorted(
        range(len(chosen)), key=lambda position: (_sort_key(chosen[position].get(field)), position), reverse=order == "Descending"
    )
    chosen = [chosen[position] for position in positions]
    start = int(request.get("NextToken") or 0)
    end = start + int(request.get("MaxResults") or 100)
    return chosen[start:end], str(end) if end < len(chosen) else None


def answer(key: str, items: Sequence[Any], token: str | None) -> dict[str, Any]:
    return {key: list(items), **({"NextToken": token} if token else {})}


def _sort_key(value: Any) -> tuple[bool, Any]:
    return (value is not None, "" if value is None else value)


def _matches(item: Mapping[str, Any], request: Mapping[str, Any], name_field: str | None, equal: Mapping[str, str]) -> bool:
    if name_field and str(request.get("NameContains") or "").lower() not in str(item.get(name_field, "")).lower():
        return False
    if any(request.get(member) is not None and item.get(field) != request[member] for member, field in equal.items()):
        return False
    return all(
        _in_time(item.get(field), request.get(f"{member}After"), request.get(f"{member}Before"))
        for member, field in (("CreationTime", "CreationTime"), ("Created", "CreationTime"), ("LastModifiedTime", "LastModifiedTime"))
    )


def _in_time(moment: datetime | None, after: Any, before: Any) -> bool:
    if after is not None and (moment is None or moment <= _aware(after)):
        return False
    return before is None or (moment is not None and moment < _aware(before))


def _aware(moment: Any) -> datetime:
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(moment), UTC)
