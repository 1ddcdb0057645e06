"""The models of the journeys with bad data: of houses, of loans, and of houses with algorithms whose every trial fails."""

from __future__ import annotations

from settings_schema import Algorithm, DataSet, Model, Range, Tuning
from tests.example_models import model_of
from tests.steps.small_data import HOUSES, LOANS

_LINEAR = Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.5, high=1.0)})
#: Nobody has this hyperparameter.
_DOOMED = Algorithm(name="linear", fixed={"num_round": 1, "gamma": 1}, tuned={"lambda": Range(low=0.5, high=1.0)})


def _model(name: str, data: DataSet, algorithm: Algorithm) -> Model:
    return model_of(data, name).but(algorithms=(algorithm,), tuning=Tuning(trials=1, parallel_trials=1))


MODELS = (_model("houses", HOUSES, _LINEAR), _model("loans", LOANS, _LINEAR), _model("doomed", HOUSES, _DOOMED))
