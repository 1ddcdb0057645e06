"""The whole loop in one account, from the first push to a rollback, as a person goes through it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from demo import loop
from demo.own_paths import PERMISSIONS, ask
from local_account import permissions
from local_account.authorization.usage import Grant, Role, allowing_statements
from settings import DATASET, PRODUCTION, PROJECT, STAGING
from tests.infra.unused_grants import reason
from tests.loop.conftest import Person
from tests.loop.survivors import survivors, survivors_after

REGION = "us-east-1"
#: The policy that SlowChange gives an endpoint's role, for an alarm that no template has.
OF_THIS_TEST = "enough"
ROW = b"0.455,0.365,0.095,0.514,0.2245,0.101,0.15,M"


def invoke(person, body: bytes, content_type: str = "text/csv") -> tuple[int, str]:
    """Status and body of the container's answer."""
    runtime = person.terminal.client("sagemaker-runtime")
    try:
        answer = runtime.invoke_endpoint(EndpointName=PROJECT.endpoint_name(PRODUCTION), ContentType=content_type, Body=body)
        return 200, answer["Body"].read().decode()
    except runtime.exceptions.ModelError as error:
        return int(error.response["OriginalStatusCode"]), error.response["OriginalMessage"]
    except runtime.exceptions.ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"]), str(error)


def train(person, **parameters: str) -> tuple[str, str]:
    """Start the SageMaker pipeline as the retraining triggers do; (execution, final status)."""
    values = [{"Name": name, "Value": value} for name, value in parameters.items()]
    answer = person.terminal.client("sagemaker").start_pipeline_execution(
        PipelineName=PROJECT.sagemaker_pipeline, PipelineParameters=values
    )
    return answer["PipelineExecutionArn"], person.finish_training(answer["PipelineExecutionArn"])


def reasons(person, execution: str) -> str:
    """Why the steps of a SageMaker execution failed."""
    return " ".join(str(step.get("FailureReason", "")) for step in loop.steps(person.terminal, execution))


def facts_of(person, version_arn: str) -> dict[str, str]:
    return person.terminal.client("sagemaker").describe_model_package(ModelPackageName=version_arn)["CustomerMetadataProperties"]


def test_a_push_registers_a_version_that_waits_for_approval(person, registered):
    newest = loop.versions(person.terminal)[-1]
    assert (newest["ModelPackageArn"], newest["ModelPackageVersion"]) == (registered.arn, 1)
    facts = facts_of(person, registered.arn)
    assert facts["git-commit"] == registered.commit
    assert float(facts["metric-value"]) <= DATASET.threshold


def test_nothing_is_deployed_before_the_approval(registered):
    assert (registered.staging, registered.production) == (None, None)


def test_the_approval_rolls_that_version_to_staging_only(staged):
    assert (staged.staging, staged.production) == (staged.arn, None)


def test_the_second_approval_rolls_the_tested_version_to_production(released):
    assert released.production == released.arn


def test_production_answers_a_row_with_a_plausible_age(person, released):
    status, answer = invoke(person, ROW)
    assert status == 200
    age = json.loads(answer)["predictions"][0]["score"]
    assert 1 <= age <= 30  # as in the data


