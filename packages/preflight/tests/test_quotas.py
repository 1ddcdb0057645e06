"""Quotas, offers and prices: what a region and an account have, beside what is needed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from preflight import cost, fits, offers, quotas
from preflight.finding import NotSeenError, Sign
from preflight.needs import Need, Use

from . import aws_account
from .aws_account import IMAGE, Aws, denied, endpoint, found, only, product, quota, says, signs, stack
from .aws_account import quotas as listing

APPLIED, DEFAULTS = "service-quotas:ListServiceQuotas", "service-quotas:ListAWSDefaultServiceQuotas"
ENDPOINTS = "ml.m5.large for endpoint usage"
NEED = Need(Use.ENDPOINT, "ml.m5.large", 18, "both fleets")
#: One instance to try on, and two to eight that serve.
SERVING = [stack("fish-try", endpoint("try")), stack("fish-live", endpoint("live", count=2, scaling=(2, 6)))]


def situation(aws=None, *, stacks=SERVING, **known):
    return aws_account.situation(aws, stacks=stacks, **known)


def account(*found_quotas, **more):
    return Aws({APPLIED: listing(*found_quotas), **more})


@pytest.mark.parametrize(("has", "sign"), [(17, Sign.FAILED), (18, Sign.PASSED)])
def test_a_quota_below_the_need_fails_and_an_equal_one_does_not(has, sign):
    line = quotas.compare(situation(account(quota(ENDPOINTS, has))), NEED)
    assert line.sign is sign
    assert f"has {has}, needs 18" in line.found


def test_what_to_do_is_the_request_for_as_much_as_is_needed():
    line = quotas.compare(situation(account(quota(ENDPOINTS, 4, code="L-614B09FD"))), NEED)
    assert line.commands == (
        "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-614B09FD --desired-value 18",
    )
    assert "fewer or smaller instances" in line.advice


def test_a_request_that_waits_at_aws_is_not_asked_for_again():
    asked = {"DesiredValue": 18.0, "Status": "CASE_OPENED", "Created": datetime(2026, 11, 27, tzinfo=UTC), "QuotaName": ENDPOINTS}
    history = {"service-quotas:ListRequestedServiceQuotaChangeHistoryByQuota": {"RequestedQuotas": [asked]}}
    line = quotas.compare(situation(account(quota(ENDPOINTS, 4), **history)), NEED)
    assert (line.sign, line.commands) == (Sign.FAILED, ())
    assert "18 asked for on 2026-11-27 (CASE_OPENED)" in line.advice


def test_a_quota_that_cannot_be_raised_leaves_smaller_settings():
    line = quotas.compare(situation(account(quota(ENDPOINTS, 4, adjustable=False))), NEED)
    assert (line.sign, line.commands) == (Sign.FAILED, ())
    assert "cannot be raised" in line.advice
    assert "smaller instances" in line.advice


def test_where_no_value_was_applied_the_default_counts():
    aws = Aws({APPLIED: listing(), DEFAULTS: listing(quota(ENDPOINTS, 0))})
    assert quotas.compare(situation(aws), NEED).sign is Sign.FAILED


def test_a_quota_that_does_not_exist_is_not_called_enough():
    assert quotas.compare(situation(account()), NEED).sign is Sign.UNSEEN


def test_a_lacking_permission_is_named_and_the_need_is_still_said():
    line = quotas.compare(situation(Aws({APPLIED: denied("servicequotas:ListServiceQuotas")})), NEED)
    assert line.sign is Sign.UNSEEN
    assert "needs 18" in line.found
    assert "servicequotas:ListServiceQuotas" in line.advice


def others(count: int) -> dict[str, object]:
    """An endpoint of somebody else, of the same type, and the project's own."""
    when, arn = "2026-11-27T00:00:00Z", "arn:aws:sagemaker:eu-west-1:111122223333:endpoint/x"
    summary = {"EndpointArn": arn, "CreationTime": when, "LastModifiedTime": when, "EndpointStatus": "InService"}
    variant = {"VariantName": "v", "CurrentInstanceCount": count}
    config = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large"}
    described = {"EndpointName": "theirs", "EndpointArn": arn, "EndpointConfigName": "c", "ProductionVariants": [variant]}
    return {
        "sagemaker:ListEndpoints": {"Endpoints": [{"EndpointName": name, **summary} for name in ("theirs", "try")]},
        "sagemaker:DescribeEndpoint": {**described, "EndpointStatus": "InService", "CreationTime": when, "LastModifiedTime": when},
        "sagemaker:DescribeEndpointConfig": {
            "EndpointConfigName": "c",
            "EndpointConfigArn": arn,
            "CreationTime": when,
            "ProductionVariants": [config],
        },
    }


