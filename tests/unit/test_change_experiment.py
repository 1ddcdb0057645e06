"""The function that begins and ends experiments: what it does of what is the case, and what it changes."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.model.change_production import experiment as change_experiment
from infra.model.change_production.experiment_plan import Pipelines, Production, Review, What, plan

GROUP = "arn:aws:sagemaker:us-east-1:111122223333:model-package/shop--abalone"
LIVE, NEW, NEWER = f"{GROUP}/3", f"{GROUP}/4", f"{GROUP}/5"
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
READY = Production("UPDATE_COMPLETE", "InService", True, NOON - DAY, "", LIVE, "Approved")
TRIED = replace(READY, challenger=NEW, began=NOON)
OPEN = Pipelines(Review(NOON, NEW, "Approved"))
CLOSED = Pipelines()
NO_DIFFERENCE = {"decided": True, "favours": "neither", "sentence": "no difference was found"}
BETTER = {"decided": True, "favours": "challenger", "sentence": "version 4 is better"}


def step(
    production: Production,
    pipelines: Pipelines,
    result: Mapping[str, Any] | None = None,
    now: datetime = NOON + HOUR,
    *,
    by_clock: bool = False,
) -> tuple[What, str]:
    made = plan(production, pipelines, result or {}, now, 14, by_clock=by_clock)
    return made.what, made.reason


def test_the_review_of_an_approved_version_begins_an_experiment_beside_an_approved_one() -> None:
    assert step(READY, OPEN) == (What.BEGIN, "version 4 is tried beside version 3")


@pytest.mark.parametrize(
    ("production", "reason"),
    [
        (Production(), "nothing serves yet"),
        (replace(READY, live=NEW), "version 4 serves already"),
        (replace(READY, has_place=False), "of before it had a place for one"),
        (replace(READY, live_approval="Rejected"), "version 3, which serves, is Rejected and must not stay"),
    ],
)
def test_where_there_is_nothing_to_try_the_version_goes_on_to_production(production: Production, reason: str) -> None:
    what, said = step(production, OPEN)
    assert what is What.PASS and reason in said


@pytest.mark.parametrize(
    ("production", "pipelines"),
    [
        (replace(READY, status="UPDATE_IN_PROGRESS"), OPEN),
        (replace(READY, endpoint_status="Updating"), OPEN),
        (READY, replace(OPEN, releases=True)),
        (READY, replace(OPEN, returns=True)),
        (READY, Pipelines(Review(NOON, NEW, "Rejected"))),
        (replace(READY, status="UPDATE_ROLLBACK_FAILED"), OPEN),
    ],
)
def test_it_waits_while_production_cannot_be_changed(production: Production, pipelines: Pipelines) -> None:
    assert step(production, pipelines)[0] is What.WAIT


def test_a_challenger_that_does_not_start_ends_it_with_the_reason_and_is_not_tried_again() -> None:
    failed = replace(READY, status="UPDATE_ROLLBACK_COMPLETE", updated=NOON + timedelta(minutes=5), why="no capacity")
    assert step(failed, OPEN) == (What.END, "version 4 did not come into service beside version 3: no capacity")
    assert step(replace(failed, updated=NOON - HOUR), OPEN)[0] is What.BEGIN  # of an update before it


def test_an_update_that_met_an_endpoint_which_scales_is_tried_again() -> None:
    met = replace(READY, status="UPDATE_ROLLBACK_COMPLETE", updated=NOON + HOUR, why='Cannot update in-progress endpoint "arn".')
    assert step(met, OPEN)[0] is What.BEGIN


def test_a_challenger_without_requests_ends_it_as_the_alarm_that_took_them_away_is_off_by_then() -> None:
    what, reason = step(replace(TRIED, silent=True), OPEN)
    assert what is What.END and "gets no request any more, as its weight is 0" in reason


def test_its_last_day_is_the_one_that_was_set_when_it_began() -> None:
    found = {**NO_DIFFERENCE, "ends": f"{NOON + 20 * DAY:%Y-%m-%dT%H:%M:%SZ}"}
    assert step(TRIED, OPEN, found, NOON + 19 * DAY)[0] is What.WAIT
    assert step(TRIED, OPEN, found, NOON + 20 * DAY)[0] is What.END


def test_an_alarm_on_the_challenger_ends_it() -> None:
    what, reason = step(replace(TRIED, alarms=["challenger-5xx"]), OPEN)
    assert what is What.END and "challenger-5xx is in ALARM" in reason and "version 3 stays" in reason


@pytest.mark.parametrize(
    ("result", "days", "what"),
    [
        ({}, 1, What.WAIT),
        (NO_DIFFERENCE, 13, What.WAIT),
        (NO_DIFFERENCE, 14, What.END),
        (BETTER, 20, What.WAIT),  # until somebody answers, or CodePipeline ends the review
        ({"decided": False, "sentence": "10 of 500"}, 14, What.WAIT),
        ({}, 15, What.END),
    ],
)
def test_after_its_last_day_the_champion_stays_unless_the_challenger_was_found_better(
    result: Mapping[str, Any], days: int, what: What
) -> None:
    assert step(TRIED, OPEN, result, NOON + days * DAY)[0] is what


def test_a_return_ends_it_and_is_not_held_up() -> None:
    assert step(TRIED, replace(OPEN, returns=True)) == (What.WAIT, "a return is on its way, which ends the experiment")
    back = replace(OPEN, last_return=NOON + HOUR)
    assert step(READY, back)[0] is What.END
    assert step(READY, replace(OPEN, last_return=NOON - HOUR))[0] is What.BEGIN


def test_what_nobody_is_asked_about_leaves() -> None:
    assert step(TRIED, CLOSED) == (What.LEAVE, "version 4 leaves the experiment")
    assert step(TRIED, Pipelines(releases=True))[0] is What.LEAVE  # the release waits for that
    assert step(READY, CLOSED) == (What.WAIT, "no experiment is on")


def test_a_return_that_is_about_to_begin_takes_it_out_itself() -> None:
    rejected = replace(TRIED, live_approval="Rejected")
    assert step(rejected, CLOSED)[0] is What.WAIT
    assert step(rejected, CLOSED, by_clock=True)[0] is What.LEAVE  # nothing came to return to
    assert step(TRIED, Pipelines(returns=True), by_clock=True)[0] is What.WAIT


def test_the_next_one_begins_once_the_last_has_left() -> None:
    assert step(TRIED, Pipelines(Review(NOON, NEWER, "Approved"))) == (What.LEAVE, "version 4 leaves the experiment")


def test_where_what_serves_scales_the_challenger_does_once_it_is_there() -> None:
    there = replace(TRIED, scaling="off")
    assert step(there, OPEN) == (What.SCALE, "version 4 scales from now on")
    for busy in (replace(there, status="UPDATE_IN_PROGRESS"), replace(there, endpoint_status="Updating")):
        assert step(busy, OPEN)[0] is What.WAIT
    assert step(replace(there, scaling="on"), OPEN)[0] is What.WAIT
    assert step(TRIED, OPEN)[0] is What.WAIT  # nothing scales there


def test_nothing_scales_that_is_about_to_leave() -> None:
    there = replace(TRIED, scaling="off")
    assert step(replace(there, alarms=["challenger-5xx"]), OPEN)[0] is What.END
    assert step(there, replace(OPEN, returns=True))[0] is What.WAIT
    assert step(replace(there, live_approval="Rejected"), OPEN)[0] is What.WAIT
    assert step(there, CLOSED)[0] is What.LEAVE


def test_scaling_that_was_refused_ends_the_experiment_as_the_challenger_could_not_take_a_peak() -> None:
    refused = replace(TRIED, scaling="off", status="UPDATE_ROLLBACK_COMPLETE", why="a limit of policies")
    what, reason = step(refused, OPEN)
    assert what is What.END and "did not begin to scale" in reason and "a limit of policies" in reason
    assert step(refused, CLOSED)[0] is What.LEAVE
    assert step(replace(refused, status="UPDATE_ROLLBACK_FAILED"), OPEN)[0] is What.WAIT


def test_what_scales_stops_that_before_it_leaves() -> None:
    """SageMaker removes no variant that is a scalable target."""
    scales = replace(TRIED, scaling="on")
    assert step(scales, CLOSED) == (What.HOLD, "version 4 no longer scales, so that it can leave the experiment")
    assert step(replace(scales, status="UPDATE_IN_PROGRESS"), CLOSED)[0] is What.WAIT
    assert step(scales, Pipelines(returns=True), by_clock=True)[0] is What.WAIT


# ---------------------------------------------------------------------------------------------------------- as a function


class Aws:
    """Version 3 serves; the deploy pipeline's review of an experiment with version 4 is open since noon."""

    def __init__(self) -> None:
        self.parameters = {"ModelPackageArn": LIVE, "ChallengerPackageArn": "", "ChallengerVersion": "0", "ExperimentBegan": "never"}
        self.parameters |= {"ChallengerInstances": "4", "Update": "guarded", "Capacity": "given"}
        self.called: list[tuple[str, dict[str, Any]]] = []
        self.asked, self.weight, self.status, self.events, self.refused = NEW, 0.25, "UPDATE_COMPLETE", [], ""
        self.review, self.alarm, self.result = "InProgress", "OK", {"decided": False, "sentence": "10 of 500 labelled answers"}
        self.gone = ""
        self.meta = type("Meta", (), {"region_name": "us-east-1"})

    def begin(self) -> None:
        self.parameters |= {"ChallengerPackageArn": NEW, "ChallengerVersion": "4", "ExperimentBegan": f"{NOON:%Y-%m-%dT%H:%M:%SZ}"}

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in self.parameters.items()]
        outputs = [{"OutputKey": "DeployedModelPackageArn", "OutputValue": LIVE}]
        return {"Stacks": [{"StackStatus": self.status, "LastUpdatedTime": NOON, "Parameters": parameters, "Outputs": outputs}]}

    def describe_endpoint(self, **_: str) -> dict[str, Any]:
        weights = {"AllTraffic": 1.0, **({"Challenger": self.weight} if self.parameters.get("ChallengerPackageArn") else {})}
        variants = [{"VariantName": variant, "CurrentWeight": weight, "DesiredInstanceCount": 6} for variant, weight in weights.items()]
        return {"EndpointStatus": "InService", "ProductionVariants": variants}

    def describe_stack_events(self, **_: str) -> dict[str, Any]:
        return {"StackEvents": self.events}

    def update_endpoint_weights_and_capacities(self, **given: Any) -> None:
        if self.refused:
            raise ClientError({"Error": {"Code": self.refused, "Message": "no"}}, "UpdateEndpointWeightsAndCapacities")
        self.called.append(("update_endpoint_weights_and_capacities", given))

    def describe_model_package(self, **asked: str) -> dict[str, Any]:
        if asked["ModelPackageName"] == self.gone:
            raise ClientError({"Error": {"Code": "ValidationException", "Message": "it does not exist"}}, "DescribeModelPackage")
        return {"ModelApprovalStatus": "Approved"}

    def describe_alarms(self, **_: Any) -> dict[str, Any]:
        return {"MetricAlarms": [{"AlarmName": "challenger-5xx", "StateValue": self.alarm, "StateUpdatedTimestamp": NOON + HOUR}]}

    def get_pipeline_state(self, **_: str) -> dict[str, Any]:
        decide = {"actionName": "Decide", "latestExecution": {"status": self.review, "token": "t", "lastStatusChange": NOON}}
        tried = {"stageName": "Experiment", "latestExecution": {"pipelineExecutionId": "one"}, "actionStates": [decide]}
        return {"stageStates": [tried, {"stageName": "Production"}]}

    def get_pipeline_execution(self, **_: str) -> dict[str, Any]:
        return {"pipelineExecution": {"variables": [{"name": "ModelPackageArn", "resolvedValue": self.asked}]}}

    def get_paginator(self, name: str) -> Aws:
        assert name == "list_action_executions"
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        render = {"actionName": "Render", "output": {"outputVariables": {"MODEL_PACKAGE_ARN": NEW}}}
        return [{"actionExecutionDetails": [{"actionName": "Decide", "input": {}}, render]}]

    def list_pipeline_executions(self, **_: str) -> dict[str, Any]:
        return {"pipelineExecutionSummaries": []}

    def list_objects_v2(self, **asked: str) -> dict[str, Any]:
        return {"Contents": [{"Key": "monitoring/abalone/experiments/4.json"}]} if self.result else {}

    def get_object(self, **asked: str) -> dict[str, Any]:
        known = {"began": self.parameters["ExperimentBegan"], **self.result}
        return {"Body": io.BytesIO(json.dumps(known).encode())}

    def __getattr__(self, name: str) -> Any:
        return lambda **given: self.called.append((name, given))


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    made = Aws()
    monkeypatch.setattr(boto3, "client", lambda service, **place: made)
    variables = {
        "MODEL": "abalone",
        "MODEL_PACKAGE_GROUP": "shop--abalone",
        "STACK_NAME": "shop--abalone--live",
        "ENDPOINT_NAME": "shop--abalone--live",
        "REGION": "us-east-1",
        "ROLE_ARN": "",
        "DEPLOY_PIPELINE_NAME": "shop--abalone--deploy",
        "RETURN_PIPELINE_NAME": "shop--abalone--return",
        "EXPERIMENT_STAGE_NAME": "Experiment",
        "EXPERIMENT_ACTION_NAME": "Decide",
        "PRODUCTION_STAGE_NAME": "Production",
        "BUCKET": "environment",
        "RESULTS_PREFIX": "monitoring/abalone/experiments/",
        "ALARM_NAMES": '["challenger-5xx"]',
        "DAYS_AT_MOST": "14",
        "CHALLENGER_PERCENT": "20",
        "ALERT_TOPIC_ARN": "alerts",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return made


def wake(**event: object) -> dict[str, str]:
    return change_experiment.handler({"time": "2026-11-27T13:00:00Z", **event}, None)


def changed(given: Mapping[str, Any]) -> dict[str, str]:
    """Values of an UpdateStack that are not as they were."""
    return {item["ParameterKey"]: item["ParameterValue"] for item in given["Parameters"] if "ParameterValue" in item}


def test_it_changes_the_parameters_of_the_experiment_alone(aws: Aws) -> None:
    assert wake()["did"] == "begin"
    ((called, given),) = aws.called
    assert (called, given["UsePreviousTemplate"]) == ("update_stack", True)
    began = {"ChallengerPackageArn": NEW, "ChallengerVersion": "4", "ExperimentBegan": "2026-11-27T13:00:00Z"}
    assert changed(given) == {**began, "ChallengerInstances": "2", "Update": "at-once", "Capacity": "kept"}  # a fifth of what six do


def test_a_template_of_a_release_before_challengers_scaled_is_given_what_it_has(aws: Aws) -> None:
    del aws.parameters["ChallengerInstances"]
    assert wake()["did"] == "begin"
    assert set(changed(aws.called[0][1])) == {"ChallengerPackageArn", "ChallengerVersion", "ExperimentBegan", "Update", "Capacity"}


@pytest.mark.parametrize(("review", "was", "did", "becomes"), [("InProgress", "off", "scale", "on"), ("Failed", "on", "hold", "off")])
def test_scaling_comes_and_goes_in_updates_of_its_own(aws: Aws, review: str, was: str, did: str, becomes: str) -> None:
    """Which change nothing of the endpoint, not even how it is updated."""
    aws.begin()
    aws.review, aws.parameters["ChallengerScaling"] = review, was
    assert wake()["did"] == did
    ((called, given),) = aws.called
    assert (called, given["UsePreviousTemplate"], changed(given)) == (
        "update_stack",
        True,
        {"ChallengerScaling": becomes, "Capacity": "kept"},
    )


def test_a_challenger_that_breaks_gets_no_request_any_more_and_people_are_told(aws: Aws) -> None:
    aws.begin()
    aws.alarm = "ALARM"
    assert wake()["did"] == "end"
    called = dict(aws.called)
    assert list(called) == ["update_endpoint_weights_and_capacities", "put_approval_result", "publish"]
    weights = called["update_endpoint_weights_and_capacities"]["DesiredWeightsAndCapacities"]
    assert weights == [{"VariantName": "Challenger", "DesiredWeight": 0.0}]
    answer = called["put_approval_result"]
    assert (answer["stageName"], answer["actionName"], answer["token"], answer["result"]["status"]) == (
        "Experiment",
        "Decide",
        "t",
        "Rejected",
    )
    assert "challenger-5xx is in ALARM" in called["publish"]["Message"]


def test_a_function_that_died_once_the_weight_was_0_ends_it_when_it_looks_again(aws: Aws) -> None:
    """No request, no alarm: what is left to see is the weight."""
    aws.begin()
    aws.weight = 0.0
    assert wake(source="schedule")["did"] == "end"
    assert [called for called, _ in aws.called] == ["put_approval_result", "publish"]


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
def test_a_weight_that_cannot_be_changed_now_does_not_hold_the_end_up(aws: Aws, code: str) -> None:
    aws.begin()
    aws.alarm, aws.refused = "ALARM", code
    assert wake()["did"] == "end"
    assert [called for called, _ in aws.called] == ["put_approval_result", "publish"]


def test_why_a_challenger_did_not_start_is_what_failed_first_in_that_update(aws: Aws) -> None:
    stack = {"ResourceType": "AWS::CloudFormation::Stack"}
    aws.status = "UPDATE_ROLLBACK_COMPLETE"
    aws.events = [
        {**stack, "ResourceStatus": "UPDATE_ROLLBACK_COMPLETE"},
        {**stack, "ResourceStatus": "UPDATE_ROLLBACK_IN_PROGRESS", "ResourceStatusReason": "The following resource(s) failed"},
        {"ResourceType": "AWS::SageMaker::Pipeline", "ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": "update cancelled"},
        {"ResourceType": "AWS::SageMaker::Endpoint", "ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": "no capacity left"},
        {**stack, "ResourceStatus": "UPDATE_IN_PROGRESS"},
        {"ResourceType": "AWS::SageMaker::Endpoint", "ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": "of another update"},
    ]
    said = wake()
    assert said == {"did": "end", "reason": "version 4 did not come into service beside version 3: no capacity left"}


def test_of_an_execution_that_was_started_in_the_console_the_version_is_the_one_that_render_chose(aws: Aws) -> None:
    aws.asked = "latest-approved"
    assert wake() == {"did": "begin", "reason": "version 4 is tried beside version 3"}


def test_a_challenger_whose_copy_was_deleted_leaves_all_the_same(aws: Aws) -> None:
    aws.begin()
    aws.review = "Succeeded"
    gone = NEW.replace("us-east-1", "eu-west-1")
    aws.parameters["ChallengerPackageArn"] = gone
    aws.gone = gone
    assert wake()["did"] == "leave"


def test_once_the_review_is_answered_what_was_tried_leaves(aws: Aws) -> None:
    aws.begin()
    aws.review = "Succeeded"
    assert wake()["did"] == "leave"
    ((called, given),) = aws.called
    changed = {item["ParameterKey"]: item["ParameterValue"] for item in given["Parameters"] if "ParameterValue" in item}
    assert (called, changed["ChallengerPackageArn"], changed["ExperimentBegan"]) == ("update_stack", "", "never")


def test_while_it_lasts_it_says_how_far_it_is(aws: Aws) -> None:
    aws.begin()
    assert wake(source="schedule") == {"did": "wait", "reason": "version 4 beside version 3 is tried; 10 of 500 labelled answers"}
    assert aws.called == []


def test_two_experiments_at_once_are_refused_and_nothing_changes(aws: Aws) -> None:
    aws.begin()
    reason = change_experiment.handler({"package": NEWER}, None)["reason"]
    assert reason.startswith("version 4 is in an experiment with version 3, and there is one at a time")
    assert aws.called == []


def test_where_nothing_is_to_try_it_says_yes_itself(aws: Aws) -> None:
    del aws.parameters["ChallengerPackageArn"]
    assert wake()["did"] == "pass"
    ((called, given),) = aws.called
    assert (called, given["result"]["status"]) == ("put_approval_result", "Approved")
