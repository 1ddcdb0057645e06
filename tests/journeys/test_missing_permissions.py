"""What lacks a permission fails the step that needs it, and whoever looks is told principal, action and resource: record, status and log.

Real builds, pipelines, jobs, stacks, functions and endpoints, each under a role that may everything but one thing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from deploy_scripts import build_logs
from deploy_scripts.pipeline_states import failed_stages
from deploy_scripts.placements import Stage, look
from deploy_scripts.status import failed_stage, failed_training
from local_account.account import Account
from packages.local_account.tests import endpoint_models as models
from packages.local_account.tests import sagemaker_requests as small
from packages.local_account.tests import small_pipelines as pipelines
from packages.local_account.tests.roles import EVERYTHING, make_role, open_to_services, set_policy
from settings_schema import Endpoint

HERE = "us-east-1:111122223333"
ROLE = "lacking"


@pytest.fixture(scope="module", autouse=True)
def prepared(account: Account, tmp_path_factory: pytest.TempPathFactory) -> None:
    pipelines.prepare(account)
    pipelines.commit(account, tmp_path_factory.mktemp("source"), {"a.txt": "1"})
    small.publish(account.client("s3"), {"write.py": "print('never')"})
    make_role(account, ROLE)


@pytest.fixture
def lacks(account: Account) -> Callable[..., str]:
    """`lacks(action)` takes a permission from the role; its ARN."""

    def take(action: str, resource: str = "*") -> str:
        set_policy(account, ROLE, [EVERYTHING, {"Effect": "Deny", "Action": action, "Resource": resource}])
        return f"arn:aws:iam::111122223333:role/{ROLE}"

    return take


def says(text: str, action: str, resource: str, session: str = r"[^ ]+") -> bool:
    """Principal, action and resource, in AWS's words."""
    who = rf"arn:aws:sts::111122223333:assumed-role/{ROLE}/{session}"
    return re.search(rf"User: {who} is not authorized to perform: {action} on resource: {resource}", text) is not None


def failed_pipeline(account: Account, name: str, role: str, *stages: dict[str, Any]) -> Any:
    """What `deploy_scripts.status` says of a CodePipeline whose last execution failed."""
    source_role = {"roleArn": role} if role else {}
    pipelines.create(account, name, *stages, **source_role)
    pipelines.wait(account, name, pipelines.start(account, name), "Failed")
    codebuild, logs = account.client("codebuild"), account.client("logs")
    state = account.client("codepipeline").get_pipeline_state(name=name)
    (failure,) = failed_stages(state, lambda build_id: build_logs.reason(codebuild, logs, build_id))
    return failure


def build_project(account: Account, name: str, role: str) -> None:
    definition = account.client("codebuild").batch_get_projects(names=["runner"])["projects"][0]
    kept = ("source", "artifacts", "environment")
    account.client("codebuild").create_project(name=name, serviceRole=role, **{item: definition[item] for item in kept})


def build(project: str, command: str) -> dict[str, Any]:
    action = pipelines.command("Run", command)
    return {"name": "Build", "actions": [{**action, "configuration": {**action["configuration"], "ProjectName": project}}]}


def test_a_build_that_may_not_read_its_source_says_so_in_the_pipeline_and_its_log(account: Account, lacks: Callable[..., str]) -> None:
    build_project(account, "no-source", lacks("s3:GetObject*"))
    failure = failed_pipeline(account, "p-source", "", build("no-source", "true"))
    assert failure.what == "p-source Build Run"
    assert says(failure.reason, "s3:GetObject", f"arn:aws:s3:::{pipelines.BUCKET}/p-source/")
    assert says(Path(urlsplit(failure.log).path).read_text(encoding="utf-8"), "s3:GetObject", f"arn:aws:s3:::{pipelines.BUCKET}/")


def test_a_command_of_a_build_that_is_refused_is_in_what_status_says(account: Account, lacks: Callable[..., str]) -> None:
    build_project(account, "no-list", lacks("s3:ListAllMyBuckets"))
    ask = 'python -c "import boto3; boto3.client(\\"s3\\").list_buckets()"'
    failure = failed_pipeline(account, "p-list", "", build("no-list", ask))
    assert says(failure.reason, "s3:ListAllMyBuckets", r"\*", "AWSCodeBuild-.*")


def test_a_pipeline_that_may_not_start_a_build_says_so(account: Account, lacks: Callable[..., str]) -> None:
    failure = failed_pipeline(account, "p-start", lacks("codebuild:StartBuild"), build("runner", "true"))
    assert says(failure.reason, "codebuild:StartBuild", f"arn:aws:codebuild:{HERE}:project/runner")