def test_instances_of_other_endpoints_count_and_the_projects_own_do_not_count_twice():
    aws = account(quota(ENDPOINTS, 20), **others(3))
    line = only(quotas.check_endpoints, situation(aws))
    assert line.sign is Sign.FAILED
    assert "others use 3" in line.found
    assert line.commands[0].endswith("--desired-value 21")


def test_without_a_look_at_other_endpoints_the_line_says_so():
    aws = account(quota(ENDPOINTS, 18), **{"sagemaker:ListEndpoints": denied("sagemaker:ListEndpoints")})
    line = only(quotas.check_endpoints, situation(aws))
    assert line.sign is Sign.PASSED
    assert "endpoints of others were not counted" in line.found


def test_the_quota_on_all_types_together_is_a_line_of_its_own_where_it_is_too_low():
    total = quota("Number of instances across active endpoints", 10)
    enough, too_low = found(quotas.check_endpoints, situation(account(quota(ENDPOINTS, 18), total)))
    assert (enough.sign, too_low.sign) == (Sign.PASSED, Sign.FAILED)
    assert "all types" in too_low.what


def job(name: str, instance_type: str = "ml.m5.xlarge", image: str = IMAGE) -> dict[str, object]:
    cluster = {"InstanceType": instance_type, "InstanceCount": 1}
    arguments = {"ProcessingResources": {"ClusterConfig": cluster}, "AppSpecification": {"ImageUri": image}}
    return {"Steps": [{"Name": name, "Type": "Processing", "Arguments": arguments}]}


def test_jobs_are_held_to_the_quota_of_their_use():
    name = "ml.m5.xlarge for processing job usage"
    lines = [only(quotas.check_jobs, situation(account(quota(name, has)), define=lambda: [job("Prepare")])) for has in (0, 1)]
    assert signs(lines) == "✗✓"


