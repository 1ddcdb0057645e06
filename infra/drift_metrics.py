"""The custom metrics that monitoring runs publish, and that the drift alarm and the dashboard read.

Where the model serves; namespace: `metrics_namespace` of the model's names; dimension: `EndpointName`, which a batch model has as a name
only. Published by pipelines/monitoring/steps/publish.py, which says what each counts; a test holds the two to the same names. Most count
the limits that one window was found to break, so 0 is healthy and any alarm threshold is "at least one".
"""

from __future__ import annotations

from settings_schema import Model, ServingNames
from settings_schema.names import DRIFT, QUALITY

DRIFTED_FEATURES = "DriftedFeatures"
QUALITY_BREACHES = "QualityBreaches"
BIAS_BREACHES = "BiasBreaches"
CONTRACT_BREACHES = "ContractBreaches"
#: Limits that were broken.
METRICS = (DRIFTED_FEATURES, QUALITY_BREACHES, BIAS_BREACHES, CONTRACT_BREACHES)
#: Rows that a window was judged by.
JUDGED_ROWS = "JudgedRows"
#: How far a feature has moved, with a second dimension, `Feature`.
EFFECT = "Drift"
#: Ends the name of the alarm on a run that failed (infra/serving/model_watch.py).
MONITORING_FAILED = "monitoring-failed"


def retraining_alarms(model: Model, names: ServingNames) -> dict[str, str]:
    """Names of the alarms of one environment that train the model again, by what they are about."""
    wanted = {DRIFT: model.retraining.on_drift, QUALITY: model.retraining.on_quality}
    return {what: names.alarm(what) for what, is_wanted in wanted.items() if is_wanted and model.watch_in(names.environment)}
