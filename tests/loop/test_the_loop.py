"""The whole loop of two models in one account, from the first push to a rollback and a third model, as a person goes through it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from build_scripts import batch_rows
from demo import loop
from demo.own_paths import PERMISSIONS, ask
from demo.scoring import MARKER
from demo.terminal import quiet_git
from local_account import permissions
from local_account.authorization.usage import Grant, Role, allowing_statements
from settings_schema import Endpoint
from settings_schema.names import VARIANT
from tests.infra.unused_grants import reason
from tests.loop.attack import Attack, aims, attempted, log_of_action, put_the_attack_in
from tests.loop.clients import Clients, failed
from tests.loop.documented import as_run_here, commands
from tests.loop.person import ABALONE, ARRESTS, PROJECT, SETTINGS, THIRD, THIRD_FILE, Happened, Person, deploy, synthesize
from tests.loop.slow_change import OF_THIS_TEST, SlowChange
from tests.loop.survivors import survivors, survivors_after
from tests.loop.what_exists import what_exists

REGION = "us-east-1"
ROW = b"0.455,0.365,0.095,0.514,0.2245,0.101,0.15,M"
ABALONE_FILE = "models/abalone.py"


def invoke(person: Person, body: bytes, content_type: str = "text/csv") -> tuple[int, str]:
    """Status and body of the container's answer, of abalone in production."""
    runtime = person.terminal.client("sagemaker-runtime")
    try:
        answer = runtime.invoke_endpoint(EndpointName=ABALONE.production.endpoint, ContentType=content_type, Body=body)
        return 200, answer["Body"].read().decode()
    except runtime.exceptions.ModelError as error:
        return int(error.response["OriginalStatusCode"]), error.response["OriginalMessage"]
    except runtime.exceptions.ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"]), str(error)


def train(person: Person, **parameters: str) -> tuple[str, str]:
    """Start abalone's SageMaker pipeline as the retraining triggers do; (execution, final status)."""
    values = [{"Name": name, "Value": value} for name, value in parameters.items()]
    answer = person.terminal.client("sagemaker").start_pipeline_execution(
        PipelineName=ABALONE.names.training_pipeline, PipelineParameters=values
    )
    return answer["PipelineExecutionArn"], person.finish_training(answer["PipelineExecutionArn"])


def live(person: Person) -> str | None:
    return loop.live_version(person.terminal, ABALONE.production)


