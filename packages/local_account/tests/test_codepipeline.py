"""Claims about pipelines: order, variables, artifacts, approvals, conditions, failures, and what the API then says."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_account.account import Account

from . import small_pipelines as small
from .roles import open_to_services
from .stacks import Stack, impossible, parameter, template
from .users import allow, make_user

TEMPLATE = json.dumps(
    {
        "Parameters": {"Colour": {"Type": "String"}, "Size": {"Type": "String", "Default": "s"}},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::Sub": "topic-${Colour}-${Size}"}}}},
        "Outputs": {"TopicName": {"Value": {"Fn::GetAtt": ["Topic", "TopicName"]}}},
    }
)


@pytest.fixture(scope="module", autouse=True)
def head(account: Account, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The commit that the tests start from."""
    small.prepare(account)
    files = {"template.json": TEMPLATE, "stage.json": json.dumps({"Parameters": {"Colour": "red"}}), "readme.md": "hello"}
    return small.commit(account, tmp_path_factory.mktemp("files"), files, "first version\n\nwith a body")


def stage(name: str, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "actions": list(actions), **more}


def check(name: str, variable: str, operator: str, value: str, result: str) -> dict[str, Any]:
    rule = {
        "name": name,
        "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"},
        "configuration": {"Variable": variable, "Operator": operator, "Value": value},
    }
    return {"conditions": [{"result": result, "rules": [rule]}]}


def test_commit_goes_through_build_and_stack_to_a_build_that_sees_their_results(account: Account, head: str) -> None:
    deploy = small.action(
        "Deploy",
        "Deploy",
        "CloudFormation",
        {
            "ActionMode": "CREATE_UPDATE",
            "StackName": "whole",
            "TemplatePath": "Built::template.json",
            "TemplateConfiguration": "Built::stage.json",
            "ParameterOverrides": '{"Size": "#{Build.RESULT}"}',
            "RoleArn": small.ROLE,
        },
        inputArtifacts=[{"name": "Built"}],
        namespace="Stack",
    )
    small.create(
        account,
        "whole",
        stage(
            "Build", small.command("Build", "export RESULT=xl; echo new > made.txt", outputArtifacts=[{"name": "Built"}], namespace="Build")
        ),
        stage(
            "Deploy",
            deploy,
            small.command(
                "Check",
                'test "$TOPIC $COMMIT" = "topic-red-xl $CODEBUILD_RESOLVED_SOURCE_VERSION" && test -f made.txt',
                runOrder=2,
                inputArtifacts=[{"name": "Built"}],
                env={"TOPIC": "#{Stack.TopicName}", "COMMIT": "#{SourceVariables.CommitId}"},
            ),
        ),
    )
    execution_id = small.start(account, "whole")
    assert small.wait(account, "whole", execution_id) == "Succeeded", small.failure(account, "whole")
    revision = small.execution(account, "whole", execution_id)["artifactRevisions"][0]
    assert (revision["name"], revision["revisionId"], revision["revisionSummary"]) == ("Source", head, "first version")

    details = account.client("codepipeline").list_action_executions(pipelineName="whole")["actionExecutionDetails"]
    assert [detail["actionName"] for detail in details] == ["Check", "Deploy", "Build", "Repository"]
    assert details[1]["output"]["outputVariables"] == {"TopicName": "topic-red-xl"}
    assert '"xl"' in details[1]["input"]["resolvedConfiguration"]["ParameterOverrides"]
    location = details[2]["output"]["outputArtifacts"][0]["s3location"]
    stored = account.client("s3").get_object(Bucket=location["bucket"], Key=location["key"])["Body"].read()
    assert "made.txt" in zipfile.ZipFile(io.BytesIO(stored)).namelist()


def test_failed_build_fails_the_execution_with_command_and_log(account: Account) -> None:
    small.create(account, "failing", stage("Build", small.command("Build", "exit 5")), stage("Never", small.command("Never", "true")))
    execution_id = small.start(account, "failing")
    assert small.wait(account, "failing", execution_id) == "Failed"
    message = small.action_state(account, "failing", "Build", "Build")["errorDetails"]["message"]
    log = Path(message.rsplit("Log: ", 1)[1])
    assert "exit status 5" in message
    assert "COMMAND_EXECUTION_ERROR" in log.read_text()
    assert "latestExecution" not in small.stage_state(account, "failing", "Never")


