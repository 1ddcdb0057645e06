"""What is watched, and where: facts of one environment, which pipelines/monitoring/pipeline.py puts into the job's environment variables,
and the limits of the model, which are beside this file (`monitoring.json`, pipelines/monitoring/code.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failure import BadInput

SETTINGS = Path(__file__).with_name("monitoring.json")


@dataclass(frozen=True)
class Place:
    """Prefixes are keys of `bucket` and end with a slash. An endpoint has `capture_prefix`, a batch model `predictions_prefix`.

    `package`: ARN of the version that is deployed, which in another region is a copy; empty: none is. `version`: its number.
    """

    model: str
    environment: str
    endpoint: str
    package: str
    version: str
    bucket: str
    key: str
    monitoring_prefix: str
    labels_prefix: str
    capture_prefix: str | None
    predictions_prefix: str | None
    metrics_namespace: str
    alert_topic: str

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Place:
        """From environment variables. Raises BadInput naming one that is missing."""
        try:
            place = cls(
                model=variables["MODEL"],
                environment=variables["ENVIRONMENT"],
                endpoint=variables["ENDPOINT_NAME"],
                package=variables.get("MODEL_PACKAGE_ARN", ""),
                version=variables.get("MODEL_VERSION", ""),
                bucket=variables["BUCKET"],
                key=variables.get("KMS_KEY_ARN", ""),
                monitoring_prefix=variables["MONITORING_PREFIX"],
                labels_prefix=variables.get("LABELS_PREFIX", ""),
                capture_prefix=variables.get("CAPTURE_PREFIX"),
                predictions_prefix=variables.get("PREDICTIONS_PREFIX"),
                metrics_namespace=variables.get("METRICS_NAMESPACE", ""),
                alert_topic=variables.get("ALERT_TOPIC_ARN", ""),
            )
        except KeyError as missing:
            raise BadInput(f"the environment variable {missing} is not set; the monitoring pipeline's job sets it") from None
        if bool(place.capture_prefix) == bool(place.predictions_prefix):
            raise BadInput("set one of CAPTURE_PREFIX (of an endpoint) and PREDICTIONS_PREFIX (of a batch model)")
        return place

    @property
    def deployed(self) -> str | None:
        """Number of the version that is deployed."""
        return self.version or self.package.rpartition("/")[2] or None


def settings(path: Path | None = None) -> dict[str, Any]:
    """`monitoring.json`: `monitoring` (its fields by name), `gate`, `facet`. Raises BadInput."""
    source = path or SETTINGS
    try:
        found: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
        hours = found["monitoring"]["window_hours"]
    except FileNotFoundError:
        raise BadInput(
            f"{source} is missing; it is written from the model's file when the code is published (or give --settings)"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{source} holds no settings of monitoring ({error!r}): publish the code again") from None
    if not isinstance(hours, int) or not 1 <= hours <= 168:
        raise BadInput(f"{source}: window_hours is {hours!r}; allowed: 1 to 168 (Monitoring.window_hours of the model's file)")
    return found