def test_a_deployed_account_is_ready_to_be_deployed_to_again(person):
    """Preflight: everything that is there is the project's own, and nothing stands in the way of the next deployment."""
    assembly = str(person.terminal.directory / "cdk.out")
    made = subprocess.run(
        [sys.executable, "-m", "deploy_scripts.preflight", "--json", "--assembly", assembly],
        cwd=person.clone,
        env=person.terminal.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.stdout, made.stderr
    findings = [finding for section in json.loads(made.stdout).values() for finding in section]
    # The clone is a checkout whose tools are not installed: these are the checkout's that the tests run in.
    assert [finding["what"] for finding in findings if finding["sign"] == "✗"] == ["CDK CLI"]
    assert made.returncode == 1
    by_name = {finding["what"]: finding for finding in findings}
    assert PROJECT.foundation_stack in by_name["stacks"]["found"]
    assert " 0 are the deployed stacks' own" not in by_name["names"]["found"]
    assert "left behind" not in by_name  # what is there belongs to stacks that are there
    assert by_name["bootstrap"]["sign"] == by_name["bootstrap resources"]["sign"] == "✓"
    served = [serving for serving in ABALONE.model.serving.values() if isinstance(serving, Endpoint)]
    assert all(serving.instance_type in json.dumps(findings) for serving in served)


def test_a_push_registers_a_version_of_each_model_that_waits_for_approval(person, registered, both_registered):
    for subject in (ABALONE, ARRESTS):
        (newest,) = loop.versions(person.terminal, subject.names)
        assert (newest["ModelPackageArn"], newest["ModelPackageVersion"]) == (both_registered[subject.name], 1)
        assert newest["ModelApprovalStatus"] == "PendingManualApproval"
        assert person.facts_of(newest["ModelPackageArn"])["git-commit"] == registered.commit
    assert float(person.facts_of(registered.arn)["metric-value"]) <= ABALONE.model.data.threshold


def test_nothing_is_deployed_before_the_approval(registered):
    assert (registered.staging, registered.production) == (None, None)


def test_the_approval_rolls_that_version_to_staging_only(staged):
    assert (staged.staging, staged.production) == (staged.arn, None)


def test_the_second_approval_rolls_the_tested_version_to_production(released):
    assert released.production == released.arn


def test_the_approval_links_to_the_version_s_page_and_who_decided_is_kept_with_it(person, released):
    codepipeline, s3 = (person.terminal.client(name) for name in ("codepipeline", "s3"))
    asked = {"pipelineName": ABALONE.names.deploy_pipeline, "filter": {"pipelineExecutionId": released.deployment}}
    actions = codepipeline.list_action_executions(**asked)["actionExecutionDetails"]
    link = next(item for item in actions if item["actionName"] == "Approve")["input"]["resolvedConfiguration"]["ExternalEntityLink"]
    bucket, key = link.split("/s3/object/")[1].split("?")[0], link.split("prefix=")[1]
    page = s3.get_object(Bucket=bucket, Key=key)
    assert page["ContentType"].startswith("text/html") and b"no version is in live: this would be the first" in page["Body"].read()
    number = released.arn.rsplit("/", 1)[-1]
    shown = person.script("deploy_scripts.approve", "--model", ABALONE.name, "--version", number, "--yes")
    for said in ("answers equal the evaluation's", "no version is in live: this would be the first", "load on 1 × ml.m5.large"):
        assert said in shown
    history = json.loads(person.script("deploy_scripts.status", "--history", "--json", "--model", ABALONE.name))[ABALONE.name]
    decided = {(item["where"], item["what"], item["words"], item["who"].rsplit("/", 1)[-1]) for item in history}
    me = person.terminal.client("sts").get_caller_identity()["Arn"].rsplit("/", 1)[-1]
    assert decided == {("registry", "Approved", "test", me), ("Staging/Approve", "Approved", "test", me)}

    def kept():
        found = s3.list_objects_v2(Bucket=bucket, Prefix=ABALONE.names.decisions).get("Contents", [])
        return len(found) == len(history) or None  # the last one once the deployment's end has woken start_deployment

    loop.wait_for("the decisions to be kept", kept)


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


# ------------------------------------------------------------------------------------------ a batch model


def test_a_batch_model_has_no_endpoint_and_costs_nothing_by_the_hour(person, released, both_registered):
    assert loop.live_version(person.terminal, ARRESTS.production) == both_registered["arrests"]
    endpoints = person.terminal.client("sagemaker").list_endpoints()["Endpoints"]
    assert {endpoint["EndpointName"] for endpoint in endpoints} == {ABALONE.staging.endpoint, ABALONE.production.endpoint}


ARRESTED = [b"2001,31,0,Black,Male,Yes,Yes", b"1999,22,4,White,Female,No,Yes", b"2000,,1,White,Male,Yes,No"]


def upload_rows(person: Person, folder: str) -> str:
    """A complete folder of rows for arrests in production; the bucket."""
    s3, bucket = person.terminal.client("s3"), loop.environment_bucket(person.terminal, ARRESTS.production)
    prefix = f"{ARRESTS.production.batch_input}{folder}/"
    s3.put_object(Bucket=bucket, Key=f"{prefix}rows.csv", Body=b"\n".join(ARRESTED) + b"\n")
    s3.put_object(Bucket=bucket, Key=f"{prefix}{MARKER}", Body=b"")
    return bucket


def answers_in(person: Person, bucket: str, folder: str) -> list[str]:
    """Keys of what was scored of a folder."""
    prefix = f"{ARRESTS.production.predictions}{folder}/"
    listed = person.terminal.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return [item["Key"] for item in listed if item["Key"].endswith(".out")]


@pytest.fixture(scope="session")
def scored(person: Person, released) -> tuple[str, str]:
    """A folder that was uploaded is scored: bucket and key of its answers."""
    bucket = upload_rows(person, "monday")
    keys = loop.wait_for("the predictions", lambda: answers_in(person, bucket, "monday") or None, seconds=60)
    return bucket, keys[0]


def test_what_is_uploaded_is_scored_by_the_version_in_production_each_row_with_its_answer(person, scored):
    bucket, key = scored
    sent = b"\n".join(ARRESTED) + b"\n"
    answers = batch_rows.answers(sent, loop.read_s3(person.terminal, f"s3://{bucket}/{key}"))
    assert {answer[0] for answer in answers} <= {"Yes", "No"}
    assert all(0 <= float(answer[1]) <= 1 for answer in answers)


def test_the_same_folder_is_not_scored_twice(person, scored):
    """A second event of the same upload, and the schedule, find it done."""
    bucket, key = scored
    function = ARRESTS.production.start_scoring_function
    jobs = len(person.terminal.client("sagemaker").list_transform_jobs(MaxResults=100)["TransformJobSummaries"])
    for _ in range(2):
        answer = person.terminal.client("lambda").invoke(FunctionName=function, Payload=b"{}")
        assert "FunctionError" not in answer, answer["Payload"].read()
    assert len(person.terminal.client("sagemaker").list_transform_jobs(MaxResults=100)["TransformJobSummaries"]) == jobs
    assert answers_in(person, bucket, "monday") == [key]


# ------------------------------------------------------------------------------------- what a push starts


def test_a_push_of_documentation_starts_nothing(person, released):
    builds = person.executions(PROJECT.build_pipeline)
    (person.clone / "README.md").write_text("Only words.\n", encoding="utf-8")
    person.push("Only words")
    time.sleep(2)  # a push that builds has done so within a second
    assert person.executions(PROJECT.build_pipeline) == builds


def test_a_commit_whose_tests_fail_changes_nothing(person, released):
    before = Happened.to(person)
    broken = person.clone / "tests" / "unit" / "test_broken.py"
    broken.write_text("def test_that_fails():\n    assert 1 == 2, 'on purpose'\n", encoding="utf-8")
    execution, status = person.push_and_build("Break a test")
    broken.unlink()
    assert status == "Failed"
    assert "Build/" in loop.failure_of(person.terminal, PROJECT.build_pipeline, execution)
    assert Happened.to(person).since(before) == (set(), set())
    assert live(person) == released.arn


# --------------------------------------------------------------------------------------- the gate, new data


def test_a_model_below_the_threshold_is_not_registered_and_the_failure_names_the_metric(person, released):
    versions = [version["ModelPackageArn"] for version in loop.versions(person.terminal, ABALONE.names)]
    execution, status = train(person, MetricThreshold="0.001")
    assert status == "Failed"
    assert ABALONE.model.data.metric in person.reasons(execution)
    assert "0.001" in person.reasons(execution)
    assert [version["ModelPackageArn"] for version in loop.versions(person.terminal, ABALONE.names)] == versions


def test_an_unchanged_step_comes_from_the_cache(person, released):
    execution, status = train(person, MetricThreshold="0.001", TriggerReason="again")
    assert status == "Failed"
    cached = {step["StepName"] for step in loop.steps(person.terminal, execution) if "CacheHitResult" in step}
    assert "Prepare" in cached
    assert "Evaluate" not in cached  # the version in production may have changed


@pytest.fixture(scope="session")
def table(person: Person, released) -> list[dict[str, str]]:
    """Abalone's training data, as they were before anything changed."""
    uri = f"s3://{loop.data_bucket(person.terminal, SETTINGS)}/{ABALONE.names.training_data}abalone.csv"
    return list(csv.DictReader(io.StringIO(loop.read_s3(person.terminal, uri).decode())))


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session")
def second(person: Person, released, table, tmp_path_factory) -> str:
    """New data arrive, and the training that they start registers another version."""
    before, known = Happened.to(person), person.trainings(ABALONE.names)
    newer = write(tmp_path_factory.mktemp("data") / "abalone.csv", table[:-10])
    person.script("build_scripts.upload_data", "--model", "abalone", str(newer))
    version = person.trained(ABALONE.names, known)
    assert Happened.to(person).since(before) == ({"abalone"}, set())
    return version


def test_new_data_register_another_version_that_is_compared_with_production(person, released, second):
    assert second != released.arn
    facts, before = person.facts_of(second), person.facts_of(released.arn)
    assert facts["data-sha256"] != before["data-sha256"]
    assert facts["champion"] == released.arn


def test_whatever_starts_it_a_run_learns_from_the_data_that_is_there(person, released, second):
    """Nobody told the retraining which data it is: the run has asked itself."""
    training = person.terminal.client("sagemaker").describe_model_package(ModelPackageName=second)["MetadataProperties"]["GeneratedBy"]
    steps = {step["StepName"]: step for step in loop.steps(person.terminal, training)}
    said = {output["Name"]: output["Value"] for output in steps["DataVersion"]["Metadata"]["Lambda"]["OutputParameters"]}
    assert said["version"] == person.facts_of(second)["data-versions"] != person.facts_of(released.arn)["data-versions"]
    assert "CacheHitResult" not in steps["Prepare"]


# ------------------------------------------------------------------------------------------ other columns


def with_density(row: dict[str, str]) -> dict[str, str]:
    return {**row, "density": str(float(row["whole_weight"]) / (float(row["height"]) + 0.01))}


def without_height(row: dict[str, str]) -> dict[str, str]:
    return {name: cell for name, cell in row.items() if name != "height"}


def other_columns(person: Person, rows: list[dict[str, str]], folder: Path, before: str, after: str) -> str:
    """Data of other columns are uploaded, and the file that names them is pushed; the version that this trains."""
    known = person.trainings(ABALONE.names)
    person.change(ABALONE_FILE, before, after)
    person.script("build_scripts.upload_data", "--model", "abalone", str(write(folder / "abalone.csv", rows)), "--no-trigger")
    person.build("Other columns")
    return person.trained(ABALONE.names, known)


@pytest.fixture(scope="session")
def answers_before(person: Person, released) -> str:
    """What production answers before anything about its columns changes."""
    status, answer = invoke(person, ROW)
    assert status == 200
    return answer


@pytest.fixture(scope="session")
def with_a_column(person: Person, table, second, answers_before, tmp_path_factory) -> str:
    before, folder = Happened.to(person), tmp_path_factory.mktemp("more")
    last = 'Numeric(name="shell_weight", minimum=0, maximum=5),'
    more = f'{last}\n            Numeric(name="density", minimum=0),'
    version = other_columns(person, list(map(with_density, table)), folder, last, more)
    trained, deployed = Happened.to(person).since(before)
    assert trained == {"abalone"}, "only the model whose file was pushed"
    assert deployed == set()
    return version


@pytest.fixture(scope="session")
def replaced(person: Person, with_a_column: str) -> str:
    """The version of more columns is released, and each endpoint is being changed when its turn comes; the execution that did it."""
    names = ABALONE.names
    staging, production = (SlowChange(person, names, place.endpoint) for place in (ABALONE.staging, ABALONE.production))
    staging.begin()
    execution = person.approve(names, with_a_column)
    staging.end_when_waited_for(execution, "Render/Render")
    person.let_into_production(names, execution, production.begin)
    production.end_when_waited_for(execution, "Production/StillApproved")
    return person.deployed(names, execution)


def test_a_deployment_waits_for_an_endpoint_that_is_being_changed(person, with_a_column, replaced):
    assert loop.status_of(person.terminal, ABALONE.names.deploy_pipeline, replaced) == "Succeeded"
    assert live(person) == with_a_column


def test_the_version_with_another_column_takes_what_it_was_trained_with(person, replaced):
    assert invoke(person, ROW)[0] == 400
    assert invoke(person, ROW.replace(b",M", b",5.1,M"))[0] == 200


@pytest.fixture(scope="session")
def returned(person: Person, with_a_column: str, replaced) -> str:
    """The live version is rejected; the execution of the return pipeline that this started."""
    return person.reject_live(ABALONE.names, with_a_column)


RETURN = ["Source/Repository", "Return/Render", "Return/Deploy", "Return/ChangeType", "Return/Verify"]


def test_rejecting_a_version_with_a_column_more_brings_back_the_one_before_which_answers_as_before(
    person, released, with_a_column, returned, answers_before
):
    assert live(person) == released.arn
    assert list(loop.actions(person.terminal, ABALONE.names.return_pipeline, returned)) == RETURN
    assert loop.live_version(person.terminal, ABALONE.staging) == with_a_column, "staging is left alone"
    assert invoke(person, ROW) == (200, answers_before)


@pytest.fixture(scope="session")
def without_a_column(person: Person, table, returned, tmp_path_factory) -> str:
    """Released, too: a column of the version that production had is gone."""
    rows = [without_height(with_density(row)) for row in table]
    line = 'Numeric(name="height", minimum=0, maximum=2),\n'
    version = other_columns(person, rows, tmp_path_factory.mktemp("fewer"), line, "")
    person.release(ABALONE.names, version)
    return version


def test_rejecting_a_version_with_a_column_less_brings_back_the_one_before_which_answers_as_before(
    person, released, without_a_column, answers_before
):
    assert live(person) == without_a_column
    assert invoke(person, ROW.replace(b"0.095,", b"").replace(b",M", b",5.1,M"))[0] == 200
    person.reject_live(ABALONE.names, without_a_column)
    assert live(person) == released.arn
    assert invoke(person, ROW) == (200, answers_before)


# ------------------------------------------------------------------------------------------- a third model

OF_THE_THIRD = "A third model"


@pytest.fixture(scope="session")
def third_pushed(person: Person, without_a_column, table, tmp_path_factory) -> Happened:
    """Its file is written, its data are uploaded, and the file is pushed: in this order, before anything of it is deployed.

    What had happened to each model before.
    """
    before = Happened.to(person)
    (person.clone / "models" / THIRD_FILE.name).write_bytes(THIRD_FILE.read_bytes())
    columns = ("sex", "length", "diameter", "height", "whole_weight")
    rows = [{name: row[name] for name in columns} for row in table]
    person.script("build_scripts.upload_data", "--model", THIRD.model, str(write(tmp_path_factory.mktemp("third") / "shells.csv", rows)))
    person.repository.commit(OF_THE_THIRD)
    person.change(ABALONE_FILE, "min_capacity=3, max_capacity=8", "min_capacity=3, max_capacity=9")
    person.change(ABALONE_FILE, "initial_instance_count=2,", 'initial_instance_count=2, instance_type="ml.m5.xlarge",')
    person.build("One instance more, and larger ones")
    return before


@pytest.fixture(scope="session")
def scaled(person: Person, third_pushed: Happened) -> Happened:
    """The other commit of that push has been deployed under traffic, which changes how abalone scales and on what; what has happened to
    each model by then.
    """
    names = ABALONE.names
    deployment = loop.new_execution(person.terminal, names.deploy_pipeline, third_pushed.deployments["abalone"])
    with Clients(person.terminal.client("sagemaker-runtime"), ABALONE.production.endpoint, ROW) as clients:
        person.let_into_production(names, deployment)
        person.deployed(names, deployment)
    assert failed(clients.requests) == []
    return Happened.to(person)


@pytest.fixture(scope="session")
def there_before(person: Person, scaled) -> set[str]:
    """All that the account has with two models, staging with what is released; but what earlier deployments left, which goes once a day."""
    for environment in SETTINGS.environments:
        function = environment.names(SETTINGS.project).remove_unused_function
        assert "FunctionError" not in person.terminal.client("lambda").invoke(FunctionName=function, Payload=b"{}")
    return what_exists(person.terminal)


def test_a_model_is_one_file_of_at_most_45_lines(person, third_pushed):
    git = quiet_git("--git-dir", str(person.terminal.directory / "clone.git"))
    committed = person.terminal.run("git", [*git, "show", "--name-only", "--format=%s", "HEAD~1"]).splitlines()
    assert [line for line in committed if line] == [OF_THE_THIRD, f"models/{THIRD_FILE.name}"]
    assert len(THIRD_FILE.read_text(encoding="utf-8").splitlines()) <= 45


def test_a_push_of_a_model_that_is_not_deployed_yet_trains_nothing_and_does_not_fail(person, third_pushed, scaled):
    assert person.trainings(THIRD) == []
    assert scaled.since(third_pushed)[0] == set()


def test_a_change_of_scaling_rolls_that_model_s_approved_version_without_training_and_asks(person, third_pushed, scaled, released):
    # Not the bounds themselves, which scheduled actions move: here every 72 seconds.
    scheduled = person.terminal.client("application-autoscaling").describe_scheduled_actions(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{ABALONE.production.endpoint}/variant/{VARIANT}",
        ScheduledActionNames=["opening"],
    )
    assert scheduled["ScheduledActions"][0]["ScalableTargetAction"]["MaxCapacity"] == 9
    assert scaled.since(third_pushed) == (set(), {"abalone"})


def test_what_scales_gets_another_instance_type_in_one_deployment_and_scales_again(person, scaled, released):
    """Its scaling was taken away in between: SageMaker refuses another type of a scalable target."""
    names, sagemaker = ABALONE.production, person.terminal.client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName=names.endpoint)
    configuration = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    assert configuration["ProductionVariants"][0]["InstanceType"] == "ml.m5.xlarge"
    _, requests = permissions.read(ask(person.terminal.account, "GET", PERMISSIONS))
    assert "application-autoscaling:DeregisterScalableTarget" in {asked.action for asked in requests if asked.allowed}
    registered = person.terminal.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
    assert [target["ResourceId"] for target in registered["ScalableTargets"]] == [f"endpoint/{names.endpoint}/variant/{VARIANT}"]
    assert live(person) == released.arn


