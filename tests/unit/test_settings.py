"""What a team writes is refused here if AWS or common sense would refuse it later: the field, what it got and what is allowed."""

import json

import pytest
from pydantic import ValidationError

from build_scripts.step_modules import load
from pipelines.tabular.specification import specification_json
from settings_schema import (
    Algorithm,
    Autoscaling,
    Batch,
    Categorical,
    DataSet,
    Endpoint,
    Environment,
    Facet,
    Model,
    Numeric,
    Preparation,
    Problem,
    Project,
    Range,
    Rebuild,
    Rollout,
    Routing,
    Schedule,
    SettingsError,
    Split,
    Step,
    StepScaling,
    TargetTracking,
    Training,
    Tuning,
)
from tests.example_models import ABALONE, ARRESTS, model_of


def data_set(**changes: object) -> DataSet:
    values: dict[str, object] = {
        "problem": Problem.REGRESSION,
        "target": "y",
        "numeric": (Numeric(name="x"),),
        "metric": "rmse",
        "threshold": 1.0,
    }
    return DataSet(**{**values, **changes})  # type: ignore[arg-type]  # wrong types are part of what is tested


def binary(**changes: object) -> DataSet:
    return data_set(**{"problem": Problem.BINARY, "positive_class": "yes", "metric": "auc", "threshold": 0.7, **changes})


NIGHT = Schedule(name="night", cron="0 20 ? * * *", min_capacity=1, max_capacity=2)


def canary(autoscaling: Autoscaling) -> Endpoint:
    return Endpoint(rollout=Rollout(routing=Routing.CANARY), initial_instance_count=2, autoscaling=autoscaling)


def rolling(instance_type: str) -> Endpoint:
    return Endpoint(rollout=Rollout(routing=Routing.ROLLING), initial_instance_count=2, instance_type=instance_type)


def test_a_rolling_update_may_bake_until_its_time_is_over():
    """It has no wait for the old fleet's end, which goes in batches."""
    assert Rollout(routing=Routing.ROLLING, step_percent=5, bake_seconds=359, termination_wait_seconds=3600).steps == 20


