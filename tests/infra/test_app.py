"""The app as a whole: which stacks, from what, the same each time, and kept or removed as the settings say."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import aws_cdk as cdk
import pytest

from app import build_app
from infra.endpoint.__main__ import build_endpoints
from settings import PROJECT
from tests.infra.conftest import ENDPOINTS

ROOT = Path(__file__).resolve().parents[2]
LAMBDAS = {
    "route_push": ROOT / "infra/model_build/route_push/handler.py",
    "start_retraining": ROOT / "infra/model_build/start_retraining/handler.py",
    "remove_unused": ROOT / "infra/model_deploy/remove_unused/handler.py",
}
LOGGING = ("AWS::Lambda::Function", "AWS::CodeBuild::Project")


def test_the_app_is_six_stacks(templates):
    shared = {f"mlops-{name}" for name in ("foundation", "model-build", "model-deploy", "monitoring")}
    assert set(templates) == shared | set(ENDPOINTS)


def test_deploying_all_leaves_the_endpoints_to_the_pipeline(app, templates):
    assert {stack.stack_name for stack in app.synth().stacks} == set(templates) - set(ENDPOINTS)


def test_templates_are_the_same_every_time(templates, variant):
    assert variant() == templates


def test_an_endpoint_template_does_not_depend_on_who_synthesizes_it(templates, variant):
    concrete = variant(account="111122223333", region="eu-west-1")
    assert all(concrete[stack] == templates[stack] for stack in ENDPOINTS)


def test_builds_synthesize_the_same_bytes_without_the_rest_of_the_app(app, tmp_path):
    build_endpoints(outdir=str(tmp_path)).synth()
    app.synth()
    for stack in ENDPOINTS:
        name = f"assembly-{stack}/{stack}.template.json"
        assert (tmp_path / name).read_bytes() == (Path(app.outdir) / name).read_bytes()


def test_nothing_is_looked_up(app):
    manifest = json.loads((Path(app.outdir) / "manifest.json").read_text(encoding="utf-8"))
    assert not manifest.get("missing")


def test_endpoint_templates_are_found_by_their_stack_name(app, templates):
    for stack in ENDPOINTS:
        file = Path(app.outdir) / f"assembly-{stack}" / f"{stack}.template.json"
        assert json.loads(file.read_text(encoding="utf-8")) == templates[stack]


@pytest.mark.parametrize("kind", ["AWS::S3::Bucket", "AWS::KMS::Key", "AWS::CodeCommit::Repository", "AWS::SageMaker::ModelPackageGroup"])
def test_what_cannot_be_made_again_is_kept(templates, kind):
    policies = [
        item["DeletionPolicy"] for template in templates.values() for item in template["Resources"].values() if item["Type"] == kind
    ]
    assert set(policies) == {"Retain"}


def test_a_project_that_keeps_nothing_can_be_removed_whole(tmp_path):
    app = build_app(project=replace(PROJECT, retain_data=False), outdir=str(tmp_path))
    stacks = app.synth().stacks_recursively
    assert not any(stack.termination_protection for stack in stacks)
    for stack in stacks:
        for logical_id, item in stack.template["Resources"].items():
            assert item.get("DeletionPolicy", "Delete") == "Delete", f"{stack.stack_name}/{logical_id}"
    emptied = [
        item
        for item in app.synth().get_stack_by_name("mlops-foundation").template["Resources"].values()
        if item["Type"] == "Custom::S3AutoDeleteObjects"
    ]
    assert len(emptied) == 3


def test_data_and_production_are_protected_and_the_rest_is_disposable(app):
    protected = {stack.stack_name: bool(stack.termination_protection) for stack in app.synth().stacks_recursively}
    assert {name for name, value in protected.items() if value} == {"mlops-foundation", "mlops-endpoint-production"}


def test_a_private_network_needs_no_lookup_and_reaches_jobs_and_endpoints(variant):
    templates = variant(project=replace(PROJECT, in_vpc=True), account="111122223333", region="eu-west-1")
    model = next(item for item in templates["mlops-endpoint-production"]["Resources"].values() if item["Type"] == "AWS::SageMaker::Model")
    assert model["Properties"]["VpcConfig"]["Subnets"] == {"Fn::Split": [",", {"Fn::ImportValue": "mlops-foundation-SubnetIds"}]}
    build = next(item for item in templates["mlops-model-build"]["Resources"].values() if item["Type"] == "AWS::CodeBuild::Project")
    names = {variable["Name"] for variable in build["Properties"]["Environment"]["EnvironmentVariables"]}
    assert {"VPC_SUBNET_IDS", "VPC_SECURITY_GROUP_IDS"} <= names


def test_a_private_network_reaches_the_project_s_buckets_as_this_account_and_no_other_bucket(variant):
    resources = variant(project=replace(PROJECT, in_vpc=True))["mlops-foundation"]["Resources"]
    endpoints = [item["Properties"] for item in resources.values() if item["Type"] == "AWS::EC2::VPCEndpoint"]
    (s3,) = [endpoint for endpoint in endpoints if endpoint["VpcEndpointType"] == "Gateway"]
    for statement in s3["PolicyDocument"]["Statement"]:
        reached = json.dumps(statement["Resource"])
        assert '"*"' not in reached
        if "starport-layer-bucket" in reached:  # layers of container images, which ECR's own requests fetch
            assert statement["Action"] == "s3:GetObject"
        else:
            assert "BucketsData" in reached
            assert "BucketsArtifacts" in reached
            assert "BucketsAccessLogs" not in reached
            assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}


def test_every_log_expires(templates, resources):
    groups = resources("AWS::Logs::LogGroup")
    assert groups
    assert {group.get("RetentionInDays") for group in groups.values()} == {PROJECT.log_retention_days}
    for kind in LOGGING:
        for name, properties in resources(kind).items():
            logging = properties.get("LoggingConfig") or properties["LogsConfig"]["CloudWatchLogs"]
            reference = logging.get("LogGroup") or logging["GroupName"]
            assert f"{name.split('/')[0]}/{reference['Ref']}" in groups, name


def test_every_target_of_a_rule_or_schedule_has_a_dead_letter_queue(resources):
    targets = [target for rule in resources("AWS::Events::Rule").values() for target in rule["Targets"]]
    targets += [schedule["Target"] for schedule in resources("AWS::Scheduler::Schedule").values()]
    assert len(targets) == 7
    assert all("Arn" in target["DeadLetterConfig"] for target in targets)
    functions = resources("AWS::Lambda::Function")
    woken = {name for name in functions if any(json.dumps(target["Arn"]).find(name.split("/")[1]) > 0 for target in targets)}
    assert len(woken) == 4
    assert all("DeadLetterConfig" in functions[name] for name in woken)


def test_every_dead_letter_queue_has_an_alarm_that_calls_someone(resources):
    alarms = [
        alarm for alarm in resources("AWS::CloudWatch::Alarm").values() if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    ]
    assert len(alarms) == len(resources("AWS::SQS::Queue"))
    assert all(alarm["AlarmActions"] for alarm in resources("AWS::CloudWatch::Alarm").values())


def test_every_bucket_is_encrypted_versioned_private_and_logged(resources):
    buckets = resources("AWS::S3::Bucket")
    assert len(buckets) == 3
    for name, bucket in buckets.items():
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}, name
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}, name
        if "AccessLogs" not in name:
            (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms", name
            assert "LoggingConfiguration" in bucket, name


@pytest.mark.parametrize("name", LAMBDAS)
def test_a_function_reads_exactly_the_environment_it_is_given(resources, name):
    handler = ast.parse(LAMBDAS[name].read_text(encoding="utf-8"))
    (given,) = [
        set(function["Environment"]["Variables"])
        for logical_id, function in resources("AWS::Lambda::Function").items()
        if name.replace("_", "") in logical_id.lower()
    ]
    assert set(_environment_reads(handler)) == given


def _environment_reads(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            yield ast.literal_eval(node.slice)


def test_the_build_gets_the_variables_of_the_sagemaker_project_templates(resources):
    wanted = {"SAGEMAKER_PROJECT_NAME", "SAGEMAKER_PROJECT_ID", "SAGEMAKER_PIPELINE_NAME", "SAGEMAKER_PIPELINE_ROLE_ARN", "ARTIFACT_BUCKET"}
    for name, project in resources("AWS::CodeBuild::Project").items():
        assert wanted <= {variable["Name"] for variable in project["Environment"]["EnvironmentVariables"]}, name


def test_every_buildspec_exists(resources):
    for name, project in resources("AWS::CodeBuild::Project").items():
        assert (ROOT / project["Source"]["BuildSpec"]).is_file(), name


def test_the_flags_of_the_cli_and_of_build_app_are_the_same(app):
    flags = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    assert all(app.node.try_get_context(flag) == value for flag, value in flags.items())
    assert isinstance(app, cdk.App)
