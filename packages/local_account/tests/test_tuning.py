"""Hyperparameter tuning: ranges, strategies and early stopping without an account, then searches that really run."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.sagemaker.tuning import early_stopping, hyperband, ranges, strategies
from local_account.sagemaker.tuning import job as tuning_job

from . import sagemaker_requests as small

TRAIN = """
import argparse, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--rate", type=float); parser.add_argument("--depth", type=int); parser.add_argument("--fail")
options = parser.parse_args()
if options.fail:
    pathlib.Path(os.environ["SM_OUTPUT_DIR"], "failure").write_text("the data has one class only"); raise SystemExit(1)
for epoch in range(6):
    print(f"epoch {epoch} loss={(options.rate - 0.1) ** 2 + options.depth + 1 / (epoch + 1)}", flush=True)
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text(str(options.rate))
"""


def units(item: ranges.HyperparameterRange, count: int = 1001) -> list[str]:
    return [item.value(position / (count - 1)) for position in range(count)]


def test_a_linear_range_is_uniform_and_includes_its_ends() -> None:
    values = [float(value) for value in units(ranges.Numeric("x", 2.0, 4.0))]
    assert (values[0], values[500], values[-1]) == (2.0, 3.0, 4.0)


def test_a_logarithmic_range_spends_as_much_on_each_decade() -> None:
    values = [float(value) for value in units(ranges.Numeric("x", 0.001, 1.0, "Logarithmic"))]
    assert sum(value < 0.01 for value in values) == pytest.approx(len(values) / 3, rel=0.01)
    assert values[500] == pytest.approx(math.sqrt(0.001))


def test_a_reverse_logarithmic_range_is_dense_near_one() -> None:
    values = [float(value) for value in units(ranges.Numeric("x", 0.9, 0.999, "ReverseLogarithmic"))]
    assert values[500] == pytest.approx(1 - math.sqrt(0.1 * 0.001))


def test_every_integer_of_a_range_comes_equally_often() -> None:
    values = units(ranges.Numeric("x", 1, 5, integer=True), 5001)
    counts = [values.count(str(number)) for number in range(1, 6)]
    assert sum(counts) == 5001
    assert max(counts) - min(counts) < 20


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ContinuousParameterRanges": [{"Name": "x", "MinValue": "2", "MaxValue": "1"}]}, "more than MaxValue"),
        ({"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "1", "ScalingType": "Logarithmic"}]}, "more than 0"),
        (
            {"ContinuousParameterRanges": [{"Name": "x", "MinValue": "0", "MaxValue": "2", "ScalingType": "ReverseLogarithmic"}]},
            r"\[0, 1\)",
        ),
        ({"IntegerParameterRanges": [{"Name": "x", "MinValue": "a", "MaxValue": "2"}]}, "not a number"),
        ({}, "at least one"),
    ],
)
def test_an_impossible_range_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ranges.RangeError, match=message):
        ranges.read(wrong)


def test_a_seed_gives_the_same_random_trials_and_another_seed_others() -> None:
    axes = [ranges.Numeric(name, 0, 1) for name in "xyz"]
    first, again, other = (strategies.points("Random", axes, seed, 5) for seed in (7, 7, 8))
    assert first == again
    assert len(set(first)) == 5
    assert first[0] != other[0]


def test_a_grid_tries_every_combination_once() -> None:
    axes = [ranges.Categorical("a", ("1", "2")), ranges.Categorical("b", ("x", "y", "z"))]
    tried = [tuple(strategies.hyperparameters(axes, point).values()) for point in strategies.points("Grid", axes, 1, None)]
    assert len(strategies.points("Grid", axes, 1, 4)) == 4
    assert sorted(tried) == [(a, b) for a in "12" for b in "xyz"]


def test_a_grid_of_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="categorical ranges only"):
        strategies.points("Grid", [ranges.Numeric("x", 0, 1)], 1, None)


def test_bayesian_is_a_random_search_that_says_so(caplog: pytest.LogCaptureFixture) -> None:
    axes = [ranges.Numeric("x", 0, 1), ranges.Numeric("y", 0, 1)]
    assert strategies.points("Bayesian", axes, 7, 5) == strategies.points("Random", axes, 7, 5)
    assert "searches at random" in caplog.text


PREVIOUS = [[1.0, 0.5, 0.4], [2.0, 1.0, 0.8], [3.0, 2.0, 1.5]]


def test_a_trial_worse_than_the_median_of_running_averages_is_stopped_there() -> None:
    # Averages up to epoch 1: 1, 2, 3 (median 2); up to epoch 2: 0.75, 1.5, 2.5 (median 1.5).
    assert early_stopping.stop_epoch([1.9, 1.6, 0.1], PREVIOUS, maximize=False) == 2
    assert early_stopping.stop_epoch([1.9, 1.4, 0.1], PREVIOUS, maximize=False) is None
    assert early_stopping.stop_epoch([1.9, 1.6, 0.1], PREVIOUS, maximize=True) == 1


def test_a_trial_at_its_last_epoch_has_nothing_left_to_stop() -> None:
    assert early_stopping.stop_epoch([9.0], PREVIOUS, maximize=False) is None


def test_a_median_of_too_few_trials_stops_nothing() -> None:
    assert early_stopping.stop_epoch([9.0, 9.0], PREVIOUS[:2], maximize=False) is None


def resources(least: int, most: int) -> dict[str, Any]:
    return {"HyperbandStrategyConfig": {"MinResource": least, "MaxResource": most}}


def halved(objectives: list[float], previous: list[list[float]], least: int = 2, most: int = 100, *, maximize: bool = False) -> int | None:
    return hyperband.stop_epoch(objectives, previous, hyperband.Resources(least, most), maximize=maximize)


def flat(value: float, epochs: int = 20) -> list[float]:
    return [value] * epochs


def test_hyperband_lets_the_best_third_of_a_rung_go_on() -> None:
    others = [flat(value) for value in (1.0, 2.0, 3.0, 4.0, 5.0)]  # the best two of six go on
    assert halved(flat(1.5), others) is None
    assert halved(flat(2.5), others) == 2
    assert halved(flat(4.5), others, maximize=True) is None
    assert halved(flat(3.5), others, maximize=True) == 2


def test_hyperband_stops_nothing_before_the_least_resource_and_compares_with_three() -> None:
    others = [flat(1.0), flat(2.0)]
    assert halved(flat(9.0), others, least=7) == 7
    assert halved(flat(9.0, 7), others, least=7) is None  # it is at its end
    assert halved(flat(9.0), others[:1]) is None


def test_hyperband_judges_again_after_three_times_the_epochs_by_the_best_so_far() -> None:
    others = [flat(3.0), flat(4.0)]
    slower = [5.0, 2.0, *flat(9.0)]
    assert halved(slower, others) is None  # its second value was the best
    faded = [[9.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0], [9.0, 9.0, 1.5, 1.5, 1.5, 1.5, 1.5]]
    assert halved(flat(3.0), faded) == 6


def test_hyperband_stops_everything_at_the_most_resource() -> None:
    assert halved(flat(1.0), [], most=12) == 12
    assert halved(flat(1.0), [], most=20) is None


def test_hyperband_takes_the_most_resource_from_the_epochs_if_it_is_told_none() -> None:
    assert hyperband.Resources.of({}, {"n_epochs": "40"}) == hyperband.Resources(1, 40)


@pytest.fixture(scope="module")
def sagemaker(account: Account) -> Any:
    small.publish(account.client("s3"), {"train.py": TRAIN, "boosted.py": BOOSTED})
    return account.client("sagemaker")


def tuning(
    trials: int = 4, parallel: int = 2, strategy: str = "Random", static: dict[str, str] | None = None, **config: Any
) -> dict[str, Any]:
    name = small.new_name("tune")
    parameter_ranges = {
        "ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0.01", "MaxValue": "1", "ScalingType": "Logarithmic"}],
        "IntegerParameterRanges": [{"Name": "depth", "MinValue": "1", "MaxValue": "9"}],
    }
    return {
        "HyperParameterTuningJobName": name,
        "HyperParameterTuningJobConfig": {
            "Strategy": strategy,
            "RandomSeed": 7,
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": trials, "MaxParallelTrainingJobs": parallel},
            "ParameterRanges": parameter_ranges,
            **config,
        },
        "TrainingJobDefinition": small.training_definition(StaticHyperParameters={**small.script_mode("train.py"), **(static or {})}),
    }


def run(sagemaker: Any, request: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    name = request["HyperParameterTuningJobName"]
    sagemaker.create_hyper_parameter_tuning_job(**request)
    described = small.wait(
        lambda: sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name), "HyperParameterTuningJobStatus"
    )
    trials = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)["TrainingJobSummaries"]
    return described, trials


OWN_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
BOOSTED = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--eta", type=float); parser.add_argument("--num_round"); parser.add_argument("--_tuning_objective_metric")
options = parser.parse_args()
print(f"[0]#011train-rmse:9#011validation-rmse:{options.eta}")
"""


