"""What scikit-learn says a metric is. Imported when it is asked: that takes seconds, which tests that do without it need not spend."""

from __future__ import annotations

from typing import Any


def metric(name: str, *arrays: Any, **options: Any) -> float:
    from sklearn import metrics

    return float(getattr(metrics, name)(*arrays, **options))
