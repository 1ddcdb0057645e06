"""What a model learns from: the columns of its table, what to predict, and how good is good enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import field_validator, model_validator

from settings_schema.errors import require
from settings_schema.metrics import METRICS, Metric, Problem
from settings_schema.steps import one_form
from settings_schema.value import Value


class Numeric(Value):
    """A numeric column. `minimum` and `maximum` are what is physically possible: a value outside is a data error, also in a request.

    `monotone`: what is known of its effect, whatever the data say: a higher value, all else equal, never makes the prediction (for two
    classes the probability of the positive one) lower where it is "increasing", never higher where it is "decreasing".
    """

    name: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    monotone: Literal["increasing", "decreasing"] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Numeric:
        if self.minimum is not None and self.maximum is not None:
            self.require(self.minimum < self.maximum, "minimum", self.minimum, f"less than {self.maximum}")
        return self


class Categorical(Value):
    """A categorical column. `values` lists every category that the data and a request may hold; None allows any.

    `unlisted`: what becomes of another one where they are listed. "refuse": it is an error of the data, and 400 to a request; "other":
    both count it as `<other>`, with the categories that are too rare for a column of their own.
    `encoding`: "one_hot" makes a column for each of the most frequent categories; "target" one column (of several classes one for each)
    with what the rows of a category were answered, each row without its own answer. None: "target" where there are more categories than
    `Preparation.max_categories`, else "one_hot".
    They are read as cells are: "True" is true, "4.0" is 4 (docs/decisions/0062-a-value-means-the-same-everywhere.md).
    """

    not_here: ClassVar[Mapping[str, str]] = {"monotone": "nothing: categories have no order; a column that has one is a Numeric"}

    name: str
    values: tuple[str, ...] | None = None
    unlisted: Literal["refuse", "other"] = "refuse"
    encoding: Literal["one_hot", "target"] | None = None

    @model_validator(mode="after")
    def _different(self) -> Categorical:
        if self.values is None:
            self.require(self.unlisted == "refuse", "unlisted", self.unlisted, "'refuse' where values is None, which takes any category")
            return self
        self.require(bool(self.values), "values", self.values, "at least one category, or None for any")
        values = tuple(one_form(value, f"Categorical({self.name!r}).values") for value in self.values)
        for index, value in enumerate(values):
            same = self.values[values.index(value)]
            given = (same, self.values[index])
            self.require(values.index(value) == index, "values", given, f"different categories; both are read as {value!r}")
        object.__setattr__(self, "values", values)
        return self


class Facet(Value):
    """The sensitive attribute whose groups are compared for bias, and the group that might be disadvantaged."""

    column: str
    disadvantaged: str

    @model_validator(mode="after")
    def _as_read(self) -> Facet:
        object.__setattr__(self, "disadvantaged", one_form(self.disadvantaged, f"Facet({self.column!r}).disadvantaged"))
        return self


class DataSet(Value):
    """What the table holds, what to predict, and how good is good enough (`metric` against `threshold`).

    A binary version decides for the positive class from a probability on that is fitted on the validation rows, for
    `decision_metric`. None: for `metric` if that judges decisions, otherwise for balanced accuracy, which one answer for everyone
    does not satisfy, however rare the other class is. `f1` cares for the positive class, `macro_f1` for both.
        self._learned_as_it_can_be()
    `ignore`: columns that the table has and nothing is learned of, such as notes, a second identifier, or what is known too late.
    `extra_in_requests`: what becomes of a name in a request's row that is no feature. "refuse": 400, since it may be one misspelt;
    "ignore": nothing, as with further columns of a file that is scored. The names of `ignore` and the identifier are never refused.
    """

    problem: Problem
    target: str
    numeric: tuple[Numeric, ...] = ()
    categorical: tuple[Categorical, ...] = ()
    identifier: str | None = None  # None: rows are told apart by their content
    ignore: tuple[str, ...] = ()
    positive_class: str | None = None  # binary only: the class whose probability is predicted
    facet: Facet | None = None
    metric: str
    threshold: float
    decision_metric: str | None = None  # binary only
    objective: Literal["mean", "log_mean", "count"] = "mean"  # regression only
    extra_in_requests: Literal["refuse", "ignore"] = "refuse"

    @field_validator("positive_class")
    @classmethod
    def _as_read(cls, value: str | None) -> str | None:
        return value if value is None else one_form(value, "DataSet.positive_class")

    @model_validator(mode="after")
    def _fits_together(self) -> DataSet:
        self._judged_as_it_can_be()
        self._learned_as_it_can_be()
        names = [*self.features, self.target, *([self.identifier] if self.identifier else []), *self.ignore]
        repeated = sorted({name for name in names if names.count(name) > 1})
        require(not repeated, "DataSet columns", repeated, "each column in one role only")
        self.require(bool(self.features), "numeric and .categorical", (), "at least one column between them")
        if self.facet is not None:
            columns = [column.name for column in self.categorical]
            allowed = f"one of the categorical columns {columns}"
            self.require(self.facet.column in columns, "facet.column", self.facet.column, allowed)
            groups, group = self.categorical[columns.index(self.facet.column)].values, self.facet.disadvantaged
            self.require(groups is None or group in groups, "facet.disadvantaged", group, f"one of {groups}, the values of the column")
        return self

    def _judged_as_it_can_be(self) -> None:
        known, is_binary = METRICS[self.problem], self.problem is Problem.BINARY
        self.require(self.metric in known, "metric", self.metric, f"one of {', '.join(known)} for {self.problem}")
        allowed = f"{self.judged_by.allowed}, which is what {self.metric} can be"
        self.require(self.judged_by.can_be(self.threshold), "threshold", self.threshold, allowed)
        has_positive = self.positive_class is not None
        self.require(has_positive == is_binary, "positive_class", self.positive_class, "set for binary problems, None otherwise")
        decided = [name for name, metric in known.items() if metric.judges_decisions] if is_binary else []
        allowed = (
            f"None, or one of {', '.join(decided)}" if is_binary else f"None for {self.problem}: only two classes are told by a threshold"
        )
        self.require(self.decision_metric is None or self.decision_metric in decided, "decision_metric", self.decision_metric, allowed)

    def _learned_as_it_can_be(self) -> None:
        """XGBoost holds trees to a monotone effect by the gradients of their loss, and fits leaves of quantiles anew without it."""
        is_mean, quantile = self.objective == "mean", METRICS[self.problem][self.metric].quantile
        self.require(is_mean or self.problem is Problem.REGRESSION, "objective", self.objective, f"'mean' for {self.problem}")
        self.require(
            is_mean or quantile is None, "objective", self.objective, f"'mean' with {self.metric}, which says itself what is predicted"
        )
        allowed = None
        if self.problem is Problem.MULTICLASS:
            allowed = "None for several classes: which of them would a higher value favour?"
        elif quantile is not None:
            allowed = f"None with {self.metric}: trees of quantiles cannot be held to it"
        for column in self.numeric:
            require(allowed is None or column.monotone is None, f"Numeric({column.name!r}).monotone", column.monotone, str(allowed))

    @property
    def features(self) -> tuple[str, ...]:
        """Column names in the order in which a request carries them: numeric first, then categorical."""
        return (*(column.name for column in self.numeric), *(column.name for column in self.categorical))

    @property
    def judged_by(self) -> Metric:
        return METRICS[self.problem][self.metric]

    @property
    def more_is_better(self) -> bool:
        return self.judged_by.more_is_better

    @property
    def decides_by(self) -> str | None:
        """What the decision threshold is fitted for; None unless the problem is binary."""
        if self.problem is not Problem.BINARY:
            return None
        return self.decision_metric or (self.metric if self.judged_by.judges_decisions else "balanced_accuracy")
