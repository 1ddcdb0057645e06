"""One of many in one container."""

from settings_schema import (
    Algorithm,
    Categorical,
    DataSet,
    Member,
    Model,
    Numeric,
    Problem,
    Range,
    Retraining,
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
        "try": Member(fleet="tiny", p99_latency_ms=5000),
        "live": Member(fleet="tiny", p99_latency_ms=5000, bake_seconds=1),  # real seconds, in which nothing breaks here
    },
    monitoring=None,  # the watch has a journey of its own
)
