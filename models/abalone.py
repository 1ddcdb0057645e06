"""Abalone: predict the age (rings) from measurements. Served by an endpoint.

Data: UCI, shipped offline by the package scikit-lego (`build_scripts.upload_data --example`). Fields: settings_schema/model.py.
"""

from pipelines.tabular.competitors import COMPETITORS
from settings_schema import Autoscaling, Categorical, DataSet, Endpoint, Model, Numeric, Problem, Retraining, Rollout, Routing, Schedule

MODEL = Model(
    data=DataSet(
        problem=Problem.REGRESSION,
        target="rings",
        numeric=(
            Numeric(name="length", unit="200 mm", minimum=0, maximum=2),
            Numeric(name="diameter", unit="200 mm", minimum=0, maximum=2),
            Numeric(name="height", unit="200 mm", minimum=0, maximum=2),
            Numeric(name="whole_weight", unit="200 g", minimum=0, maximum=5),
            Numeric(name="shucked_weight", unit="200 g", minimum=0, maximum=5),
            Numeric(name="viscera_weight", unit="200 g", minimum=0, maximum=5),
            Numeric(name="shell_weight", unit="200 g", minimum=0, maximum=5),
        ),
        categorical=(Categorical(name="sex", values=("F", "I", "M")),),
        metric="rmse",
        threshold=2.4,
    ),
    algorithms=COMPETITORS,
    serving={
        "staging": Endpoint(),
        "production": Endpoint(
            initial_instance_count=2,
            rollout=Rollout(routing=Routing.CANARY, step_percent=50),
            autoscaling=Autoscaling(
                min_capacity=2,
                max_capacity=8,
                schedules=(
                    Schedule(name="business-hours", cron="0 7 ? * MON-FRI *", min_capacity=3, max_capacity=8),
                    Schedule(name="night", cron="0 20 ? * * *", min_capacity=2, max_capacity=6),
                ),
                time_zone="Europe/Madrid",
            ),
        ),
    },
    retraining=Retraining(learn_from_answers=True),
)
