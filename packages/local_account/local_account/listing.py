"""Filters, order and pages of the List operations. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local_account.errors import ServiceError

#: Where the API reference names no default for MaxResults, and the most that it allows.
MOST_RESULTS = 100

_TIMES = (
    ("CreationTimeAfter", "CreationTimeBefore", "CreationTime"),
    ("CreatedAfter", "CreatedBefore", "CreationTime"),
    ("LastModifiedTimeAfter", "LastModifiedTimeBefore", "LastModifiedTime"),
)


def page(
    key: str,
    items: Sequence[Mapping[str, Any]],
    request: Mapping[str, Any],
    *,
    sort_fields: Mapping[str, str],
    default_sort: str = "CreationTime",
    default_order: str = "Ascending",
    name_field: str | None = None,
    equal: Mapping[str, str] | None = None,
    default_results: int = MOST_RESULTS,
) -> dict[str, Any]:
    """The answer with one page of `items` under `key`, and the token of the next one.

    `sort_fields` maps values of SortBy to fields; `equal` maps request members to the field they must equal;
    `name_field` is what NameContains looks into. Of two equals the one made first counts as less.
    """
    chosen = [item for item in items if _matches(item, request, name_field, equal or {})]
    field = sort_fields.get(request.get("SortBy") or default_sort)
    if field is None:
        raise ServiceError("ValidationException", f"SortBy is {request.get('SortBy')!r}; allowed: {', '.join(sort_fields)}")
    chosen = in_order(chosen, lambda item: item.get(field), request.get("SortOrder") or default_order)
    return cut(key, chosen, request, default_results)


def in_order(items: Sequence[Any], value: Any, order: str) -> list[Any]:
    """`items` by `value(item)`, those without a value first; of two equals the one made first counts as less."""
    positions = sorted(range(len(items)), key=lambda position: (_sort_key(value(items[position])), position), reverse=order == "Descending")
    return [items[position] for position in positions]


def cut(key: str, items: Sequence[Any], request: Mapping[str, Any], default_results: int = MOST_RESULTS) -> dict[str, Any]:
    """The answer with the page that NextToken and MaxResults ask for under `key`; in small letters where the API has those.

    Raises ServiceError for an unknown token.
    """
    token_name, size_name = ("NextToken", "MaxResults") if key[0].isupper() else ("nextToken", "maxResults")
    token = request.get(token_name) or "0"
    if not re.fullmatch(r"[0-9]{1,9}", token) or int(token) > len(items):
        raise ServiceError("ValidationException", f"Invalid pagination token given: {token}")
    end = int(token) + int(request.get(size_name) or default_results)
    return {key: list(items[int(token) : end]), **({token_name: str(end)} if end < len(items) else {})}


def _sort_key(value: Any) -> tuple[bool, Any]:
    return (value is not None, "" if value is None else value)


def _matches(item: Mapping[str, Any], request: Mapping[str, Any], name_field: str | None, equal: Mapping[str, str]) -> bool:
    if name_field and str(request.get("NameContains") or "").lower() not in str(item.get(name_field, "")).lower():
        return False
    if any(request.get(member) is not None and item.get(field) != request[member] for member, field in equal.items()):
        return False
    return all(_in_time(item.get(field), request.get(after), request.get(before)) for after, before, field in _TIMES)


def _in_time(moment: datetime | None, after: Any, before: Any) -> bool:
    if after is not None and (moment is None or moment <= moment_of(after)):
        return False
    return before is None or (moment is not None and moment < moment_of(before))


def moment_of(value: Any) -> datetime:
    """A time as a request may give it: a datetime, seconds since 1970, or ISO 8601 text. Raises a ValidationException."""
    from botocore.utils import parse_to_aware_datetime

    try:
        moment: datetime = parse_to_aware_datetime(value)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ServiceError("ValidationException", f"{value!r} is no time: {error}") from error
