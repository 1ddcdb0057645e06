"""One process has several accounts, each with every region: what is made in one is in no other, whatever the service.

Which operations list something is read from botocore's models, so that a service that is added is asked, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

from local_account import __main__ as local
from local_account import arguments
from local_account.account import Account
from local_account.api.members import coverage
from local_account.api.reading import EMULATED, model
from local_account.codecommit import clone_url
from local_account.context import Profile

from .endpoint_models import create_configuration, create_model, variant
from .several_accounts import ELSEWHERE, HOME, OTHER, OWN, allow, policy, role
from .small_pipelines import kind, wait_for

NAME = "made-once"
ROLE = f"arn:aws:iam::{OWN}:role/any"
#: Services whose resources are of an account and of no region: IAM user guide, S3 user guide.
GLOBAL = ("iam", "s3")
#: They list nothing that anybody makes.
WITHOUT_LISTS = ("sagemaker-runtime", "sts")
#: What a listing that needs a member is asked with.
MEMBERS = {"application-autoscaling": {"ServiceNamespace": "sagemaker"}}
_LISTS = ("List", "Describe")


def make_function(client: Any) -> None:
    import io
    import zipfile

    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as bundle:
        bundle.writestr("index.py", "def handler(event, context): return event")
    client.create_function(FunctionName=NAME, Runtime="python3.12", Role=ROLE, Handler="index.handler", Code={"ZipFile": code.getvalue()})


def make_pipeline(client: Any) -> None:
    source = {"RepositoryName": "code", "BranchName": "main"}
    stages = [
        {
            "name": "Source",
            "actions": [
                {
                    "name": "Get",
                    "actionTypeId": kind("Source", "CodeCommit"),
                    "configuration": source,
                    "outputArtifacts": [{"name": "Code"}],
                }
            ],
        },
        {"name": "Gate", "actions": [{"name": "Approve", "actionTypeId": kind("Approval", "Manual")}]},
    ]
    store = {"type": "S3", "location": "artifacts"}
    client.create_pipeline(pipeline={"name": NAME, "roleArn": ROLE, "artifactStore": store, "stages": stages})


def make_build_project(client: Any) -> None:
    environment = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:8.0", "computeType": "BUILD_GENERAL1_SMALL"}
    source = {"type": "NO_SOURCE", "buildspec": "version: 0.2"}
    client.create_project(name=NAME, source=source, artifacts={"type": "NO_ARTIFACTS"}, environment=environment, serviceRole=ROLE)


def make_schedule(client: Any) -> None:
    target = {"Arn": f"arn:aws:sqs:{HOME}:{OWN}:{NAME}", "RoleArn": ROLE}
    client.create_schedule(Name=NAME, ScheduleExpression="rate(1 hour)", FlexibleTimeWindow={"Mode": "OFF"}, Target=target)


#: Service -> makes something whose name every listing of its kind shows.
MAKERS: dict[str, Callable[[Any], object]] = {
    "application-autoscaling": lambda client: client.register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{NAME}/variant/AllTraffic",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=2,
    ),
    "cloudformation": lambda client: client.create_stack(
        StackName=NAME, TemplateBody=json.dumps({"Resources": {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})
    ),
    "cloudwatch": lambda client: client.put_metric_data(Namespace=NAME, MetricData=[{"MetricName": "m", "Value": 1}]),
    "codebuild": make_build_project,
    "codecommit": lambda client: client.create_repository(repositoryName=NAME),
    "codeconnections": lambda client: client.create_connection(ProviderType="GitHub", ConnectionName=NAME),
    "codepipeline": make_pipeline,
    "codestar-connections": lambda client: client.create_connection(ProviderType="GitHub", ConnectionName=f"{NAME}-star"),
    "ecr": lambda client: client.create_repository(repositoryName=NAME),
    "events": lambda client: client.put_rule(Name=NAME, EventPattern='{"source": ["mine"]}'),
    "iam": lambda client: client.create_user(UserName=NAME),
    "kms": lambda client: client.create_alias(AliasName=f"alias/{NAME}", TargetKeyId=client.create_key()["KeyMetadata"]["KeyId"]),
    "lambda": make_function,
    "logs": lambda client: client.create_log_group(logGroupName=NAME),
    "s3": lambda client: client.create_bucket(Bucket=NAME),
    "sagemaker": lambda client: client.create_model_package_group(ModelPackageGroupName=NAME),
    "scheduler": make_schedule,
    "secretsmanager": lambda client: client.create_secret(Name=NAME, SecretString="x"),
    "sns": lambda client: client.create_topic(Name=NAME),
    "sqs": lambda client: client.create_queue(QueueName=NAME),
    "ssm": lambda client: client.put_parameter(Name=NAME, Value="x", Type="String"),
}


@pytest.fixture(scope="module")
def made(accounts: Account) -> Account:
    """Something of each service in the default account and region."""
    configuration = create_configuration(accounts, NAME, variant(create_model(accounts, NAME)))
    accounts.client("sagemaker").create_endpoint(EndpointName=NAME, EndpointConfigName=configuration)
    accounts.client("sagemaker").get_waiter("endpoint_in_service").wait(EndpointName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    for service, make in MAKERS.items():
        make(accounts.client(service))
    return accounts


def listings(service: str) -> Iterator[str]:
    """The operations of a service that show what there is, and need nothing but `MEMBERS` for it."""
    for name in sorted(name for name in coverage(service).acted if name.startswith(_LISTS) and "." not in name):
        shape = model(service).operation_model(name).input_shape
        required = set(shape.required_members if shape else ()) - set(MEMBERS.get(service, {}))
        if not required:
            yield name


def shown(client: Any, service: str, operation: str) -> str:
    try:
        answer = getattr(client, xform_name(operation))(**MEMBERS.get(service, {}))
    except ClientError as error:  # it needs one of several members
        answer = error.response["Error"]
    return json.dumps({key: value for key, value in answer.items() if key != "ResponseMetadata"}, default=str)


def test_every_service_is_asked() -> None:
    assert sorted(MAKERS) == sorted(EMULATED - set(WITHOUT_LISTS))


@pytest.mark.parametrize("service", MAKERS)
def test_what_an_account_makes_no_other_account_and_region_lists(made: Account, service: str) -> None:
    home = [name for name in listings(service) if NAME in shown(made.client(service), service, name)]
    assert home, f"no listing of {service} shows what was made"
    for name in listings(service):
        assert NAME not in shown(made.client(service, account=OTHER), service, name)
        elsewhere = shown(made.client(service, region=ELSEWHERE), service, name)
        assert (NAME in elsewhere) == (service in GLOBAL and name in home)


@pytest.mark.parametrize(
    "service", sorted(set(MAKERS) - {"s3", "codepipeline", "application-autoscaling", "lambda", "codebuild", "scheduler"})
)
def test_a_name_is_free_in_another_account(made: Account, service: str) -> None:
    MAKERS[service](made.client(service, account=OTHER, region="eu-north-1"))
    seen = [name for name in listings(service) if NAME in shown(made.client(service, account=OTHER, region="eu-north-1"), service, name)]
    assert seen


def test_a_buckets_name_is_taken_for_all(made: Account) -> None:
    with pytest.raises(ClientError, match="BucketAlreadyExists"):
        made.client("s3", account=OTHER).create_bucket(Bucket=NAME)


def test_a_bucket_is_in_one_region_and_says_in_which(accounts: Account) -> None:
    there = accounts.client("s3", region=ELSEWHERE)
    there.create_bucket(Bucket="in-ireland", CreateBucketConfiguration={"LocationConstraint": ELSEWHERE})
    there.put_object(Bucket="in-ireland", Key="k", Body=b"x")
    redirected = boto3.client("s3", region_name=HOME, endpoint_url=accounts.settings.endpoint_url, **keys(accounts, OWN))
    answer = redirected.meta.client if hasattr(redirected.meta, "client") else redirected
    assert answer.get_object(Bucket="in-ireland", Key="k")["Body"].read() == b"x"  # boto3 follows, as in AWS
    assert answer.head_bucket(Bucket="in-ireland")["BucketRegion"] == ELSEWHERE


def keys(account: Account, account_id: str) -> dict[str, str]:
    administrator = account.at(account_id).keyring.administrator
    return {"aws_access_key_id": administrator.access_key, "aws_secret_access_key": administrator.secret}


@pytest.mark.parametrize(
    ("service", "operation", "member"), [("codecommit", "list_repositories", "repositories"), ("sqs", "list_queues", "QueueUrls")]
)
def test_no_header_leads_into_another_account_or_region(accounts: Account, service: str, operation: str, member: str) -> None:
    for region in (HOME, ELSEWHERE):
        accounts.client("codecommit", account=OTHER, region=region).create_repository(repositoryName=f"hidden-{service}")
        accounts.client("sqs", account=OTHER, region=region).create_queue(QueueName=f"hidden-{service}")
        accounts.client("codecommit", region=ELSEWHERE).create_repository(repositoryName=f"hidden-{service}-{region}")
    leading = Config(user_agent=f"region/{ELSEWHERE}", user_agent_extra=f"region/{ELSEWHERE}")
    client = boto3.client(service, region_name=HOME, endpoint_url=accounts.settings.endpoint_url, config=leading, **keys(accounts, OWN))
    headers = {"x-moto-account-id": OTHER, "x-account-id": OTHER}
    client.meta.events.register(
        "before-sign", lambda request, **_: [request.headers.add_header(*pair) for pair in headers.items()] and None
    )
    assert "hidden" not in str(getattr(client, operation)().get(member))


def test_keys_say_whose_they_are(accounts: Account) -> None:
    arns = [accounts.client("sts", account=account_id).get_caller_identity()["Arn"] for account_id in (OWN, OTHER)]
    assert arns == [f"arn:aws:iam::{account_id}:user/administrator" for account_id in (OWN, OTHER)]
    secrets = {accounts.at(account_id).keyring.administrator.secret for account_id in (OWN, OTHER)}
    assert len(secrets) == 2


def test_events_are_of_the_account_and_region_in_which_they_happen(accounts: Account) -> None:
    sqs, events = (accounts.client(service, account=OTHER, region=ELSEWHERE) for service in ("sqs", "events"))
    arn = f"arn:aws:sqs:{ELSEWHERE}:{OTHER}:seen"
    everybody = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    url = sqs.create_queue(QueueName="seen", Attributes={"Policy": policy(everybody)})["QueueUrl"]
    events.put_rule(Name="groups", EventPattern=json.dumps({"source": ["aws.cloudwatch"]}))
    events.put_targets(Rule="groups", Targets=[{"Id": "1", "Arn": arn}])
    for account_id, region in ((OWN, ELSEWHERE), (OTHER, HOME), (OTHER, ELSEWHERE)):
        cloudwatch = accounts.client("cloudwatch", account=account_id, region=region)
        cloudwatch.put_metric_alarm(
            AlarmName="a",
            MetricName="m",
            Namespace="n",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
        cloudwatch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="by hand")
    messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    (event,) = [json.loads(message["Body"]) for message in messages]
    assert (event["account"], event["region"]) == (OTHER, ELSEWHERE)
    assert event["resources"] == [f"arn:aws:cloudwatch:{ELSEWHERE}:{OTHER}:alarm:a"]


def test_a_metrics_alarm_watches_its_own_account(accounts: Account) -> None:
    """The same metric breaches in one account, and the alarm of the other one sees nothing of it."""
    for account_id in (OWN, OTHER):
        accounts.client("cloudwatch", account=account_id).put_metric_alarm(
            AlarmName="watched",
            MetricName="errors",
            Namespace="mine",
            Statistic="Sum",
            Period=10,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
        )
    state = {OWN: "", OTHER: ""}
    deadline = time.monotonic() + 60
    while state != {OWN: "OK", OTHER: "ALARM"} and time.monotonic() < deadline:
        accounts.client("cloudwatch", account=OTHER).put_metric_data(Namespace="mine", MetricData=[{"MetricName": "errors", "Value": 5}])
        for account_id in state:
            cloudwatch = accounts.client("cloudwatch", account=account_id)
            state[account_id] = cloudwatch.describe_alarms(AlarmNames=["watched"])["MetricAlarms"][0]["StateValue"]
        time.sleep(0.5)
    assert state == {OWN: "OK", OTHER: "ALARM"}


def test_a_schedule_fires_where_it_is(accounts: Account) -> None:
    """In the name of a role there, with its own account and region in the event."""
    sqs = accounts.client("sqs", account=OTHER, region=ELSEWHERE)
    url = sqs.create_queue(QueueName="ticks")["QueueUrl"]
    queue = f"arn:aws:sqs:{ELSEWHERE}:{OTHER}:ticks"
    sender = role(accounts, OTHER, "ticking", {"Service": "scheduler.amazonaws.com"}, allow("sqs:SendMessage", queue))
    accounts.client("scheduler", account=OTHER, region=ELSEWHERE).create_schedule(
        Name="tick", ScheduleExpression="rate(1 hour)", FlexibleTimeWindow={"Mode": "OFF"}, Target={"Arn": queue, "RoleArn": sender}
    )
    clock = accounts.context.clock
    clock.change(now=clock.now() + timedelta(hours=1, minutes=1))
    (message,) = wait_for(lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"))
    event = json.loads(message["Body"])
    assert (event["account"], event["region"]) == (OTHER, ELSEWHERE)
    assert event["resources"] == [f"arn:aws:scheduler:{ELSEWHERE}:{OTHER}:schedule/default/tick"]


def test_a_push_is_to_the_account_whose_secret_is_the_password(accounts: Account, tmp_path: Path) -> None:
    """The region is in the host's name, as in `git-codecommit.<region>.amazonaws.com`."""
    repository = accounts.client("codecommit", account=OTHER, region=ELSEWHERE).create_repository(repositoryName="theirs")
    url = repository["repositoryMetadata"]["cloneUrlHttp"]
    assert url == clone_url(accounts.at(OTHER, ELSEWHERE), "theirs")
    work = tmp_path / "work"
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(work)]
    subprocess.run(["git", "init", "-q", str(work)], check=True)
    (work / "file").write_text("x")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "one"], check=True)

    def push(account_id: str) -> int:
        secret = accounts.at(account_id).keyring.administrator.secret
        return subprocess.run(
            [*git, "push", "-q", url.replace("://", f"://administrator:{secret}@"), "HEAD:main"],
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
            capture_output=True,
            check=False,
        ).returncode

    assert (push(OWN), push(OTHER)) == (128, 0)
    branch = accounts.client("codecommit", account=OTHER, region=ELSEWHERE).get_branch(repositoryName="theirs", branchName="main")
    assert branch["branch"]["commitId"]


