"""A pipeline of one account deploys into another account and region, with the roles, buckets and keys that it needs there in AWS.

Sources: CodePipeline user guide, "Create a pipeline in CodePipeline that uses resources from another AWS account", "Add a cross-Region
action to a pipeline". Each of its grants is taken away in turn, and the action says which one it lacked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.codecommit import repository

from . import small_pipelines as small
from .several_accounts import ELSEWHERE, HOME, OTHER, OWN, allow, allow_role, policy, role, to_account
from .small_pipelines import action
from .stacks import parameter, template

STORES = {HOME: "artifacts-home", ELSEWHERE: "artifacts-ireland"}
ROOT = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWN}:root"}, "Action": "kms:*", "Resource": "*"}


@dataclass(frozen=True)
class Release:
    """`service` is the pipeline's role; `action` and `deployment` are in the other account. `keys` encrypt each region's artifacts."""

    service: str
    action: str
    deployment: str
    keys: dict[str, str]

    @property
    def statements(self) -> dict[str, list[dict[str, Any]]]:
        """What each role may do, as little as it takes."""
        artifacts = [f"arn:aws:s3:::{bucket}/*" for bucket in STORES.values()]
        return {
            self.service: [
                allow("codecommit:*"),
                allow(["s3:GetObject", "s3:PutObject"], artifacts),
                allow(["kms:Decrypt", "kms:GenerateDataKey"], list(self.keys.values())),
                allow("sts:AssumeRole", self.action),
            ],
            self.action: [
                allow(["cloudformation:CreateStack", "cloudformation:UpdateStack", "cloudformation:Describe*"]),
                allow("iam:PassRole", self.deployment),
                allow("s3:GetObject", f"arn:aws:s3:::{STORES[ELSEWHERE]}/*"),
                allow("kms:Decrypt", self.keys[ELSEWHERE]),
            ],
            self.deployment: [allow(["ssm:PutParameter", "ssm:GetParameters", "ssm:AddTagsToResource", "ssm:DeleteParameter"])],
        }


@pytest.fixture(scope="module")
def release(accounts: Account, tmp_path_factory: pytest.TempPathFactory) -> Release:
    service = role(accounts, OWN, "pipelines", {"Service": "codepipeline.amazonaws.com"})
    acting = role(accounts, OTHER, "pipeline-action", {"AWS": service})
    deployment = role(accounts, OTHER, "cloudformation", {"Service": "cloudformation.amazonaws.com"})
    keys = {region: accounts.client("kms", region=region).create_key()["KeyMetadata"]["Arn"] for region in STORES}
    made = Release(service, acting, deployment, keys)
    for region, bucket in STORES.items():
        s3 = accounts.client("s3", region=region)
        place = {} if region == HOME else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **place)
    grant(accounts, made)
    accounts.client("codecommit").create_repository(repositoryName="code")
    folder = tmp_path_factory.mktemp("code")
    content = {"Word": parameter("from the tooling account", Name={"Fn::Sub": "/${AWS::StackName}/word"})}
    (folder / "template.json").write_text(template(content))
    small.commit_directory(repository(accounts.context, "code"), folder, "first")
    return made


def grant(accounts: Account, made: Release) -> None:
    """Everything that the release needs."""
    for arn, statements in made.statements.items():
        allow_role(accounts, arn, *statements)
    reading = allow("s3:GetObject", f"arn:aws:s3:::{STORES[ELSEWHERE]}/*", Principal={"AWS": made.action})
    accounts.client("s3", region=ELSEWHERE).put_bucket_policy(Bucket=STORES[ELSEWHERE], Policy=policy(reading))
    kms = accounts.client("kms", region=ELSEWHERE)
    using = allow("kms:Decrypt", Principal={"AWS": made.action})
    kms.put_key_policy(KeyId=made.keys[ELSEWHERE], PolicyName="default", Policy=policy(ROOT, using))
    trust(accounts, made.action, {"AWS": made.service})


def trust(accounts: Account, arn: str, principal: dict[str, str]) -> None:
    document = policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
    iam = accounts.client("iam", account=arn.split(":")[4])
    iam.update_assume_role_policy(RoleName=arn.rpartition("/")[2], PolicyDocument=document)


def declared(made: Release, name: str, **more: Any) -> dict[str, Any]:
    configuration = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": name,
        "TemplatePath": "Source::template.json",
        "RoleArn": made.deployment,
        "ParameterOverrides": "{}",
    }
    source = action("Get", "Source", "CodeCommit", {"RepositoryName": "code", "BranchName": "main"}, outputArtifacts=[{"name": "Source"}])
    deploy = action(
        "Deploy",
        "Deploy",
        "CloudFormation",
        configuration,
        inputArtifacts=[{"name": "Source"}],
        roleArn=made.action,
        region=ELSEWHERE,
    )
    stores = {
        region: {"type": "S3", "location": bucket, "encryptionKey": {"id": made.keys[region], "type": "KMS"}}
        for region, bucket in STORES.items()
    }
    stages = [{"name": "Source", "actions": [source]}, {"name": "Deploy", "actions": [deploy]}]
    return {"name": name, "roleArn": made.service, "pipelineType": "V2", "artifactStores": stores, "stages": stages, **more}


def run(accounts: Account, made: Release, name: str) -> tuple[str, str]:
    """How a new pipeline of this name ends, and why."""
    accounts.client("codepipeline").create_pipeline(pipeline=declared(made, name))
    status = small.wait(accounts, name, small.start(accounts, name))
    return status, small.failure(accounts, name)


def test_it_deploys_into_another_account_and_region(accounts: Account, release: Release) -> None:
    status, why = run(accounts, release, "released")
    assert status == "Succeeded", why
    stack = accounts.client("cloudformation", account=OTHER, region=ELSEWHERE).describe_stacks(StackName="released")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    word = accounts.client("ssm", account=OTHER, region=ELSEWHERE).get_parameter(Name="/released/word")["Parameter"]
    assert word["Value"] == "from the tooling account"


def test_the_artifact_is_brought_to_the_actions_region_under_the_key_of_that_region(accounts: Account, release: Release) -> None:
    run(accounts, release, "brought")
    details = accounts.client("codepipeline").list_action_executions(pipelineName="brought")["actionExecutionDetails"]
    deploy = next(detail for detail in details if detail["actionName"] == "Deploy")["input"]
    (artifact,) = deploy["inputArtifacts"]
    assert (deploy["region"], artifact["s3location"]["bucket"]) == (ELSEWHERE, STORES[ELSEWHERE])
    head = accounts.client("s3", region=ELSEWHERE).head_object(Bucket=artifact["s3location"]["bucket"], Key=artifact["s3location"]["key"])
    assert head["SSEKMSKeyId"] == release.keys[ELSEWHERE]


def without(made: Release, arn: str, action_name: str) -> Callable[[Account], None]:
    def take(accounts: Account) -> None:
        left = [statement for statement in made.statements[arn] if action_name not in statement["Action"]]
        allow_role(accounts, arn, *(left or [allow("sts:GetCallerIdentity")]))

    return take


#: Grant -> what takes it away, and the words of the action that then fails.
GRANTS: dict[str, tuple[Callable[[Release], Callable[[Account], Any]], str]] = {
    "the pipeline's role may assume the action's": (
        lambda made: without(made, made.service, "sts:AssumeRole"),
        "sts:AssumeRole on resource: {action} because no identity-based policy allows",
    ),
    "the action's role trusts the pipeline's": (
        lambda made: lambda accounts: trust(accounts, made.action, {"AWS": f"arn:aws:iam::{OTHER}:root"}),
        "sts:AssumeRole on resource: {action} because no resource-based policy allows",
    ),
    "the bucket's policy": (
        lambda made: lambda accounts: accounts.client("s3", region=ELSEWHERE).delete_bucket_policy(Bucket=STORES[ELSEWHERE]),
        "because no resource-based policy allows the s3:GetObject action",
    ),
    "the action's role may read the bucket": (
        lambda made: without(made, made.action, "s3:GetObject"),
        "because no identity-based policy allows the s3:GetObject action",
    ),
    "the key's policy": (
        lambda made: (
            lambda accounts: accounts.client("kms", region=ELSEWHERE).put_key_policy(
                KeyId=made.keys[ELSEWHERE], PolicyName="default", Policy=policy(ROOT)
            )
        ),
        "kms:Decrypt on resource: {key} because no resource-based policy allows",
    ),
    "the action's role may use the key": (
        lambda made: without(made, made.action, "kms:Decrypt"),
        "kms:Decrypt on resource: {key} because no identity-based policy allows",
    ),
    "the pipeline's role may write to the other region": (
        lambda made: without(made, made.service, "s3:PutObject"),
        "s3:PutObject on resource: arn:aws:s3:::artifacts-home",
    ),
    "the action's role may pass the deployment role": (
        lambda made: without(made, made.action, "iam:PassRole"),
        "iam:PassRole on resource: {deployment} because no identity-based policy allows",
    ),
    "the deployment role trusts CloudFormation": (
        lambda made: lambda accounts: trust(accounts, made.deployment, {"Service": "ec2.amazonaws.com"}),
        "cloudformation.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: {deployment}",
    ),
    "the deployment role may make what the template says": (
        lambda made: without(made, made.deployment, "ssm:PutParameter"),
        "ssm:PutParameter",
    ),
}


@pytest.mark.parametrize("missing", GRANTS)
def test_without_a_grant_the_action_fails_and_says_which(accounts: Account, release: Release, missing: str) -> None:
    take_away, words = GRANTS[missing]
    take_away(release)(accounts)
    try:
        status, why = run(accounts, release, f"lacks-{list(GRANTS).index(missing)}")
    finally:
        grant(accounts, release)
        trust(accounts, release.deployment, {"Service": "cloudformation.amazonaws.com"})
    assert status == "Failed"
    assert words.format(action=release.action, key=release.keys[ELSEWHERE], deployment=release.deployment) in why


def test_without_a_key_of_its_own_another_account_cannot_read_the_artifacts(accounts: Account, release: Release) -> None:
    """ "If this field is undefined, the default key for Amazon S3 is used", which no other account can be let in to."""
    stores = {region: {"type": "S3", "location": bucket} for region, bucket in STORES.items()}
    accounts.client("codepipeline").create_pipeline(pipeline=declared(release, "keyless", artifactStores=stores))
    assert small.wait(accounts, "keyless", small.start(accounts, "keyless")) == "Failed"
    assert f"kms:Decrypt on resource: arn:aws:kms:{ELSEWHERE}:{OWN}:key/aws/s3" in small.failure(accounts, "keyless")


@pytest.mark.parametrize(
    ("stores", "said"),
    [
        ({"artifactStores": {HOME: {"type": "S3", "location": STORES[HOME]}}}, f"no store for the regions of its actions: {ELSEWHERE}"),
        (
            {"artifactStores": {ELSEWHERE: {"type": "S3", "location": STORES[ELSEWHERE]}}},
            f"no store for the regions of its actions: {HOME}",
        ),
        ({"artifactStore": {"type": "S3", "location": STORES[HOME]}}, "either artifactStore or artifactStores"),
    ],
)
def test_each_region_that_has_actions_has_its_store(accounts: Account, release: Release, stores: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        accounts.client("codepipeline").create_pipeline(pipeline=declared(release, "storeless", **stores))


def test_a_pipelines_own_role_is_of_its_account(accounts: Account, release: Release) -> None:
    with pytest.raises(ClientError, match="Cross-account pass role is not allowed"):
        accounts.client("codepipeline").create_pipeline(pipeline=declared(release, "stranger", roleArn=release.action))


def test_events_of_the_action_name_its_region_and_the_pipelines_account(accounts: Account, release: Release, tmp_path: Path) -> None:
    sqs, events = accounts.client("sqs"), accounts.client("events")
    arn = f"arn:aws:sqs:{HOME}:{OWN}:actions"
    writing = allow("sqs:SendMessage", arn, Principal={"Service": "events.amazonaws.com"})
    url = sqs.create_queue(QueueName="actions", Attributes={"Policy": policy(writing)})["QueueUrl"]
    pattern = {"detail-type": ["CodePipeline Action Execution State Change"], "detail": {"action": ["Deploy"], "state": ["SUCCEEDED"]}}
    events.put_rule(Name="actions", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="actions", Targets=[{"Id": "1", "Arn": arn}])
    run(accounts, release, "announced")
    (message,) = small.wait_for(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    event = json.loads(message["Body"])
    assert (event["account"], event["region"], event["detail"]["region"]) == (OWN, HOME, ELSEWHERE)


def test_a_source_of_another_account_is_read_in_its_own_name(accounts: Account, release: Release, tmp_path: Path) -> None:
    """The repository of the other account: the action's role reads it there, and writes the artifact into the pipeline's bucket."""
    accounts.client("codecommit", account=OTHER).create_repository(repositoryName="their-code")
    (tmp_path / "template.json").write_text(template({"Word": parameter("of their own", Name={"Fn::Sub": "/${AWS::StackName}/word"})}))
    small.commit_directory(repository(accounts.at(OTHER), "their-code"), tmp_path, "theirs")
    reading = role(
        accounts, OTHER, "source-action", {"AWS": release.service}, allow(["codecommit:*", "s3:PutObject", "kms:GenerateDataKey"])
    )
    s3, kms = accounts.client("s3"), accounts.client("kms")
    s3.put_bucket_policy(Bucket=STORES[HOME], Policy=policy(to_account(OTHER, "s3:PutObject", f"arn:aws:s3:::{STORES[HOME]}/*")))
    key = release.keys[HOME]
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(ROOT, to_account(OTHER, "kms:GenerateDataKey")))
    statements = release.statements[release.service]
    allow_role(accounts, release.service, *statements, allow("sts:AssumeRole", reading))
    pipeline = declared(release, "their-source")
    pipeline["stages"][0]["actions"][0] |= {
        "roleArn": reading,
        "configuration": {"RepositoryName": "their-code", "BranchName": "main"},
    }
    accounts.client("codepipeline").create_pipeline(pipeline=pipeline)
    status = small.wait(accounts, "their-source", small.start(accounts, "their-source"))
    assert status == "Succeeded", small.failure(accounts, "their-source")
    word = accounts.client("ssm", account=OTHER, region=ELSEWHERE).get_parameter(Name="/their-source/word")["Parameter"]
    assert word["Value"] == "of their own"
