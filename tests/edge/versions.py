"""Small versions to export: fitted here on hand-made rows, by the very code of the steps."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from build_scripts.step_modules import load

ROWS = 600
CLASSES = {"regression": None, "binary": ["no", "yes"], "multiclass": ["ash", "oak", "yew"]}
#: Few rounds for a test, and enough that the order in which leaves are added shows.
#: Of each algorithm in a blend of all three.
WEIGHTS = {"gradient_boosting": 0.5, "random_forest": 0.3, "linear": 0.2}
BUDGET = {"gradient_boosting": {"num_round": "150", "eta": "0.1"}, "random_forest": {"num_parallel_tree": "40"}, "linear": {}}
PREPARATION = {
    "outlier_rule": "iqr",
    "outlier_factor": 1.5,
    "numeric_imputation": "median",
    "normalisation": "standard",
    "missing_indicators": True,
    "max_categories": 3,
}
#: More categories than are kept, and one that is a number.
TOWNS, SIZES = ["Lima, Peru", "Łódź", "a b", "rare", None], ["4", "10"]


def columns() -> tuple[dict[str, Any], dict[str, Any]]:
    """Numbers of which a tenth is missing, one of them called as an output is; categories. The same in every test."""
    generator = np.random.default_rng(8)
    area, score = np.exp(generator.normal(size=ROWS)), generator.normal(size=ROWS)
    area[generator.random(ROWS) < 0.1] = np.nan
    towns, sizes = generator.choice(5, ROWS, p=[0.3, 0.3, 0.2, 0.1, 0.1]), generator.integers(0, 2, ROWS)
    return {"area": area, "score": score}, {"town": (TOWNS, towns), "size": (SIZES, sizes)}


def target(problem: str) -> Any:
    numeric, categorical = columns()
    level = np.nan_to_num(numeric["area"]) * 3 + numeric["score"] + categorical["town"][1]
    if problem == "regression":
        return level
    return np.digitize(level, np.quantile(level, [0.6] if problem == "binary" else [0.3, 0.6])).astype(float)


#: What else a regression can predict than a mean learned from the answers themselves.
OBJECTIVES = ("count", "log_mean", "quantile")


@functools.cache
def fitted(problem: str, algorithm: str, objective: str = "mean", encoding: str = "one_hot", **preparation: Any) -> Any:
    """`Served`, as an endpoint has it. One for all tests: none changes it. `encoding`: of towns."""
    numeric, categorical = columns()
    answers = load("target_statistics").Answers(target(problem), CLASSES[problem], np.arange(ROWS, dtype=np.uint8) % 5)
    by_target = {"town": answers} if encoding == "target" else None
    state = load("fitting").fit(numeric, categorical, {**PREPARATION, **preparation}, by_target=by_target).state
    preparer = load("features").Preparer(state)
    matrix = preparer.transform(load("features").stack(numeric, preparer.numeric, ROWS), list(categorical.values()))
    metric = "pinball_75" if objective == "quantile" else "rmse"
    about = {"problem": problem, "metric": metric, "classes": CLASSES[problem], "objective": objective}
    answers = target(problem) if objective == "mean" else np.ceil(np.exp(target(problem) / 5))
    part = load("dataset").Part(matrix, answers, np.ones(ROWS))
    version: dict[str, Any] = {"algorithm": algorithm, "decision_threshold": 0.37}
    if algorithm == "blend":
        version["hyperparameters"] = WEIGHTS
        members = [load("blend").Member(name, weight, fitted(problem, name, objective, encoding).model) for name, weight in WEIGHTS.items()]
        model = load("blend").Blend(members)
    else:
        model = load(f"algorithms.{algorithm}").fit(part, None, about, BUDGET[algorithm])
    state |= {"model": "trees", "dataset": {"problem": problem, "metric": "rmse"}, "classes": CLASSES[problem]}
    return load("served").Served(preparer, model, about, version, state)
