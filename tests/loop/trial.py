"""What happens while two versions are in an experiment, besides its end: truths become known, and the watch counts them. For Team.

In: a team whose production is in an experiment. Out: what `deploy_scripts.experiment` says of it.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from demo import loop
from demo.clock import AccountClock
from settings_schema.names import CHALLENGER_VARIANT, VARIANT
from tests.loop.ways_back import SPEED, Team


def labelled(team: Team, count: int) -> dict[str, Any]:
    """So many requests of an hour of their own are answered, captured, and told the truth of, as the watch then counts them."""
    clock = AccountClock(team.terminal.account)
    hour = (clock.now() + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    clock.set(speed=1, now=hour + timedelta(minutes=1))
    truths = {inference_id: _answered(team, inference_id) for inference_id in (f"order-{number:04}" for number in range(count))}
    loop.wait_for("what was captured", lambda: all(inference_id in _captured(team, hour) for inference_id in truths) or None)
    clock.set(now=hour + timedelta(hours=1, minutes=16))
    file = team.person.clone.parent / "labels.csv"
    file.write_text("\n".join(["inference_id,truth", *(f"{key},{value}" for key, value in truths.items())]) + "\n", encoding="utf-8")
    where = ("--model", team.names.model, "--environment", team.production.environment)
    team.person.script("deploy_scripts.send_labels", str(file), *where)
    team.person.script("build_scripts.monitor", *where, "--wait")
    clock.set(speed=SPEED)
    said: dict[str, Any] = json.loads(team.person.script("deploy_scripts.experiment", "--model", team.names.model, "--json"))
    return said


def _answered(team: Team, inference_id: str) -> int:
    """What is taken for its truth."""
    given = {"EndpointName": team.production.endpoint, "ContentType": "text/csv", "InferenceId": inference_id}
    answer = team.client("sagemaker-runtime").invoke_endpoint(**given, Body=team.row)
    score: float = json.loads(answer["Body"].read())["predictions"][0]["score"]
    return round(score)


def _captured(team: Team, hour: datetime) -> str:
    """Of both versions."""
    s3, bucket = team.client("s3"), loop.environment_bucket(team.terminal, team.production)
    folders = [f"{team.production.capture}{variant}/{hour:%Y/%m/%d/%H}/" for variant in (VARIANT, CHALLENGER_VARIANT)]
    listed = [item["Key"] for folder in folders for item in s3.list_objects_v2(Bucket=bucket, Prefix=folder).get("Contents", [])]
    return "".join(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in listed)
