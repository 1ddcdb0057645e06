"""The app as a whole: which stacks, from what, the same each time, and kept or removed as the settings say."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import aws_cdk as cdk
import pytest

from app import build_app
from infra.serving.__main__ import build_serving
from tests.example_models import ABALONE, PROJECT
from tests.infra.cases import HOME, ONE, THREE, named, serving_stacks
from tests.infra.conftest import resources_of
from tests.infra.grants import text

ROOT = Path(__file__).resolve().parents[2]
LAMBDAS = {
    "RoutePush": ROOT / "infra/build/route_push",
    "StartRetraining": ROOT / "infra/model/start_retraining",
    "RemoveUnused": ROOT / "infra/environment/remove_unused",
}
LOGGING = ("AWS::Lambda::Function", "AWS::CodeBuild::Project")
#: CloudFormation's is 500; what one model adds to an environment must leave room for more than twenty.
MOST_RESOURCES = 200


def test_the_app_has_a_stack_for_each_model_and_for_each_environment(templates):
    shared = {"shop--foundation", "shop--build", "shop--environment--try", "shop--environment--live"}
    models = {f"shop--{name}" for name in ("abalone", "abalone-large", "arrests", "arrests-large", "tried")}
    assert set(templates) == shared | models | {f"{model}--{environment}" for model in models for environment in ("try", "live")}


def test_deploying_all_leaves_what_serves_to_the_pipelines(app, templates):
    assert {stack.stack_name for stack in app.synth().stacks} == set(templates) - set(serving_stacks(ONE))


def test_templates_are_the_same_every_time(templates, tmp_path):
    again = {stack.stack_name: stack.template for stack in build_app(ONE, outdir=str(tmp_path)).synth().stacks_recursively}
    assert again == templates


def test_a_serving_template_does_not_depend_on_who_synthesizes_it(templates, tmp_path):
    app = build_app(ONE, account="111122223333", region="eu-west-1", outdir=str(tmp_path))
    concrete = {stack.stack_name: stack.template for stack in app.synth().stacks_recursively}
    assert all(concrete[stack] == templates[stack] for stack in serving_stacks(ONE))


def test_builds_synthesize_the_same_bytes_without_the_rest_of_the_app(app, tmp_path):
    build_serving(ONE, outdir=str(tmp_path)).synth()
    app.synth()
    for stack in serving_stacks(ONE):
        name = f"assembly-{stack}/{stack}.template.json"
        assert (tmp_path / name).read_bytes() == (Path(app.outdir) / name).read_bytes()


def test_another_model_changes_no_template_of_one_that_is_there(templates, variant):
    """Or adding one would deploy the others."""
    fewer = variant(models=named(ABALONE))
    for stack in ("shop--abalone", "shop--abalone--try", "shop--abalone--live", "shop--build", "shop--foundation"):
        assert fewer[stack] == templates[stack], stack


def test_nothing_is_looked_up(app):
    manifest = json.loads((Path(app.outdir) / "manifest.json").read_text(encoding="utf-8"))
    assert not manifest.get("missing")


def test_serving_templates_are_found_by_their_stack_name(app, templates):
    for stack in serving_stacks(ONE):
        file = Path(app.outdir) / f"assembly-{stack}" / f"{stack}.template.json"
        assert json.loads(file.read_text(encoding="utf-8")) == templates[stack]


@pytest.mark.parametrize("kind", ["AWS::S3::Bucket", "AWS::KMS::Key", "AWS::CodeCommit::Repository", "AWS::SageMaker::ModelPackageGroup"])
def test_what_cannot_be_made_again_is_kept(templates, kind):
    policies = [
        item["DeletionPolicy"] for template in templates.values() for item in template["Resources"].values() if item["Type"] == kind
    ]
    assert set(policies) == {"Retain"}


def test_a_project_that_keeps_nothing_can_be_removed_whole(synthesized):
    app, templates = synthesized(THREE)
    assert not any(stack.termination_protection for stack in app.synth().stacks_recursively)
    for stack, template in templates.items():
        for logical_id, item in template["Resources"].items():
            assert item.get("DeletionPolicy", "Delete") == "Delete", f"{stack}/{logical_id}"
    assert len(resources_of(templates, "Custom::S3AutoDeleteObjects")) == len(resources_of(templates, "AWS::S3::Bucket"))


def test_data_and_production_are_protected_and_the_rest_is_disposable(app):
    protected = {stack.stack_name for stack in app.synth().stacks_recursively if stack.termination_protection}
    assert protected == {"shop--foundation", "shop--environment--live", *(name for name in serving_stacks(ONE) if name.endswith("--live"))}


def test_a_private_network_reaches_jobs_and_what_serves(synthesized):
    _, templates = synthesized(THREE)
    of_a_fleet = {f"shop--fish--{name}" for name in ("try", "live")}  # whose network it has: test_fleets_elsewhere.py
    for stack in set(serving_stacks(THREE)) - of_a_fleet:
        imported = f"shop--environment--{stack.rsplit('--', 1)[-1]}-SubnetIds"
        for model in resources_of(templates, "AWS::SageMaker::Model", stack).values():
            assert model["VpcConfig"]["Subnets"] == {"Fn::Split": [",", {"Fn::ImportValue": imported}]}
    for project in resources_of(templates, "AWS::CodeBuild::Project").values():
        names = {variable["Name"] for variable in project["Environment"]["EnvironmentVariables"]}
        assert {"VPC_SUBNET_IDS", "VPC_SECURITY_GROUP_IDS"} <= names


def test_a_private_network_reaches_its_own_buckets_as_its_own_account_and_no_other_bucket(synthesized):
    _, templates = synthesized(THREE)
    expected = {
        "shop--foundation": {"shop--data-111111111111-eu-west-1", "shop--artifacts-111111111111-eu-west-1"},
        # The project's data: the watch tells there what it found. The bootstrap's: the program of a multi-model container.
        "shop--environment--try": {
            "shop--try-222222222222-eu-west-1",
            "shop--artifacts-111111111111-eu-west-1",
            "shop--data-111111111111-eu-west-1",
            "cdk-hnb659fds-assets-222222222222-eu-west-1",
        },
        "shop--environment--live": {
            "shop--live-333333333333-eu-central-1",
            "shop--artifacts-111111111111-eu-central-1",
            "shop--data-111111111111-eu-west-1",
            "cdk-hnb659fds-assets-333333333333-eu-central-1",
        },
    }
    for stack, buckets in expected.items():
        endpoints = resources_of(templates, "AWS::EC2::VPCEndpoint", stack).values()
        to_s3 = [endpoint for endpoint in endpoints if "PolicyDocument" in endpoint]
        reached = set()
        for statement in [item for endpoint in to_s3 for item in endpoint["PolicyDocument"]["Statement"]]:
            arns = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            names = {text(arn, stack, templates).removeprefix("arn:aws:s3:::").partition("/")[0] for arn in arns}
            if any(name.endswith("starport-layer-bucket") for name in names):  # layers of container images, which ECR's own requests fetch
                assert statement["Action"] == "s3:GetObject"
                continue
            reached |= names
            own = templates.place(stack)[0]
            assert text(statement["Condition"]["StringEquals"]["aws:PrincipalAccount"], stack, templates) == own
        assert reached == buckets


def test_the_project_s_data_are_reached_from_another_region_under_the_names_that_s3_has_there(synthesized):
    """A gateway endpoint serves its own region only, and inside there is no way out."""
    _, templates = synthesized(THREE)
    endpoints = resources_of(templates, "AWS::EC2::VPCEndpoint", "shop--environment--live").values()
    (there,) = [endpoint for endpoint in endpoints if endpoint.get("ServiceRegion")]
    assert (there["ServiceRegion"], there["ServiceName"]) == ("eu-west-1", "com.amazonaws.eu-west-1.s3")
    assert (there["VpcEndpointType"], there["PrivateDnsEnabled"]) == ("Interface", True)
    assert there["DnsOptions"]["PrivateDnsOnlyForInboundResolverEndpoint"] == "AllResolvers"
    policy = json.dumps(there["PolicyDocument"])
    assert "shop--data-111111111111-eu-west-1" in policy
    assert "shop--live" not in policy
    assert not [
        item for item in resources_of(templates, "AWS::EC2::VPCEndpoint", "shop--environment--try").values() if "ServiceRegion" in item
    ]


def test_the_watch_runs_in_its_environment_s_network_from_which_it_can_call_someone(synthesized):
    _, templates = synthesized(THREE)
    for environment in ("try", "live"):
        stack = f"shop--abalone--{environment}"
        (pipeline,) = resources_of(templates, "AWS::SageMaker::Pipeline", stack).values()
        definition = json.loads(text(pipeline["PipelineDefinition"]["PipelineDefinitionBody"], stack, templates))
        network = definition["Steps"][0]["Arguments"]["NetworkConfig"]["VpcConfig"]
        outputs = templates[f"shop--environment--{environment}"]["Outputs"]
        subnets = text(outputs["SubnetIds"]["Value"], f"shop--environment--{environment}", templates)
        assert (network["Subnets"], len(network["SecurityGroupIds"])) == (subnets.split(","), 1)
        endpoints = json.dumps(resources_of(templates, "AWS::EC2::VPCEndpoint", f"shop--environment--{environment}"))
        assert ".sns" in endpoints
    assert ".sns" not in json.dumps(resources_of(templates, "AWS::EC2::VPCEndpoint", "shop--foundation")), "nothing there tells anybody"


def test_every_log_expires(templates, resources):
    groups = resources("AWS::Logs::LogGroup")
    assert groups
    assert {group.get("RetentionInDays") for group in groups.values()} == {PROJECT.log_retention_days}
    for kind in LOGGING:
        for name, properties in resources(kind).items():
            logging = properties.get("LoggingConfig") or properties["LogsConfig"]["CloudWatchLogs"]
            reference = logging.get("LogGroup") or logging["GroupName"]
            assert f"{name.split('/')[0]}/{reference['Ref']}" in groups, name


def test_every_target_of_a_rule_or_schedule_has_a_dead_letter_queue(case):
    _, (_, templates) = case
    targets = [target for rule in resources_of(templates, "AWS::Events::Rule").values() for target in rule["Targets"]]
    targets += [schedule["Target"] for schedule in resources_of(templates, "AWS::Scheduler::Schedule").values()]
    assert targets
    assert all(target["DeadLetterConfig"]["Arn"] for target in targets)


def test_every_function_that_is_woken_has_dead_letters(templates, resources):
    targets = [(name, target) for name, rule in resources("AWS::Events::Rule").items() for target in rule["Targets"]]
    targets += [(name, schedule["Target"]) for name, schedule in resources("AWS::Scheduler::Schedule").items()]
    assert all("DeadLetterConfig" in target for name, target in targets if "Schedule" in name)
    arns = [text(target["Arn"], name.split("/")[0], templates) for name, target in targets]
    woken = {arn.rsplit(":", 1)[-1] for arn in arns if ":pipeline/" not in arn}
    functions = {
        text({"Fn::GetAtt": [name.split("/")[1], "Arn"]}, name.split("/")[0], templates).rsplit(":", 1)[-1]: properties
        for name, properties in resources("AWS::Lambda::Function").items()
    }
    assert {"shop--build--route-push", "shop--abalone--start-deployment", "shop--arrests--live--score"} <= woken
    assert all("DeadLetterConfig" in functions[name] for name in woken)


def test_every_dead_letter_queue_has_an_alarm_that_calls_someone(case):
    _, (_, templates) = case
    alarms = resources_of(templates, "AWS::CloudWatch::Alarm").values()
    depths = [alarm for alarm in alarms if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"]
    assert len(depths) == len(resources_of(templates, "AWS::SQS::Queue"))
    silent = {alarm["MetricName"] for alarm in alarms if not alarm.get("AlarmActions")}
    assert silent == {"DriftedFeatures", "QualityBreaches"}, "of which the run that found it has told"


def test_every_bucket_is_encrypted_versioned_private_and_logged(case):
    _, (_, templates) = case
    for name, bucket in resources_of(templates, "AWS::S3::Bucket").items():
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}, name
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}, name
        if "AccessLogs" not in name:
            (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms", name
            assert "LoggingConfiguration" in bucket, name


@pytest.mark.parametrize("name", LAMBDAS)
def test_a_function_reads_exactly_the_environment_it_is_given(resources, name):
    read = {variable for file in LAMBDAS[name].glob("*.py") for variable in _environment_reads(ast.parse(file.read_text(encoding="utf-8")))}
    given = [
        set(function["Environment"]["Variables"])
        for logical_id, function in resources("AWS::Lambda::Function").items()
        if name in logical_id
    ]
    assert given
    assert all(read == variables for variables in given)


def _environment_reads(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            yield ast.literal_eval(node.slice)


def test_every_build_is_told_where_the_project_is_and_those_of_a_model_which_model(resources):
    wanted = {"SAGEMAKER_PROJECT_NAME", "SAGEMAKER_PROJECT_ID", "ARTIFACT_BUCKET", "DATA_BUCKET", "KMS_KEY_ARN"}
    for name, project in resources("AWS::CodeBuild::Project").items():
        given = {variable["Name"]: variable["Value"] for variable in project["Environment"]["EnvironmentVariables"]}
        assert wanted <= set(given), name
        stack = name.split("/")[0]
        assert given.get("MODEL") == (None if stack == "shop--build" else stack.removeprefix("shop--"))


def test_every_buildspec_exists(resources):
    for name, project in resources("AWS::CodeBuild::Project").items():
        assert (ROOT / project["Source"]["BuildSpec"]).is_file(), name


def test_the_flags_of_the_cli_and_of_build_app_are_the_same(app):
    flags = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    assert all(app.node.try_get_context(flag) == value for flag, value in flags.items())
    assert isinstance(app, cdk.App)


@pytest.mark.thorough
def test_twenty_models_fit_into_every_stack(tmp_path):
    """In a network, which is most of what an environment has. Each two models, one of each kind, add the same."""
    two, four = (sizes(models, tmp_path / str(models)) for models in (2, 4))
    assert set(two) < set(four)
    of_twenty = {stack: [few + 9 * (more - few) for few, more in zip(two[stack], four[stack], strict=True)] for stack in two}
    resources, in_bytes, outputs = ({stack: size[index] for stack, size in of_twenty.items()} for index in range(3))
    assert max(resources.values()) <= MOST_RESOURCES, max(resources, key=lambda name: resources[name])
    # CloudFormation's quota of a template in S3 is 1 MB, and of the outputs 200.
    assert max(in_bytes.values()) < 1_000_000
    assert max(outputs.values()) <= 200


def sizes(models: int, folder: Path) -> dict[str, tuple[int, int, int]]:
    """Of each stack: resources, bytes and outputs."""
    kinds = (ONE.models["abalone"], ONE.models["arrests"])
    several = named(*(kinds[number % 2].but(name=f"model-{10 + number}") for number in range(models)))
    environments = tuple(environment.but(in_vpc=True) for environment in ONE.environments)
    settings = ONE.__class__(project=HOME, environments=environments, source=ONE.source, prices=ONE.prices, models=several)
    return {
        stack.stack_name: (
            len(stack.template["Resources"]),
            len(Path(stack.template_full_path).read_bytes()),
            len(stack.template.get("Outputs", {})),
        )
        for stack in build_app(settings, outdir=str(folder)).synth().stacks_recursively
    }
