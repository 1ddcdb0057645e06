"""One model: what it learns from, how it is made, how each environment serves it, how that is watched, and when it is trained again.

A team writes one as `models/<name>.py`; its name is the file's. Next: settings_schema/reading.py, which reads them.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from settings_schema.asynchronous import Asynchronous
from settings_schema.choosing import Choice
from settings_schema.component import Component
from settings_schema.data import DataSet
from settings_schema.errors import require
from settings_schema.experiment import Experiment
from settings_schema.member import Member
from settings_schema.metrics import METRICS
from settings_schema.monitoring import Monitoring
from settings_schema.names import RESERVED_MODELS, ModelNames
from settings_schema.project import Project
from settings_schema.rebuilding import Rebuild
from settings_schema.serverless import Serverless
from settings_schema.serving import Batch, Endpoint, OnEndpoint, ServingImage
from settings_schema.shadow import Shadow
from settings_schema.steps import algorithms, kinds, rounds_are_judged_by
from settings_schema.times import Cron, TimeZone
from settings_schema.training import Algorithm, Gate, Preparation, Processing, Training, Tuning
from settings_schema.value import NAME_PATTERN, Value

LONGEST_NAME = 20
MOST_ALGORITHMS = 10
#: Each way in which an environment can serve a model.
Serving = Endpoint | Serverless | Asynchronous | Component | Member | Batch


class Retraining(Value):
    """What trains a model without a push, and whether it learns from what it was asked. A run is never started while one is active.

    An alarm starts one only where there is something new to learn from since the last: a newer upload, or `min_new_rows` answers whose
    truth has become known, where the model learns from them.
    """

    cron: Cron | None = "0 3 ? * SUN *"
    time_zone: TimeZone = "Etc/UTC"
    on_new_data: bool = True  # a complete upload under training/<model>/
    on_drift: bool = True  # a drift alarm of an environment
    on_quality: bool = True  # an alarm on what labels or the estimate say of the quality
    learn_from_answers: bool = False  # requests whose truth was sent (deploy_scripts/send_labels.py) become training rows
    min_new_rows: int = Field(default=200, ge=1)
    quiet_hours: int = Field(default=24, ge=0, le=24 * 365)  # after a run began, alarms start none

    @property
    def on_alarms(self) -> bool:
        return self.on_drift or self.on_quality


class Model(Value):
    """`serving`: by the name of the environment. `monitoring`: None watches nothing. `rebuild`: None never makes anew what serves.

    `name`: that of the file, with '-' for '_'.
    """

    name: str = Field(default="", pattern=rf"({NAME_PATTERN})|^$", max_length=LONGEST_NAME, description="the name of its file")
    pipeline: str = "tabular"
    data: DataSet
    preparation: Preparation = Preparation()
    processing: Processing = Processing()
    algorithms: tuple[Algorithm, ...]
    tuning: Tuning = Tuning()
    training: Training = Training()
    choice: Choice = Choice()
    gate: Gate = Gate()
    serving: Mapping[str, Serving]
    monitoring: Monitoring | None = Monitoring()
    retraining: Retraining = Retraining()
    rebuild: Rebuild | None = None
    approvers: int = Field(default=1, ge=1, le=2)  # for production; 2: different people, neither of whom pushed or wrote the commit

    @model_validator(mode="after")
    def _fits_together(self) -> Model:
        self.require(
            self.pipeline in kinds(), "pipeline", self.pipeline, f"one of {', '.join(kinds())}, the folders of pipelines/ that train"
        )
        names = [algorithm.name for algorithm in self.algorithms]
        self.require(bool(names) and len(names) == len(set(names)), "algorithms", names, "at least one algorithm, each once")
        few = f"at most {MOST_ALGORITHMS}, since each takes two of the 50 facts that a version may have"
        self.require(len(names) <= MOST_ALGORITHMS, "algorithms", f"{len(names)} algorithms", few)
        known = algorithms(self.pipeline)
        allowed = f"one of {', '.join(known)}, the files of pipelines/{self.pipeline}/steps/algorithms/"
        for name in names:
            self.require(name in known, "algorithms", name, allowed)
        one_way = len({isinstance(served, Batch) for served in self.serving.values()}) == 1
        self.require(one_way, "serving", dict(self.serving), "an endpoint of some kind for each environment, or a Batch for each")
        learns = self.retraining.learn_from_answers
        captured = self.watch is not None or self.monitoring is None
        self.require(
            not learns or captured, "retraining", "learn_from_answers=True", f"False where no endpoint captures: {self._uncaptured()}"
        )
        self._require_rounds_for_hyperband()
        self._require_split_fits()
        self._require_experiments_fit()
        members = any(isinstance(served, Member) for served in self.serving.values())
        shared = "None with a Member, whose container is the fleet's"
        self.require(self.rebuild is None or not members, "rebuild", self.rebuild, shared)
        serves = self.rebuild is None or not self.is_batch_only
        self.require(serves, "rebuild", self.rebuild, "None for a Batch, whose jobs look for the image each time")
        return self

    def _require_rounds_for_hyperband(self) -> None:
        """It judges a trial before its end: by rounds, and by what XGBoost measures after each."""
        if self.tuning.strategy != "Hyperband":
            return
        judged = rounds_are_judged_by()
        self.require(self.data.metric in judged, "tuning.strategy", "Hyperband", f"with a metric that each round has: {', '.join(judged)}")
        rounds = max(algorithm.most_rounds for algorithm in self.algorithms)
        self.require(rounds > 1, "tuning.strategy", "Hyperband", "where an algorithm has more than one num_round")
        of_values = self.data.objective != "log_mean"
        self.require(
            of_values, "tuning.strategy", "Hyperband", "with another objective than 'log_mean', whose rounds are judged by logarithms"
        )
        self.require(rounds < 20_000, "algorithms", f"num_round={rounds}", "less than 20,000 with Hyperband, which counts no further")

    def _require_split_fits(self) -> None:
        """Answers carry the features only, so that a time that is none of them is not known of an answer."""
        column = self.preparation.split.by_time
        if column is None:
            return
        where, numeric = "preparation.split.by_time", [column.name for column in self.data.numeric]
        self.require(column not in ("", self.data.target), where, column, "None, or a column of the table that is not the target")
        is_known = not self.retraining.learn_from_answers or column in numeric
        self.require(is_known, where, column, f"None, or one of the numeric features {numeric}, with Retraining.learn_from_answers=True")

    def _require_experiments_fit(self) -> None:
        """What labels say of each version is counted by the watch."""
        for name in self.serving:
            if (wanted := self.experiment(name)) is not None:
                self.require(
                    self.monitoring is not None, "monitoring", None, f"set, as serving[{name!r}] has an experiment, which it counts"
                )
                self._require_looks_daily(name)
                metrics = METRICS[self.data.problem]
                known = wanted.metric is None or wanted.metric in metrics
                self.require(known, f"serving[{name!r}].experiment.metric", wanted.metric, f"None, or {' | '.join(metrics)}")

    def _require_looks_daily(self, name: str) -> None:
        """What counts an experiment's answers judges it within a day of its last one (infra/model/change_production/experiment_plan.py)."""
        if (watch := self.watch) is not None:
            why = f"as serving[{name!r}] has an experiment, which is judged within a day of its end"
            self.require(watch.looks_daily, "monitoring.cron", watch.cron, f"at least once a day, {why}")
            self.require((watch.window_hours or 0) <= 24, "monitoring.window_hours", watch.window_hours, f"at most 24, {why}")

    def _uncaptured(self) -> str:
        """Why nothing is captured in any environment; empty where something is, or files are scored."""
        reasons = [served.uncaptured for served in self.serving.values() if isinstance(served, OnEndpoint)]
        return next(iter(reasons), "") if all(reasons) else ""

    @property
    def is_batch_only(self) -> bool:
        return all(isinstance(served, Batch) for served in self.serving.values())

    def is_lean(self, environment: str) -> bool:
        """Whether the team's own image serves it there."""
        served = self.serving[environment]
        return isinstance(served, OnEndpoint) and served.image is ServingImage.LEAN

    def shadow(self, environment: str) -> Shadow | None:
        """Of a new version there, before a person is asked."""
        served = self.serving[environment]
        return served.shadow if isinstance(served, Endpoint) else None

    def experiment(self, environment: str) -> Experiment | None:
        """Of a new version there, once a person has let it in."""
        served = self.serving[environment]
        return served.experiment if isinstance(served, Endpoint) else None

    @property
    def watch(self) -> Monitoring | None:
        """`monitoring` with what goes by how the model serves; None where nothing is watched in any environment."""
        if self.monitoring is None or self._uncaptured():
            return None
        return self.monitoring.for_batch() if self.is_batch_only else self.monitoring.for_endpoint()

    def watch_in(self, environment: str) -> Monitoring | None:
        """`watch` in one environment; None where no requests are captured that could be judged."""
        served = self.serving[environment]
        return None if isinstance(served, OnEndpoint) and served.uncaptured else self.watch

    def names(self, project: Project) -> ModelNames:
        return project.names.model(self.name)


def check_name(name: str) -> None:
    """Raises SettingsError for a model that would be called like something of the project's own."""
    require(name not in RESERVED_MODELS, "the model's name", name, f"another name than {', '.join(RESERVED_MODELS)}, which the project has")