@pytest.fixture(scope="session")
def third_released(person: Person, directory, scaled, there_before) -> str:
    """`cdk deploy` makes its stack, which starts the build, which trains it; the version goes through both approvals."""
    deploy(person.terminal, directory / "three.out")
    version = person.trained(THIRD, [])
    person.release(THIRD, version)
    return version


def test_once_its_stack_is_deployed_the_new_model_alone_is_trained(person, scaled, third_released):
    assert person.facts_of(third_released)["git-commit"] == person.repository.head()
    assert Happened.to(person).since(scaled) == (set(), set()), "the others are neither trained nor deployed"


def test_it_serves_where_its_file_says(person, third_released):
    assert loop.live_version(person.terminal, THIRD.at("live")) == third_released


@pytest.fixture(scope="session")
def used_by_the_third(person: Person, third_released) -> list[tuple[Role, list[Grant]]]:
    """What its roles were granted and used, as long as there are any: it alone was made after there was code to build."""
    roles, _ = permissions.read(ask(person.terminal.account, "GET", PERMISSIONS))
    return [(role, grants) for role, grants in roles if role.stack == THIRD.stack]


@pytest.fixture(scope="session")
def third_retired(person: Person, directory, third_released, used_by_the_third) -> str:
    """Its file is deleted, and the commands of docs/deploy.md are run; what they printed."""
    (person.clone / "models" / THIRD_FILE.name).unlink()
    person.build("Without the third model")
    assembly = directory / "two.out"
    synthesize(person.terminal, assembly)
    said = ""
    for command in commands("Retire a model"):
        command = [THIRD.model if word == "churn" else word for word in command]
        said += person.terminal.run("retire", as_run_here(command, assembly), cwd=person.clone)
    return said


