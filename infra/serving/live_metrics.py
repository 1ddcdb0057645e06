"""What a serving container says of its predictions (pipelines/tabular/steps/live_metrics.py): how it is asked to, and how that is called.

The metrics are where the endpoint is, in `metrics_namespace` of the model's names, by endpoint and version, and for `ClassShare` by class.
Next: prediction_alarm.py, infra/model/model_dashboard.py.
"""

from __future__ import annotations

from settings_schema import ServingNames

VERSION = "MODEL_VERSION"
DIMENSIONS = ("EndpointName", "ModelVersion")
REQUESTS, REFUSED, MISSING, UNSEEN = "Requests", "RefusedRequests", "MissingValues", "UnseenValues"
MEAN, QUANTILES, CLASS_SHARE = "PredictionMean", ("PredictionP10", "PredictionP50", "PredictionP90"), "ClassShare"
DISTANCE = "PredictionDistance"


def variables(names: ServingNames) -> dict[str, str]:
    """Environment of a container that is to speak; it also needs its version, which every container is told."""
    return names.live_metrics_variables
