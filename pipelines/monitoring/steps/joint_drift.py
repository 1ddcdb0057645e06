"""Can a classifier tell production from the evaluation's rows? Sees what no look at one feature after the other can: broken correlations.

A classifier two-sample test (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017): where nothing has changed, no
classifier does better than chance on rows that it has not learned from. Boosted trees, cross-validated; the AUC does not depend on how
many rows each side has. Input: the version's reference rows and a sample of the window. Output: a `JointDrift`. Next: `monitor.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from dataset import Rows
from features import Floats, Matrix
from light_xgboost import xgboost
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

#: Of the windows in which nothing has drifted, the share in which this may alarm (`drift.py` has its own).
FALSE_ALARMS = 0.002
CONFIDENCE = 0.95
FOLDS = 5
#: Rows of a side that are looked at: more say nothing that a limit on the AUC would hear.
MOST_ROWS = 10_000
#: Rows of the larger side for each of the smaller one: beyond, time grows and the interval hardly shrinks.
MOST_TO_ONE = 10
#: Categories that are told apart; rarer ones are one.
MOST_CATEGORIES = 30
#: How many features are named at most, which share of the difference they need, and how many are tried, those of most gain.
MOST_NAMED, LEAST_SHARE, MOST_TRIED = 10, 0.02, 30
#: Beyond these float32 has no numbers.
LARGEST = float(np.finfo(np.float32).max)
#: The folds learn from one another's rows: the variance of their mean is up to twice that of independent ones (`_evidence`).
OVERLAP = 2.0
ROUNDS = 60
PARAMETERS = {"objective": "binary:logistic", "tree_method": "hist", "max_bin": 64, "max_depth": 4, "eta": 0.15, "subsample": 0.8,
              "colsample_bytree": 0.8, "lambda": 2.0, "nthread": 1, "verbosity": 0}  # fmt: skip


@dataclass(frozen=True)
class JointDrift:
    """`auc`: 0.5 where they cannot be told apart; `lower`, `upper`: its 95 % interval; `p_value`: of 0.5 or less.

    `features`: where breached, what gives the window away: the share that each has of what is lost when its values are shuffled in
    held-out rows, largest first. Columns whose correlation broke both have theirs.
    """

    auc: float
    lower: float
    upper: float
    p_value: float
    limit: float
    breached: bool
    features: list[tuple[str, float]]


def tell_apart(reference: Rows, sample: Rows, limits: Mapping[str, Any], seed: int) -> JointDrift:
    """Both sides need the same columns and at least `FOLDS` rows. Reads `max_joint_auc` of the limits. The same for the same seed.

    Raises ValueError where one side has too few rows or lacks a column.
    """
    limit, generator = float(limits["max_joint_auc"]), np.random.default_rng(seed)
    lacking = [name for name in (*reference.numeric, *reference.categorical) if name not in {*sample.numeric, *sample.categorical}]
    if lacking or min(reference.count, sample.count) < FOLDS:
        what = f"has no column {', '.join(map(repr, lacking))}" if lacking else f"or the reference has fewer than {FOLDS} rows"
        raise ValueError(f"the sample {what}; give rows of the version's own contract")
    most = min(MOST_ROWS, MOST_TO_ONE * min(reference.count, sample.count))
    drawn = [_drawn(rows, most, generator) for rows in (reference, sample)]
    names, matrix = _matrix(*drawn)
    answer = np.repeat([0.0, 1.0], [rows.count for rows in drawn])
    folds = _folds(answer, generator)
    models = [_learn(matrix[folds != fold], answer[folds != fold], len(reference.numeric), seed) for fold in range(FOLDS)]
    held_out = [(matrix[folds == fold], answer[folds == fold]) for fold in range(FOLDS)]
    scores = [_scores(model, rows, len(reference.numeric)) for model, (rows, _) in zip(models, held_out, strict=True)]
    auc, null_error, error = _evidence([truth for _, truth in held_out], scores)
    p_value = float(ndtr(-(auc - 0.5) / null_error))
    breached = auc > limit and p_value <= FALSE_ALARMS
    reach = float(ndtri((1 + CONFIDENCE) / 2)) * error
    features = _giveaways(models, held_out, auc, names, len(reference.numeric), generator) if breached else []
    return JointDrift(auc, max(0.0, auc - reach), min(1.0, auc + reach), p_value, limit, breached, features)


def _drawn(rows: Rows, most: int, generator: np.random.Generator) -> Rows:
    if rows.count <= most:
        return rows
    mask = np.zeros(rows.count, dtype=bool)
    mask[generator.choice(rows.count, most, replace=False)] = True
    return rows.take(mask)


def _matrix(reference: Rows, sample: Rows) -> tuple[list[str], Matrix]:
    """Numeric columns as they are, of categorical ones a number by how frequent a category is on both sides; NaN for missing."""
    columns = [np.concatenate([reference.numeric[name], sample.numeric[name]]) for name in reference.numeric]
    columns += [_codes(reference, sample, name) for name in reference.categorical]
    return [*reference.numeric, *reference.categorical], np.clip(np.stack(columns, axis=1), -LARGEST, LARGEST).astype(np.float32)


def _codes(reference: Rows, sample: Rows, name: str) -> Floats:
    sides = [rows.categorical[name] for rows in (reference, sample)]
    counts: dict[str, int] = {}
    for distinct, codes in sides:
        for category, count in zip(distinct, np.bincount(codes, minlength=len(distinct)).tolist(), strict=True):
            if category is not None:
                counts[category] = counts.get(category, 0) + count
    ranked = sorted(counts, key=lambda category: (-counts[category], category))
    number: dict[str | None, float] = {category: float(min(place, MOST_CATEGORIES)) for place, category in enumerate(ranked)}
    return np.concatenate([np.array([number.get(value, np.nan) for value in distinct] or [np.nan])[codes] for distinct, codes in sides])


def _folds(answer: Floats, generator: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each row, each with its share of both sides."""
    folds = np.empty(len(answer), dtype=np.int64)
    for side in (0.0, 1.0):
        places = np.flatnonzero(answer == side)
        folds[generator.permutation(places)] = np.arange(len(places)) % FOLDS
    return folds


