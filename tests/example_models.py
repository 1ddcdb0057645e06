"""Two small models, their project and its environments, for every test that needs some: what a team writes is none of a test's business.

The data sets are those of scikit-lego that the template ships as examples, so that real tables fit them.
"""

from __future__ import annotations

from settings_schema import (
    Algorithm,
    Autoscaling,
    Batch,
    Categorical,
    CodeCommit,
    DataSet,
    Endpoint,
    Environment,
    Facet,
    Model,
    Numeric,
    Prices,
    Problem,
    Project,
    Range,
    Rollout,
    Routing,
    Tuning,
)
from settings_schema.reading import Settings

PROJECT = Project(name="shop")
STAGING, PRODUCTION = Environment(name="try"), Environment(name="live", protected=True)
ENVIRONMENTS = (STAGING, PRODUCTION)

COMPETITORS = (
    Algorithm(name="gradient_boosting", fixed={"num_round": 60}, tuned={"eta": Range(low=0.05, high=0.2, log=True)}),
    Algorithm(name="random_forest", fixed={"num_round": 1}, tuned={"max_depth": Range(low=6, high=12)}),
    Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.001, high=100.0, log=True)}),
)
#: Predict a number; served by an endpoint.
ABALONE = Model(
    name="abalone",
    data=DataSet(
        problem=Problem.REGRESSION,
        target="rings",
        numeric=(
            *(Numeric(name=name, unit="200 mm", minimum=0, maximum=2) for name in ("length", "diameter", "height")),
            *(Numeric(name=f"{part}_weight", unit="200 g", minimum=0, maximum=5) for part in ("whole", "shucked", "viscera", "shell")),
        ),
        categorical=(Categorical(name="sex", values=("F", "I", "M")),),
        metric="rmse",
        threshold=2.4,
    ),
    algorithms=COMPETITORS,
    tuning=Tuning(trials=6, parallel_trials=3, seed=11),
    serving={
        STAGING.name: Endpoint(load_seconds=0),
        PRODUCTION.name: Endpoint(
            initial_instance_count=2,
            rollout=Rollout(routing=Routing.CANARY, step_percent=50),
            autoscaling=Autoscaling(min_capacity=2, max_capacity=8),
        ),
    },
)
#: Predict one of two classes, with a facet; batch only.
ARRESTS = Model(
    name="arrests",
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
        threshold=0.64,
        decision_metric="macro_f1",
    ),
    algorithms=COMPETITORS,
    serving={STAGING.name: Batch(cron=None, on_upload=False), PRODUCTION.name: Batch()},
)
SETTINGS = Settings(
    project=PROJECT,
    environments=ENVIRONMENTS,
    source=CodeCommit(),
    prices=Prices(region="us-east-1", as_of="2026-01", source="a page", usd_per_hour={"ml.m5.large": 0.1}),
    models={model.name: model for model in (ABALONE, ARRESTS)},
)


def model_of(data: DataSet, name: str = "small") -> Model:
    """A model of some data; the rest of it is ABALONE's."""
    return ABALONE.but(name=name, data=data)
