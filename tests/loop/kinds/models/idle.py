"""Served without instances."""

from settings_schema import (
    Algorithm,
    Categorical,
    DataSet,
    Model,
    Numeric,
    Problem,
    Range,
    Retraining,
    Serverless,
    Tuning,
)

MODEL = Model(
    data=DataSet(
        problem=Problem.REGRESSION,
        target="weight",
        numeric=(Numeric(name="length", minimum=0, maximum=2), Numeric(name="height", minimum=0, maximum=2)),
        categorical=(Categorical(name="sex", values=("F", "I", "M")),),
        metric="rmse",
        threshold=0.5,
    ),
    algorithms=(Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.01, high=10.0, log=True)}),),
    tuning=Tuning(trials=1, parallel_trials=1),
    retraining=Retraining(cron=None, quiet_hours=0),  # a busy machine takes days of the account's clock
    serving={
        "try": Serverless(memory_mb=1024, max_concurrency=10, p99_latency_ms=5000),
        "live": Serverless(memory_mb=1024, max_concurrency=10, p99_latency_ms=5000),
    },
    monitoring=None,  # the watch has a journey of its own
)