@pytest.mark.parametrize(
    ("action", "code", "named"),
    [
        (("Deploy", "ElasticBeanstalk", {}), "NotImplemented", "Deploy AWS ElasticBeanstalk"),
        (("Deploy", "Foo", {}), "InvalidActionDeclarationException", "Provider: 'Foo'"),
        (("Invoke", "Lambda", {"FunctionName": "f", "Extra": "1"}), "InvalidActionDeclarationException", "unknown configuration 'Extra'"),
        (("Invoke", "Lambda", {}), "InvalidActionDeclarationException", "missing required configuration 'FunctionName'"),
        (("Build", "CodeBuild", {"ProjectName": "p", "BatchEnabled": "true"}), "NotImplemented", "BatchEnabled"),
        (("Deploy", "CloudFormation", {"ActionMode": "FOO", "StackName": "s"}), "InvalidActionDeclarationException", "'FOO'"),
        (("Deploy", "CloudFormation", {"ActionMode": "CHANGE_SET_EXECUTE", "StackName": "s"}), "NotImplemented", "CHANGE_SET_EXECUTE"),
    ],
)
def test_an_action_that_could_not_run_is_refused_as_its_pipeline_is_made(account: Account, action: Any, code: str, named: str) -> None:
    with pytest.raises(ClientError, match=named) as error:
        small.create(account, "unknown", stage("Go", small.action("Fly", *action)))

    assert error.value.response["Error"]["Code"] == code
    assert "unknown" not in [pipeline["name"] for pipeline in account.client("codepipeline").list_pipelines()["pipelines"]]


def test_unset_variable_fails_the_action(account: Account) -> None:
    small.create(account, "unset", stage("Go", small.command("Go", "true", env={"A": "#{Nobody.HasSet}"})))
    small.wait(account, "unset", small.start(account, "unset"))
    assert "#{Nobody.HasSet}" in small.action_state(account, "unset", "Go", "Go")["errorDetails"]["message"]


def test_missing_branch_fails_the_source(account: Account) -> None:
    small.create(account, "branchless", stage("Go", small.approval()))
    pipeline = account.client("codepipeline").get_pipeline(name="branchless")["pipeline"]
    pipeline["stages"][0]["actions"][0]["configuration"]["BranchName"] = "none"
    account.client("codepipeline").update_pipeline(pipeline=pipeline)
    small.wait(account, "branchless", small.start(account, "branchless"))
    assert "branch none" in small.action_state(account, "branchless", "Source", "Repository")["errorDetails"]["message"]


def test_same_run_order_runs_side_by_side(account: Account, tmp_path: Path) -> None:
    meet = f"touch {tmp_path}/$ME; for i in $(seq 200); do test -f {tmp_path}/$OTHER && exit 0; sleep 0.05; done; exit 1"
    small.create(
        account,
        "parallel",
        stage("Meet", small.command("A", meet, env={"ME": "a", "OTHER": "b"}), small.command("B", meet, env={"ME": "b", "OTHER": "a"})),
    )
    assert small.wait(account, "parallel", small.start(account, "parallel")) == "Succeeded"


def test_approval_waits_and_continues_after_approval(account: Account) -> None:
    topic = account.client("sns").create_topic(Name="approvals", Attributes=open_to_services())["TopicArn"]
    queue = account.client("sqs").create_queue(QueueName="approvals", Attributes=open_to_services())["QueueUrl"]
    account.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:111122223333:approvals")
    small.create(
        account, "approved", stage("Gate", small.approval(NotificationArn=topic, CustomData="commit #{SourceVariables.BranchName}"))
    )
    execution_id = small.start(account, "approved")
    token = small.token(account, "approved", "Gate")
    body = small.wait_for(lambda: account.client("sqs").receive_message(QueueUrl=queue).get("Messages"))[0]["Body"]
    request = json.loads(json.loads(body)["Message"])["approval"]
    assert (request["token"], request["customData"]) == (token, "commit main")
    with pytest.raises(ClientError, match="InvalidApprovalToken"):
        small.decide(account, "approved", "Gate", "Approved", "00000000-0000-0000-0000-000000000000")
    small.decide(account, "approved", "Gate", "Approved", token)
    assert small.wait(account, "approved", execution_id) == "Succeeded"
    assert small.action_state(account, "approved", "Gate", "Approve")["summary"] == "Approved by test"
    with pytest.raises(ClientError, match="ApprovalAlreadyCompleted"):
        small.decide(account, "approved", "Gate", "Approved", token)