@pytest.mark.parametrize(
    ("make", "field_name", "got"),
    [
        (lambda: Autoscaling(min_capacity=0, max_capacity=3), "Autoscaling.min_capacity", "0"),
        (lambda: Autoscaling(min_capacity=4, max_capacity=3), "Autoscaling.min_capacity", "4"),
        (lambda: Autoscaling(min_capacity=1, max_capacity=3, time_zone="Mars/Olympus"), "Autoscaling.time_zone", "Mars/Olympus"),
        (lambda: Rollout(routing=Routing.CANARY, step_percent=51), "Rollout.step_percent", "51"),
        (lambda: Rollout(routing=Routing.LINEAR, step_percent=5), "Rollout.step_percent", "5"),
        (lambda: Rollout(routing=Routing.ROLLING, step_percent=4), "Rollout.step_percent", "4"),
        (lambda: Rollout(routing=Routing.ROLLING, step_percent=60), "Rollout.step_percent", "60"),
        (lambda: Rollout(routing=Routing.CANARY, rollback_step_percent=100), "Rollout.rollback_step_percent", "100"),
        (lambda: Rollout(routing=Routing.ROLLING, rollback_step_percent=4), "Rollout.rollback_step_percent", "4"),
        (lambda: Rollout(routing=Routing.ROLLING, step_percent=10, bake_seconds=720), "Rollout.bake_seconds", "720"),
        (lambda: Rollout(routing=Routing.LINEAR, step_percent=10, bake_seconds=719), "Rollout.bake_seconds", "719"),
        (lambda: Endpoint(rollout=Rollout(routing=Routing.CANARY)), "initial_instance_count", "1"),
        (lambda: Rebuild(older_than_days=0), "Rebuild.older_than_days", "0"),
        (lambda: ARRESTS.but(rebuild=Rebuild()), "rebuild", "Rebuild"),
        (lambda: Endpoint(rollout=Rollout(routing=Routing.ROLLING)), "initial_instance_count", "1"),
        (lambda: rolling("ml.inf1.xlarge"), "Endpoint.instance_type", "ml.inf1.xlarge"),
        (lambda: canary(Autoscaling(min_capacity=1, max_capacity=3)), "autoscaling", "down to 1"),
        (lambda: canary(Autoscaling(min_capacity=2, max_capacity=3, schedules=(NIGHT,))), "autoscaling", "down to 1"),
        (lambda: Endpoint(instance_type="m5.large"), "instance_type", "m5.large"),
        (lambda: Endpoint(data_capture_percent=101), "data_capture_percent", "101"),
        (lambda: Environment(name="Prod!"), ".name", "Prod!"),
        (lambda: Environment(name="prod-"), ".name", "prod-"),
        (lambda: Project(name="shop-"), "Project.name", "shop-"),
        (lambda: Batch(cron="0 4 * * *"), "Batch.cron", "0 4 * * *"),
        (lambda: Batch(instance_count=0), "Batch.instance_count", "0"),
        (lambda: Schedule(name="s", cron="0 7 * * *", min_capacity=1, max_capacity=2), ".cron", "0 7 * * *"),
        (lambda: Schedule(name="s", cron="0 7 * * MON *", min_capacity=1, max_capacity=2), ".cron", "0 7 * * MON *"),
        (lambda: Schedule(name="s", cron="0 7 ? * MON *", min_capacity=3, max_capacity=2), ".min_capacity", "3"),
        (lambda: StepScaling(steps=(Step(at_least_percent_of_threshold=120, change_percent=10),)), "StepScaling.steps", "120"),
        (lambda: TargetTracking(safety=1.5), "TargetTracking.safety", "1.5"),
        (lambda: Project(name="UPPER"), "Project.name", "UPPER"),
        (lambda: Project(name="ok", account="123"), "Project('ok').account", "123"),
        (lambda: Tuning(trials=0), "Tuning.trials", "0"),
        (lambda: Tuning(trials=2, parallel_trials=3), "Tuning.parallel_trials", "3"),
        (lambda: Tuning(max_minutes=1), "Tuning.max_minutes", "1"),
        (lambda: Tuning(strategy="Hyperband", early_stopping=True), "Tuning.early_stopping", "True"),
        (lambda: Training(max_run_minutes=0), "Training.max_run_minutes", "0"),
        (lambda: Training(use_spot=True, max_run_minutes=60, max_wait_minutes=59), "Training.max_wait_minutes", "59"),
        (lambda: Training(max_wait_minutes=600), "Training.max_wait_minutes", "600"),
        (lambda: Range(low=2, high=1), "Range.low", "2"),
        (lambda: Range(low=0, high=1, log=True), "Range.low", "0"),
        (lambda: Split(test=0.7), "Split.test", "0.7"),
        (lambda: Preparation(outlier_rule="magic"), "Preparation.outlier_rule", "magic"),
        (lambda: data_set(metric="auc"), ".metric", "auc"),
        (lambda: data_set(target="x"), "columns", "x"),
        (lambda: data_set(numeric=()), "numeric", "()"),
        (lambda: data_set(positive_class="yes"), "positive_class", "yes"),
        (lambda: data_set(facet=Facet(column="x", disadvantaged="a")), "facet.column", "x"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(make, field_name, got):
    with pytest.raises(SettingsError) as refusal:
        make()
    message = str(refusal.value)
    assert field_name in message.split(" is ")[0]
    assert got in message
    assert "allowed: " in message
    assert "\n" not in message


def test_values_cannot_be_changed_after_they_are_read():
    with pytest.raises(ValidationError, match="frozen"):
        Project(name="ok").name = "other"  # type: ignore[misc]  # the error is what is tested


def test_target_tracking_follows_the_sizing_formula():
    """Max RPS x safety x 60: the formula of the SageMaker guide for load testing a variant."""
    assert TargetTracking(max_rps_per_instance=20, safety=0.5).invocations_per_instance == 600


def test_features_keep_numeric_before_categorical():
    data = data_set(numeric=(Numeric(name="b"), Numeric(name="a")), categorical=(Categorical(name="c"),))
    assert data.features == ("b", "a", "c")


def test_declared_categories_are_in_the_form_in_which_cells_are_read():
    column = Categorical(name="c", values=("True", " 4.0", "Bogota\u0301"))
    assert column.values == ("true", "4", "Bogot\u00e1")
    facet = Facet(column="c", disadvantaged="TRUE")
    data = data_set(problem=Problem.BINARY, positive_class="1.0", metric="auc", threshold=0.5, categorical=(column,), facet=facet)
    assert (data.facet.disadvantaged, data.positive_class) == ("true", "1")


def test_declared_categories_stay_as_they_are_when_they_are_read_again():
    column = Categorical(name="c", values=("True", "4.0"))
    assert column.but() == column


@pytest.mark.parametrize(
    ("changes", "decides_by"),
    [
        ({}, "balanced_accuracy"),
        ({"metric": "log_loss"}, "balanced_accuracy"),
        ({"metric": "average_precision"}, "balanced_accuracy"),
        ({"metric": "f1"}, "f1"),
        ({"metric": "accuracy"}, "accuracy"),
        ({"metric": "accuracy", "decision_metric": "macro_f1"}, "macro_f1"),
    ],
)
def test_the_threshold_is_fitted_for_what_is_named_then_for_a_metric_of_decisions_then_for_balanced_accuracy(changes, decides_by):
    assert binary(**changes).decides_by == decides_by


def test_only_two_classes_are_told_by_a_threshold():
    assert data_set().decides_by is None
    assert data_set(problem=Problem.MULTICLASS, metric="accuracy", threshold=0.5).decides_by is None


@pytest.mark.parametrize(("metric", "threshold"), [("rmse", 0), ("rmse", 1e6), ("r2", -3), ("r2", 1), ("mae", 0.1)])
def test_every_value_that_the_metric_can_have_is_a_threshold(metric, threshold):
    assert data_set(metric=metric, threshold=threshold).threshold == threshold


def test_training_is_reweighed_where_the_gate_judges_decisions_about_a_facet_unless_the_team_says_otherwise():
    facet = {
        "categorical": (Categorical(name="group", values=("a", "b")),),
        "facet": Facet(column="group", disadvantaged="b"),
    }
    for dataset, preparation, expected in (
        (binary(), Preparation(), False),
        (binary(**facet), Preparation(), True),
        (data_set(**facet), Preparation(), False),
        (binary(**facet), Preparation(reweigh_facet=False), False),
        (binary(**facet), Preparation(reweigh_facet=True), True),
    ):
        assert json.loads(specification_json(model_of(dataset).but(preparation=preparation)))["preparation"]["reweigh_facet"] is expected


def test_the_schema_of_the_data_does_not_change_with_how_it_is_judged(tmp_path):
    hashes = set()
    for dataset in (
        binary(),
        binary(metric="f1", threshold=0.2),
        binary(decision_metric="f1"),
        binary(extra_in_requests="ignore"),
        binary(ignore=("note",)),
    ):
        (tmp_path / "specification.json").write_text(specification_json(model_of(dataset)), encoding="utf-8")
        hashes.add(load("specification").load(tmp_path / "specification.json").schema_sha256)
    assert len(hashes) == 1


def test_a_schema_from_before_unlisted_categories_had_a_choice_is_the_same(tmp_path):
    def schema(unlisted, *, is_written=True):
        column = Categorical(name="kind", values=("flat",), unlisted=unlisted)
        document = json.loads(specification_json(model_of(data_set(categorical=(column,)))))
        if not is_written:
            del document["dataset"]["categorical"][0]["unlisted"]
        (tmp_path / "specification.json").write_text(json.dumps(document), encoding="utf-8")
        return load("specification").load(tmp_path / "specification.json").schema_sha256

    assert schema("refuse") == schema("refuse", is_written=False) != schema("other")


def hyperband(metric: str = "rmse", rounds: int = 50) -> Model:
    boosting = Algorithm(name="gradient_boosting", fixed={"num_round": rounds}, tuned={"eta": Range(low=0.1, high=0.2)})
    return ABALONE.but(algorithms=(boosting,), tuning=Tuning(strategy="Hyperband"), data=ABALONE.data.but(metric=metric, threshold=0.5))


def test_hyperband_has_its_own_early_stopping() -> None:
    assert hyperband().tuning.early_stopping is False
    assert Tuning(strategy="Hyperband", early_stopping=False).early_stopping is False
    assert Tuning().early_stopping is True


@pytest.mark.parametrize(
    ("metric", "rounds", "message"),
    [("r2", 50, "a metric that each round has"), ("rmse", 1, "more than one num_round"), ("rmse", 20_000, "less than 20,000")],
)
def test_hyperband_wants_rounds_and_a_metric_that_each_of_them_has(metric: str, rounds: int, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        hyperband(metric, rounds)
