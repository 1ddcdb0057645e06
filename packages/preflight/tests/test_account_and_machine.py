"""The checks on the account and on this machine: each can fail, and says what to do."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from preflight import bootstrap, deployer, identity, service_roles, source, stack_states, tools
from preflight.application import Words
from preflight.finding import NotSeenError, Sign

from .aws_account import (
    ACCOUNT,
    REGION,
    Aws,
    Refused,
    denied,
    deployed,
    found,
    only,
    says,
    signs,
    situation,
    stack,
)

# ------------------------------------------------------------------------------ identity and region


def test_credentials_of_another_account_than_the_projects_fail():
    other = only(identity.check_identity, situation(account="444455556666"))
    same = only(identity.check_identity, situation(account=ACCOUNT))
    assert signs([other, same]) == "✗✓"
    assert "444455556666" in other.found
    assert "AWS_PROFILE" in other.advice


def test_a_terminal_that_points_to_another_region_than_the_project_fails():
    line = only(identity.check_region, situation(region="eu-west-1", terminal_region="us-east-1"))
    assert line.sign is Sign.FAILED
    assert line.commands == ("export AWS_REGION=eu-west-1",)


@pytest.mark.parametrize("environment", [f"aws://444455556666/{REGION}", f"aws://{ACCOUNT}/us-east-1"])
def test_templates_of_another_account_or_region_fail(environment):
    lines = found(identity.check_region, situation(stacks=[stack("mlops", environment=environment)]))
    assert signs(lines) == "✓✗"
    assert lines[1].commands == ("npx cdk synth",)


def test_templates_that_fit_any_account_are_fine():
    stacks = [stack("mlops", environment="aws://unknown-account/unknown-region"), stack("mine", environment=f"aws://{ACCOUNT}/{REGION}")]
    assert signs(found(identity.check_region, situation(stacks=stacks))) == "✓"


# -------------------------------------------------------------------------------------- bootstrap


def bootstrapped(qualifier: str = "hnb659fds", least: int = 6):
    properties = {
        "bootstrapStackVersionSsmParameter": f"/cdk-bootstrap/{qualifier}/version",
        "requiresBootstrapStackVersion": least,
        "stackTemplateAssetObjectUrl": f"s3://cdk-{qualifier}-assets-${{AWS::AccountId}}-${{AWS::Region}}/t.json",
        "assumeRoleArn": f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/cdk-{qualifier}-deploy-role",
    }
    return [stack("mlops", properties=properties)]


def version(number: int):
    return {"ssm:GetParameter": {"Parameter": {"Name": "n", "Value": str(number)}}}


def test_an_account_that_is_not_bootstrapped_fails():
    line = only(bootstrap.check_version, situation(stacks=bootstrapped()))
    assert line.sign is Sign.FAILED
    assert line.commands == (f"npx cdk bootstrap aws://{ACCOUNT}/{REGION}",)


def test_the_qualifier_of_the_templates_is_asked_for_and_bootstrapped():
    line = only(bootstrap.check_version, situation(stacks=bootstrapped("team")))
    assert "/cdk-bootstrap/team/version" in line.found
    assert line.commands[0].endswith("--qualifier team")


@pytest.mark.parametrize(("there", "sign"), [(5, Sign.FAILED), (6, Sign.PASSED)])
def test_a_bootstrap_stack_older_than_the_templates_need_fails(there, sign):
    assert only(bootstrap.check_version, situation(Aws(version(there)), stacks=bootstrapped())).sign is sign


def test_a_bucket_or_role_of_the_bootstrap_that_is_gone_fails():
    line = only(bootstrap.check_resources, situation(Aws(version(6)), stacks=bootstrapped()))
    assert line.sign is Sign.FAILED
    assert f"bucket cdk-hnb659fds-assets-{ACCOUNT}-{REGION}" in line.found
    assert "role cdk-hnb659fds-deploy-role" in line.found


ROLE = {
    "Role": {
        "Path": "/",
        "RoleName": "r",
        "RoleId": "AROAEXAMPLE12345678",
        "Arn": "arn:aws:iam::111122223333:role/r",
        "CreateDate": "2026-11-27T00:00:00Z",
    }
}


def test_a_whole_bootstrap_passes():
    aws = Aws({**version(6), "s3:HeadBucket": {}, "iam:GetRole": ROLE})
    assert only(bootstrap.check_resources, situation(aws, stacks=bootstrapped())).sign is Sign.PASSED


def test_a_bucket_that_may_not_be_looked_at_is_not_called_gone():
    aws = Aws({**version(6), "s3:HeadBucket": Refused("403", status=403), "iam:GetRole": ROLE})
    with pytest.raises(NotSeenError) as refused:
        found(bootstrap.check_resources, situation(aws, stacks=bootstrapped()))
    assert refused.value.permission == "s3:ListBucket"


def trusting(*accounts: str):
    document = {"Statement": [{"Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}} for account in accounts]}
    return {"iam:GetRole": {"Role": {**ROLE["Role"], "AssumeRolePolicyDocument": json.dumps(document)}}}


@pytest.mark.parametrize(("trusted", "sign"), [((ACCOUNT,), Sign.FAILED), ((ACCOUNT, "444455556666"), Sign.PASSED)])
def test_another_account_s_bootstrap_trusts_the_account_that_deploys(trusted, sign):
    line = only(bootstrap.check_trust, situation(Aws({**version(6), **trusting(*trusted)}), stacks=bootstrapped(), trusted="444455556666"))
    assert line.sign is sign
    assert sign is Sign.PASSED or line.commands[0].startswith(f"npx cdk bootstrap aws://{ACCOUNT}/{REGION} --trust 444455556666 --cloudf")


def test_the_project_s_own_account_needs_to_trust_nobody():
    assert found(bootstrap.check_trust, situation(Aws({**version(6), **trusting()}), stacks=bootstrapped())) == []


# --------------------------------------------------------------------------------------- deployer

DEPLOY_ROLE = f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-deploy-role"


def deploying(decision: str, **more: object):
    """An account with the bootstrap's roles, and what IAM says of who asks."""

    def simulate(asked):
        assert (asked["ActionNames"], asked["ResourceArns"]) == (["sts:AssumeRole"], [DEPLOY_ROLE])
        result = {"EvalActionName": "sts:AssumeRole", "EvalResourceName": DEPLOY_ROLE, "EvalDecision": decision}
        principals.append(asked["PolicySourceArn"])
        return {"EvaluationResults": [result]}

    principals: list[str] = []
    return Aws({"iam:GetRole": ROLE, "iam:SimulatePrincipalPolicy": simulate, **more}), principals


