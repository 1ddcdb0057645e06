"""Event buses of other accounts and regions: who may put events there, and what arrives.

An event keeps the account and region that it comes from, wherever rules hand it on to. In: an entry of PutEvents, or the event of a rule
whose target is a bus. Out: the event on that bus, where the rules of its account see it. Sources: EventBridge user guide, "Sending and
receiving events between AWS accounts", "... between AWS Regions" and "Permissions for event buses". Used by `events.py`, `targets.py`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from local_account.context import Context
from local_account.errors import ServiceError
from local_account.places import scope
from local_account.roles import Role

_BUS = ":event-bus/"


def put_permission(original: Callable[[Mapping[str, Any]], Any], request: Mapping[str, Any]) -> Any:
    """PutPermission that takes a whole policy (API reference, PutPermission, Policy), which MiniStack drops."""
    from ministack.core.responses import error_response_json, json_response
    from ministack.services import eventbridge

    name = str(request.get("EventBusName") or "default").rpartition("/")[2]
    if name != "default" and name not in eventbridge._event_buses:
        return error_response_json("ResourceNotFoundException", f"Event bus {name} does not exist.", 400)
    if not request.get("Policy"):
        return original({**request, "EventBusName": name})
    eventbridge._event_bus_policies[name] = json.loads(request["Policy"])
    return json_response({})


def put(sender: Context, entry: Mapping[str, Any]) -> str:
    """Put an entry on the bus of another account; its id. That the sender may, the policies of both have said."""
    event = {
        "id": str(uuid.uuid4()),
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "detail": json.loads(entry["Detail"]),
        "resources": entry.get("Resources") or [],
        "account": sender.settings.account_id,
        "region": sender.settings.region,
        "time": sender.clock.now(),
    }
    _arrive(sender, str(entry["EventBusName"]), event)
    return str(event["id"])


def forward(context: Context, rule_arn: str, role: Role | None, bus_arn: str, event: Mapping[str, Any]) -> None:
    """Hand a rule's event on to a bus. Raises ServiceError for one that its role may not put events on; PutTargets asks for the role of
    a target that is a bus of another account or region.

    "If a receiver account sets up a rule that sends events received from a sender account on to a third account, these events are not
    sent to the third account."
    """
    own = context.settings.account_id
    if event.get("account") != own and bus_arn.split(":")[4] != own:
        return
    if role is not None:
        # A policy may ask for both: "Using IAM policy conditions for fine-grained access control" of the EventBridge user guide.
        asked = {"EventBusName": bus_arn, "Source": event["source"], "DetailType": event["detail-type"]}
        role.require("events", "PutEvents", {"Entries": [asked]})
    _arrive(context, bus_arn, event)


def _arrive(context: Context, bus_arn: str, event: Mapping[str, Any]) -> None:
    from ministack.services import eventbridge

    owner, name = context.places.of_arn(bus_arn), bus_arn.partition(_BUS)[2]
    time = event["time"] if isinstance(event["time"], datetime) else datetime.fromisoformat(str(event["time"]).replace("Z", "+00:00"))
    if owner is None:
        raise ServiceError("ResourceNotFoundException", f"Event bus {bus_arn} does not exist.")
    record = {
        "EventId": event["id"],
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "EventBusName": name,
        "Time": int(time.timestamp()),
        "Resources": list(event.get("resources") or ()),
        "Account": event["account"],
        "Region": event["region"],
    }
    with scope(owner.settings.account_id, owner.settings.region):
        if name != "default" and name not in eventbridge._event_buses:
            raise ServiceError("ResourceNotFoundException", f"Event bus {name} does not exist.")
        eventbridge._dispatch_event(record, eventbridge._pattern_event_view(record))