def test_retiring_a_model_removes_what_it_had_and_nothing_else(person, there_before, third_retired):
    left = what_exists(person.terminal)
    assert there_before - left == set()
    assert left - there_before == {f"sagemaker: {THIRD.model_package_group}"}


def test_retiring_keeps_the_versions_their_evidence_and_the_data_and_says_so(person, third_released, third_retired):
    (kept,) = loop.versions(person.terminal, THIRD)
    assert kept["ModelPackageArn"] == third_released
    assert loop.read_s3(person.terminal, person.facts_of(third_released)["report-url"])
    assert loop.read_s3(person.terminal, f"s3://{loop.data_bucket(person.terminal, SETTINGS)}/{THIRD.training_data}shells.csv")
    assert THIRD.model_package_group in third_retired


def test_the_others_have_not_noticed(person, scaled, third_retired, released, answers_before):
    assert Happened.to(person).since(scaled) == (set(), set())
    assert invoke(person, ROW) == (200, answers_before)


# -------------------------------------------------------------------------------------------- permissions


@pytest.fixture(scope="session")
def used(person: Person, released, scored, second, replaced, third_retired) -> list[tuple[Role, list[Grant]]]:
    """What each role of the project's stacks was granted, and what the whole loop above used of it; attacks come after."""
    roles, requests = permissions.read(ask(person.terminal.account, "GET", PERMISSIONS))
    assert any(asked.allowed for asked in requests)
    return [(role, [grant for grant in grants if grant.policy != OF_THIS_TEST]) for role, grants in roles if is_ours(role)]


