"""The public data sets, each as a team would describe it: where its table is, what to predict, which numbers name categories.

`JUDGED` are those of the committed table. `PRIOR` are others, on which the defaults of pipelines/tabular/competitors.py were chosen, so
that these are not fitted to the table. All come with packages of the registry (`environments.py`); no data is kept here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.tabular.competitors import COMPETITORS
from settings_schema import Batch, Categorical, DataSet, Model, Numeric, Preparation, Problem, Split

_METRIC = {Problem.REGRESSION: "rmse", Problem.BINARY: "auc", Problem.MULTICLASS: "log_loss"}


@dataclass(frozen=True)
class PublicSet:
    """`package`, `item`: as `export_table.py` finds it. `over`: the target is whether that column is more than so much, "yes" or "no".

    `ignored`: identifiers, and what is only known with the answer. `rows`: of a larger table so many, evenly spaced; None: all.
    """

    name: str
    package: str
    item: str
    target: str
    problem: Problem
    positive: str | None = None
    over: float | None = None
    categories: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    rows: int | None = None

    @property
    def metric(self) -> str:
        return _METRIC[self.problem]

    def model(self, kinds: Mapping[str, str], salt: str) -> Model:
        """`kinds`: of the table's columns, "number" or "category", as exported. `salt`: of the split."""
        features = {name: kind for name, kind in kinds.items() if name != self.target}
        data = DataSet(
            problem=self.problem,
            target=self.target,
            positive_class=self.positive,
            numeric=tuple(Numeric(name=name) for name, kind in features.items() if kind == "number"),
            categorical=tuple(Categorical(name=name) for name, kind in features.items() if kind == "category"),
            metric=self.metric,
            threshold=0.5,  # nothing is registered
        )
        preparation = Preparation(split=Split(salt=salt))
        return Model(name=self.name, data=data, preparation=preparation, algorithms=COMPETITORS, serving={"staging": Batch(cron=None)})


_NUMBER, _TWO, _MORE = Problem.REGRESSION, Problem.BINARY, Problem.MULTICLASS

JUDGED = (
    PublicSet("diamonds", "ggplot2", "diamonds", "price", _NUMBER),
    PublicSet("bikeshare", "ISLP", "Bikeshare", "bikers", _NUMBER, ignored=("casual", "registered")),
    PublicSet("randhie", "statsmodels", "randhie", "mdvis", _NUMBER),
    PublicSet("computers", "Ecdat", "Computers", "price", _NUMBER),
    PublicSet("concrete", "modeldata", "concrete", "compressive_strength", _NUMBER),
    PublicSet("hitters", "ISLR", "Hitters", "Salary", _NUMBER, ignored=("rownames",)),
    PublicSet(
        "flights",
        "nycflights13",
        "flights",
        "arr_delay",
        _TWO,
        positive="yes",
        over=15,
        ignored=("year", "dep_time", "dep_delay", "arr_time", "air_time", "tailnum", "flight", "time_hour"),
        rows=60_000,
    ),
    PublicSet("caravan", "ISLR", "Caravan", "Purchase", _TWO, positive="Yes", categories=("MOSTYPE", "MOSHOOFD")),
    PublicSet("churn", "modeldata", "wa_churn", "churn", _TWO, positive="Yes"),
    PublicSet("oj", "ISLR", "OJ", "Purchase", _TWO, positive="MM", categories=("StoreID", "STORE")),
    PublicSet("digits", "sklearn", "digits", "digit", _MORE),
    PublicSet("hpc", "modeldata", "hpc_data", "class", _MORE),
    PublicSet("chile", "carData", "Chile", "vote", _MORE),
    PublicSet("iris", "datasets", "iris", "Species", _MORE),
)

PRIOR = (
    PublicSet(
        "movies", "ggplot2movies", "movies", "rating", _NUMBER, ignored=("title", *(f"r{number}" for number in range(1, 11))), rows=10_000
    ),
    PublicSet("wages", "AER", "CPS1988", "wage", _NUMBER, rows=10_000),
    PublicSet("houses", "mosaicData", "SaratogaHouses", "price", _NUMBER),
    PublicSet("visits", "AER", "NMES1988", "visits", _NUMBER, ignored=("nvisits", "ovisits", "novisits")),
    PublicSet("texas", "ggplot2", "txhousing", "median", _NUMBER, ignored=("volume", "date")),
    PublicSet("deliveries", "modeldata", "deliveries", "time_to_delivery", _NUMBER),
    PublicSet("developers", "modeldata", "stackoverflow", "Salary", _NUMBER),
    PublicSet("credit", "modeldata", "credit_data", "Status", _TWO, positive="bad"),
    PublicSet("attrition", "modeldata", "attrition", "Attrition", _TWO, positive="Yes"),
    PublicSet("airbags", "DAAG", "nassCDS", "dead", _TWO, positive="dead", ignored=("injSeverity", "caseid"), rows=10_000),
    PublicSet("cells", "modeldata", "cells", "class", _TWO, positive="PS", ignored=("case",)),
    PublicSet("election", "carData", "BEPS", "vote", _MORE),
    PublicSet("cars", "Ecdat", "Car", "choice", _MORE),
    PublicSet("verbal", "lme4", "VerbAgg", "resp", _MORE, ignored=("id", "r2")),
)

SETS = {each.name: each for each in (*JUDGED, *PRIOR)}