# ------------------------------------------------------------------------------------------------ names of accounts


@pytest.mark.parametrize(("profile", "account_id", "region"), [("default", OWN, HOME), ("other", OTHER, ELSEWHERE)])
def test_a_profile_is_an_account_and_a_region(accounts: Account, profile: str, account_id: str, region: str) -> None:
    """A process of its own, with nothing but the exported files, as a person's terminal."""
    exported = {name: value for name, value in accounts.context.client_environment.items() if name.endswith("_FILE")}
    program = (
        f"import boto3; session = boto3.Session(profile_name={profile!r});"
        "print(session.client('sts').get_caller_identity()['Account'], session.region_name)"
    )
    environment = {"PATH": os.environ["PATH"], **exported}
    finished = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert finished.stdout.split() == [account_id, region]


def test_profiles_are_nobody_elses_to_read(accounts: Account) -> None:
    files = [Path(accounts.context.client_environment[name]) for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")]
    assert [file.stat().st_mode & 0o777 for file in files] == [0o600, 0o600]
    started = accounts.context.process_environment(accounts.at(OWN).keyring.administrator)
    assert not any(Path(started[name]).exists() for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"))


def test_with_several_accounts_the_exports_leave_region_and_keys_to_the_profile(accounts: Account) -> None:
    exported = "\n".join(local.client_environment.shell_lines(accounts.settings, accounts.context.keyring.administrator, {}))
    assert "AWS_CONFIG_FILE=" in exported
    assert not any(f"export {name}=" in exported for name in ("AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_DEFAULT_REGION"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("444455556666", Profile("444455556666")),
        ("staging=444455556666", Profile("444455556666", "staging")),
        ("staging=444455556666/eu-west-1", Profile("444455556666", "staging", "eu-west-1")),
    ],
)
def test_an_account_on_the_command_line(text: str, expected: Profile) -> None:
    assert arguments.account(text) == expected


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--account", "4444"], "'4444' is not an account; allowed: [NAME=]ID[/REGION]"),
        (["--account", f"default={OTHER}"], f"'default={OTHER}' is not an account"),
        (["--account", f"{OTHER}/ireland"], "'ireland' is not a region"),
        (["--account", OWN, "--account", f"a={OTHER}", "--account", f"a={OTHER}/eu-west-1"], "the name 'a' is given twice"),
    ],
)
def test_an_account_that_cannot_be_is_refused_in_one_line(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        local.main(given)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err