def test_spare_capacity_has_quotas_of_its_own_for_a_type_and_for_all():
    trial = {"ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 3}, "EnableManagedSpotTraining": True}
    definition = {"Steps": [{"Name": "Train", "Type": "Training", "Arguments": trial}]}
    on_demand = quota("ml.m5.xlarge for training job usage", 9)
    spare, total = quota("ml.m5.xlarge for spot training job usage", 3), quota("Number of instances across all spot training jobs", 2)
    of_type, of_all = found(quotas.check_jobs, situation(account(on_demand, spare, total), define=lambda: [definition]))
    assert (of_type.sign, of_all.sign) == (Sign.PASSED, Sign.FAILED)
    lacking = only(quotas.check_jobs, situation(account(on_demand), define=lambda: [definition]))
    assert "does not list 'ml.m5.xlarge for spot training job usage'" in lacking.found


def test_pipelines_of_several_models_count_together():
    name = "ml.m5.xlarge for processing job usage"
    line = only(quotas.check_jobs, situation(account(quota(name, 1)), define=lambda: [job("Prepare"), job("Monitor")]))
    assert line.sign is Sign.FAILED
    assert "needs 2 (2 runs at once: 1 of Prepare 1 at a time, 1 of Monitor 1 at a time)" in line.found


def pipelines(*providers: str):
    return {
        f"P{number}": (
            "AWS::CodePipeline::Pipeline",
            {"Stages": [{"Actions": [{"ActionTypeId": {"Category": "Build", "Provider": provider}}]}]},
        )
        for number, provider in enumerate(providers)
    }


def test_an_account_that_builds_nothing_fails_and_one_that_builds_singly_is_told():
    environment = {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL"}
    build = {"B": ("AWS::CodeBuild::Project", {"Environment": environment})}
    stacks = [stack("mlops", {**pipelines("CodeBuild", "CodeBuild", "Manual"), **build})]
    name = "Concurrently running builds for Linux/Small environment"
    none, one, two = [
        only(quotas.check_builds, situation(account(quota(name, has, service="codebuild")), stacks=stacks)) for has in (0, 1, 2)
    ]
    assert signs([none, one, two]) == "✗✓✓"
    assert all("--service-code codebuild" in line.commands[0] for line in (none, one))
    assert "a build that meets another one fails" in one.found
    assert two.commands == ()


# --------------------------------------------------------------------------------------- offers

SOLD = "pricing:GetProducts"


def sold(**usd_by_component: list[str]):
    def answer(asked):
        component = next(item["Value"] for item in asked["Filters"] if item["Field"] == "platoinstancetype")
        assert {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "eu-west-1"} in asked["Filters"]
        return {"PriceList": usd_by_component.get(component, [])}

    return answer


def test_a_type_that_the_region_does_not_sell_for_endpoints_fails():
    aws = Aws({SOLD: sold(Hosting=[product("ml.c5.large", 0.1)])})
    line = only(offers.check_instance_types, situation(aws))
    assert line.sign is Sign.FAILED
    assert "not sold in eu-west-1" in line.found
    assert "another type in the app" in line.advice


@pytest.mark.parametrize(("has", "sign"), [(0, Sign.FAILED), (2, Sign.PASSED)])
def test_a_type_that_the_account_may_run_is_offered_whatever_the_price_list_leaves_out(has, sign):
    aws = account(quota(ENDPOINTS, has), **{SOLD: sold(Hosting=[product("ml.c5.large", 0.1)])})
    assert only(offers.check_instance_types, situation(aws)).sign is sign


def test_the_line_says_who_knows_that_a_type_is_offered():
    by_price = only(offers.check_instance_types, situation(Aws({SOLD: sold(Hosting=[product("ml.m5.large", 0.1)])})))
    by_quota = only(offers.check_instance_types, situation(account(quota(ENDPOINTS, 0))))
    assert signs([by_price, by_quota]) == "✓✓"
    assert "(AWS Price List)" in by_price.found
    assert "(Service Quotas)" in by_quota.found


def test_a_type_that_no_source_knows_fails_and_close_ones_are_named():
    line = only(offers.check_instance_types, situation(stacks=[stack("fish", endpoint(instance_type="ml.m5.larg"))]))
    assert line.sign is Sign.FAILED
    assert "ml.m5.large" in line.advice


def test_a_type_of_the_api_is_unseen_where_neither_prices_nor_quotas_may_be_read():
    aws = Aws({SOLD: denied("pricing:GetProducts"), APPLIED: denied("servicequotas:ListServiceQuotas")})
    line = only(offers.check_instance_types, situation(aws))
    assert line.sign is Sign.UNSEEN
    assert "pricing:GetProducts" in says(line)
    assert "servicequotas:ListServiceQuotas" in says(line)


def test_the_image_of_the_definitions_is_asked_for_at_its_registry():
    asked = []
    aws = Aws({"ecr:BatchGetImage": lambda request: asked.append(request) or {"images": [{"imageId": {"imageTag": "3.2-0"}}]}})
    line = only(offers.check_image, situation(aws, define=lambda: [job("Prepare"), job("Evaluate")]))
    assert (line.sign, line.found) == (Sign.PASSED, IMAGE)
    assert asked == [{"registryId": "111122223333", "repositoryName": "sagemaker-xgboost", "imageIds": [{"imageTag": "3.2-0"}]}]


def test_an_image_that_is_not_there_fails():
    line = only(offers.check_image, situation(define=lambda: [job("Prepare")]))
    assert line.sign is Sign.FAILED
    assert "another tag" in line.advice


def test_a_region_without_the_image_fails_and_the_jobs_are_not_seen():
    def define():
        raise ValueError("Unsupported region: eu-west-1.")

    given = situation(define=define)
    line = only(offers.check_image, given)
    assert line.sign is Sign.FAILED
    assert "Unsupported region" in line.found
    with pytest.raises(NotSeenError, match="Unsupported region"):
        found(quotas.check_jobs, given)


def test_a_burstable_type_that_scales_fails_and_one_that_does_not_is_fine():
    steady, scaled = endpoint("try", "ml.t2.medium"), endpoint("live", "ml.t2.medium", scaling=(1, 4))
    line = only(fits.check_scaling, situation(stacks=[stack("fish", {**steady, **scaled})]))
    assert line.sign is Sign.FAILED
    assert "live scales" in line.found
    assert "no scaling" in line.advice


def registering(*types: str) -> dict[str, object]:
    package = {"InferenceSpecification": {"SupportedRealtimeInferenceInstanceTypes": list(types)}}
    step = {"Name": "Register", "Type": "RegisterModel", "Arguments": package}
    return {"Steps": [{"Name": "Gate", "Type": "Condition", "Arguments": {"Conditions": [], "IfSteps": [step]}}]}


@pytest.mark.parametrize(("allowed", "sign"), [("ml.c5.large", Sign.FAILED), ("ml.m5.large", Sign.PASSED)])
def test_a_type_that_a_registered_version_may_not_run_on_fails(allowed, sign):
    line = only(fits.check_version, situation(define=lambda: [registering(allowed)]))
    assert line.sign is sign
    assert sign is Sign.PASSED or "SupportedRealtimeInferenceInstanceTypes" in line.advice


def test_where_a_model_serves_elsewhere_its_type_is_still_one_that_a_version_may_run_on():
    """The version is registered here, and refused where it is deployed."""
    elsewhere = [stack("live", endpoint("live", "ml.c5.large"))]
    given = situation(define=lambda: [registering("ml.m5.large")], stacks=[], everywhere=elsewhere)
    line = only(fits.check_version, given)
    assert line.sign is Sign.FAILED
    assert "ml.c5.large for endpoint" in line.found


def test_jobs_that_a_stack_will_start_may_run_on_what_a_version_may_wherever_they_are():
    definition = {"Steps": [{"Name": "R", "Type": "RegisterModel", "Arguments": {"SupportedTransformInstanceTypes": ["ml.m5.large"]}}]}
    jobs = {"trees": [Need(Use.TRANSFORM, "ml.c5.large", 1, "trees 1")]}
    assert only(fits.check_version, situation(define=lambda: [definition], jobs=jobs, stacks=[])).sign is Sign.FAILED


def test_an_app_that_registers_nothing_has_no_such_line():
    assert found(fits.check_version, situation()) == []


# ----------------------------------------------------------------------------------------- cost


def test_a_month_is_from_the_lowest_to_the_highest_capacity_of_all_endpoints():
    line = only(cost.check_cost, situation(usd_per_hour={"ml.m5.large": 0.1}, prices_source="a page of 2025-06"))
    # 1 + 2 and 1 + 8 instances at 0.1 USD for 730 hours
    assert line.found == "219 USD idle (3 instances) to 657 USD at the top (9 instances)"
    assert "a page of 2025-06" in line.advice


def test_the_price_list_of_the_region_comes_before_the_noted_prices():
    aws = Aws({SOLD: sold(Hosting=[product("ml.m5.large", 0.2)])})
    line = only(cost.check_cost, situation(aws, stacks=SERVING[:1], usd_per_hour={"ml.m5.large": 0.1}))
    assert line.found.startswith("146 USD idle (1 instance)")
    assert "AWS Price List of eu-west-1" in line.advice


def test_what_has_no_price_is_not_counted_as_nothing():
    line = only(cost.check_cost, situation())
    assert line.sign is Sign.UNSEEN
    assert "ml.m5.large" in line.found
    assert "--price" in line.advice


def test_what_is_not_counted_is_named_the_network_only_where_there_is_one():
    in_vpc = {"E": ("AWS::EC2::VPCEndpoint", {"SubnetIds": ["a", "b"]})}
    without, with_network = (
        only(cost.check_cost, situation(stacks=[SERVING[0], stack("net", resources)], usd_per_hour={"ml.m5.large": 0.1}))
        for resources in ({}, in_vpc)
    )
    assert "training" in without.advice
    assert "VPC" not in without.advice
    assert "2 VPC endpoint interfaces" in with_network.advice


def test_serverless_endpoints_share_a_quota_of_requests_at_once():
    variants = [{"VariantName": "v", "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": most}} for most in (5, 7)]
    stacks = [
        stack(f"fish-{index}", {"Config": ("AWS::SageMaker::EndpointConfig", {"ProductionVariants": [item]})})
        for index, item in enumerate(variants)
    ]
    enough, less = (
        only(quotas.check_serverless, situation(account(quota("Total concurrency", value, code="L-96300102")), stacks=stacks))
        for value in (12, 10)
    )
    assert (enough.sign, less.sign) == (Sign.PASSED, Sign.FAILED)
    assert "needs 12 (fish-0 v 5, fish-1 v 7)" in less.found
    assert list(quotas.check_serverless(situation())) == [], "no line where nothing is serverless"