def of_aws(
    static: dict[str, str], ranges_: dict[str, Any], objective: str = "validation:rmse", direction: str = "Minimize"
) -> dict[str, Any]:
    """A search in the image of AWS's XGBoost algorithm."""
    request = tuning(trials=2, ParameterRanges=ranges_, static=static)
    request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"] = {"Type": direction, "MetricName": objective}
    definition = request["TrainingJobDefinition"]
    definition["AlgorithmSpecification"] = {"TrainingImage": OWN_IMAGE, "TrainingInputMode": "File"}
    definition["StaticHyperParameters"]["sagemaker_program"] = '"boosted.py"'
    return request


def continuous(name: str, low: str = "0.1", high: str = "0.5") -> dict[str, Any]:
    return {"ContinuousParameterRanges": [{"Name": name, "MinValue": low, "MaxValue": high}]}


def test_a_program_in_the_xgboost_image_is_tuned_by_the_image_s_metrics(sagemaker: Any) -> None:
    described, trials = run(sagemaker, of_aws({"num_round": "1"}, continuous("eta")))
    assert described["HyperParameterTuningJobStatus"] == "Completed", described.get("FailureReason")
    for trial in trials:
        assert trial["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == pytest.approx(float(trial["TunedHyperParameters"]["eta"]))


# aws/sagemaker-xgboost-container#121 and #113: SageMaker holds the image for an algorithm of its own, also in script mode.
@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (of_aws({"num_round": "1"}, continuous("learning_rate")), "learning_rate isn't tunable"),
        (of_aws({"num_round": "1"}, continuous("eta", high="2")), "[0.1, 2] of hyperparameter eta"),
        (of_aws({"num_round": "1"}, continuous("max_depth", "1", "3")), "max_depth isn't tunable"),  # it is an integer
        (of_aws({}, continuous("eta")), "num_round is required"),
        (of_aws({"num_round": "1"}, continuous("eta"), "validation:average_precision", "Maximize"), "none of the algorithm's"),
        (of_aws({"num_round": "1"}, continuous("eta"), direction="Maximize"), "none of the algorithm's"),
    ],
)
def test_what_the_xgboost_image_does_not_tune_is_refused(sagemaker: Any, request_: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match="ValidationException") as error:
        sagemaker.create_hyper_parameter_tuning_job(**request_)
    assert said in str(error.value)


