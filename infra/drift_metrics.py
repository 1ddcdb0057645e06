"""The custom metrics that monitoring runs publish, and that the drift alarm and the dashboard read.

Where the endpoint is; namespace: `metrics_namespace` of the model's names; dimension: `EndpointName`. Each value counts limits that one run
found broken, so 0 is healthy and any alarm threshold is "at least one":

- `DriftedFeatures`: features whose distribution left the training baseline
- `QualityBreaches`: quality metrics, against ground truth, below their limit
- `BiasBreaches`: bias metrics outside their limit
"""

from __future__ import annotations

DRIFTED_FEATURES = "DriftedFeatures"
QUALITY_BREACHES = "QualityBreaches"
BIAS_BREACHES = "BiasBreaches"
METRICS = (DRIFTED_FEATURES, QUALITY_BREACHES, BIAS_BREACHES)
#: Ends the name of the alarm on the first of them (infra/serving/drift_alarm.py), which retrains.
DRIFT = "drift"