def is_ours(role: Role) -> bool:
    """Made by one of the app's stacks, not by `cdk bootstrap`."""
    return role.stack.startswith(PROJECT.prefix)


def test_what_a_role_is_granted_it_uses_or_a_reason_keeps_it(used, used_by_the_third):
    """The whole loop has run: whatever nothing asked for is listed with its reason in tests/infra/unused_grants.py, or goes."""
    both = [*used, *used_by_the_third]
    never = {(role.logical_id, action) for role, grants in both for grant in grants for action in grant.never_used}
    elsewhere = {(role.logical_id, action) for role, grants in both for grant in grants for action in grant.used}
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
    assert [entry for entry in refused if entry[0].startswith(PROJECT.prefix)] == []


@pytest.fixture(scope="session")
def before_the_attack(person: Person, used) -> Happened:
    return Happened.to(person)


@pytest.fixture(scope="session")
def attack(person: Person, released, second, before_the_attack) -> Attack:
    """One push that attacks wherever it is run. Production serves the first version again, and a person approves what the push trained."""
    names, known = ABALONE.names, person.trainings(ABALONE.names)
    put_the_attack_in(person, aims(person, ABALONE, released.arn, second, released.commit))
    execution, status = person.push_and_build("A harmless clean-up")
    assert status == "Succeeded", loop.failure_of(person.terminal, PROJECT.build_pipeline, execution)
    build = log_of_action(person, PROJECT.build_pipeline, execution, "Build/TestAndTrain")
    forged_pipeline = attempted(build)["pipeline"]["started"]
    forged = person.trained(names, [*known, forged_pipeline])
    assert person.finish_training(person.new_training(ARRESTS.names, list(before_the_attack.trainings["arrests"]))) == "Succeeded"
    deployment = person.approve(names, forged)
    waiting = loop.wait_for("the approval for production", lambda: person.waiting_or_ended(names, deployment))
    assert isinstance(waiting, dict), loop.failure_of(person.terminal, names.deploy_pipeline, deployment)
    assert person.finish_training(forged_pipeline) == "Failed"
    jobs = "".join(path.read_text(encoding="utf-8") for path in person.terminal.account_logs.rglob("*.log"))
    return Attack({**attempted(jobs), **attempted(build)}, forged, deployment, person.reasons(forged_pipeline))


