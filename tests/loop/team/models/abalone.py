"""Served by endpoints, with short searches: the loop is under test, not how good its models are."""

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
    Rollout,
    Routing,
    Schedule,
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
    algorithms=(
        Algorithm(name="gradient_boosting", fixed={"num_round": 60}, tuned={"eta": Range(low=0.05, high=0.2, log=True)}),
        Algorithm(name="random_forest", fixed={"num_round": 1}, tuned={"max_depth": Range(low=6, high=8)}),
        Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.01, high=10.0, log=True)}),
    ),
    tuning=Tuning(trials=1, parallel_trials=1),
    serving={
        "try": Endpoint(load_seconds=0.5),
        "live": Endpoint(
            initial_instance_count=2,
            rollout=Rollout(routing=Routing.CANARY, step_percent=50),
            autoscaling=Autoscaling(
                min_capacity=2,
                max_capacity=8,
                schedules=(
                    Schedule(name="opening", cron="0 7 ? * MON-FRI *", min_capacity=3, max_capacity=8),
                    Schedule(name="night", cron="0 20 ? * * *", min_capacity=2, max_capacity=6),
                ),
            ),
        ),
    },
    monitoring=Monitoring(cron="20 3 ? * SUN *", window_hours=168),  # the watch has a journey of its own
)