def _data(rows: Matrix, numeric: int, **more: Any) -> Any:
    kinds = ["q"] * numeric + ["c"] * (rows.shape[1] - numeric)
    return xgboost.DMatrix(rows, feature_types=kinds, enable_categorical=True, nthread=1, **more)


def _learn(rows: Matrix, answer: Floats, numeric: int, seed: int) -> Any:
    """Both sides weigh the same. A leaf needs a share of the smaller one: few rows must not be learned by heart."""
    fewer = min(np.count_nonzero(answer), np.count_nonzero(answer == 0))
    weight = np.where(answer == 1, fewer / np.count_nonzero(answer), fewer / np.count_nonzero(answer == 0))
    parameters = {**PARAMETERS, "min_child_weight": max(1.0, fewer / 200), "seed": seed % 2**31}
    return xgboost.train(parameters, _data(rows, numeric, label=answer, weight=weight), ROUNDS, verbose_eval=False)


def _scores(model: Any, rows: Matrix, numeric: int) -> Floats:
    return np.asarray(model.predict(_data(rows, numeric), output_margin=True), dtype=np.float64)


def _placements(answer: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Of each row of the window the share of reference rows with a lower score, and of each of those the share with a higher one."""
    window = answer == 1
    ranks = rankdata(scores)
    above = (ranks[window] - rankdata(scores[window])) / np.count_nonzero(~window)
    below = 1 - (ranks[~window] - rankdata(scores[~window])) / np.count_nonzero(window)
    return above, below


def _evidence(answers: list[Floats], scores: list[Floats]) -> tuple[float, float, float]:
    """The mean AUC of the folds, its standard error where nothing has changed, and as it is (DeLong, DeLong and Clarke-Pearson 1988).

    Given its model, a fold's AUC is Mann and Whitney's statistic with their exact variance. The folds are not independent, since each
    one's rows taught the other models. If what is learned is the difference of the sides' means in some features, the sum of the folds is
    sum over i != j of d_i d_j: each product occurs twice, and the variance doubles, for any number of folds.
    """
    placed = [_placements(*fold) for fold in zip(answers, scores, strict=True)]
    auc = float(np.mean([above.mean() for above, _ in placed]))
    null = sum((len(above) + len(below) + 1) / (12 * len(above) * len(below)) for above, below in placed)
    own = sum(above.var() / max(len(above) - 1, 1) + below.var() / max(len(below) - 1, 1) for above, below in placed)
    return auc, float(np.sqrt(OVERLAP * null)) / len(placed), float(np.sqrt(OVERLAP * own)) / len(placed)


def _giveaways(
    models: list[Any], held_out: list[tuple[Matrix, Floats]], auc: float, names: list[str], numeric: int, generator: np.random.Generator
) -> list[tuple[str, float]]:
    """Permutation importance (Breiman 2001): gain would also count what the trees learned by heart. It only chooses what is tried."""
    gained: Counter[int] = Counter()
    for model in models:
        gained.update({int(name[1:]): gain for name, gain in model.get_score(importance_type="total_gain").items()})
    lost = {}
    for column, _ in gained.most_common(MOST_TRIED):
        without = []
        for model, (rows, answer) in zip(models, held_out, strict=True):
            kept = rows[:, column].copy()
            rows[:, column] = generator.permutation(kept)
            without.append(float(_placements(answer, _scores(model, rows, numeric))[0].mean()))
            rows[:, column] = kept
        lost[names[column]] = max(0.0, auc - float(np.mean(without)))
    total = sum(lost.values())
    shares = {name: value / total for name, value in lost.items()} if total else {}
    ranked = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return [(name, share) for name, share in ranked[:MOST_NAMED] if share >= LEAST_SHARE]
