"""Toronto arrests for possession of marijuana: predict release with a summons. Batch only: no endpoint, no hourly cost. Facet: colour.

About 700 test rows measure the AUC to ±0.05 (95 %) around 0.69, so the threshold leaves that room: a model below it is worse, not
unlucky. 83 % are released, so decisions are fitted for both answers: for accuracy or F1 they would release nearly everyone. The bias
limits of the gate hold because training is reweighed (Preparation.reweigh_facet).
Data: shipped offline by the package scikit-lego (`build_scripts.upload_data --example`). Fields: settings_schema/model.py.
"""

from pipelines.tabular.competitors import COMPETITORS
from settings_schema import Batch, Categorical, DataSet, Facet, Model, Numeric, Problem

MODEL = Model(
    data=DataSet(
        problem=Problem.BINARY,
        target="released",
        positive_class="Yes",
        numeric=(
            Numeric(name="year", minimum=1990, maximum=2030),
            Numeric(name="age", unit="years", minimum=0, maximum=120),
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
    serving={"staging": Batch(cron=None, on_upload=False), "production": Batch(cron="0 4 ? * * *", time_zone="Europe/Madrid")},
)
