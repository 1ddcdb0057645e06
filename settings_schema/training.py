"""How a model is made: preparation of the data, the algorithms that compete, the search, and the gate that a version must pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from settings_schema.steps import check_hyperparameters
from settings_schema.value import Value


class Split(Value):
    """Share of rows per part. The side of a row depends on its identifier and the salt only, so it is stable as data grows.

    `by_time`: a column of the table, whether or not it is a feature, by which the newest rows test and those before validate; as newer
    rows come, rows move on from the test to the training. Its cells: ISO 8601 or numbers, of one form (steps/time_column.py).
    """

    salt: str = "1"
    by_time: str | None = None  # None: a hash of the identifier or of the features decides
    validation: float = Field(default=0.15, gt=0, lt=0.5)
    test: float = Field(default=0.15, gt=0, lt=0.5)


class Preparation(Value):
    """One declarative specification; fitted on training rows only."""

    split: Split = Split()
    outlier_rule: Literal["iqr", "quantile", "zscore", "none"] = "iqr"
    outlier_factor: float = Field(default=3.0, gt=0)  # iqr: multiples of the IQR; zscore: standard deviations; quantile: tail in percent
    outlier_action: Literal["clip", "drop"] = "clip"  # drop: drops training rows only
    numeric_imputation: Literal["median", "mean", "zero"] = "median"
    missing_indicators: bool = True  # adds a 0/1 column where training rows had gaps
    normalisation: Literal["standard", "minmax", "robust", "none"] = "standard"
    max_categories: int = Field(default=50, ge=2, le=1000)  # most frequent categories kept; the rest and unseen ones share one column
    balance_classes: bool = False  # weights inverse to class frequency
    # Kamiran & Calders reweighing of the facet. None: where the gate judges decisions about it, that is for binary problems.
    # Without it decisions differ between the groups by far more than the labels do.
    reweigh_facet: bool | None = None
    select_features: Annotated[int, Field(ge=1)] | None = None  # keep the k most informative prepared columns

    @model_validator(mode="after")
    def _tail_is_one(self) -> Preparation:
        is_tail = self.outlier_rule != "quantile" or self.outlier_factor < 50
        self.require(is_tail, "outlier_factor", self.outlier_factor, "a tail of less than 50 %")
        return self


class Range(Value):
    """Values the tuner may try. Integers where both ends are ints, otherwise floats. `log` searches on a logarithmic scale."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _from_low_to_high(self) -> Range:
        self.require(self.low < self.high, "low", self.low, f"less than high ({self.high})")
        self.require(not self.log or self.low > 0, "low", self.low, "more than 0 on a logarithmic scale")
        if not self.is_integer:
            for name in ("low", "high"):
                object.__setattr__(self, name, float(getattr(self, name)))
        return self

    @property
    def is_integer(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


class Algorithm(Value):
    """A competitor: `steps/algorithms/<name>.py` of the model's pipeline, its fixed hyperparameters and the tuned ones.

    Their names are those of the XGBoost image, whatever the algorithm: SageMaker's tuner takes no others (steps/tuner_contract.py).
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=31, description="a-z, 0-9 and '_', at most 31 characters")
    fixed: Mapping[str, str | int | float] = {}
    tuned: Mapping[str, Range]

    @property
    def most_rounds(self) -> int:
        """Of boosting, of a trial; 1 where nothing is boosted."""
        tuned = self.tuned.get("num_round")
        return int(tuned.high if tuned else self.fixed["num_round"])

    @model_validator(mode="after")
    def _image_takes_them(self) -> Algorithm:
        self.require(bool(self.tuned), "tuned", self.tuned, "at least one hyperparameter")
        both = sorted(set(self.fixed) & set(self.tuned))
        self.require(not both, "tuned", both, "hyperparameters that are not in .fixed as well")
        check_hyperparameters(self.name, self.fixed, {name: (values.low, values.high) for name, values in self.tuned.items()})
        return self


#: Of HyperParameterTuningMaxRuntimeInSeconds in SageMaker's service model: 120 to 15,768,000.
_LONGEST_SEARCH_MINUTES = 15_768_000 // 60


class Tuning(Value):
    """Budget of the search, for each algorithm: so many trials, and with `max_minutes` no longer than that, whichever ends first.

    What time ends depends on how fast the instances are: the same seed then tries the same points, but may try fewer of them.
    Source: "Track and set completion criteria for your tuning job" (SageMaker guide).
    "Hyperband" stops boosted trials that are worse than others after as many rounds, and so has more of them for the same money; algorithms
    of one round are searched at random then. It has its own early stopping, and SageMaker refuses the other kind beside it.
    """

    strategy: Literal["Random", "Bayesian", "Hyperband"] = "Random"  # Random is reproducible with a seed; Bayesian needs fewer trials
    trials: int = Field(default=4, ge=1, le=750)
    parallel_trials: int = Field(default=2, ge=1, le=100)
    max_minutes: Annotated[int, Field(ge=2, le=_LONGEST_SEARCH_MINUTES)] | None = None
    early_stopping: bool = True
    seed: int = 7

    @model_validator(mode="after")
    def _as_many_as_there_are(self) -> Tuning:
        most = min(100, self.trials)
        self.require(self.parallel_trials <= most, "parallel_trials", self.parallel_trials, f"1 to {most}")
        if self.strategy == "Hyperband":
            asked = self.early_stopping and "early_stopping" in self.model_fields_set
            self.require(not asked, "early_stopping", True, "False with Hyperband, which stops trials itself")
            object.__setattr__(self, "early_stopping", False)
        return self


class Processing(Value):
    """On what the preparation runs. `spark`: on SageMaker's Spark image, which takes any number of instances; the result is the same.

    `instance_count`: of Prepare, where a run does not say another (ProcessingInstanceCount). Choice and evaluation take one.
    """

    spark: bool = False
    instance_count: int = Field(default=1, ge=1, le=100)

    @model_validator(mode="after")
    def _several_need_spark(self) -> Processing:
        count = self.instance_count
        self.require(self.spark or count == 1, "instance_count", count, "1 where spark is False: one instance prepares without Spark")
        return self


_LONGEST_MINUTES = 28 * 24 * 60


class Training(Value):
    """On what the trials of the search run, and for how long.

    `use_spot`: on capacity that AWS can spare, for less; a trial may be interrupted, and goes on from its last checkpoint. Then
    `max_wait_minutes` holds its run and its waits for capacity together; None: twice its longest run.
    Source: "Managed Spot Training in Amazon SageMaker AI", and StoppingCondition of SageMaker's service model: MaxRuntimeInSeconds is
    28 days at most, MaxWaitTimeInSeconds no less than it.
    """

    use_spot: bool = False
    max_run_minutes: int = Field(default=240, ge=1, le=_LONGEST_MINUTES)
    max_wait_minutes: Annotated[int, Field(ge=1, le=_LONGEST_MINUTES)] | None = None

    @model_validator(mode="after")
    def _waits_as_long_as_it_runs(self) -> Training:
        longest = self.max_wait_minutes
        self.require(longest is None or self.use_spot, "max_wait_minutes", longest, "None where use_spot is False: nothing waits")
        allowed = f"None, or at least max_run_minutes ({self.max_run_minutes}), which it holds"
        self.require(longest is None or longest >= self.max_run_minutes, "max_wait_minutes", longest, allowed)
        return self

    @property
    def longest_wait_minutes(self) -> int:
        return self.max_wait_minutes or min(2 * self.max_run_minutes, _LONGEST_MINUTES)


_Significance = Annotated[float, Field(gt=0, lt=0.5)]
_Limit = Annotated[float, Field(gt=0, le=1)]


class Gate(Value):
    """What a version must pass besides the data set's own threshold. Limits are absolute values; None does not check.

    What warns does not refuse: it is the first thing in the report, and the approver decides.
    """

    champion_significance: _Significance = 0.05  # paired bootstrap: refuse if worse than production at this level
    #: Refuse unless better at this level than one answer for everyone (class shares, mean), by the metric and, for classes, by log loss.
    constant_significance: _Significance | None = 0.1  # None: warn only
    every_class_predicted: bool = True  # refuse if a class of the test rows is never predicted; False: warn only
    compare_with_linear: bool = True  # warn if a plain linear model is as good
    max_calibration_error: _Limit | None = 0.1  # warn if probabilities are further off on average, and not by chance
    max_difference_in_proportions: _Limit | None = 0.2  # DPL of predicted labels
    min_disparate_impact: _Limit | None = 0.8  # the four-fifths rule
    max_equal_opportunity_difference: _Limit | None = 0.2
