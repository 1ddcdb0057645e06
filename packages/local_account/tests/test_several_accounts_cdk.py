"""Stock `cdk` deploys into a second account and region: with its profile, or from the account that its bootstrap trusts.

Source: CDK developer guide, "Bootstrapping environments for use with the AWS CDK" (`--trust`), and "Configure environments".
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from .cdk_command import run_cdk
from .several_accounts import ELSEWHERE, HOME, OTHER, OWN, policy

APP = Path(__file__).parent / "app_elsewhere" / "app.py"
PLACE = ("--context", f"account={OTHER}", "--context", f"region={ELSEWHERE}")
DEPLOY = ("deploy", "--all", "--require-approval", "never", *PLACE)
ADMINISTRATION = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture(scope="module")
def trusting(accounts: Account) -> Account:
    """The other account's environment, bootstrapped with its own profile to trust the default account."""
    trust = ("--trust", OWN, "--cloudformation-execution-policies", ADMINISTRATION)
    run_cdk(accounts, APP, "bootstrap", f"aws://{OTHER}/{ELSEWHERE}", "--profile", "other", *trust, *PLACE)
    return accounts


@pytest.fixture(scope="module")
def deployed(trusting: Account) -> Account:
    """Deployed by the default account's administrator, without a profile: the roles of the bootstrap are assumed."""
    run_cdk(trusting, APP, *DEPLOY)
    return trusting


def test_the_stack_is_there_and_nowhere_else(deployed: Account) -> None:
    stacks = deployed.client("cloudformation", account=OTHER, region=ELSEWHERE).describe_stacks(StackName="greeting")["Stacks"]
    assert [stack["StackStatus"] for stack in stacks] == ["CREATE_COMPLETE"]
    for account_id, region in ((OWN, HOME), (OWN, ELSEWHERE), (OTHER, HOME)):
        with pytest.raises(ClientError, match="does not exist"):
            deployed.client("cloudformation", account=account_id, region=region).describe_stacks(StackName="greeting")


def test_what_it_made_works_in_its_account_and_region(deployed: Account) -> None:
    answer = deployed.client("lambda", account=OTHER, region=ELSEWHERE).invoke(FunctionName="greet")
    assert json.loads(answer["Payload"].read()) == {"account": OTHER, "region": ELSEWHERE}
    parameter = deployed.client("ssm", account=OTHER, region=ELSEWHERE).get_parameter(Name="/greeting/word")
    assert parameter["Parameter"]["Value"] == f"{OTHER} {ELSEWHERE}"


def test_what_the_function_logs_is_there_too(deployed: Account) -> None:
    deployed.client("lambda", account=OTHER, region=ELSEWHERE).invoke(FunctionName="greet")

    def groups(account_id: str, region: str) -> list[str]:
        listed = deployed.client("logs", account=account_id, region=region).describe_log_groups(logGroupNamePrefix="/aws/lambda/greet")
        return [group["arn"] for group in listed["logGroups"]]

    assert groups(OTHER, ELSEWHERE) == [f"arn:aws:logs:{ELSEWHERE}:{OTHER}:log-group:/aws/lambda/greet:*"]
    assert (groups(OWN, HOME), groups(OWN, ELSEWHERE), groups(OTHER, HOME)) == ([], [], [])


def test_its_own_profile_deploys_it_too(deployed: Account) -> None:
    assert "no changes" in run_cdk(deployed, APP, *DEPLOY, "--profile", "other")


def test_a_bootstrap_that_does_not_trust_refuses(trusting: Account) -> None:
    """What `--trust` grants, taken away from each role that a deployment assumes."""
    iam = trusting.client("iam", account=OTHER)
    names = [name for name in (role["RoleName"] for role in iam.list_roles()["Roles"]) if name.endswith(f"{OTHER}-{ELSEWHERE}")]
    deploy_role = next(name for name in names if "-deploy-role-" in name)
    trusted = iam.get_role(RoleName=deploy_role)["Role"]["AssumeRolePolicyDocument"]
    own = policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName=deploy_role, PolicyDocument=own)
    try:
        with pytest.raises(
            AssertionError, match=f"(?s){deploy_role}.*(no resource-based policy allows the sts:AssumeRole|Need to perform)"
        ):
            run_cdk(trusting, APP, *DEPLOY, "--force")
    finally:
        iam.update_assume_role_policy(RoleName=deploy_role, PolicyDocument=json.dumps(trusted))


def test_publishing_is_to_the_accounts_own_bucket_alone(trusting: Account) -> None:
    """The file-publishing role has `aws:ResourceAccount` in its policy: a bucket of the same name elsewhere gets nothing."""
    iam = trusting.client("iam", account=OTHER)
    publisher = next(each["Arn"] for each in iam.list_roles()["Roles"] if "-file-publishing-role-" in each["RoleName"])
    answer = trusting.client("sts").assume_role(RoleArn=publisher, RoleSessionName="publishing")["Credentials"]
    trusting.client("s3").create_bucket(Bucket=f"cdk-hnb659fds-assets-{OTHER}-{HOME}")
    import boto3

    s3 = boto3.client(
        "s3",
        region_name=HOME,
        endpoint_url=trusting.settings.endpoint_url,
        aws_access_key_id=answer["AccessKeyId"],
        aws_secret_access_key=answer["SecretAccessKey"],
        aws_session_token=answer["SessionToken"],
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=f"cdk-hnb659fds-assets-{OTHER}-{HOME}", Key="k", Body=b"code")