@pytest.mark.parametrize(("decision", "sign"), [("allowed", Sign.PASSED), ("implicitDeny", Sign.UNSEEN), ("explicitDeny", Sign.UNSEEN)])
def test_who_may_not_assume_the_role_that_deploys_is_told_and_what_else_they_may_is_unseen(decision, sign):
    aws, principals = deploying(decision)
    line = only(deployer.check_deployer, situation(aws, stacks=bootstrapped()))
    assert line.sign is sign
    assert "cdk-hnb659fds-deploy-role" in line.found
    assert principals == [f"arn:aws:iam::{ACCOUNT}:user/ada"]
    assert ("sts:AssumeRole" in line.advice) is (sign is Sign.UNSEEN)


def test_of_a_session_the_role_is_asked_with_its_path():
    """The ARN of a session leaves it out, as of a role of IAM Identity Center; the simulation does not know it without."""
    of_the_role = {"Role": {**ROLE["Role"], "Arn": f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/Admin"}}
    aws, principals = deploying("allowed", **{"iam:GetRole": of_the_role})
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/ada"
    assert only(deployer.check_deployer, situation(aws, stacks=bootstrapped(), arn=session)).sign is Sign.PASSED
    assert principals == [of_the_role["Role"]["Arn"]]


def test_the_root_user_needs_no_role():
    aws, principals = deploying("implicitDeny")
    given = situation(aws, stacks=bootstrapped(), arn=f"arn:aws:iam::{ACCOUNT}:root")
    assert only(deployer.check_deployer, given).sign is Sign.PASSED
    assert principals == []


def test_a_deployer_is_asked_for_only_where_the_role_is_and_in_the_account_that_deploys():
    aws, _ = deploying("implicitDeny")
    assert found(deployer.check_deployer, situation(stacks=bootstrapped())) == []
    assert found(deployer.check_deployer, situation(aws, stacks=bootstrapped(), trusted="444455556666")) == []


# ------------------------------------------------------------------------------------------ tools


def machine(tmp_path, *, pinned: str = "2.1.0", installed: str | None = "2.1.0", boto3: str | None = None):
    import boto3 as library

    (tmp_path / "package.json").write_text(json.dumps({"devDependencies": {"aws-cdk": pinned}}))
    wanted = boto3 or library.__version__
    (tmp_path / "pyproject.toml").write_text(
        f'[project]\nname = "x"\nrequires-python = ">=3.11"\ndependencies = ["boto3=={wanted}", "rich"]\n'
    )
    if installed:
        folder = tmp_path / "node_modules" / "aws-cdk"
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"version": installed}))
    return situation(root=tmp_path, words=Words(install="make setup"))


