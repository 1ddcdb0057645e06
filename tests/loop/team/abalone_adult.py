"""How heavy an abalone is, by its size: the third model of the loop's tests, whose name begins with another's."""

from settings_schema import Algorithm, Batch, Categorical, DataSet, Model, Monitoring, Numeric, Problem, Range, Tuning

MODEL = Model(
    data=DataSet(
        problem=Problem.REGRESSION,
        target="whole_weight",
        numeric=(Numeric(name="length", minimum=0), Numeric(name="diameter", minimum=0), Numeric(name="height", minimum=0)),
        categorical=(Categorical(name="sex"),),
        metric="rmse",
        threshold=0.5,
    ),
    algorithms=(Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.01, high=10.0, log=True)}),),
    tuning=Tuning(trials=1, parallel_trials=1),
    serving={"try": Batch(cron=None, on_upload=False), "live": Batch(cron=None)},
    monitoring=Monitoring(cron="20 3 ? * SUN *", window_hours=168),  # the watch has a journey of its own
)