def test_a_change_in_shared_steps_trains_every_model_of_their_kind(person, before_the_attack, attack):
    assert Happened.to(person).since(before_the_attack)[0] == {"abalone", "arrests"}


DONE = "done"
#: What each role is refused: everything, but for what a row allows and why that gets nobody to production.
ALLOWED = {
    ("build", "replace a template once"): "PreconditionFailed",  # it may write new objects, and none that is there
    ("build", "add to code"): DONE,  # named by the next publish of that code, and by Render (tests/unit/test_write_once.py, test_render.py)
    ("render", "replace a deployment's artifact"): DONE,  # its own output is there: what it renders goes to staging, then to a person
    ("job of abalone", "replace a model"): DONE,  # jobs write below one prefix: caught by the hash before and after a deployment
}


ROLES = ("build", "job of abalone", "job of arrests", "render", "verify")


@pytest.mark.parametrize("role", ROLES)
def test_nothing_that_a_push_runs_can_approve_mark_start_or_replace(attack, role):
    outcomes = {what: outcome for what, outcome in attack.outcomes[role].items() if what != "the caller's environment"}
    expected = {what: ALLOWED.get((role, what), "AccessDenied") for what in outcomes}
    assert len(outcomes) == 15
    assert {what: outcome.removesuffix("Exception") for what, outcome in outcomes.items()} == expected


