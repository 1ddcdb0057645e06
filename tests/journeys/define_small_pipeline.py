"""Prints the training pipeline's definition with one short trial. Arguments: code uri, role, artifact bucket, data bucket.

A process of its own, as in a build: the SageMaker SDK cannot be imported beside the emulators.
"""

from __future__ import annotations

import sys

from pipelines.tabular.pipeline import get_pipeline
from settings import Algorithm, Range, Tuning

#: What is registered matters here, not how good it is.
ROUNDS = {"num_round": 80, "early_stopping_rounds": 15}
ALGORITHMS = (Algorithm(name="gradient_boosting", fixed=ROUNDS, tuned={"max_depth": Range(low=3, high=4)}),)


def main(code_uri: str, role: str, bucket: str, data_bucket: str) -> None:
    budget = Tuning(trials=1, parallel_trials=1)
    places = {"code_uri": code_uri, "bucket": bucket, "data_bucket": data_bucket}
    print(get_pipeline("us-east-1", role, **places, algorithms=ALGORITHMS, tuning=budget).definition())


if __name__ == "__main__":
    main(*sys.argv[1:])
