"""Why a run was started by an alarm: what the watch over an environment found, for the approver's page.

Input: the reason of the run and where watches leave what they found (pipelines/monitoring/steps/why.py writes it). Output: its document;
None for a run that something else started, or where no watch has written. Next: `report.py`.
"""

from __future__ import annotations

import json
import re
from typing import Any

#: `alarm <project>--<model>--<environment>--<what>`, the reason that infra/model/start_retraining/handler.py gives to such a run.
_ALARM = re.compile(r"alarm [a-z0-9-]+?--[a-z0-9-]+?--(?P<environment>[a-z][a-z0-9-]*?)--[a-z-]+")
_KNOWN = ("environment", "window", "since", "windows", "estimate", "realised", "labels", "answers", "report")


def read(feedback: str, trigger: str) -> dict[str, Any] | None:
    """`feedback`: s3://bucket/prefix/. `{"problem": ...}` for what cannot be read: the page says so, and the judgement goes on."""
    alarm = _ALARM.fullmatch(trigger)
    if not (feedback and alarm):
        return None
    import boto3  # only needed then
    from botocore.exceptions import BotoCoreError, ClientError

    url = f"{feedback}{alarm['environment']}.json"
    bucket, _, key = url.removeprefix("s3://").partition("/")
    try:
        document = json.loads(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"].get("Code") == "NoSuchKey":
            return None
        return {"trigger": trigger, "problem": f"{url} cannot be read: {error}"}
    except (BotoCoreError, ValueError) as error:
        return {"trigger": trigger, "problem": f"{url} cannot be read: {type(error).__name__} {error}"}
    missing = [name for name in _KNOWN if name not in document] if isinstance(document, dict) else list(_KNOWN)
    if missing:
        return {"trigger": trigger, "problem": f"{url} does not say {missing[0]}"}
    return {**document, "trigger": trigger, "problem": ""}