def test_an_approval_and_a_version_name_the_user_who_decided(account: Account) -> None:
    """`updatedBy` of ActionExecutionDetail, `lastUpdatedBy` of ActionExecution, and UserContext's IamIdentity, which is the registry's."""
    jane = make_user(account, "jane-who-approves", allow(["codepipeline:*", "sagemaker:*"]))
    small.create(account, "asked-of-jane", stage("Gate", small.approval()))
    small.start(account, "asked-of-jane")
    result = {"status": "Approved", "summary": "fine"}
    given = {"pipelineName": "asked-of-jane", "stageName": "Gate", "actionName": "Approve", "result": result}
    jane.client("codepipeline").put_approval_result(**given, token=small.token(account, "asked-of-jane", "Gate"))
    (action,) = [
        item
        for item in account.client("codepipeline").list_action_executions(pipelineName="asked-of-jane")["actionExecutionDetails"]
        if item["actionName"] == "Approve"
    ]
    arn = "arn:aws:iam::111122223333:user/jane-who-approves"
    assert action["updatedBy"] == small.action_state(account, "asked-of-jane", "Gate", "Approve")["lastUpdatedBy"] == arn
    sagemaker = jane.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="of-jane")
    version = sagemaker.create_model_package(ModelPackageGroupName="of-jane")["ModelPackageArn"]
    account.client("sagemaker").update_model_package(ModelPackageArn=version, ModelApprovalStatus="Approved")
    described = sagemaker.describe_model_package(ModelPackageName=version)
    assert described["CreatedBy"]["IamIdentity"]["Arn"] == arn
    assert described["LastModifiedBy"]["IamIdentity"]["Arn"] == account.client("sts").get_caller_identity()["Arn"]


def test_a_token_of_a_past_execution_decides_nothing(account: Account) -> None:
    small.create(account, "asked-twice", stage("Gate", small.approval()))
    first = small.start(account, "asked-twice")
    past = small.token(account, "asked-twice", "Gate")
    small.decide(account, "asked-twice", "Gate", "Rejected", past)
    assert small.wait(account, "asked-twice", first) == "Failed"
    second = small.start(account, "asked-twice")
    waiting = small.wait_for(lambda: (token := small.token(account, "asked-twice", "Gate")) != past and token)

    with pytest.raises(ClientError, match="InvalidApprovalToken"):
        small.decide(account, "asked-twice", "Gate", "Approved", past)

    assert small.token(account, "asked-twice", "Gate") == waiting  # it waits as before
    small.decide(account, "asked-twice", "Gate", "Approved", waiting)
    assert small.wait(account, "asked-twice", second) == "Succeeded"


def test_rejection_fails_the_execution_with_the_comment(account: Account) -> None:
    small.create(account, "rejected", stage("Gate", small.approval()), stage("After", small.command("Go", "true")))
    execution_id = small.start(account, "rejected")
    small.decide(account, "rejected", "Gate", "Rejected", small.token(account, "rejected", "Gate"))
    assert small.wait(account, "rejected", execution_id) == "Failed"
    assert small.action_state(account, "rejected", "Gate", "Approve")["errorDetails"]["message"] == "Rejected by test"


def test_unmet_entry_condition_skips_or_fails_its_stage(account: Account) -> None:
    small.create(
        account,
        "conditions",
        stage(
            "Skipped", small.command("No", "exit 1"), beforeEntry=check("NotMain", "#{SourceVariables.BranchName}", "NE", "main", "SKIP")
        ),
        stage("Entered", small.approval(), beforeEntry=check("Main", "#{SourceVariables.BranchName}", "EQ", "main", "SKIP")),
        stage(
            "Refused",
            small.command("No", "true"),
            beforeEntry=check("Body", "#{SourceVariables.CommitMessage}", "MATCHES", "fix.*", "FAIL"),
        ),
    )
    execution_id = small.start(account, "conditions")
    small.decide(account, "conditions", "Entered", "Approved", small.token(account, "conditions", "Entered"))
    assert small.wait(account, "conditions", execution_id) == "Failed"
    states = {name: small.stage_state(account, "conditions", name) for name in ("Skipped", "Entered", "Refused")}
    assert [state["latestExecution"]["status"] for state in states.values()] == ["Skipped", "Succeeded", "Failed"]
    assert states["Refused"]["beforeEntryConditionState"]["latestExecution"]["status"] == "Failed"
    assert "latestExecution" not in states["Skipped"]["actionStates"][0]


def test_variables_have_defaults_and_refuse_unknown_names(account: Account) -> None:
    declared = [{"name": "Size", "defaultValue": "small"}]
    small.create(
        account,
        "variables",
        stage("Go", small.command("Go", 'test "$SIZE" = large', env={"SIZE": "#{variables.Size}"})),
        variables=declared,
    )
    with_default, given = small.start(account, "variables"), None
    assert small.wait(account, "variables", with_default) == "Failed"
    given = small.start(account, "variables", variables=[{"name": "Size", "value": "large"}])
    assert small.wait(account, "variables", given) == "Succeeded"
    with pytest.raises(ClientError, match="Sise"):
        small.start(account, "variables", variables=[{"name": "Sise", "value": "large"}])


