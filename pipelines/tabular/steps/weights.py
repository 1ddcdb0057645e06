"""Weights of training rows: balancing of the classes, and reweighing of the facet against bias.

Input: classes (and facet groups) of the training rows. Output: float64 weights with mean 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]


def equal(rows: int) -> Weights:
    """One for each row; they take no memory, and cannot be changed."""
    return np.broadcast_to(np.float64(1.0), rows)


def balanced(classes: NDArray[np.int64]) -> Weights:
    """n / (k n_c), as scikit-learn's class_weight="balanced" (King & Zeng 2001)."""
    counts = np.bincount(classes)
    present = np.count_nonzero(counts)
    with np.errstate(divide="ignore"):
        return np.asarray((len(classes) / (present * counts))[classes], dtype=np.float64)


def reweighed(classes: NDArray[np.int64], groups: NDArray[np.int64]) -> Weights:
    """P(group) P(class) / P(group, class): makes group and class independent in the weighted rows.

    Kamiran & Calders, "Data preprocessing techniques for classification without discrimination" (2012), section 5.3.
    """
    joint = np.zeros((groups.max() + 1, classes.max() + 1))
    np.add.at(joint, (groups, classes), 1.0)
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True) / len(classes)
    return np.asarray((expected[groups, classes]) / joint[groups, classes], dtype=np.float64)
