"""How many instances an app can reach at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from preflight.assembly import Place
from preflight.endpoints import Fleet, endpoint_needs, fleets_of
from preflight.finding import NotSeenError
from preflight.job_needs import job_needs
from preflight.needs import Need, Use, together

from .aws_account import ACCOUNT, REGION, endpoint, situation, stack

PLACE = Place(ACCOUNT, REGION)
CLUSTER = '"ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}}}}]}'
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


def fleets(*resources: dict[str, Any], parameters: Mapping[str, Any] | None = None) -> list[Fleet]:
    """Of a stack with these resources; those of several stacks count alike."""
    stacks = [stack(f"stack-{number}", made) for number, made in enumerate(resources)]
    return fleets_of([replace(item, template={**item.template, "Parameters": parameters or {}}) for item in stacks], PLACE)


def test_an_update_runs_two_fleets_each_up_to_the_highest_of_all_schedules():
    (fleet,) = fleets(endpoint(count=2, scaling=(2, 6)))
    assert (fleet.lowest, fleet.highest, fleet.scales) == (2, 8, True)
    assert counts(endpoint_needs([fleet])) == {(Use.ENDPOINT, "ml.m5.large"): 16}


def test_an_endpoint_without_scaling_runs_two_fleets_of_its_own_size():
    (fleet,) = fleets(endpoint(count=3))
    assert (fleet.lowest, fleet.highest, fleet.scales) == (3, 3, False)
    assert counts(endpoint_needs([fleet])) == {(Use.ENDPOINT, "ml.m5.large"): 6}


@pytest.mark.parametrize(("size", "count"), [({"Type": "CAPACITY_PERCENT", "Value": 30}, 13), ({"Type": "INSTANCE_COUNT", "Value": 2}, 12)])
def test_a_rolling_update_runs_a_batch_beside_the_fleet(size, count):
    rolling = {"RollingUpdatePolicy": {"MaximumBatchSize": size}}
    (need,) = endpoint_needs(fleets(endpoint(count=10, **rolling)))
    assert need.count == count
    assert need.why == f"during an update: fish 10 + {count - 10}"


def test_a_rolling_update_may_bring_back_more_at_a_time_than_it_takes_away():
    percent = {"Type": "CAPACITY_PERCENT"}
    policy = {"MaximumBatchSize": {**percent, "Value": 20}, "RollbackMaximumBatchSize": {**percent, "Value": 50}}
    (need,) = endpoint_needs(fleets(endpoint(count=10, RollingUpdatePolicy=policy)))
    assert need.count == 15


@pytest.mark.parametrize(("other", "count"), [({"RollingUpdatePolicy": {}}, 15), ({"BlueGreenUpdatePolicy": {}}, 20)], ids=["rolls", "not"])
def test_of_two_ways_to_update_the_one_that_needs_more_counts(other, count):
    """A condition chooses, by what the deployment says."""
    half = {"MaximumBatchSize": {"Type": "CAPACITY_PERCENT", "Value": 50}}
    ways = [{"RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1}}}, dict.fromkeys(other, half)]
    (need,) = endpoint_needs(fleets(endpoint(count=10, **{"Fn::If": ["Guarded", *ways]})))
    assert need.count == count


def test_endpoints_of_one_type_share_a_quota_and_those_of_another_do_not():
    steady, scaled, bigger = endpoint("try"), endpoint("live", scaling=(2, 6)), endpoint("big", "ml.c5.xlarge", scaling=(2, 6))
    assert counts(endpoint_needs(fleets(steady, scaled))) == {(Use.ENDPOINT, "ml.m5.large"): 18}
    assert counts(endpoint_needs(fleets(steady, bigger))) == {(Use.ENDPOINT, "ml.m5.large"): 2, (Use.ENDPOINT, "ml.c5.xlarge"): 16}


def test_what_a_parameter_leaves_open_is_its_default_and_without_one_it_is_left_out():
    made = endpoint(instance_type={"Ref": "Type"}, count={"Ref": "Count"})  # type: ignore[arg-type] - as a template has them
    assert fleets(made) == []
    (fleet,) = fleets(made, parameters={"Type": {"Default": "ml.c5.large"}, "Count": {"Default": 2}})
    assert (fleet.instance_type, fleet.highest) == ("ml.c5.large", 2)


@pytest.mark.parametrize(
    "resource_id",
    [
        {"Fn::Join": ["", ["endpoint/", {"Fn::GetAtt": ["fish", "EndpointName"]}, "/variant/v"]]},
        {"Fn::Sub": "endpoint/${fish.EndpointName}/variant/v"},
    ],
)
def test_a_target_that_refers_to_an_endpoint_which_cloudformation_names_scales_it(resource_id):
    made = endpoint(scaling=(1, 4))
    del made["fish"][1]["EndpointName"]
    made["fishScaling"][1]["ResourceId"] = resource_id
    (fleet,) = fleets(made)
    assert (fleet.endpoint, fleet.highest) == ("fish", 6)


def test_a_target_of_another_endpoint_scales_nothing_here():
    made = endpoint(scaling=(1, 4))
    made["fishScaling"][1]["ResourceId"] = "endpoint/fish-two/variant/v"
    assert [fleet.highest for fleet in fleets(made)] == [1]


def test_a_serverless_variant_has_no_instances_and_a_shadow_has_its_own():
    made = endpoint()
    config = made["fishConfig"][1]
    config["ShadowProductionVariants"] = [{"VariantName": "shadow", "InstanceType": "ml.c5.large", "InitialInstanceCount": 2}]
    config["ProductionVariants"].append({"VariantName": "w", "ServerlessConfig": {"MaxConcurrency": 1, "MemorySizeInMB": 1024}})
    assert [(fleet.instance_type, fleet.highest) for fleet in fleets(made)] == [("ml.m5.large", 1), ("ml.c5.large", 2)]


def test_a_shadow_that_comes_and_goes_is_there_once_beside_both_fleets_of_an_update():
    made = endpoint()
    shadow = [{"VariantName": "shadow", "InstanceType": "ml.m5.large", "InitialInstanceCount": 3}]
    made["fishConfig"][1]["ShadowProductionVariants"] = {"Fn::If": ["Shadowed", shadow, {"Ref": "AWS::NoValue"}]}
    (need,) = endpoint_needs(fleets(made))
    assert need.count == 2 * 1 + 3


def test_a_variant_that_comes_and_goes_is_there_once_beside_both_fleets_of_an_update():
    made = endpoint()
    tried = {"VariantName": "tried", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
    made["fishConfig"][1]["ProductionVariants"].append({"Fn::If": ["Challenged", tried, {"Ref": "AWS::NoValue"}]})
    (need,) = endpoint_needs(fleets(made))
    assert need.count == 2 * 1 + 2


def test_a_pipeline_of_a_template_is_read_as_far_as_it_is_known_before_a_deployment():
    body = {
        "Fn::Join": ["", ['{"Steps": [{"Name": "P", "Type": "Processing", "Arguments": {"RoleArn": "', {"Ref": "Role"}, '", ', CLUSTER]]
    }
    pipeline = ("AWS::SageMaker::Pipeline", {"PipelineDefinition": {"PipelineDefinitionBody": body}})
    (need,) = situation(stacks=[stack("fish", {"P": pipeline})]).job_needs
    assert (need.use, need.instance_type, need.count) == (Use.PROCESSING, "ml.m5.xlarge", 2)


def test_a_pipeline_whose_definition_lies_in_a_bucket_is_not_seen():
    pipeline = ("AWS::SageMaker::Pipeline", {"PipelineDefinition": {"PipelineDefinitionS3Location": {"Bucket": "b", "Key": "k"}}})
    with pytest.raises(NotSeenError, match="known only once it is deployed"):
        _ = situation(stacks=[stack("fish", {"P": pipeline})]).job_needs


def test_searches_that_wait_for_the_same_step_run_at_once_with_their_parallel_trials():
    steps = [processing("Prepare"), tuning("TuneA", after="Prepare", parallel=2), tuning("TuneB", after="Prepare", parallel=3)]
    needed = job_needs({"Parameters": PARAMETERS, "Steps": steps})
    assert counts(needed) == {(Use.PROCESSING, "ml.m5.xlarge"): 1, (Use.TRAINING, "ml.m5.xlarge"): 5}
    assert next(need.why for need in needed if need.use is Use.TRAINING) == "TuneA 2 + TuneB 3 at once"


def test_trials_on_spare_capacity_count_against_quotas_of_their_own():
    """Such as 'ml.m5.xlarge for spot training job usage', as accounts list it; what runs beside them on demand does not."""
    spare = tuning("TuneA", after="Prepare", parallel=2)
    spare["Arguments"]["TrainingJobDefinition"]["EnableManagedSpotTraining"] = True  # type: ignore[index] - as a definition has it
    needed = job_needs({"Parameters": PARAMETERS, "Steps": [spare, tuning("TuneB", after="Prepare", parallel=3)]})
    assert counts(needed) == {(Use.SPOT_TRAINING, "ml.m5.xlarge"): 2, (Use.TRAINING, "ml.m5.xlarge"): 3}
    assert Use.SPOT_TRAINING.quota("ml.m5.xlarge") == "ml.m5.xlarge for spot training job usage"


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
    why = "3 runs at once: 2 of 1 at a time, 1 of 3 at a time"
    assert together([small, large, small]) == [Need(Use.PROCESSING, "ml.m5.xlarge", 5, why)]


def test_jobs_that_a_stack_will_start_count_where_the_stack_goes():
    jobs = {"trees": [Need(Use.TRANSFORM, "ml.c5.large", 2, "trees 2")], "elsewhere": [Need(Use.TRANSFORM, "ml.c5.large", 9, "no")]}
    assert counts(situation(stacks=[stack("trees")], jobs=jobs).job_needs) == {(Use.TRANSFORM, "ml.c5.large"): 2}