def test_value_cannot_break_out_of_a_json_setting(account: Account) -> None:
    declared = [{"name": "Text", "defaultValue": "plain"}]
    tricky = 'a","name":"COMMAND","value":"exit 9'
    small.create(
        account, "escaping", stage("Go", small.command("Go", 'test "${#TEXT}" = 35', env={"TEXT": "#{variables.Text}"})), variables=declared
    )
    execution_id = small.start(account, "escaping", variables=[{"name": "Text", "value": tricky}])
    assert small.wait(account, "escaping", execution_id) == "Succeeded"


def test_same_client_request_token_starts_once(account: Account) -> None:
    small.create(account, "once", stage("Gate", small.approval()))
    first = small.start(account, "once", clientRequestToken="token-1")
    assert small.start(account, "once", clientRequestToken="token-1") == first
    assert small.start(account, "once", clientRequestToken="token-2") != first


def test_named_commit_is_what_runs(account: Account, head: str, tmp_path: Path) -> None:
    small.commit(account, tmp_path, {"readme.md": "second"})
    small.create(account, "pinned", stage("Go", small.command("Go", "grep -q hello readme.md")))
    pinned = small.start(
        account, "pinned", sourceRevisions=[{"actionName": "Repository", "revisionType": "COMMIT_ID", "revisionValue": head}]
    )
    assert small.wait(account, "pinned", pinned) == "Succeeded"
    assert small.wait(account, "pinned", small.start(account, "pinned")) == "Failed"
    small.commit(account, tmp_path / "back", {"template.json": TEMPLATE, "readme.md": "hello"})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"stages": []}, "minimum of 2 stages"),
        ({"variables": [{"name": "A"}], "pipelineType": "V1"}, "pipelineType V2"),
        ({"executionMode": "SOMETIMES"}, "executionMode"),
    ],
)
def test_wrong_structure_is_refused(account: Account, change: dict[str, Any], named: str) -> None:
    small.create(account, f"structure-{named.split()[0].lower()}", stage("Gate", small.approval()))
    pipeline = account.client("codepipeline").get_pipeline(name=f"structure-{named.split()[0].lower()}")["pipeline"]
    with pytest.raises(ClientError, match=named):
        account.client("codepipeline").update_pipeline(pipeline={**pipeline, **change})


def test_condition_rule_that_cannot_be_evaluated_is_refused_by_name(account: Account) -> None:
    rule = check("Alarm", "a", "EQ", "b", "FAIL")
    rule["conditions"][0]["rules"][0]["ruleTypeId"]["provider"] = "CloudWatchAlarm"
    with pytest.raises(ClientError, match="CloudWatchAlarm") as refusal:
        small.create(account, "alarm-rule", stage("Gate", small.approval(), beforeEntry=rule))
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_failed_stack_names_the_resource(account: Account) -> None:
    template = "wrong::template.json"
    small.create(
        account,
        "bad-stack",
        stage(
            "Make",
            small.command(
                "Make", """echo '{"Resources":{"T":{"Type":"AWS::Nothing::Here"}}}' > template.json""", outputArtifacts=[{"name": "wrong"}]
            ),
        ),
        stage(
            "Deploy",
            small.action(
                "Deploy",
                "Deploy",
                "CloudFormation",
                {"ActionMode": "CREATE_UPDATE", "StackName": "bad-stack", "TemplatePath": template, "RoleArn": small.ROLE},
                inputArtifacts=[{"name": "wrong"}],
            ),
        ),
    )
    small.wait(account, "bad-stack", small.start(account, "bad-stack"))
    assert "AWS::Nothing::Here" in small.action_state(account, "bad-stack", "Deploy", "Deploy")["errorDetails"]["message"]


def test_a_stack_that_is_as_asked_for_is_a_success_even_after_a_rollback(account: Account) -> None:
    good = template({"One": parameter("x")}, {"Name": {"Value": {"Ref": "One"}}})
    stack = Stack(account, "taken-back")
    stack.create(json.loads(good)["Resources"], json.loads(good)["Outputs"])
    assert stack.update({"One": parameter("y"), "Two": impossible()}) == "UPDATE_ROLLBACK_COMPLETE"
    deploy = {"ActionMode": "CREATE_UPDATE", "StackName": stack.name, "TemplatePath": "made::template.json", "RoleArn": small.ROLE}
    small.create(
        account,
        "again",
        stage("Make", small.command("Make", f"echo '{good}' > template.json", outputArtifacts=[{"name": "made"}])),
        stage("Deploy", small.action("Deploy", "Deploy", "CloudFormation", deploy, inputArtifacts=[{"name": "made"}], namespace="Stack")),
        stage("Check", small.command("Check", 'test -n "$NAME"', env={"NAME": "#{Stack.Name}"})),
    )
    assert small.wait(account, "again", small.start(account, "again")) == "Succeeded", small.failure(account, "again")
    assert small.action_state(account, "again", "Deploy", "Deploy")["summary"] == "No updates are to be performed."
