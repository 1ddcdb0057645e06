"""The account's quotas by name: the applied value, or AWS's default where none was applied.

Source: ListServiceQuotas leaves out a quota without an applied value (botocore's model of Service Quotas). Next: `quotas.py`.
"""

from __future__ import annotations

import shlex
from typing import Any

from preflight.account import Account
from preflight.finding import NotSeenError

Quota = dict[str, Any]
_OPEN_REQUESTS = ("PENDING", "CASE_OPENED")


def find_quota(account: Account, service: str, name: str) -> Quota | None:
    """`name`: or its code. None if Service Quotas has no such quota in the region. Raises NotSeenError."""
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        for quota in account.read_all("service-quotas", operation, "Quotas", ServiceCode=service):
            if name in (quota["QuotaName"], quota["QuotaCode"]):
                return dict(quota)
    return None


def request_command(quota: Quota, wanted: int) -> str:
    parts = ("--service-code", quota["ServiceCode"], "--quota-code", quota["QuotaCode"], "--desired-value", str(wanted))
    return shlex.join(("aws", "service-quotas", "request-service-quota-increase", *parts))


def open_request(account: Account, quota: Quota) -> str | None:
    """`18 asked for on 2026-11-27 (PENDING)`, or None."""
    try:
        asked = account.read_all(
            "service-quotas",
            "list_requested_service_quota_change_history_by_quota",
            "RequestedQuotas",
            ServiceCode=quota["ServiceCode"],
            QuotaCode=quota["QuotaCode"],
        )
    except NotSeenError:
        return None
    waiting = [item for item in asked if item.get("Status") in _OPEN_REQUESTS]
    if not waiting:
        return None
    newest = max(waiting, key=lambda item: str(item.get("Created", "")))
    created = f" on {newest['Created']:%Y-%m-%d}" if newest.get("Created") else ""
    return f"{newest['DesiredValue']:g} asked for{created} ({newest['Status']})"
