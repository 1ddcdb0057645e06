"""LightGBM or CatBoost as an afternoon gives them, tuned by Optuna: run by the Python of the benchmark's own environment.

    python tuned.py <lightgbm|catboost> <folder> <trials> <seed> <threads>

In the folder task.json and parts.npy (rows.py). Out: <library>.npz with what the best trial says of the test rows ("train": learned from
the training rows; "all": with the same settings and 1.1 times its rounds from training and validation rows), and as JSON how it was found.
The protocol: Optuna's default sampler (TPE); each trial learns from the training rows, stops when its loss on the validation rows has not
fallen for 50 rounds, and is judged by the task's metric on these rows, as ours are. The ranges are those of Optuna's own examples for the
library, with the learning rate from 0.01 to 0.3 and at most 2,000 rounds. Categories are the library's own business.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import optuna
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

Document = dict[str, Any]
Floats = NDArray[np.float64]

ROUNDS, PATIENCE, MORE_ROUNDS = 2000, 50, 1.1


def read(folder: Path) -> tuple[Document, Document, Document]:
    """The task, and of each part ("train", "validation", "test", and the first two as "all") its features and its target."""
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    frame = pd.read_csv(task["table"], keep_default_na=False, na_values=[""], dtype=dict.fromkeys(task["categorical"], str))
    target = frame[task["target"]]
    if task["classes"]:
        target = target.astype(str).map({name: index for index, name in enumerate(task["classes"])})
    features = frame[[*task["numeric"], *task["categorical"]]].astype(dict.fromkeys(task["numeric"], float))
    features.columns = [f"c{number}" for number in range(features.shape[1])]  # LightGBM takes no special characters in names
    part = np.load(folder / "parts.npy")
    masks = {"train": part == 0, "validation": part == 1, "test": part == 2, "all": part < 2}
    return task, {name: features[mask] for name, mask in masks.items()}, {name: target[mask].to_numpy() for name, mask in masks.items()}


class Library(Protocol):
    task: Document
    target: Document

    def suggest(self, trial: optuna.Trial) -> Document: ...

    def fit(self, part: str, settings: Document, rounds: int | None) -> tuple[Any, int]: ...

    def predict(self, model: Any, part: str) -> Floats: ...


class LightGBM:
    def __init__(self, task: Document, features: Document, target: Document, seed: int, threads: int) -> None:
        import lightgbm

        self.library, self.task, self.target = lightgbm, task, target
        names = list(features["all"].columns[len(task["numeric"]) :])
        of = {name: pd.CategoricalDtype(sorted(features["all"][name].dropna().unique())) for name in names}
        self.features = {part: frame.astype(of) for part, frame in features.items()}
        objective = {"regression": "regression", "binary": "binary", "multiclass": "multiclass"}[task["problem"]]
        self.fixed = {
            "objective": objective,
            "verbosity": -1,
            "seed": seed,
            "num_threads": threads,
            "deterministic": True,
            "bagging_freq": 1,
        }
        if task["problem"] == "multiclass":
            self.fixed["num_class"] = len(task["classes"])

    def suggest(self, trial: optuna.Trial) -> Document:
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 2, 256, log=True),
            "min_child_samples": trial.suggest_int("min_child_samples", 5, 100),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.4, 1.0),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.4, 1.0),
            "lambda_l1": trial.suggest_float("lambda_l1", 1e-8, 10.0, log=True),
            "lambda_l2": trial.suggest_float("lambda_l2", 1e-8, 10.0, log=True),
        }

    def fit(self, part: str, settings: Document, rounds: int | None) -> tuple[Any, int]:
        """The model and its rounds; with `rounds` exactly so many."""
        data = self.library.Dataset(self.features[part], self.target[part], params={"verbosity": -1})
        judged = None if rounds else [self.library.Dataset(self.features["validation"], self.target["validation"], reference=data)]
        stops = [] if rounds else [self.library.early_stopping(PATIENCE, verbose=False)]
        model = self.library.train({**self.fixed, **settings}, data, rounds or ROUNDS, valid_sets=judged, callbacks=stops)
        return model, rounds or model.best_iteration

    def predict(self, model: Any, part: str) -> Floats:
        return np.asarray(model.predict(self.features[part]))


class CatBoost:
    def __init__(self, task: Document, features: Document, target: Document, seed: int, threads: int) -> None:
        import catboost

        self.library, self.task, self.target = catboost, task, target
        self.names = list(features["all"].columns[len(task["numeric"]) :])
        self.features = {part: frame.fillna(dict.fromkeys(self.names, "")) for part, frame in features.items()}
        loss = {"regression": "RMSE", "binary": "Logloss", "multiclass": "MultiClass"}[task["problem"]]
        self.fixed = {"loss_function": loss, "random_seed": seed, "thread_count": threads, "verbose": False, "allow_writing_files": False}

    def suggest(self, trial: optuna.Trial) -> Document:
        settings = {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
            "depth": trial.suggest_int("depth", 2, 10),
            "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 0.1, 30.0, log=True),
            "rsm": trial.suggest_float("rsm", 0.4, 1.0),
            "bootstrap_type": trial.suggest_categorical("bootstrap_type", ["Bayesian", "Bernoulli"]),
        }
        if settings["bootstrap_type"] == "Bayesian":
            return {**settings, "bagging_temperature": trial.suggest_float("bagging_temperature", 0.0, 10.0)}
        return {**settings, "subsample": trial.suggest_float("subsample", 0.4, 1.0)}

    def fit(self, part: str, settings: Document, rounds: int | None) -> tuple[Any, int]:
        """The model and its rounds; with `rounds` exactly so many."""
        pool = self.library.Pool(self.features[part], self.target[part], cat_features=self.names)
        judged = None if rounds else self.library.Pool(self.features["validation"], self.target["validation"], cat_features=self.names)
        patience = {} if rounds else {"early_stopping_rounds": PATIENCE}
        model = self.library.CatBoost({**self.fixed, **settings, "iterations": rounds or ROUNDS})
        model.fit(pool, eval_set=judged, **patience)
        return model, model.tree_count_

    def predict(self, model: Any, part: str) -> Floats:
        kind = "RawFormulaVal" if self.task["problem"] == "regression" else "Probability"
        answered = np.asarray(model.predict(self.features[part], prediction_type=kind))
        return answered[:, 1] if self.task["problem"] == "binary" else answered


def loss(task: Document, target: Floats, predicted: Floats) -> float:
    """What a trial is judged by: less is better."""
    if task["metric"] == "rmse":
        return float(np.sqrt(np.mean((target - predicted) ** 2)))
    if task["metric"] == "auc":
        return 1 - float(roc_auc_score(target, predicted))
    return float(log_loss(target, predicted, labels=range(len(task["classes"]))))


def main(name: str, folder: Path, trials: int, seed: int, threads: int) -> None:
    kinds: dict[str, Callable[..., Library]] = {"lightgbm": LightGBM, "catboost": CatBoost}
    library = kinds[name](*read(folder), seed, threads)
    best: Document = {"loss": np.inf}
    started = time.process_time()

    def objective(trial: optuna.Trial) -> float:
        settings = library.suggest(trial)
        model, rounds = library.fit("train", settings, None)
        value = loss(library.task, library.target["validation"], library.predict(model, "validation"))
        if value < best["loss"]:
            best.update(loss=value, settings=settings, rounds=rounds, test=library.predict(model, "test"))
        return value

    optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed)).optimize(objective, n_trials=trials)
    again, _ = library.fit("all", best["settings"], max(1, round(best["rounds"] * MORE_ROUNDS)))
    np.savez(folder / f"{name}.npz", train=best["test"], all=library.predict(again, "test"))
    found = {"validation_loss": best["loss"], "rounds": best["rounds"], "settings": best["settings"]}
    print(json.dumps({**found, "trials": trials, "cpu_seconds": round(time.process_time() - started, 1)}))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    main(sys.argv[1], Path(sys.argv[2]), *(int(text) for text in sys.argv[3:6]))
