"""What only an account can show of shadow variants: that metrics and captured events of both are where a comparison looks for them.

While a version is in production's shadow: run it then, or nothing is asked.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deploy_scripts import shadow_metrics
from deploy_scripts.comparison import PRODUCTION, SHADOW


def test_a_shadow_gets_the_share_of_requests_that_its_weight_is_of_the_others(endpoints_at, settings):
    looked = 0
    places = zip(endpoints_at(settings.production, "sagemaker"), endpoints_at(settings.production, "cloudwatch"), strict=True)
    for (sagemaker, name), (cloudwatch, _) in places:
        described = sagemaker.describe_endpoint(EndpointName=name)
        if not described.get("ShadowProductionVariants"):
            continue
        (answering,), (shadow,) = described["ProductionVariants"], described["ShadowProductionVariants"]
        since = max(described["LastModifiedTime"], datetime.now(UTC) - timedelta(hours=1)) + timedelta(minutes=1)
        minutes = shadow_metrics.minutes(cloudwatch, name, since, max(1, int((datetime.now(UTC) - since).total_seconds() // 60) - 2))
        asked = {kind: sum(item.requests for item in minutes[kind] if item) for kind in (PRODUCTION, SHADOW)}
        if asked[PRODUCTION] < 200:
            continue
        looked += 1
        assert asked[SHADOW] / asked[PRODUCTION] == pytest.approx(shadow["CurrentWeight"] / answering["CurrentWeight"], rel=0.2)
    if not looked:
        pytest.skip("no endpoint has a shadow with 200 requests now")
