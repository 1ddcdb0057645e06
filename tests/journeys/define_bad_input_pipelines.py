"""Prints three definitions as JSON: of houses, of loans, and of houses with algorithms whose every trial fails.

Arguments: one code uri for each data set, houses first. A process of its own, because the SageMaker SDK cannot be imported
beside the emulators; its path has tests/steps.
"""

from __future__ import annotations

import json
import sys

from small_data import HOUSES, LOANS

from pipelines.tabular.pipeline import get_pipeline
from settings import Algorithm, Range, Tuning

ONE_TRIAL = Tuning(trials=1, parallel_trials=1)
LINEAR = Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.5, high=1.0)})
#: Nobody has this hyperparameter.
DOOMED = Algorithm(name="linear", fixed={"num_round": 1, "gamma": 1}, tuned={"lambda": Range(low=0.5, high=1.0)})
PLACES = {"bucket": "artifacts", "data_bucket": "data"}
ROLE = "arn:aws:iam::111122223333:role/pipeline"


def main(houses_code: str, loans_code: str) -> None:
    def define(name: str, code_uri: str, dataset: object, algorithm: Algorithm) -> str:
        pipeline = get_pipeline(
            "us-east-1", ROLE, **PLACES, code_uri=code_uri, dataset=dataset, algorithms=(algorithm,), tuning=ONE_TRIAL, pipeline_name=name
        )
        return str(pipeline.definition())

    definitions = {
        "houses": define("houses", houses_code, HOUSES, LINEAR),
        "loans": define("loans", loans_code, LOANS, LINEAR),
        "doomed": define("doomed", houses_code, HOUSES, DOOMED),
    }
    print(json.dumps(definitions))


if __name__ == "__main__":
    main(*sys.argv[1:])