@pytest.mark.parametrize(("there", "sign"), [("3.14.0", Sign.FAILED), ("3.10.9", Sign.FAILED), ("3.13.9", Sign.PASSED)])
def test_a_python_that_the_project_does_not_allow_fails(there, sign):
    assert tools.python(there, ">=3.11,<3.14", "make").sign is sign


def test_the_python_of_this_process_is_held_to_the_projects_own_range(tmp_path):
    assert only(tools.check_python, machine(tmp_path)).sign is Sign.PASSED


@pytest.mark.parametrize("installed", ["2.0.9", None])
def test_another_cli_than_the_pinned_one_fails(tmp_path, installed):
    line = only(tools.check_cli, machine(tmp_path, installed=installed))
    assert (line.sign, line.commands) == (Sign.FAILED, ("make setup",))


def test_a_cli_without_node_fails_and_with_it_passes(tmp_path, monkeypatch):
    given = machine(tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: None)
    without = only(tools.check_cli, given)
    monkeypatch.setattr("shutil.which", lambda _: "/bin/node")
    assert signs([without, only(tools.check_cli, given)]) == "✗✓"


def test_a_library_in_another_version_than_pinned_fails_and_is_named(tmp_path):
    line = only(tools.check_libraries, machine(tmp_path, boto3="0.0.1"))
    assert (line.sign, line.commands) == (Sign.FAILED, ("make setup",))
    assert "boto3" in line.found


def test_libraries_as_pinned_pass_whatever_is_not_pinned(tmp_path):
    assert only(tools.check_libraries, machine(tmp_path)).sign is Sign.PASSED


# --------------------------------------------------------------------------------- source of the code


def pipeline(provider: str, **configuration: object):
    action = {"ActionTypeId": {"Category": "Source", "Provider": provider}, "Configuration": configuration}
    return [stack("mlops", {"P": ("AWS::CodePipeline::Pipeline", {"Stages": [{"Actions": [action]}]})})]


def test_codecommit_that_answers_passes_with_or_without_a_repository():
    repository = {"repositories": [{"repositoryName": "r", "repositoryId": "1"}]}
    for aws in (Aws(), Aws({"codecommit:ListRepositories": repository})):
        assert only(source.check_source, situation(aws, stacks=pipeline("CodeCommit"))).sign is Sign.PASSED


def test_a_region_without_codecommit_fails_before_it_is_asked():
    given = situation(stacks=pipeline("CodeCommit"))
    elsewhere = replace(given, account=type(given.account)("ap-southeast-4", Aws().client))
    line = only(source.check_source, elsewhere)
    assert line.sign is Sign.FAILED
    assert "CodeStarSourceConnection" in line.advice


def test_codecommit_that_may_not_be_asked_names_the_permission():
    aws = Aws({"codecommit:ListRepositories": denied("codecommit:ListRepositories")})
    line = only(source.check_source, situation(aws, stacks=pipeline("CodeCommit")))
    assert line.sign is Sign.UNSEEN
    assert "codecommit:ListRepositories" in says(line)