def test_a_pushed_definition_cannot_register_a_version_as_approved(person, attack):
    assert "AccessDenied" in attack.forged_pipeline
    assert "sagemaker:CreateModelPackage" in attack.forged_pipeline


def test_a_version_that_says_it_has_served_waits_for_a_person_like_any_other(person, released, attack):
    """Neither its metadata nor what the pushed Render exports spares the approval."""
    assert person.facts_of(attack.forged)["served-production"]
    assert loop.waiting_approval(person.terminal, ABALONE.names, attack.deployment) is not None
    assert live(person) == released.arn


def test_an_archive_that_a_job_replaced_is_not_deployed_again(person, released, attack):
    """Rejecting what waits closes its review. A person deploys the released version again, whose archive is another one by now."""
    before, names = live(person), ABALONE.names
    loop.judge(person.terminal, attack.forged, "Rejected", "not ours")
    assert loop.end_of_pipeline(person.terminal, names.deploy_pipeline, attack.deployment) == "Stopped"
    assert loop.waiting_approval(person.terminal, names, attack.deployment) is None
    known = person.executions(names.deploy_pipeline)
    asked = json.dumps({"package": released.arn}).encode()
    answer = person.terminal.client("lambda").invoke(FunctionName=names.start_deployment_function, Payload=asked)
    assert json.loads(answer["Payload"].read())["started"], "asked for by hand"
    deployment = loop.new_execution(person.terminal, names.deploy_pipeline, known)
    assert loop.end_of_pipeline(person.terminal, names.deploy_pipeline, deployment) == "Failed"
    log = log_of_action(person, ABALONE.names.deploy_pipeline, deployment, "Render/Render")
    assert "version 1 is not what was evaluated" in log
    assert attempted(log) == {}  # the scripts are of the commit that production runs, not of the push
    assert live(person) == before == released.arn


