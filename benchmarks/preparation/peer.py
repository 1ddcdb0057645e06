"""The same steps in scikit-learn's words, from the same Parquet file to its matrix. Prints what it took as JSON.

    python peer.py <float32|float64> <numeric> <categorical> <those with gaps> <categories kept> <data.parquet> [<matrix.npy>]

float64 is what the file holds and what the template computes in; float32 halves scikit-learn's memory at its precision.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd
from measured import report
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


class Clip(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Tukey's fences at 3 IQR: the one step that scikit-learn has no class for."""

    def fit(self, frame: pd.DataFrame, target: object = None) -> Clip:
        first, third = frame.quantile(0.25), frame.quantile(0.75)
        self.lower_, self.upper_ = first - 3 * (third - first), third + 3 * (third - first)
        return self

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.clip(self.lower_.astype(frame.dtypes.iloc[0]), self.upper_.astype(frame.dtypes.iloc[0]), axis=1)

    def get_feature_names_out(self, names: object = None) -> object:
        return names


def pipeline(numeric: list[str], categorical: list[str], gapped: list[str], kept: int) -> ColumnTransformer:
    """Clip, standardise (the scaler leaves gaps alone), fill with the median; mark gaps; one-hot, rare and unseen categories in one column.

    A gap of a categorical column is a category of its own, besides the `kept` ones.
    """
    numbers = Pipeline([("clip", Clip()), ("scale", StandardScaler(copy=False)), ("fill", SimpleImputer(strategy="median", copy=False))])
    options = {"handle_unknown": "infrequent_if_exist", "sparse_output": False, "dtype": np.float32}
    return ColumnTransformer(
        [
            ("numbers", numbers, numeric),
            ("gaps", MissingIndicator(features="missing-only"), numeric),
            ("complete", OneHotEncoder(max_categories=kept + 1, **options), [name for name in categorical if name not in gapped]),
            ("gapped", OneHotEncoder(max_categories=kept + 2, **options), gapped),
        ],
        verbose_feature_names_out=False,
    )


def main() -> None:
    dtype, kept, data = sys.argv[1], int(sys.argv[5]), sys.argv[6]
    numeric, categorical, gapped = (text.split(",") for text in sys.argv[2:5])
    started = time.perf_counter()
    frame = pd.read_parquet(data, columns=[*numeric, *categorical])
    if dtype == "float32":
        frame = frame.astype(dict.fromkeys(numeric, np.float32))
    chosen = pipeline(numeric, categorical, gapped, kept)
    matrix = chosen.fit_transform(frame)
    seconds = time.perf_counter() - started
    print(json.dumps(report(seconds, matrix, list(chosen.get_feature_names_out()))))
    if len(sys.argv) > 7:
        np.save(sys.argv[7], matrix)


main()