ARN = "arn:aws:codeconnections:eu-west-1:111122223333:connection/aaaa"


@pytest.mark.parametrize(("status", "sign"), [("PENDING", Sign.FAILED), ("ERROR", Sign.FAILED), ("AVAILABLE", Sign.PASSED)])
def test_a_connection_must_be_available(status, sign):
    answer = {"Connection": {"ConnectionName": "github", "ConnectionStatus": status, "ProviderType": "GitHub"}}
    aws = Aws({"codeconnections:GetConnection": answer})
    line = only(source.check_source, situation(aws, stacks=pipeline("CodeStarSourceConnection", ConnectionArn=ARN)))
    assert line.sign is sign
    assert sign is Sign.PASSED or "console" in line.advice
    assert ("only a person can finish it" in line.advice) is (status == "PENDING")


def test_a_connection_that_does_not_exist_fails_and_one_made_by_a_stack_is_unseen():
    aws = Aws({"codeconnections:GetConnection": Refused("ResourceNotFoundException")})
    gone = only(source.check_source, situation(aws, stacks=pipeline("CodeStarSourceConnection", ConnectionArn=ARN)))
    later = only(source.check_source, situation(stacks=pipeline("CodeStarSourceConnection", ConnectionArn={"Ref": "Connection"})))
    assert signs([gone, later]) == "✗?"


# ------------------------------------------------------------------------------ service-linked roles

SERVICE = "sagemaker.application-autoscaling.amazonaws.com"


def scaled(namespace: str = "sagemaker", **options):
    return stack("serving", {"T": ("AWS::ApplicationAutoScaling::ScalableTarget", {"ServiceNamespace": namespace})}, **options)


def released_by(*statements, by_name: bool = False, of: str = "serving"):
    """A stack whose pipeline deploys another one with a role of its own that has these statements."""
    arn = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::111122223333:role/deploys"]]}
    configuration = {"StackName": of, "RoleArn": arn if by_name else {"Fn::GetAtt": ["R", "Arn"]}}
    action = {"ActionTypeId": {"Category": "Deploy", "Provider": "CloudFormation"}, "Configuration": configuration}
    resources = {
        "R": ("AWS::IAM::Role", {"RoleName": "deploys"}),
        "P": ("AWS::IAM::Policy", {"PolicyDocument": {"Statement": list(statements)}, "Roles": [{"Ref": "R"}]}),
        "L": ("AWS::CodePipeline::Pipeline", {"Stages": [{"Actions": [action]}]}),
    }
    return stack("mlops", resources)


def making(service: str = SERVICE, action: str = "iam:CreateServiceLinkedRole"):
    return {"Effect": "Allow", "Action": action, "Condition": {"StringEquals": {"iam:AWSServiceName": service}}}


@pytest.mark.parametrize("by_name", [True, False])
def test_a_stack_that_a_role_of_the_templates_deploys_is_judged_by_that_role(by_name):
    def judged(*statements):
        given = situation(stacks=[released_by(*statements, by_name=by_name), scaled()])
        return only(service_roles.check_service_roles, given)

    for statements in ((), (making("ecs.application-autoscaling.amazonaws.com"),)):
        assert judged(*statements).sign is Sign.FAILED
        assert judged(*statements).commands == (f"aws iam create-service-linked-role --aws-service-name {SERVICE}",)
    for action in ("iam:CreateServiceLinkedRole", "iam:*", "*"):
        assert judged(making(action=action)).sign is Sign.PASSED


def test_a_role_that_deploys_something_else_makes_no_role_for_this_stack():
    given = situation(stacks=[released_by(making(), of="another"), scaled()])
    assert only(service_roles.check_service_roles, given).sign is Sign.UNSEEN


