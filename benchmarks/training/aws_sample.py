"""The model of AWS's abalone sample pipeline: its preparation and its hyperparameters, on the rows it is given.

Source: "Orchestrate Jobs to Train and Evaluate Models with Amazon SageMaker Pipelines" (amazon-sagemaker-examples,
sagemaker-pipelines/tabular/abalone_build_train_deploy): preprocessing by scikit-learn, then XGBoost 1.0-1 with
50 rounds, depth 5, eta 0.2, gamma 4, min_child_weight 6, subsample 0.7. That release of XGBoost chose the tree method
`exact` for data of this size; today's chooses `hist`. Both are measured.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROUNDS = 50
PARAMETERS = {"objective": "reg:squarederror", "max_depth": 5, "eta": 0.2, "gamma": 4, "min_child_weight": 6, "subsample": 0.7}
TREE_METHODS = ("exact", "hist")


def predictions(train: pd.DataFrame, test: pd.DataFrame, target: str, tree_method: str, seed: int) -> NDArray[np.float64]:
    """Rings of the test rows by a model of the training rows. Only training rows are looked at."""
    numeric = [name for name in train.columns if name != target and pd.api.types.is_numeric_dtype(train[name])]
    categorical = [name for name in train.columns if name != target and name not in numeric]
    numbers = Pipeline([("imputer", SimpleImputer(strategy="median")), ("scaler", StandardScaler())])
    kinds = Pipeline(
        [("imputer", SimpleImputer(strategy="constant", fill_value="missing")), ("onehot", OneHotEncoder(handle_unknown="ignore"))]
    )
    prepared = ColumnTransformer([("num", numbers, numeric), ("cat", kinds, categorical)])
    matrix = xgboost.DMatrix(prepared.fit_transform(train), label=train[target])
    booster = xgboost.train({**PARAMETERS, "tree_method": tree_method, "seed": seed}, matrix, ROUNDS)
    return np.asarray(booster.predict(xgboost.DMatrix(prepared.transform(test))), dtype=np.float64)
