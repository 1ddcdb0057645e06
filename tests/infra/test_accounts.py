"""Accounts and regions are settings: each grant between accounts is there on both sides, for whom it is meant and for nobody else.

Between accounts AWS asks both: what the role may, and what the resource lets in. Source: "Cross-account policy evaluation logic" of the
IAM user guide. THREE has the project in 111111111111 (eu-west-1), `try` in 222222222222 (eu-west-1), `live` in 333333333333 (eu-central-1).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from settings_schema import SettingsError
from settings_schema.reading import read
from tests.infra.cases import ONE, REGIONS, THREE, serving_stacks
from tests.infra.conftest import resources_of
from tests.infra.grants import Role, Templates, as_list, matches, only, roles, text

PLACES = {"try": ("222222222222", "eu-west-1"), "live": ("333333333333", "eu-central-1")}
HOME = "111111111111"


@pytest.fixture(scope="module")
def three(synthesized: Any) -> Templates:
    return synthesized(THREE)[1]


def role_of(templates: Templates, name: str) -> Role:
    (role,) = [role for role in roles(templates).values() if role.arn.endswith(f":role/{name}")]
    return role


def lets_in(
    templates: Templates, stack: str, statements: list[dict[str, Any]], role: str, action: str, resource: str | None = None
) -> bool:
    """Whether a resource's policy allows an action to a role: its account as the principal, and a condition that it meets."""
    for item in statements:
        principals = [text(each, stack, templates) for each in as_list(item["Principal"].get("AWS", []))]
        if item["Effect"] != "Allow" or f"arn:aws:iam::{role.split(':')[4]}:root" not in principals:
            continue
        if not any(matches(pattern, action, ignore_case=True) for pattern in as_list(item["Action"])):
            continue
        wanted = [arn for keys in item.get("Condition", {}).values() for arn in as_list(keys.get("aws:PrincipalArn", []))]
        if wanted and not any(matches(text(pattern, stack, templates), role) for pattern in wanted):
            continue
        covered = [text(each, stack, templates) for each in as_list(item.get("Resource", "*"))]
        if resource is None or any(matches(pattern, resource) for pattern in covered):
            return True
    return False


def policy(templates: Templates, stack: str, kind: str, part: str = "") -> list[dict[str, Any]]:
    """Statements of the one policy of that kind in a stack whose logical id contains `part`."""
    where = {"AWS::KMS::Key": "KeyPolicy", "AWS::S3::BucketPolicy": "PolicyDocument"}
    found = [value for name, value in resources_of(templates, kind, stack).items() if part in name]
    (properties,) = found
    return list(properties[where[kind]]["Statement"])


def home_of(environment: str) -> tuple[str, str]:
    """Stack and region of what the project's account has for an environment: versions, artifacts and their key."""
    region = PLACES[environment][1]
    return ("shop--foundation" if region == "eu-west-1" else f"shop--foundation--{region}"), region