@pytest.mark.parametrize(
    ("claim", "body", "content_type"),
    [
        ("wrong content type", ROW, "image/png"),
        ("too many columns", ROW + b",1,2", "text/csv"),
        ("malformed CSV", b'"0.455,0.365', "text/csv"),
        ("text for a number", ROW.replace(b"0.455", b"long"), "text/csv"),
        ("malformed JSON", b'{"length": ', "application/json"),
        ("not UTF-8", ROW + b"\xe1", "text/csv"),
        ("7 MB", b"0.455," * (7 * 1024 * 1024 // 6), "text/csv"),
    ],
)
def test_a_bad_request_is_refused_and_the_server_lives(person, released, claim, body, content_type):
    status, _ = invoke(person, body, content_type)
    assert 400 <= status < 500, claim
    assert invoke(person, ROW)[0] == 200


def test_a_push_of_documentation_starts_nothing(person, released):
    builds = person.executions(PROJECT.build_pipeline)
    (person.clone / "README.md").write_text("Only words.\n", encoding="utf-8")
    person.push("Only words")
    time.sleep(2)  # a push that builds has done so within a second
    assert person.executions(PROJECT.build_pipeline) == builds


def test_a_commit_whose_tests_fail_changes_nothing(person, released):
    trainings, deployments = len(loop.training_executions(person.terminal)), person.executions(PROJECT.deploy_pipeline)
    broken = person.clone / "tests" / "unit" / "test_broken.py"
    broken.write_text("def test_that_fails():\n    assert 1 == 2, 'on purpose'\n", encoding="utf-8")
    execution, status = person.push_and_build("Break a test")
    broken.unlink()
    assert status == "Failed"
    assert "Build/" in loop.failure_of(person.terminal, PROJECT.build_pipeline, execution)
    assert len(loop.training_executions(person.terminal)) == trainings
    assert person.executions(PROJECT.deploy_pipeline) == deployments
    assert loop.live_version(person.terminal, PRODUCTION) == released.arn


def test_a_change_of_scaling_rolls_the_approved_version_without_training_and_asks(person, released):
    trainings, deployments = len(loop.training_executions(person.terminal)), person.executions(PROJECT.deploy_pipeline)
    person.change("settings.py", "min_capacity=3, max_capacity=8", "min_capacity=3, max_capacity=9")
    _, status = person.push_and_build("One instance more")
    assert status == "Succeeded"
    deployment = loop.new_execution(person.terminal, PROJECT.deploy_pipeline, deployments)
    person.let_into_production(deployment)
    ended = loop.end_of_pipeline(person.terminal, PROJECT.deploy_pipeline, deployment)
    assert ended == "Succeeded", loop.failure_of(person.terminal, PROJECT.deploy_pipeline, deployment)
    resource = f"endpoint/{PROJECT.endpoint_name(PRODUCTION)}/variant/AllTraffic"
    # Not the bounds themselves, which scheduled actions move: here every 72 seconds.
    scheduled = person.terminal.client("application-autoscaling").describe_scheduled_actions(
        ServiceNamespace="sagemaker", ResourceId=resource, ScheduledActionNames=["business-hours"]
    )
    assert scheduled["ScheduledActions"][0]["ScalableTargetAction"]["MaxCapacity"] == 9
    assert len(loop.training_executions(person.terminal)) == trainings
    assert loop.live_version(person.terminal, PRODUCTION) == released.arn


def test_a_model_below_the_threshold_is_not_registered_and_the_failure_names_the_metric(person, released):
    versions = [version["ModelPackageArn"] for version in loop.versions(person.terminal)]
    execution, status = train(person, MetricThreshold="0.001")
    assert status == "Failed"
    assert DATASET.metric in reasons(person, execution)
    assert "0.001" in reasons(person, execution)
    assert [version["ModelPackageArn"] for version in loop.versions(person.terminal)] == versions


def test_an_unchanged_step_comes_from_the_cache(person, released):
    execution, status = train(person, MetricThreshold="0.001", TriggerReason="again")
    assert status == "Failed"
    cached = {step["StepName"] for step in loop.steps(person.terminal, execution) if "CacheHitResult" in step}
    assert "Prepare" in cached
    assert "Evaluate" not in cached  # the version in production may have changed


def training_data(person) -> bytes:
    bucket = person.terminal.outputs(loop.FOUNDATION)["DataBucketName"]
    return loop.read_s3(person.terminal, f"s3://{bucket}/{loop.training_prefix()}{DATASET.name}.csv")


@pytest.fixture(scope="session")
def second(person, released, tmp_path_factory) -> str:
    """New data arrive, and the training that they start registers another version."""
    known = {execution["PipelineExecutionArn"] for execution in loop.training_executions(person.terminal)}
    newer = tmp_path_factory.mktemp("data") / f"{DATASET.name}.csv"
    newer.write_bytes(b"".join(training_data(person).splitlines(keepends=True)[:-10]))
    person.terminal.run("upload-data", ["python", "-m", "build_scripts.upload_data", str(newer)])

    def started() -> str | None:
        arns = [execution["PipelineExecutionArn"] for execution in loop.training_executions(person.terminal)]
        return next((arn for arn in arns if arn not in known), None)

    training = loop.wait_for("the training that new data start", started, seconds=30)
    assert person.finish_training(training) == "Succeeded", reasons(person, training)
    return loop.versions(person.terminal)[0]["ModelPackageArn"]


def test_new_data_register_another_version_that_is_compared_with_production(person, released, second):
    assert second != released.arn
    facts, before = facts_of(person, second), facts_of(person, released.arn)
    assert facts["data-sha256"] != before["data-sha256"]
    assert facts["champion"] == released.arn


def test_whatever_starts_it_a_run_learns_from_the_data_that_is_there(person, released, second):
    """Nobody told the retraining which data it is: the run has asked itself."""
    training = person.terminal.client("sagemaker").describe_model_package(ModelPackageName=second)["MetadataProperties"]["GeneratedBy"]
    steps = {step["StepName"]: step for step in loop.steps(person.terminal, training)}
    said = {output["Name"]: output["Value"] for output in steps["DataVersion"]["Metadata"]["Lambda"]["OutputParameters"]}
    assert said["version"] == facts_of(person, second)["data-versions"] != facts_of(person, released.arn)["data-versions"]
    assert "CacheHitResult" not in steps["Prepare"]


@pytest.fixture(scope="session")
def other_columns(person, released, second, tmp_path_factory) -> str:
    """A push takes one column away and adds another one; the version that it trains."""
    table = list(csv.DictReader(io.StringIO(training_data(person).decode())))
    for row in table:
        row["density"] = str(float(row["whole_weight"]) / (float(row.pop("height")) + 0.01))
    newer = tmp_path_factory.mktemp("columns") / f"{DATASET.name}.csv"
    with newer.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
    person.change("settings.py", 'Numeric(name="height", unit="200 mm", minimum=0, maximum=2)', 'Numeric(name="density", minimum=0)')
    upload = ["python", "-m", "build_scripts.upload_data", str(newer), "--no-trigger"]
    person.terminal.run("upload-data", upload, cwd=person.clone)
    known = len(loop.versions(person.terminal))
    execution, status = person.push_and_build("One column less, and one more")
    assert status == "Succeeded", loop.failure_of(person.terminal, PROJECT.build_pipeline, execution)
    training = loop.training_executions(person.terminal)[0]["PipelineExecutionArn"]
    assert person.finish_training(training) == "Succeeded", reasons(person, training)
    assert len(loop.versions(person.terminal)) == known + 1
    return loop.versions(person.terminal)[0]["ModelPackageArn"]


@dataclass(frozen=True)
class SlowChange:
    """Someone deploys to an endpoint what it already serves: it is Updating until `end`, as it is while autoscaling changes it."""

    person: Person
    endpoint: str

    def begin(self) -> None:
        self._set_alarm("OK")
        sagemaker = self.person.terminal.client("sagemaker")
        configuration = sagemaker.describe_endpoint(EndpointName=self.endpoint)["EndpointConfigName"]
        self._let_the_endpoint_see_the_alarm(configuration)
        step = {"Type": "CAPACITY_PERCENT", "Value": 10}
        traffic = {"Type": "LINEAR", "LinearStepSize": step, "WaitIntervalInSeconds": 3600}  # a minute here, in all
        sagemaker.update_endpoint(
            EndpointName=self.endpoint,
            EndpointConfigName=configuration,
            RetainAllVariantProperties=True,
            DeploymentConfig={
                "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": traffic},
                "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "enough"}]},
            },
        )

    def end(self) -> None:
        self._set_alarm("ALARM")

    def _let_the_endpoint_see_the_alarm(self, configuration: str) -> None:
        sagemaker = self.person.terminal.client("sagemaker")
        variant = sagemaker.describe_endpoint_config(EndpointConfigName=configuration)["ProductionVariants"][0]
        role = sagemaker.describe_model(ModelName=variant["ModelName"])["ExecutionRoleArn"].rpartition("/")[2]
        statement = {"Effect": "Allow", "Action": "cloudwatch:DescribeAlarms", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
        self.person.terminal.client("iam").put_role_policy(RoleName=role, PolicyName=OF_THIS_TEST, PolicyDocument=policy)

    def _set_alarm(self, state: str) -> None:
        cloudwatch = self.person.terminal.client("cloudwatch")
        metric = {"Namespace": "Test", "MetricName": "Nothing", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1}
        cloudwatch.put_metric_alarm(
            AlarmName="enough", **metric, Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="ignore"
        )
        cloudwatch.set_alarm_state(AlarmName="enough", StateValue=state, StateReason="test")

    def end_when_waited_for(self, execution: str, action: str) -> None:
        """End it once the log of that action of the deploy pipeline says that it waits."""

        def waited_for() -> bool | None:
            details = loop.actions(self.person.terminal, PROJECT.deploy_pipeline, execution).get(action, {})
            log = details.get("output", {}).get("executionResult", {}).get("externalExecutionUrl")
            line = f"endpoint {self.endpoint} is Updating; waiting"
            return bool(log and line in Path(urlsplit(log).path).read_text(encoding="utf-8")) or None

        loop.wait_for(f"{action} to wait for {self.endpoint}", waited_for, seconds=30)
        self.end()


@pytest.fixture(scope="session")
def replaced(person, other_columns) -> str:
    """The version of other columns is released, and each endpoint is being changed when its turn comes; the execution that did it."""
    staging, production = (SlowChange(person, PROJECT.endpoint_name(environment)) for environment in (STAGING, PRODUCTION))
    staging.begin()
    execution = person.approve(other_columns)
    staging.end_when_waited_for(execution, "Render/Render")
    person.let_into_production(execution, production.begin)
    production.end_when_waited_for(execution, "Production/StillApproved")
    status = loop.end_of_pipeline(person.terminal, PROJECT.deploy_pipeline, execution)
    assert status == "Succeeded", loop.failure_of(person.terminal, PROJECT.deploy_pipeline, execution)
    return execution


def test_a_deployment_waits_for_an_endpoint_that_is_being_changed(person, other_columns, replaced):
    assert loop.status_of(person.terminal, PROJECT.deploy_pipeline, replaced) == "Succeeded"
    assert loop.live_version(person.terminal, PRODUCTION) == other_columns


@pytest.fixture(scope="session")
def returned(person, other_columns, replaced) -> str:
    """The live version is rejected; the execution that this started."""
    deployment = person.judge(other_columns, "Rejected")
    ended = loop.end_of_pipeline(person.terminal, PROJECT.deploy_pipeline, deployment)
    assert ended == "Succeeded", loop.failure_of(person.terminal, PROJECT.deploy_pipeline, deployment)
    return deployment


def test_rejecting_the_live_version_brings_back_the_one_before_also_where_main_has_other_columns(person, released, returned):
    assert loop.live_version(person.terminal, PRODUCTION) == released.arn
    assert "Staging/Approve" not in loop.actions(person.terminal, PROJECT.deploy_pipeline, returned)


@pytest.fixture(scope="session")
def used(person, released, second, other_columns, replaced, returned) -> list[tuple[Role, list[Grant]]]:
    """What each role of the project's stacks was granted, and what the whole loop above used of it; attacks come after."""
    roles, requests = permissions.read(ask(person.terminal.account, "GET", PERMISSIONS))
    assert any(asked.allowed for asked in requests)
    return [(role, [grant for grant in grants if grant.policy != OF_THIS_TEST]) for role, grants in roles if is_ours(role)]


def is_ours(role: Role) -> bool:
    """Made by one of the app's stacks, not by `cdk bootstrap`."""
    return role.stack.startswith(f"{PROJECT.name}-")


def test_what_a_role_is_granted_it_uses_or_a_reason_keeps_it(used):
    """The whole loop has run: whatever nothing asked for is listed with its reason in tests/infra/unused_grants.py, or goes."""
    never = {(role.logical_id, action) for role, grants in used for grant in grants for action in grant.never_used}
    elsewhere = {(role.logical_id, action) for role, grants in used for grant in grants for action in grant.used}
    assert {(role, action) for role, action in never - elsewhere if reason(role, action) is None} == set()


def test_each_statement_that_is_removed_is_missed(person, used):
    """A mutation test of the policies. The engine decides each recorded request again, under its role's policies less one statement.

    A statement of which nothing was used is not missed here; the test above has its reasons.
    """
    _, requests = permissions.read(ask(person.terminal.account, "GET", PERMISSIONS))
    tried, unnoticed = 0, []
    for role, grants in ((role.without_policy(OF_THIS_TEST), grants) for role, grants in used):
        own = [asked for asked in requests if asked.role == role.arn and allowing_statements(role, asked, REGION)]
        for grant in (grant for grant in grants if grant.used):
            tried += 1
            mutant = role.without(grant.policy, grant.index)
            if all(allowing_statements(mutant, asked, REGION) for asked in own):
                unnoticed.append((role.logical_id, grant.sid or grant.index, grant.actions))
    assert tried > 50
    assert unnoticed == []


def test_nothing_of_the_loop_asks_for_what_it_may_not(person, used):
    """A refusal that a script takes for an answer is a permission that is missing, or a question that need not be asked."""
    _, requests = permissions.read(ask(person.terminal.account, "GET", PERMISSIONS))
    refused = [(asked.principal.split("/")[1], asked.action, asked.resource) for asked in requests if not asked.allowed]
    assert [entry for entry in refused if entry[0].startswith(f"{PROJECT.name}-")] == []


@dataclass(frozen=True)
class Attack:
    """A push of someone who wants a version of their own in production, and what it tried. `forged`: the version that it trained."""

    outcomes: dict[str, dict[str, str]]  # role -> what -> code of the refusal, or "done"
    forged: str
    deployment: str  # of the version that it made, which a person approved in the registry
    forged_pipeline: str  # why the pipeline failed that would have registered a version as approved


def attempted(log: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in log.splitlines():
        if line.startswith("attack "):
            role, what, outcome = line.removeprefix("attack ").split(": ", 2)
            found.setdefault(role, {})[what] = outcome
    return found


def log_of_action(person: Person, pipeline: str, execution: str, action: str) -> str:
    result = loop.actions(person.terminal, pipeline, execution)[action]["output"]["executionResult"]
    return Path(urlsplit(result["externalExecutionUrl"]).path).read_text(encoding="utf-8")


def aims(person: Person, released_arn: str, pending_arn: str, commit: str) -> dict[str, object]:
    """What the attack is about: the released version's objects, a version that waits, and one that says it is approved."""
    sagemaker = person.terminal.client("sagemaker")
    version = sagemaker.describe_model_package(ModelPackageName=released_arn)
    container = {name: version["InferenceSpecification"]["Containers"][0][name] for name in ("Image", "ModelDataUrl")}
    bucket, _, model = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    specification = {"Containers": [container], "SupportedContentTypes": ["text/csv"], "SupportedResponseMIMETypes": ["text/csv"]}
    return {
        "bucket": bucket,
        "model": model,
        "template": f"code/templates/{commit}/{PROJECT.endpoint_stack(PRODUCTION)}.template.json",
        "code": f"{facts_of(person, released_arn)['code-uri'].removeprefix(f's3://{bucket}/')}/steps/train.py",
        "artifact": f"{PROJECT.deploy_pipeline}/Rendered/forged",
        "pending": pending_arn,
        "approved_version": {
            "ModelPackageGroupName": PROJECT.model_package_group,
            "ModelApprovalStatus": "Approved",
            "CustomerMetadataProperties": {"served-production": "2026-01-01"},
            "InferenceSpecification": specification,
        },
        "deploy_pipeline": PROJECT.deploy_pipeline,
        "pipeline": PROJECT.sagemaker_pipeline,
        "start_function": PROJECT.start_deployment_function,
    }


def put_the_attack_in(person: Person, given: dict[str, object]) -> None:
    """Into the build, a job's step, Render and Verify; and the version that it trains says that it has served."""
    for folder in (".", "pipelines/tabular/steps"):
        (person.clone / folder / "aims.json").write_text(json.dumps(given), encoding="utf-8")
        (person.clone / folder / "pushed_attack.py").write_bytes(Path(__file__).with_name("pushed_attack.py").read_bytes())
    first = "      - python -m build_scripts.run_pipeline"
    person.change("build_scripts/buildspec.yml", first, f"      - python pushed_attack.py build\n{first}")
    job = 'import pushed_attack\n\n        pushed_attack.main("job", Path(__file__).with_name("aims.json"))'
    script = f"    try:\n        failure.run(main)\n    finally:\n        {job}"
    person.change("pipelines/tabular/steps/evaluate.py", "    failure.run(main)", script)
    fact = '        "dataset": dataset.name,'
    person.change("pipelines/tabular/pipeline.py", fact, f'        "served-production": "2026-01-01",\n{fact}')
    rendered = "      - . ./rendered.env"
    forged = "      - export RETURNING=true Returning=true"
    person.change("deploy_scripts/render.buildspec.yml", rendered, f"      - python pushed_attack.py render\n{rendered}\n{forged}")
    person.change("deploy_scripts/render.buildspec.yml", "  exported-variables:", "  exported-variables:\n    - RETURNING\n    - Returning")
    verify = "      - python -m deploy_scripts.verify"
    person.change("deploy_scripts/verify.buildspec.yml", verify, f"      - python pushed_attack.py verify\n{verify}")


@pytest.fixture(scope="session")
def attack(person, released, second, returned) -> Attack:
    """One push that attacks wherever it is run. Production serves the first version again, and a person approves what the push trained."""
    put_the_attack_in(person, aims(person, released.arn, second, released.commit))
    execution, status = person.push_and_build("A harmless clean-up")
    assert status == "Succeeded", loop.failure_of(person.terminal, PROJECT.build_pipeline, execution)
    build = log_of_action(person, PROJECT.build_pipeline, execution, "Build/TestAndTrain")
    forged_pipeline = attempted(build)["pipeline"]["started"]
    training = loop.training_executions(person.terminal)[0]["PipelineExecutionArn"]
    assert person.finish_training(training) == "Succeeded", reasons(person, training)
    forged = loop.versions(person.terminal)[0]["ModelPackageArn"]
    deployment = person.approve(forged)
    waiting = loop.wait_for("the approval for production", lambda: person.waiting_or_ended(deployment))
    assert isinstance(waiting, dict), loop.failure_of(person.terminal, PROJECT.deploy_pipeline, deployment)
    assert person.finish_training(forged_pipeline) == "Failed"
    jobs = "".join(path.read_text(encoding="utf-8") for path in person.terminal.account_logs.rglob("*.log"))
    return Attack({**attempted(jobs), **attempted(build)}, forged, deployment, reasons(person, forged_pipeline))


DONE = "done"
#: What each role is refused: everything, but for what a row allows and why that gets nobody to production.
ALLOWED = {
    ("build", "replace a template once"): "PreconditionFailed",  # it may write new objects, and none that is there
    ("build", "add to code"): DONE,  # named by the next publish of that code, and by Render (tests/unit/test_write_once.py, test_render.py)
    ("render", "replace a deployment's artifact"): DONE,  # its own output is there: what it renders goes to staging, then to a person
    ("job", "replace a model"): DONE,  # jobs write below one prefix: caught by the hash before and after a deployment
}


@pytest.mark.parametrize("role", ["build", "job", "render", "verify"])
def test_nothing_that_a_push_runs_can_approve_mark_start_or_replace(attack, role):
    outcomes = {what: outcome for what, outcome in attack.outcomes[role].items() if what != "the caller's environment"}
    expected = {what: ALLOWED.get((role, what), "AccessDenied") for what in outcomes}
    assert len(outcomes) == 14
    assert {what: outcome.removesuffix("Exception") for what, outcome in outcomes.items()} == expected


def test_a_pushed_definition_cannot_register_a_version_as_approved(person, attack):
    assert "AccessDenied" in attack.forged_pipeline
    assert "sagemaker:CreateModelPackage" in attack.forged_pipeline


def test_a_version_that_says_it_has_served_waits_for_a_person_like_any_other(person, released, attack):
    """Neither its metadata nor what the pushed Render exports spares the approval."""
    assert facts_of(person, attack.forged)["served-production"]
    assert loop.waiting_approval(person.terminal, attack.deployment) is not None
    assert loop.live_version(person.terminal, PRODUCTION) == released.arn


def test_an_archive_that_a_job_replaced_is_not_deployed_again(person, released, attack):
    """Rejecting what waits brings the released version back, whose archive is another one by now."""
    before = loop.live_version(person.terminal, PRODUCTION)
    waiting = loop.waiting_approval(person.terminal, attack.deployment)
    assert waiting is not None
    deployment = person.judge(attack.forged, "Rejected")
    loop.answer_approval(person.terminal, waiting, "Rejected", "not ours")
    assert loop.end_of_pipeline(person.terminal, PROJECT.deploy_pipeline, deployment) == "Failed"
    log = log_of_action(person, PROJECT.deploy_pipeline, deployment, "Render/Render")
    assert "version 1 is not what was evaluated" in log
    assert attempted(log) == {}  # the scripts are of the commit that production runs, not of the push
    assert loop.live_version(person.terminal, PRODUCTION) == before == released.arn


def test_what_runs_has_nothing_of_the_caller_s_environment(attack):
    seen = {role: outcomes["the caller's environment"] for role, outcomes in attack.outcomes.items() if role != "pipeline"}
    assert seen == dict.fromkeys(("build", "job", "render", "verify"), "is not here")


def test_production_s_version_that_was_deleted_is_shown_and_training_goes_on(person, released, other_columns, replaced):
    """SageMaker lets it be deleted, and the endpoint goes on serving it."""
    person.terminal.client("sagemaker").delete_model_package(ModelPackageName=released.arn)
    shown = json.loads(person.terminal.run("status", ["python", "-m", "deploy_scripts.status", "--json"]))
    production = next(stage for stage in shown["stages"] if stage["stage"] == PRODUCTION.name)
    assert (production["version"], production["status"]) == (1, "InService, version deleted from the registry")
    execution, status = train(person)
    assert status == "Succeeded", reasons(person, execution)
    newest = facts_of(person, loop.versions(person.terminal)[0]["ModelPackageArn"])
    evaluation = json.loads(loop.read_s3(person.terminal, newest["report-url"].replace("report.html", "evaluation.json")))
    assert newest["champion"] == released.arn
    assert evaluation["champion"]["detail"] == "not compared: version 1 in production was deleted from the registry"


def test_no_process_has_a_secret_among_its_arguments(seen_processes, attack):
    """Arguments can be read by everyone on the machine. Builds, jobs, functions, model servers, git and the CDK have run by now."""
    secrets = {value for process in seen_processes for value in process.secrets}
    assert secrets
    assert any("git" in process.arguments and "push" in process.arguments for process in seen_processes)
    assert [process.arguments for process in seen_processes if any(secret in process.arguments for secret in secrets)] == []


def test_killing_the_account_ends_its_model_servers_jobs_and_builds(person, released, mark):
    """Last, because it takes the account of all the tests above."""
    account = person.terminal.account["process_id"]
    sagemaker = person.terminal.client("sagemaker")
    values = [{"Name": "CacheKey", "Value": "another"}]  # nothing from the cache: jobs will run
    training = sagemaker.start_pipeline_execution(PipelineName=PROJECT.sagemaker_pipeline, PipelineParameters=values)
    loop.wait_for("a running job", lambda: loop.steps(person.terminal, training["PipelineExecutionArn"]) or None)
    assert len(survivors(mark, person.terminal.directory)) > 3  # its guard, model servers, containers: or this could not fail
    os.kill(account, signal.SIGKILL)
    assert survivors_after(mark, person.terminal.directory) == []