@pytest.mark.parametrize(
    ("decision", "sign"), [("allowed", Sign.PASSED), ("implicitDeny", Sign.UNSEEN), (None, Sign.UNSEEN), ("may not be asked", Sign.UNSEEN)]
)
def test_of_a_stack_that_the_cli_deploys_the_bootstrap_s_role_makes_it_which_is_no_failure_of_the_templates(decision, sign):
    results = [{"EvalActionName": "iam:CreateServiceLinkedRole", "EvalDecision": decision}]
    answer = {"EvaluationResults": results if decision else []}
    aws = Aws({"iam:SimulatePrincipalPolicy": denied("iam:SimulatePrincipalPolicy") if decision == "may not be asked" else answer})
    role = "arn:${AWS::Partition}:iam::111122223333:role/cdk-hnb659fds-cfn-exec-role-111122223333-eu-west-1"
    line = only(service_roles.check_service_roles, situation(aws, stacks=[scaled(properties={"cloudFormationExecutionRoleArn": role})]))
    assert line.sign is sign


def test_each_service_that_scales_has_a_role_of_its_own():
    there = {"iam:GetRole": lambda asked: ROLE if asked["RoleName"].endswith("_DynamoDBTable") else Refused("NoSuchEntity", status=404)}
    given = situation(Aws(there), stacks=[scaled("dynamodb"), released_by(), scaled()])
    assert signs(found(service_roles.check_service_roles, given)) == "✓✗"


def test_a_service_whose_role_is_not_known_is_one_line():
    line = only(service_roles.check_service_roles, situation(stacks=[scaled("workflows")]))
    assert line.sign is Sign.UNSEEN
    assert "workflows" in line.found


def test_endpoints_that_do_not_scale_need_no_role():
    assert found(service_roles.check_service_roles, situation(stacks=[stack("mlops")])) == []


# ----------------------------------------------------------------------------------------- stacks


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("UPDATE_IN_PROGRESS", "aws cloudformation wait stack-update-complete --stack-name mlops"),
        ("DELETE_FAILED", "aws cloudformation delete-stack --stack-name mlops"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name mlops"),
    ],
)
def test_a_stack_from_which_no_deployment_can_go_on_fails(status, command):
    lines = found(stack_states.check_stacks, situation(Aws(deployed(status=status)), stacks=[stack("mlops")]))
    assert signs(lines) == "✗✓"
    assert lines[0].commands == (command,)


def test_a_stack_that_was_never_made_stands_in_the_way_of_a_pipeline_but_not_of_the_cli():
    aws = Aws(deployed(status="ROLLBACK_COMPLETE"))
    by_cli = found(stack_states.check_stacks, situation(aws, stacks=[stack("mlops")]))
    by_pipeline = found(stack_states.check_stacks, situation(aws, stacks=[stack("mlops", by_pipeline=True)]))
    assert (signs(by_cli), signs(by_pipeline)) == ("✓", "✗✓")


def pipeline_that_deploys(name, mode):
    """A stack with a CodePipeline whose action deploys the stack `name`."""
    action = {"Name": "Deploy", "Configuration": {"ActionMode": mode, "StackName": name}}
    return stack("fish", {"Pipeline": ("AWS::CodePipeline::Pipeline", {"Stages": [{"Actions": [action]}]})})


@pytest.mark.parametrize(("mode", "expected"), [("CREATE_UPDATE", "✗✓"), ("REPLACE_ON_FAILURE", "✓")])
def test_what_a_pipeline_replaces_by_itself_is_in_nobody_s_way(mode, expected):
    given = situation(
        Aws(deployed(status="UPDATE_ROLLBACK_FAILED")),
        stacks=[stack("mlops", by_pipeline=True)],
        everywhere=[pipeline_that_deploys("mlops", mode), pipeline_that_deploys("another", "REPLACE_ON_FAILURE")],
    )
    assert signs(found(stack_states.check_stacks, given)) == expected


def test_a_stack_of_which_only_a_change_set_was_made_is_none():
    lines = found(stack_states.check_stacks, situation(Aws(deployed(status="REVIEW_IN_PROGRESS")), stacks=[stack("mlops")]))
    assert signs(lines) == "✓"
    assert "none of 1" in lines[0].found


def test_stacks_that_are_there_are_named():
    assert "1 of 1 are deployed: mlops" in only(stack_states.check_stacks, situation(Aws(deployed()), stacks=[stack("mlops")])).found
    assert "none of 1" in only(stack_states.check_stacks, situation(stacks=[stack("mlops")])).found
