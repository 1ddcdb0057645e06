"""How many instances the settings can reach at once."""

from __future__ import annotations

from deploy_scripts.preflight.job_needs import job_needs, together
from deploy_scripts.preflight.needs import Need, Use, batch_needs, capacity_range, endpoint_needs
from settings_schema import Batch
from tests.unit.preflight_account import PRODUCTION, STAGING

PARAMETERS = [{"Name": "Type", "DefaultValue": "ml.m5.xlarge"}, {"Name": "Count", "DefaultValue": 2}]


def processing(name: str, *, after: str = "", count: object = 1, instance_type: object = "ml.m5.xlarge") -> dict[str, object]:
    cluster = {"InstanceType": instance_type, "InstanceCount": count}
    arguments = {"ProcessingResources": {"ClusterConfig": cluster}, "Input": {"Get": f"Steps.{after}.Output"} if after else "s3://a"}
    return {"Name": name, "Type": "Processing", "Arguments": arguments}


def tuning(name: str, *, after: str, parallel: int) -> dict[str, object]:
    return {
        "Name": name,
        "Type": "Tuning",
        "Arguments": {
            "HyperParameterTuningJobConfig": {"ResourceLimits": {"MaxParallelTrainingJobs": parallel}},
            "TrainingJobDefinition": {"ResourceConfig": {"InstanceType": {"Get": "Parameters.Type"}, "InstanceCount": 1}},
        },
        "DependsOn": [after],
    }


def counts(needs: list[Need]) -> dict[tuple[Use, str], int]:
    return {(need.use, need.instance_type): need.count for need in needs}


def test_an_update_runs_two_fleets_each_up_to_the_highest_of_all_schedules():
    assert capacity_range(PRODUCTION) == (2, 8)
    assert counts(endpoint_needs({"live": PRODUCTION})) == {(Use.ENDPOINT, "ml.m5.large"): 16}


def test_an_endpoint_without_scaling_runs_two_fleets_of_its_own_size():
    fixed = STAGING.but(initial_instance_count=3)
    assert capacity_range(fixed) == (3, 3)
    assert counts(endpoint_needs({"try": fixed})) == {(Use.ENDPOINT, "ml.m5.large"): 6}


def test_endpoints_of_one_type_share_a_quota_and_those_of_another_do_not():
    bigger = PRODUCTION.but(instance_type="ml.c5.xlarge")
    assert counts(endpoint_needs({"try": STAGING, "live": PRODUCTION})) == {(Use.ENDPOINT, "ml.m5.large"): 18}
    assert counts(endpoint_needs({"try": STAGING, "live": bigger})) == {
        (Use.ENDPOINT, "ml.m5.large"): 2,
        (Use.ENDPOINT, "ml.c5.xlarge"): 16,
    }


def test_searches_that_wait_for_the_same_step_run_at_once_with_their_parallel_trials():
    steps = [processing("Prepare"), tuning("TuneA", after="Prepare", parallel=2), tuning("TuneB", after="Prepare", parallel=3)]
    needed = job_needs({"Parameters": PARAMETERS, "Steps": steps})
    assert counts(needed) == {(Use.PROCESSING, "ml.m5.xlarge"): 1, (Use.TRAINING, "ml.m5.xlarge"): 5}
    assert next(need.why for need in needed if need.use is Use.TRAINING) == "TuneA 2 + TuneB 3 at once"


def test_steps_that_wait_for_each_other_do_not_add_up_however_far_apart():
    steps = [processing("Prepare"), tuning("Tune", after="Prepare", parallel=2), processing("Evaluate", after="Tune", count=3)]
    assert counts(job_needs({"Parameters": PARAMETERS, "Steps": steps}))[Use.PROCESSING, "ml.m5.xlarge"] == 3


def test_the_most_at_once_need_not_be_the_first_that_could_run():
    """Big waits for A only, so that it runs beside B, not beside A."""
    steps = [processing("A", count=3), processing("B", count=2), processing("Big", after="A", count=4)]
    assert counts(job_needs({"Steps": steps})) == {(Use.PROCESSING, "ml.m5.xlarge"): 6}


def test_a_parameter_stands_for_its_default():
    step = processing("Prepare", count={"Get": "Parameters.Count"}, instance_type={"Get": "Parameters.Type"})
    assert counts(job_needs({"Parameters": PARAMETERS, "Steps": [step]})) == {(Use.PROCESSING, "ml.m5.xlarge"): 2}


def test_steps_inside_a_condition_wait_for_what_it_asks_about():
    inner = processing("Report", count=5)
    condition = {"Name": "Gate", "Type": "Condition", "Arguments": {"Conditions": [{"Get": "Steps.Judge.x"}], "IfSteps": [inner]}}
    needed = job_needs({"Steps": [processing("Judge", count=4), condition]})
    assert counts(needed) == {(Use.PROCESSING, "ml.m5.xlarge"): 5}


def test_a_transform_counts_and_a_step_without_instances_does_not():
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 2}
    steps = [
        {"Name": "Ask", "Type": "Lambda", "Arguments": {"url": "s3://a"}},
        {"Name": "Score", "Type": "Transform", "Arguments": {"TransformResources": resources}},
    ]
    assert counts(job_needs({"Steps": steps})) == {(Use.TRANSFORM, "ml.m5.large"): 2}


def test_pipelines_of_several_models_may_run_at_once():
    """A push that changes shared steps trains every model."""
    small, large = (Need(Use.PROCESSING, "ml.m5.xlarge", count, f"{count} at a time") for count in (1, 3))
    assert together([small]) == [small]
    assert together([small, large]) == [Need(Use.PROCESSING, "ml.m5.xlarge", 4, "2 runs at once")]


def test_a_batch_model_needs_the_instances_of_its_scoring():
    needed = batch_needs({"mlops--fish--live": Batch(instance_type="ml.c5.large", instance_count=2)})
    assert counts(needed) == {(Use.TRANSFORM, "ml.c5.large"): 2}