@pytest.mark.parametrize("environment", PLACES)
@pytest.mark.parametrize(
    ("kind", "key"),
    [("inference", "pipelines/shop--abalone--training/abc/model.tar.gz"), ("deploy", "shop--abalone--deplo/Rendered/a.zip")],
)
def test_versions_and_artifacts_are_read_with_bucket_and_key_agreeing(three: Templates, environment: str, kind: str, key: str) -> None:
    stack, region = home_of(environment)
    role, obj = role_of(three, f"shop--abalone--{environment}--{kind}"), f"arn:aws:s3:::shop--artifacts-{HOME}-{region}/{key}"
    assert role.may("s3:GetObject", obj)
    assert lets_in(three, stack, policy(three, stack, "AWS::S3::BucketPolicy", "Artifacts"), role.arn, "s3:GetObject", obj)
    (using,) = [
        statement
        for statement in role.allowing("kms:Decrypt")
        if any(f":kms:{region}:{HOME}:" in resource for resource in statement.resources)
    ]
    assert using.condition == {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/shop"}}
    assert resources_of(three, "AWS::KMS::Alias", stack).popitem()[1]["AliasName"] == "alias/shop"
    assert lets_in(three, stack, policy(three, stack, "AWS::KMS::Key"), role.arn, "kms:Decrypt")


@pytest.mark.parametrize("environment", PLACES)
def test_the_bucket_and_the_key_let_in_no_role_of_others_and_nobody_to_write(three: Templates, environment: str) -> None:
    (stack, region), account = home_of(environment), PLACES[environment][0]
    bucket, key = policy(three, stack, "AWS::S3::BucketPolicy", "Artifacts"), policy(three, stack, "AWS::KMS::Key")
    obj = f"arn:aws:s3:::shop--artifacts-{HOME}-{region}/pipelines/shop--abalone--training/abc/model.tar.gz"
    for name in ("shop-x--abalone--live--inference", "admin"):
        assert not lets_in(three, stack, bucket, f"arn:aws:iam::{account}:role/{name}", "s3:GetObject", obj)
        assert not lets_in(three, stack, key, f"arn:aws:iam::{account}:role/{name}", "kms:Decrypt")
    ours = f"arn:aws:iam::{account}:role/shop--abalone--{environment}--inference"
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert not lets_in(three, stack, bucket, ours, action, obj)
    assert not lets_in(three, stack, bucket, ours, "s3:GetObject", obj.replace("pipelines/shop--abalone--training", "code"))
    for action in ("kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant", "kms:PutKeyPolicy"):
        assert not lets_in(three, stack, key, ours, action)


@pytest.mark.parametrize("environment", PLACES)
def test_a_version_is_deployed_from_a_registry_that_lets_that_role_in(three: Templates, environment: str) -> None:
    region = PLACES[environment][1]
    stack = "shop--abalone" if region == "eu-west-1" else f"shop--foundation--{region}"
    role = role_of(three, f"shop--abalone--{environment}--deployment")
    version = f"arn:aws:sagemaker:{region}:{HOME}:model-package/shop--abalone/3"
    groups = resources_of(three, "AWS::SageMaker::ModelPackageGroup", stack).values()
    (group,) = [item for item in groups if item["ModelPackageGroupName"] == "shop--abalone"]
    for action in ("sagemaker:DescribeModelPackage", "sagemaker:CreateModel"):
        assert role.may(action, version)
        assert lets_in(three, stack, group["ModelPackageGroupPolicy"]["Statement"], role.arn, action, version)
    other = role.arn.replace("--deployment", "--inference")
    assert not lets_in(three, stack, group["ModelPackageGroupPolicy"]["Statement"], other, "sagemaker:CreateModel", version)
    assert not lets_in(three, stack, group["ModelPackageGroupPolicy"]["Statement"], role.arn, "sagemaker:UpdateModelPackage", version)


@pytest.mark.parametrize("environment", PLACES)
def test_the_watch_in_another_account_reads_versions_and_code_with_all_policies_agreeing(three: Templates, environment: str) -> None:
    (home, region), role = home_of(environment), role_of(three, f"shop--abalone--{environment}--monitoring")
    bucket, key = policy(three, home, "AWS::S3::BucketPolicy", "Artifacts"), policy(three, home, "AWS::KMS::Key")
    for path in ("code/0123/steps/monitor.py", "pipelines/shop--abalone--training/abc/evaluate/evaluation/reference.npz"):
        read = f"arn:aws:s3:::shop--artifacts-{HOME}-{region}/{path}"
        assert role.may("s3:GetObject", read), path
        assert lets_in(three, home, bucket, role.arn, "s3:GetObject", read), path
    assert lets_in(three, home, key, role.arn, "kms:Decrypt")
    stack = "shop--abalone" if region == "eu-west-1" else home
    groups = resources_of(three, "AWS::SageMaker::ModelPackageGroup", stack).values()
    (group,) = [item["ModelPackageGroupPolicy"]["Statement"] for item in groups if item["ModelPackageGroupName"] == "shop--abalone"]
    version = f"arn:aws:sagemaker:{region}:{HOME}:model-package/shop--abalone/3"
    assert role.may("sagemaker:DescribeModelPackage", version)
    assert lets_in(three, stack, group, role.arn, "sagemaker:DescribeModelPackage", version)
    assert not lets_in(three, stack, group, role.arn, "sagemaker:CreateModel", version)
    listed = f"arn:aws:sagemaker:{region}:{HOME}:model-package-group/shop--abalone"
    finds = (role.may("sagemaker:ListModelPackages", listed), lets_in(three, stack, group, role.arn, "sagemaker:ListModelPackages", listed))
    has_copies = region != "eu-west-1"  # which have numbers of their own, so that the watch looks for the one that answered
    assert finds == (has_copies, has_copies)


def entering(templates: Templates) -> Iterator[tuple[Role, str]]:
    """Roles, and the ARNs of those that they may assume."""
    for role in roles(templates).values():
        for statement in role.allowing("sts:AssumeRole"):
            yield from ((role, arn) for arn in statement.resources)


def test_a_role_that_is_assumed_lets_in_who_may_assume_it(three: Templates) -> None:
    by_arn = {role.arn: role for role in roles(three).values()}
    pairs = list(entering(three))
    assert {arn.rsplit("--", 1)[-1] for _, arn in pairs} == {"deploy", "verify", "experiment"}
    for role, arn in pairs:
        target = by_arn[arn]
        assert lets_in(three, target.stack, target.trust["Statement"], role.arn, "sts:AssumeRole"), f"{role.arn} and {arn}"


def test_a_role_lets_in_nobody_but_those(three: Templates) -> None:
    """Each of the project's own roles in the project's account, and one that somebody else has there."""
    may = {(role.arn, arn) for role, arn in entering(three)}
    others = [role.arn for role in roles(three).values() if f"::{HOME}:" in role.arn] + [f"arn:aws:iam::{HOME}:role/admin"]
    for role in roles(three).values():
        if role.service == "":
            for other in others:
                allowed = lets_in(three, role.stack, role.trust["Statement"], other, "sts:AssumeRole")
                assert allowed is ((other, role.arn) in may), f"{other} and {role.arn}"


def test_a_deployment_is_done_in_its_account_and_region(three: Templates) -> None:
    pipelines = resources_of(three, "AWS::CodePipeline::Pipeline", "shop--abalone").values()
    stages = [item for pipeline in pipelines for item in pipeline["Stages"]]
    for stage, environment in (("Staging", "try"), ("Production", "live"), ("Return", "live")):
        (actions,) = [item["Actions"] for item in stages if item["Name"] == stage]
        (deploy,) = [action for action in actions if action["Name"] == "Deploy"]
        account, region = PLACES[environment]
        name = f"arn:aws:iam::{account}:role/shop--abalone--{environment}"
        assert text(deploy["RoleArn"], "shop--abalone", three) == f"{name}--deploy"
        assert text(deploy["Configuration"]["RoleArn"], "shop--abalone", three) == f"{name}--deployment"
        assert deploy.get("Region", "eu-west-1") == region
        action = role_of(three, f"shop--abalone--{environment}--deploy")
        assert action.may("iam:PassRole", f"{name}--deployment")
        assert action.may("cloudformation:CreateStack", f"arn:aws:cloudformation:{region}:{account}:stack/shop--abalone--{environment}/id")


@pytest.mark.parametrize("settings", [THREE, REGIONS], ids=["three accounts", "one account"])
def test_each_region_of_an_action_has_an_artifact_store_with_a_key_by_its_arn(synthesized: Any, settings: Any) -> None:
    """CodePipeline's service model, `EncryptionKey`: between accounts neither an id nor an alias is enough."""
    _, templates = synthesized(settings)
    pipelines = resources_of(templates, "AWS::CodePipeline::Pipeline", "shop--abalone").values()
    assert {pipeline["Name"] for pipeline in pipelines} == {"shop--abalone--deploy", "shop--abalone--return"}
    for pipeline in pipelines:
        stores = {item["Region"]: item["ArtifactStore"] for item in pipeline["ArtifactStores"]}
        assert set(stores) == {"eu-west-1", "eu-central-1"}
        for region, store in stores.items():
            assert text(store["EncryptionKey"]["Id"], "shop--abalone", templates).startswith(f"arn:aws:kms:{region}:{HOME}:key/")
            assert text(store["Location"], "shop--abalone", templates) == f"shop--artifacts-{HOME}-{region}"
        role = role_of(templates, pipeline["Name"])
        assert role.may("s3:PutObject", f"arn:aws:s3:::shop--artifacts-{HOME}-eu-central-1/{pipeline['Name'][:20]}/Rendered/a.zip")
        assert role.may("kms:GenerateDataKey", text(stores["eu-central-1"]["EncryptionKey"]["Id"], "shop--abalone", templates))


def test_drift_reaches_the_account_where_the_model_is_trained(three: Templates) -> None:
    bus = f"arn:aws:events:eu-west-1:{HOME}:event-bus/default"
    letting = [item["Statement"] for item in resources_of(three, "AWS::Events::EventBusPolicy", "shop--foundation").values()]
    for environment, (account, _) in PLACES.items():
        stack = f"shop--environment--{environment}"
        (rule,) = resources_of(three, "AWS::Events::Rule", stack).values()
        # Of every model, so that a rule's 2,048 characters are enough for any number of them.
        tried = ("challenger-5xx", "challenger-p99") if environment == "live" else ()
        alarms = [{"wildcard": f"shop--*--{environment}--{what}"} for what in ("drift", "quality", *tried)]
        assert rule["EventPattern"]["detail"]["alarmName"] == alarms
        (target,) = rule["Targets"]
        role = role_of(three, f"{stack}--events")
        assert (text(target["Arn"], stack, three), text(target["RoleArn"], stack, three)) == (bus, role.arn)
        assert role.may("events:PutEvents", bus)
        assert lets_in(three, "shop--foundation", letting, role.arn, "events:PutEvents", bus)
        assert not lets_in(three, "shop--foundation", letting, f"arn:aws:iam::{account}:role/admin", "events:PutEvents", bus)
    (retraining,) = [
        rule["EventPattern"]
        for rule in resources_of(three, "AWS::Events::Rule", "shop--abalone").values()
        if rule["EventPattern"]["source"] == ["aws.cloudwatch"] and rule["Description"] != "A challenger breaks"
    ]
    assert retraining["account"] == ["222222222222", "333333333333"]
    assert retraining["detail"]["alarmName"] == [
        f"shop--abalone--{environment}--{what}" for environment in ("try", "live") for what in ("drift", "quality")
    ]


def test_in_one_place_nothing_is_forwarded(templates: Templates) -> None:
    assert resources_of(templates, "AWS::Events::EventBusPolicy") == {}
    assert [name for name in resources_of(templates, "AWS::Events::Rule") if "/Drift" in name] == []


def test_stacks_of_different_accounts_export_nothing_to_each_other(case: Any) -> None:
    """What is imported, a stack of the same account and region exports; outputs are read of another region of the same account."""
    _, (_, templates) = case
    exports = {
        output["Export"]["Name"]: templates.place(stack)
        for stack, template in templates.items()
        for output in template.get("Outputs", {}).values()
        if "Export" in output
    }
    for stack, template in templates.items():
        for function, value in functions(template):
            if function == "Fn::ImportValue":
                assert exports[value] == templates.place(stack), f"{stack} imports {value}"
            if function == "Fn::GetStackOutput":
                assert templates.place(value["StackName"])[0] == templates.place(stack)[0]


def test_what_is_left_unused_is_removed_from_the_project_s_account_too(three: Templates) -> None:
    """The function's own policy lets that account in, and no other; it has no role to assume for that."""
    for environment in PLACES:
        (function,) = [
            name
            for name, value in resources_of(three, "AWS::Lambda::Function", f"shop--environment--{environment}").items()
            if value.get("FunctionName") == f"shop--environment--{environment}--remove-unused"
        ]
        stack = f"shop--environment--{environment}"
        let_in = [
            text(value["Principal"], stack, three)
            for value in resources_of(three, "AWS::Lambda::Permission", stack).values()
            if value["FunctionName"] == {"Fn::GetAtt": [function.rsplit("/", 1)[-1], "Arn"]} and "SourceArn" not in value
        ]
        assert let_in == [HOME]


def test_in_one_account_no_function_lets_another_in(templates: Templates) -> None:
    principals = [text(value["Principal"], "", templates) for value in resources_of(templates, "AWS::Lambda::Permission").values()]
    assert [principal for principal in principals if not principal.endswith(".amazonaws.com")] == []


@pytest.mark.parametrize("settings", [THREE, REGIONS], ids=["three accounts", "one account"])
def test_an_output_of_another_region_stands_alone(synthesized: Any, settings: Any) -> None:
    """CloudFormation does not take Fn::GetStackOutput within another function in all regions yet (aws/aws-cdk#37948)."""
    _, templates = synthesized(settings)
    within = [inner for template in templates.values() for _, argument in functions(template) for inner, _ in functions(argument)]
    assert "Fn::GetStackOutput" not in within
    assert "Fn::GetStackOutput" in {name for template in templates.values() for name, _ in functions(template)}


def functions(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name.startswith("Fn::"):
                yield name, item
            yield from functions(item)
    elif isinstance(value, list):
        for item in value:
            yield from functions(item)


def test_the_same_code_serves_wherever_it_is(templates: Templates, synthesized: Any) -> None:
    """But for the network, the templates of one account and of several are the same."""
    _, elsewhere = synthesized(REGIONS)
    for stack in set(serving_stacks(REGIONS)) & set(serving_stacks(ONE)):
        assert elsewhere[stack] == templates[stack]


def test_an_environment_elsewhere_asks_where_the_project_is(tmp_path: Any) -> None:
    """Whoever deploys there has that place's credentials, by which the project would move."""
    (tmp_path / "models").mkdir()
    (tmp_path / "settings.py").write_text(
        "from settings_schema import CodeCommit, Environment, Prices, Project\n"
        "PROJECT, SOURCE = Project(name='shop'), CodeCommit()\n"
        "ENVIRONMENTS = (Environment(name='try'), Environment(name='live', account='333333333333'))\n"
        "PRICES = Prices(region='us-east-1', as_of='2026-01', source='a page', usd_per_hour={})\n"
    )
    with pytest.raises(SettingsError, match=r"Project\.account is None; allowed: set, because Environment\('live'\)\.account is"):
        read(tmp_path)


def test_render_copies_a_version_into_the_region_of_an_environment_and_into_no_other_registry(three: Templates) -> None:
    role = only(roles(three), "shop--abalone/DeployProjectsRenderRole")
    archive = f"arn:aws:s3:::shop--artifacts-{HOME}-{{}}/pipelines/shop--abalone--training/abc/model.tar.gz"
    version = f"arn:aws:sagemaker:{{}}:{HOME}:model-package/shop--abalone/3"
    assert role.may("s3:PutObject", archive.format("eu-central-1"))
    assert role.may("sagemaker:CreateModelPackage", version.format("eu-central-1"))
    (once,) = role.allowing("s3:PutObject", f"arn:aws:s3:::shop--artifacts-{HOME}-eu-central-1/code/0123/steps/monitor.py")
    assert once.condition == {"Null": {"s3:if-none-match": "false"}}, "the code that watches it, which nobody replaces"
    assert not role.may("s3:PutObject", archive.format("eu-west-1"))
    assert not role.may("sagemaker:CreateModelPackage", version.format("eu-west-1"))


def test_a_stack_of_a_protected_environment_is_deleted_by_no_pipeline(three: Templates) -> None:
    """Elsewhere one that failed is replaced, which begins with its deletion."""
    may_delete = {stack for stack, template in three.items() if "cloudformation:DeleteStack" in json.dumps(template)}
    assert may_delete == {"shop--environment--try"}
