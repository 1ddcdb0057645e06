"""Versions are to be tried beside the one that serves, each on a share of the requests, once its file says so (tried_versions.py)."""

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
    Rollout,
    Routing,
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
        "try": Endpoint(load_seconds=0),
        "live": Endpoint(
            autoscaling=Autoscaling(min_capacity=2, max_capacity=4),
            initial_instance_count=2,
            rollout=Rollout(routing=Routing.CANARY, step_percent=50, bake_seconds=60, termination_wait_seconds=0),
        ),
    },
    monitoring=Monitoring(cron="0 0 * * ? *"),
)
