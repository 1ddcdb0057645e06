"""Batch only: scored on upload in production."""

from settings_schema import Algorithm, Batch, Categorical, DataSet, Facet, Model, Monitoring, Numeric, Problem, Range, Retraining, Tuning

MODEL = Model(
    data=DataSet(
        problem=Problem.BINARY,
        target="released",
        positive_class="Yes",
        numeric=(
            Numeric(name="year", minimum=1990, maximum=2030),
            Numeric(name="age", minimum=0, maximum=120),
            Numeric(name="checks", minimum=0, maximum=100),
        ),
        categorical=(
            Categorical(name="colour", values=("Black", "White")),
            Categorical(name="sex", values=("Female", "Male")),
            Categorical(name="employed", values=("No", "Yes")),
            Categorical(name="citizen", values=("No", "Yes")),
        ),
        facet=Facet(column="colour", disadvantaged="Black"),
        metric="auc",
        threshold=0.6,
        decision_metric="macro_f1",
    ),
    algorithms=(Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.01, high=10.0, log=True)}),),
    tuning=Tuning(trials=1, parallel_trials=1),
    retraining=Retraining(cron=None),  # a busy machine takes days of the account's clock
    serving={"staging": Batch(cron=None, on_upload=False), "production": Batch(cron=None)},
    monitoring=Monitoring(cron="20 3 ? * SUN *", window_hours=168),  # the watch has a journey of its own
)
