"""A deployed project: the pipelines of its models exist, and each staging endpoint answers as `verify` demands in the local account."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.aws.conftest import has_its_own


def test_the_training_pipelines_were_upserted_from_a_commit(settings, project):
    for model in settings.models.values():
        name = model.names(settings.project).training_pipeline
        assert project.client("sagemaker").describe_pipeline(PipelineName=name)["PipelineStatus"] == "Active"


def test_the_code_pipelines_are_version_2(settings, project):
    deploy = [model.names(settings.project).deploy_pipeline for model in settings.models.values()]
    for name in [settings.project.names.build_pipeline, *deploy]:
        assert project.client("codepipeline").get_pipeline(name=name)["pipeline"]["pipelineType"] == "V2"


@pytest.mark.parametrize(("content_type", "body"), [("image/png", b"\x89PNG"), ("text/csv", b"1,2\n3")])
def test_staging_refuses_what_it_cannot_read_with_a_client_error(endpoints_at, settings, content_type, body):
    for client, name in endpoints_at(settings.staging, "sagemaker-runtime"):
        with pytest.raises(ClientError) as refused:
            client.invoke_endpoint(EndpointName=name, ContentType=content_type, Body=body)
        assert refused.value.response["Error"]["Code"] == "ModelError"
        assert 400 <= refused.value.response["OriginalStatusCode"] < 500


def test_every_kind_of_scaling_that_is_set_is_registered_for_production(endpoints_at, settings):
    served = [serving for model in settings.models.values() if has_its_own(serving := model.serving[settings.production.name])]
    for endpoint, (client, name) in zip(served, endpoints_at(settings.production, "application-autoscaling"), strict=True):
        wanted, resource = endpoint.autoscaling, f"endpoint/{name}/variant/AllTraffic"
        policies = client.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=resource)["ScalingPolicies"]
        actions = client.describe_scheduled_actions(ServiceNamespace="sagemaker", ResourceId=resource)["ScheduledActions"]
        kinds = {"TargetTrackingScaling": wanted and wanted.target_tracking, "StepScaling": wanted and wanted.step_scaling}
        assert {policy["PolicyType"] for policy in policies} == {kind for kind, is_set in kinds.items() if is_set}
        assert len(actions) == (len(wanted.schedules) if wanted else 0)
