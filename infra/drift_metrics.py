"""The custom metrics that monitoring runs publish, and that the drift alarm and the dashboard read.

Namespace `<project>/Monitoring`, dimension `EndpointName`. Each value counts limits that one run found broken, so 0 is
healthy and any alarm threshold is "at least one":

- `DriftedFeatures`: features whose distribution left the training baseline
- `QualityBreaches`: quality metrics, against ground truth, below their limit
- `BiasBreaches`: bias metrics outside their limit
"""

from __future__ import annotations

from settings import Environment, Project

DRIFTED_FEATURES = "DriftedFeatures"
QUALITY_BREACHES = "QualityBreaches"
BIAS_BREACHES = "BiasBreaches"
METRICS = (DRIFTED_FEATURES, QUALITY_BREACHES, BIAS_BREACHES)


def namespace(project: Project) -> str:
    return f"{project.name}/Monitoring"


def drift_alarm_name(project: Project, environment: Environment) -> str:
    """Fixed, because the rule that retrains on it lives in another stack."""
    return f"{project.endpoint_name(environment)}-drift"
