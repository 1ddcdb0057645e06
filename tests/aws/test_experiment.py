"""What only an account can show of two variants: that requests are divided by their weights, a weight of 0 gets none, and both scale.

While an experiment is on in production: run it then, or nothing is asked.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from settings_schema.names import CHALLENGER_VARIANT, VARIANT


def test_two_variants_get_the_shares_of_the_requests_that_their_weights_are(endpoints_at, settings):
    looked = 0
    places = zip(endpoints_at(settings.production, "sagemaker"), endpoints_at(settings.production, "cloudwatch"), strict=True)
    for (sagemaker, name), (cloudwatch, _) in places:
        described = sagemaker.describe_endpoint(EndpointName=name)
        weights = {item["VariantName"]: item["CurrentWeight"] for item in described["ProductionVariants"]}
        if set(weights) != {VARIANT, CHALLENGER_VARIANT}:
            continue
        since = max(described["LastModifiedTime"], datetime.now(UTC) - timedelta(hours=1)) + timedelta(minutes=1)
        asked = {variant: _requests(cloudwatch, name, variant, since) for variant in weights}
        if sum(asked.values()) < 500:
            continue
        looked += 1
        expected = weights[CHALLENGER_VARIANT] / sum(weights.values())
        assert asked[CHALLENGER_VARIANT] / sum(asked.values()) == pytest.approx(expected, abs=0.06)
    if not looked:
        pytest.skip("no endpoint has two versions with 500 requests now")


def test_the_challenger_scales_where_the_champion_does(endpoints_at, settings):
    looked = 0
    places = zip(endpoints_at(settings.production, "sagemaker"), endpoints_at(settings.production, "application-autoscaling"), strict=True)
    for (sagemaker, name), (scaling, _) in places:
        variants = {item["VariantName"] for item in sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]}
        resources = [f"endpoint/{name}/variant/{variant}" for variant in (VARIANT, CHALLENGER_VARIANT)]
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=resources)["ScalableTargets"]
        scaled = {target["ResourceId"] for target in targets}
        if CHALLENGER_VARIANT not in variants or resources[0] not in scaled:
            continue
        looked += 1
        assert resources[1] in scaled, "within five minutes of being there"
    if not looked:
        pytest.skip("no endpoint that scales has two versions now")


def _requests(cloudwatch, endpoint, variant, since):
    found = cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": variant}],
        StartTime=since,
        EndTime=datetime.now(UTC),
        Period=60,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in found["Datapoints"])