def test_a_stack_that_a_pipeline_deploys_fails_with_the_resource_s_reason(
    account: Account, lacks: Callable[..., str], tmp_path: Path
) -> None:
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "never-made"}}}}
    pipelines.commit(account, tmp_path / "source", {"template.json": json.dumps(template)})
    configuration = {
        "ActionMode": "CREATE_UPDATE",
        "StackName": "refused",
        "TemplatePath": "Source::template.json",
        "RoleArn": lacks("sqs:CreateQueue"),
    }
    deploy = pipelines.action("Deploy", "Deploy", "CloudFormation", configuration, inputArtifacts=[{"name": "Source"}])
    failure = failed_pipeline(account, "p-stack", "", {"name": "Deploy", "actions": [deploy]})
    assert says(failure.reason, "sqs:CreateQueue", f"arn:aws:sqs:{HERE}:never-made")
    assert "Queue" in failure.reason


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:PassRole", "arn:aws:iam::111122223333:role/jobs"),
        ("sagemaker:CreateProcessingJob", f"arn:aws:sagemaker:{HERE}:processing-job/.*"),
    ],
)
def test_a_step_s_failure_names_role_action_and_resource(account: Account, lacks: Callable[..., str], action: str, resource: str) -> None:
    role, sagemaker = lacks(action), account.client("sagemaker")
    name = small.new_name("steps")
    step = {"Name": "Write", "Type": "Processing", "Arguments": small.processing("write")}
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=small.definition([step]), RoleArn=role)
    execution, steps = small.run_pipeline(sagemaker, name)
    assert says(steps["Write"]["FailureReason"], action, resource)
    assert says(execution["FailureReason"], action, resource)
    (newest,) = sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
    (failure,) = failed_training(name, newest)
    assert says(failure.reason, action, resource)


def test_a_job_that_may_not_read_its_input_fails_its_step_with_the_object(account: Account, lacks: Callable[..., str]) -> None:
    sagemaker, name = account.client("sagemaker"), small.new_name("inputs")
    step = {"Name": "Write", "Type": "Processing", "Arguments": {**small.processing("write"), "RoleArn": lacks("s3:GetObject")}}
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=small.definition([step]), RoleArn=small.ROLE)
    _, steps = small.run_pipeline(sagemaker, name)
    assert says(steps["Write"]["FailureReason"], "s3:GetObject", f"arn:aws:s3:::{small.BUCKET}/code/write.py")


def test_a_model_and_an_endpoint_whose_role_may_not_read_the_archive_say_so(account: Account, lacks: Callable[..., str]) -> None:
    models.create_model(account, "unreadable")
    container = account.client("sagemaker").describe_model(ModelName="unreadable")["PrimaryContainer"]
    account.client("sagemaker").delete_model(ModelName="unreadable")
    model = {"ModelName": "unreadable", "PrimaryContainer": container, "ExecutionRoleArn": lacks("s3:GetObject", "arn:aws:s3:::models/*")}
    with pytest.raises(ClientError, match=r'Could not access model data .*the role ".*role/lacking".*"s3:GetObject" permissions'):
        account.client("sagemaker").create_model(**model)
    lacks("none:None")
    account.client("sagemaker").create_model(**model)
    lacks("s3:GetObject", "arn:aws:s3:::models/*")
    models.create_configuration(account, "unreadable", models.variant("unreadable"))
    endpoint = models.create_endpoint(account, "unreadable", "unreadable")
    assert endpoint["EndpointStatus"] == "Failed"
    sagemaker = account.client("sagemaker")
    names: Any = SimpleNamespace(model="any", environment="any", endpoint="unreadable")
    place: Any = SimpleNamespace(environment=SimpleNamespace(protected=False))
    (failure,) = failed_stage(look(Stage(names, place, Endpoint(), None), sagemaker, sagemaker))
    assert says(failure.reason, "s3:GetObject", "arn:aws:s3:::models/unreadable/model.tar.gz")


def test_a_function_that_may_not_do_its_work_answers_with_the_reason(account: Account, lacks: Callable[..., str]) -> None:
    code = "import boto3\n\ndef handler(event, context):\n    return boto3.client('sqs').list_queues()\n"
    name = small.create_function(account, "refused", {"handler.py": code}).rsplit(":", 1)[-1]
    account.client("lambda").update_function_configuration(FunctionName=name, Role=lacks("sqs:ListQueues"))
    answer = account.client("lambda").invoke(FunctionName=name)
    assert answer["FunctionError"] == "Unhandled"
    assert says(json.loads(answer["Payload"].read())["errorMessage"], "sqs:ListQueues", r"\*")


def test_an_event_that_a_function_does_not_let_in_waits_in_the_dead_letter_queue_with_the_reason(account: Account) -> None:
    """EventBridge user guide, "Using dead-letter queues": the attributes say why."""
    sqs, events = account.client("sqs"), account.client("events")
    url = sqs.create_queue(QueueName="letters", Attributes=open_to_services())["QueueUrl"]
    function = small.create_function(account, "shut", {"handler.py": "def handler(event, context):\n    return 1\n"})
    events.put_rule(Name="shut", EventPattern=json.dumps({"source": ["shut"]}))
    letters = {"Arn": f"arn:aws:sqs:{HERE}:letters"}
    events.put_targets(Rule="shut", Targets=[{"Id": "t", "Arn": function, "DeadLetterConfig": letters}])
    events.put_events(Entries=[{"Source": "shut", "DetailType": "t", "Detail": "{}"}])
    (letter,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10, MessageAttributeNames=["All"])["Messages"]
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    refused = f"events.amazonaws.com is not authorized to perform: lambda:InvokeFunction on resource: {function}"
    assert said["ERROR_MESSAGE"].startswith(refused)