def test_the_metrics_of_the_xgboost_image_are_aws_s(sagemaker: Any) -> None:
    request = of_aws({"num_round": "1"}, continuous("eta"))
    metrics = [{"Name": "validation:rmse", "Regex": "rmse:(.*)"}]
    request["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"] = metrics
    with pytest.raises(ClientError, match="You can't override the metric definitions for Amazon SageMaker algorithms"):
        sagemaker.create_hyper_parameter_tuning_job(**request)
    job = {**small.training_definition(), "HyperParameters": small.script_mode("train.py"), "TrainingJobName": small.new_name("own")}
    job["AlgorithmSpecification"] = {**job["AlgorithmSpecification"], "TrainingImage": OWN_IMAGE}
    with pytest.raises(ClientError, match="You can't override the metric definitions for Amazon SageMaker algorithms"):
        sagemaker.create_training_job(**job)


def test_the_best_trial_has_the_lowest_loss_and_is_a_real_training_job(sagemaker: Any, account: Account) -> None:
    described, trials = run(sagemaker, tuning())
    losses = {trial["TrainingJobName"]: trial["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] for trial in trials}
    best = described["BestTrainingJob"]
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["TrainingJobStatusCounters"] == {
        "Completed": 4,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == min(losses.values())
    job = sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert job["TuningJobArn"] == described["HyperParameterTuningJobArn"]
    assert job["HyperParameters"]["rate"] == best["TunedHyperParameters"]["rate"]
    assert small.read(account.client("s3"), job["ModelArtifacts"]["S3ModelArtifacts"])[:2] == b"\x1f\x8b"


@pytest.mark.parametrize(
    "early",
    [{"TrainingJobEarlyStoppingType": "Auto"}, {"strategy": "Hyperband", "StrategyConfig": resources(2, 9)}],
    ids=["Auto", "Hyperband"],
)
def test_a_seed_gives_the_same_trials_whatever_runs_in_parallel(sagemaker: Any, early: dict[str, Any]) -> None:
    one, two = (run(sagemaker, tuning(trials=7, parallel=parallel, **early))[1] for parallel in (1, 2))

    def facts(trials: list[dict[str, Any]]) -> list[Any]:
        return [
            (trial["TunedHyperParameters"], trial["TrainingJobStatus"], trial["FinalHyperParameterTuningJobObjectiveMetric"])
            for trial in trials
        ]

    assert facts(one) == facts(two)
    assert any(trial["TrainingJobStatus"] == "Stopped" for trial in one)


def test_a_search_whose_time_is_over_has_its_best_trial_and_tries_nothing_more(sagemaker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS's shortest time is two minutes: here the clock jumps once the first trials have ended."""
    request = tuning(trials=40, parallel=2)
    request["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxRuntimeInSeconds"] = 120
    late = SimpleNamespace(monotonic=lambda: 1000.0 * any(found["TrainingJobStatus"] == "Completed" for found in begun()))

    def begun() -> list[dict[str, Any]]:
        name = request["HyperParameterTuningJobName"]
        answer = sagemaker.list_training_jobs_for_hyper_parameter_tuning_job(HyperParameterTuningJobName=name, StatusEquals="Completed")
        return list(answer["TrainingJobSummaries"])

    monkeypatch.setattr(tuning_job, "time", late)
    described, _ = run(sagemaker, request)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["BestTrainingJob"]["TrainingJobStatus"] == "Completed"
    assert sum(described["TrainingJobStatusCounters"].values()) < 10


def test_when_every_trial_fails_the_job_fails_and_says_why(sagemaker: Any) -> None:
    described, trials = run(sagemaker, tuning(trials=2, static={"fail": "yes"}))
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("No training job succeeded after 2 attempts.")
    assert {trial["TrainingJobStatus"] for trial in trials} == {"Failed"}
    assert "BestTrainingJob" not in described


def test_a_search_without_any_objective_value_fails_and_quotes_the_pattern(sagemaker: Any) -> None:
    request = tuning(trials=1, parallel=1)
    request["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": "accuracy=([0-9.]+)"}]
    described, _ = run(sagemaker, request)
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert "No objective metrics found" in described["FailureReason"]
    assert "accuracy=" in described["FailureReason"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Strategy": "Hyperband"}, "Hyperband needs MaxResource"),
        ({"Strategy": "Hyperband", "StrategyConfig": resources(9, 3)}, "MinResource 9 and MaxResource 3"),
        ({"Strategy": "Hyperband", "StrategyConfig": resources(1, 20_001)}, "up to 20000"),
        ({"Strategy": "Hyperband", "StrategyConfig": resources(1, 9), "TrainingJobEarlyStoppingType": "Auto"}, "must be Off"),
        ({"StrategyConfig": resources(1, 9)}, "for the strategy Hyperband only"),
        (
            {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "error"}},
            "'error' has no MetricDefinition; there is loss",
        ),
        ({"ParameterRanges": {}}, "at least one hyperparameter"),
    ],
)
def test_a_search_that_cannot_run_is_not_created(sagemaker: Any, change: dict[str, Any], message: str) -> None:
    request = tuning(**change)
    with pytest.raises(ClientError, match=message):
        sagemaker.create_hyper_parameter_tuning_job(**request)
    with pytest.raises(ClientError, match="Could not find"):
        sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=request["HyperParameterTuningJobName"])
