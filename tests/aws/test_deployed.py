"""A deployed project: its pipelines exist, and staging answers as `verify` demands in the local account."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from settings import PROJECT, STAGING


def test_the_training_pipeline_was_upserted_from_a_commit(project):
    pipeline = project.client("sagemaker").describe_pipeline(PipelineName=project.pipeline_name)
    assert pipeline["PipelineStatus"] == "Active"


@pytest.mark.parametrize("name", [PROJECT.build_pipeline, PROJECT.deploy_pipeline])
def test_the_code_pipelines_are_version_2(project, name):
    assert project.client("codepipeline").get_pipeline(name=name)["pipeline"]["pipelineType"] == "V2"


def test_staging_refuses_an_unsupported_content_type_with_a_client_error(project):
    with pytest.raises(ClientError) as refused:
        project.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=PROJECT.endpoint_name(STAGING), ContentType="image/png", Body=b"\x89PNG"
        )
    response = refused.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert 400 <= response["OriginalStatusCode"] < 500


def test_staging_refuses_a_malformed_row_with_a_client_error(project):
    with pytest.raises(ClientError) as refused:
        project.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=PROJECT.endpoint_name(STAGING), ContentType="text/csv", Body=b"1,2\n3"
        )
    assert 400 <= refused.value.response["OriginalStatusCode"] < 500


def test_all_three_kinds_of_scaling_are_registered_for_production(project):
    from settings import PRODUCTION

    scaling = project.client("application-autoscaling")
    resource = f"endpoint/{PROJECT.endpoint_name(PRODUCTION)}/variant/AllTraffic"
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource)["ScalingPolicies"]
    actions = scaling.describe_scheduled_actions(ServiceNamespace="sagemaker", ResourceId=resource)["ScheduledActions"]
    assert {policy["PolicyType"] for policy in policies} == {"TargetTrackingScaling", "StepScaling"}
    assert actions
