"""Served by endpoints, by the shortest training there is: the way between the accounts is under test."""

from settings_schema import (
    Algorithm,
    Autoscaling,
    Categorical,
    DataSet,
    Endpoint,
    Model,
    Monitoring,
    Numeric,
    Problem,
    Range,
    Retraining,
    Tuning,
)

MODEL = Model(
    data=DataSet(
        problem=Problem.REGRESSION,
        target="rings",
        numeric=(
            Numeric(name="length", minimum=0, maximum=2),
            Numeric(name="diameter", minimum=0, maximum=2),
            Numeric(name="height", minimum=0, maximum=2),
            Numeric(name="whole_weight", minimum=0, maximum=5),
            Numeric(name="shucked_weight", minimum=0, maximum=5),
            Numeric(name="viscera_weight", minimum=0, maximum=5),
            Numeric(name="shell_weight", minimum=0, maximum=5),
        ),
        categorical=(Categorical(name="sex", values=("F", "I", "M")),),
        metric="rmse",
        threshold=2.4,
    ),
    algorithms=(Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.01, high=10.0, log=True)}),),
    tuning=Tuning(trials=1, parallel_trials=1),
    retraining=Retraining(cron=None, quiet_hours=0, learn_from_answers=True),  # a busy machine takes days of the account's clock
    serving={
        "staging": Endpoint(load_seconds=0, p99_latency_ms=5000),  # of a busy machine, whose p99 was seen at 420
        "production": Endpoint(p99_latency_ms=5000, autoscaling=Autoscaling(min_capacity=1, max_capacity=2)),
    },
    monitoring=Monitoring(cron="20 3 ? * SUN *"),  # by hand: the journey ends before
)