def test_what_runs_has_nothing_of_the_caller_s_environment(attack):
    seen = {role: outcomes["the caller's environment"] for role, outcomes in attack.outcomes.items() if role != "pipeline"}
    assert seen == dict.fromkeys(ROLES, "is not here")


def test_production_s_version_that_was_deleted_is_shown_and_training_goes_on(person, released, attack):
    """SageMaker lets it be deleted, and the endpoint goes on serving it. Its archive, which the attack replaced, is restored before."""
    sagemaker, s3 = (person.terminal.client(service) for service in ("sagemaker", "s3"))
    (container,) = sagemaker.describe_model_package(ModelPackageName=released.arn)["InferenceSpecification"]["Containers"]
    bucket, key = container["ModelDataUrl"].removeprefix("s3://").split("/", 1)
    *_, oldest = (item for item in s3.list_object_versions(Bucket=bucket, Prefix=key)["Versions"] if item["Key"] == key)
    s3.put_object(Bucket=bucket, Key=key, Body=s3.get_object(Bucket=bucket, Key=key, VersionId=oldest["VersionId"])["Body"].read())
    sagemaker.delete_model_package(ModelPackageName=released.arn)
    shown = json.loads(person.terminal.run("status", ["python", "-m", "deploy_scripts.status", "--json"]))
    production = next(stage for stage in shown["stages"] if (stage["model"], stage["stage"]) == ("abalone", "live"))
    assert (production["version"], production["status"]) == (1, "InService, version deleted from the registry")
    execution, status = train(person)
    assert status == "Succeeded", person.reasons(execution)
    folder = f"s3://{bucket}/pipelines/{ABALONE.names.training_pipeline}/{execution.rsplit('/', 1)[-1]}"
    champion = json.loads(loop.read_s3(person.terminal, f"{folder}/evaluate/evaluation/evaluation.json"))["champion"]
    # The team has dropped that column meanwhile, which only the archive tells of the version.
    wanted = (released.arn, False, "not compared: production needs the column 'height'")
    assert (champion["name"], champion["compared"], champion["detail"]) == wanted


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
    training = sagemaker.start_pipeline_execution(PipelineName=ABALONE.names.training_pipeline, PipelineParameters=values)
    loop.wait_for("a running job", lambda: loop.steps(person.terminal, training["PipelineExecutionArn"]) or None)
    assert len(survivors(mark, person.terminal.directory)) > 3  # its guard, model servers, containers: or this could not fail
    os.kill(account, signal.SIGKILL)
    assert survivors_after(mark, person.terminal.directory) == []
