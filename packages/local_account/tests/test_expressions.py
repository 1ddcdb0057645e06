"""Expressions, conditions, parameters and definitions of SageMaker Pipelines, without an account."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from local_account.sagemaker.pipelines import conditions, definition, parameters, paths
from local_account.sagemaker.pipelines.expressions import ExpressionError, Scope, evaluate
from local_account.sagemaker.pipelines.progress import Outcome, Progress

FILES = {"s3://bucket/evaluation.json": {"a": {"b.c": [1.5, {"deep": "x"}]}, "passed": True, "mse": {"value": 4.0}}}
SCOPE = Scope(
    parameters={"Count": 3, "Rate": 0.5, "Flag": True, "Name": "n"},
    execution={"PipelineExecutionId": "abc", "PipelineName": "p"},
    step_properties={
        "Prep": {
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "train-set", "S3Output": {"S3Uri": "s3://bucket/train"}}]},
            "ProcessingJobStatus": "Completed",
        },
        "Tune": {"TrainingJobSummaries": [{"TrainingJobName": "best"}, {"TrainingJobName": "second"}]},
        "Train": {"FinalMetricDataList": [{"MetricName": "validation:auc", "Value": 0.91}]},
    },
    property_files={"Prep": {"Report": "s3://bucket/evaluation.json"}},
    read_json=FILES.__getitem__,
)


def json_get(path: str, source: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"Std:JsonGet": {**(source or {"PropertyFile": {"Get": "Steps.Prep.PropertyFiles.Report"}}), "Path": path}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ({"Get": "Parameters.Count"}, 3),
        ({"Get": "Execution.PipelineExecutionId"}, "abc"),
        ({"Get": "Steps.Prep.ProcessingJobStatus"}, "Completed"),
        ({"Get": "Steps.Prep.ProcessingOutputConfig.Outputs['train-set'].S3Output.S3Uri"}, "s3://bucket/train"),
        ({"Get": 'Steps.Prep.ProcessingOutputConfig.Outputs["train-set"].S3Output.S3Uri'}, "s3://bucket/train"),
        ({"Get": "Steps.Prep.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"}, "s3://bucket/train"),
        ({"Get": "Steps.Tune.TrainingJobSummaries[1].TrainingJobName"}, "second"),
        ({"Get": "Steps.Train.FinalMetricDataList['validation:auc'].Value"}, 0.91),
        (json_get("mse.value"), 4.0),
        (json_get('a["b.c"][0]'), 1.5),
        (json_get("$.a['b.c'][1].deep"), "x"),
        (json_get("passed", {"S3Uri": {"Std:Join": {"On": "/", "Values": ["s3:/", "bucket", "evaluation.json"]}}}), True),
        ([{"k": {"Get": "Parameters.Name"}}, 1], [{"k": "n"}, 1]),
    ],
)
def test_every_form_of_expression_has_its_value(expression: Any, value: Any) -> None:
    assert evaluate(expression, SCOPE) == value


def test_join_writes_numbers_and_booleans_as_json_does_and_nests() -> None:
    inner = {"Std:Join": {"On": "-", "Values": [{"Get": "Parameters.Rate"}, {"Get": "Parameters.Flag"}]}}
    assert evaluate({"Std:Join": {"On": "/", "Values": ["a", 7, inner, json_get("mse.value")]}}, SCOPE) == "a/7/0.5-true/4.0"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ({"Get": "Parameters.Nope"}, "Count, Rate, Flag, Name"),
        ({"Get": "Execution.Nope"}, "PipelineExecutionId"),
        ({"Get": "Something.Else"}, "allowed are Parameters"),
        ({"Get": "Steps.Later.Arn"}, "no result"),
        ({"Get": "Steps.Tune.TrainingJobSummaries[5].TrainingJobName"}, "element 5; there are 2"),
        ({"Get": "Steps.Prep.ProcessingOutputConfig.Outputs['test'].S3Output"}, "there is train-set"),
        (json_get("nope"), "a, passed, mse"),
        (json_get("a"), "an object or a list"),
        ({"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Prep.PropertyFiles.Other"}, "Path": "x"}}, "it has Report"),
    ],
)
def test_an_expression_without_a_value_says_what_there_is(expression: Any, message: str) -> None:
    with pytest.raises(ExpressionError, match=message):
        evaluate(expression, SCOPE)


@pytest.mark.parametrize("path", ["", "a[", "a b", "[x]"])
def test_a_malformed_path_is_refused(path: str) -> None:
    with pytest.raises(paths.PathError):
        paths.look_up({"a": 1}, path)


def compare(kind: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


TRUE, FALSE = compare("Equals", 1, 1), compare("Equals", 1, 2)


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        (compare("Equals", {"Get": "Parameters.Count"}, 3), True),
        (compare("Equals", True, 1), False),
        (compare("Equals", "3", 3), False),
        (compare("GreaterThan", 2, 2), False),
        (compare("GreaterThanOrEqualTo", 2, 2.0), True),
        (compare("LessThan", json_get("mse.value"), 6.0), True),
        (compare("LessThanOrEqualTo", 7, 6), False),
        (compare("LessThan", "a", "b"), True),
        ({"Type": "In", "QueryValue": {"Get": "Parameters.Name"}, "Values": ["m", "n"]}, True),
        ({"Type": "In", "QueryValue": 5, "Values": [1, 2]}, False),
        ({"Type": "Not", "Condition": FALSE}, True),
        ({"Type": "Or", "Conditions": [FALSE, TRUE]}, True),
        ({"Type": "Or", "Conditions": [FALSE, {"Type": "Not", "Condition": TRUE}]}, False),
        # What the published schema has and the SDK does not write.
        (compare("NotEquals", {"Get": "Parameters.Count"}, 3), False),
        (compare("NotEquals", "3", 3), True),
        ({"Type": "NotIn", "QueryValue": 5, "Values": [1, 2]}, True),
        ({"Type": "In", "Value": 2, "In": [1, 2]}, True),
        ({"Type": "NotIn", "Value": 2, "In": [1, 2]}, False),
    ],
)
def test_every_type_of_condition_decides(condition: dict[str, Any], outcome: bool) -> None:
    assert conditions.problems(condition) == []
    assert conditions.holds(condition, SCOPE) is outcome


def test_a_list_of_conditions_means_and() -> None:
    assert conditions.all_hold([TRUE, TRUE], SCOPE)
    assert not conditions.all_hold([TRUE, FALSE], SCOPE)


def test_numbers_and_text_cannot_be_ordered() -> None:
    with pytest.raises(ExpressionError, match="both must be numbers"):
        conditions.holds(compare("LessThan", "0.5", 1), SCOPE)


def test_a_condition_with_a_foreign_member_is_refused_by_name() -> None:
    assert conditions.problems({"Type": "Not", "Expression": TRUE}) == [
        "condition Not cannot have 'Expression'",
        "condition Not lacks 'Condition'",
    ]


@pytest.mark.parametrize(
    ("condition", "problem"),
    [
        (compare("Equals", [1], 1), r"LeftValue \[1\]; allowed: text, a number, a boolean or a function"),
        (compare("Equals", None, 1), "LeftValue None"),
        (compare("LessThan", {"a": 1}, 1), "LeftValue"),
        (compare("LessThan", {"Std:Max": [1, 2]}, 1), "function 'Std:Max' is unknown; allowed: Get, Std:Join, Std:JsonGet"),
        ({"Type": "In", "QueryValue": 1, "Values": 1}, "Values 1; allowed: a list"),
        ({"Type": "Or", "Conditions": TRUE}, "allowed: a list"),
    ],
)
def test_a_condition_that_compares_what_has_no_value_is_refused(condition: dict[str, Any], problem: str) -> None:
    (found,) = conditions.problems(condition)
    assert re.search(problem, found)


DECLARED = [
    {"Name": "Text", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]},
    {"Name": "Whole", "Type": "Integer", "DefaultValue": 1},
    {"Name": "Real", "Type": "Float", "DefaultValue": 1.5},
    {"Name": "Yes", "Type": "Boolean", "DefaultValue": True},
]


def test_parameters_take_their_types_from_the_declaration() -> None:
    values = parameters.resolve(DECLARED, {"Text": "b", "Whole": "7", "Yes": "false"})
    assert values == {"Text": "b", "Whole": 7, "Real": 1.5, "Yes": False}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Nope": "1"}, "unknown parameter Nope; this pipeline has Text, Whole, Real, Yes"),
        ({"Text": "c"}, "allowed: 'a', 'b'"),
        ({"Whole": "1.5"}, "Whole is '1.5'"),
        ({"Real": "much"}, "Real is 'much'"),
        # Numbers for Python, and none in JSON.
        ({"Whole": "1_000"}, "Whole is '1_000'"),
        ({"Whole": "१"}, "Whole is"),
        ({"Whole": " 1"}, "Whole is ' 1'"),
        ({"Real": "nan"}, "Real is 'nan'"),
        ({"Real": "inf"}, "Real is 'inf'"),
        ({"Real": "1e999"}, "Real is '1e999'"),
        ({"Real": "1_0.5"}, "Real is '1_0.5'"),
        ({"Yes": "maybe"}, "true or false"),
    ],
)
def test_a_parameter_that_is_not_allowed_is_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(parameters.ParameterError, match=message):
        parameters.resolve(DECLARED, given)


def test_a_parameter_without_default_must_be_given() -> None:
    with pytest.raises(parameters.ParameterError, match="Data has no default"):
        parameters.resolve([{"Name": "Data", "Type": "String"}], {})


def test_a_parameter_without_type_is_text() -> None:
    declared = [{"Name": "Data", "DefaultValue": "a"}]
    assert parameters.problems(declared) == []
    assert parameters.resolve(declared, {"Data": "3"}) == {"Data": "3"}


@pytest.mark.parametrize("text", ["-1.5e3", "7", "+7", ".5", "7."])
def test_the_usual_forms_of_a_number_are_numbers(text: str) -> None:
    assert parameters.resolve(DECLARED, {"Real": text})["Real"] == float(text)


@pytest.mark.parametrize(
    ("declaration", "problem"),
    [
        ({"Name": "a b"}, "Name is 'a b'; allowed: 1 to 64 letters, digits, - and _"),
        ({"Type": "String"}, "'Name' is missing"),
        ("P", "it is 'P'; allowed: an object"),
        ({"Name": "A", "Type": "Number"}, "allowed: String, Integer, Float, Boolean"),
        ({"Name": "A", "Default": 1}, "cannot have 'Default'; allowed: Name, Type, Description, DefaultValue"),
        ({"Name": "A", "Type": "Integer", "EnumValues": [1]}, "cannot have 'EnumValues'"),
        ({"Name": "A", "Type": "Integer", "DefaultValue": "1"}, "'1'; allowed: a value of type Integer"),
        ({"Name": "A", "Type": "Integer", "DefaultValue": 1.0}, "1.0; allowed: a value of type Integer"),
        ({"Name": "A", "Type": "Integer", "DefaultValue": True}, "True; allowed: a value of type Integer"),
        ({"Name": "A", "Type": "Boolean", "DefaultValue": "true"}, "'true'; allowed: a value of type Boolean"),
        ({"Name": "A", "Type": "String", "DefaultValue": 1}, "DefaultValue is 1; allowed: a text"),
        ({"Name": "A", "EnumValues": ["a"], "DefaultValue": "b"}, "allowed: 'a'"),
    ],
)
def test_a_declaration_that_the_schema_does_not_have_is_refused(declaration: dict[str, Any], problem: str) -> None:
    (found,) = parameters.problems([declaration])
    assert problem in found


def step(name: str, kind: str = "Fail", **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "Arguments": {"ErrorMessage": "x"}, **more}


def job(name: str, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Processing", "Arguments": {"AppSpecification": {"ImageUri": "i"}}, **more}


def text(*steps: dict[str, Any], version: str = "2020-12-01") -> str:
    return json.dumps({"Version": version, "Steps": list(steps)})


def check(name: str, if_steps: list[Any], else_steps: list[Any], **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "Condition", "Arguments": {"Conditions": [TRUE], "IfSteps": if_steps, "ElseSteps": else_steps}, **more}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "not JSON"),
        ("{}", "list 'Steps'"),
        (text(step("A"), version="1"), "allowed: 2020-12-01"),
        (text({"Name": "A"}), "'Name' and 'Type'"),
        (text(step("A"), step("A")), "A is used twice"),
        (text(step("A", DependsOn=["B"]), step("B", DependsOn=["A"])), "wait for each other"),
        (text(step("A", DependsOn=["Gone"])), "step A refers to step Gone"),
        (text({"Name": "A", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Steps.Gone.Arn"}}}), "Gone, which does not exist"),
        (text({"Name": "A", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Gone"}}}), "parameter Gone"),
        (text({"Name": "A", "Type": "Condition", "Arguments": {"Conditions": [{"Type": "Maybe"}]}}), "'Maybe' is unknown"),
        (
            text(step("A"), {"Name": "B", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Steps.A.PropertyFiles.R"}}}),
            "no property files",
        ),
        (text(job("A", CacheConfig={"Enabled": True, "ExpireAfter": "soon"})), "ExpireAfter is 'soon'"),
        # What the published schema does not have.
        (text(step("A", Retries=3)), "cannot have 'Retries'; allowed: Name, Type, DependsOn"),
        (text(step("A", CacheConfig={"Enabled": True})), "a step of type Fail cannot have 'CacheConfig'"),
        (text(step("A b")), "Name is 'A b'; allowed: 1 to 64 letters, digits, - and _"),
        (text({"Name": "A", "Type": "Fail"}), "'Arguments' is missing in a step of type Fail"),
        (text(step("A", DependsOn="B")), "DependsOn is 'B'; allowed: a list"),
        (text(step("A"), step("B", DependsOn=[{"Step": "A", "Trigger": "Never"}])), "allowed: Completed, Failed, Stopped, Any"),
        (text(job("A", CacheConfig={"Enabled": "yes"})), "Enabled is 'yes'; allowed: true or false"),
        (text(job("A", RetryPolicies=[{"ExceptionType": ["Step.WHATEVER"]}])), "'Step.WHATEVER'; allowed: Step.SERVICE_FAULT"),
        (
            text(job("A", RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": "2"}])),
            "MaxAttempts is '2'; allowed: an integer",
        ),
        (text(job("A", PropertyFiles=[{"Name": "R"}])), r"PropertyFiles\.0 cannot have 'Name'; allowed: PropertyFileName"),
        (text({**job("A"), "Arguments": {"AppSpecifcation": {}}}), "Arguments cannot have 'AppSpecifcation'; allowed: ProcessingInputs"),
        (text({**job("A"), "Arguments": {"AppSpecification": {"ImageUri": {"a": 1}}}}), "AppSpecification.ImageUri is .* allowed: string"),
        (text({**job("A"), "Arguments": {"Environment": {"Std:Max": [1]}}}), "function 'Std:Max' is unknown"),
        (text({**job("A"), "Arguments": {"Environment": {"A": {"Std:Join": {"Values": "a"}}}}}), "a list 'Values'"),
        (
            text({**job("A"), "Arguments": {"Environment": {"A": {"Std:Join": {"Values": ["a"]}, "B": "c"}}}}),
            "stands beside B; allowed: alone",
        ),
        (text({**job("A"), "Arguments": {"Environment": {"A": {"Std:JsonGet": {"Path": "a"}}}}}), "either 'PropertyFile' or 'S3Uri'"),
        (text({**job("A"), "Arguments": {"Environment": {"A": {"Get": "Variables.X"}}}}), "Get 'Variables.X'; allowed: Parameters.<name>"),
        (text({**job("A"), "Arguments": {"Environment": {"A": {"Get": "Execution.Nmae"}}}}), "allowed: Execution.PipelineName"),
        ('{"Steps": [{"Name": "A", "Type": "Fail", "Arguments": {"ErrorMessage": NaN}}]}', "NaN is no number of JSON"),
        (json.dumps({"Steps": [step("A")], "Parameter": []}), "cannot have 'Parameter'; allowed: Version, Metadata, Parameters"),
        (json.dumps({"Steps": [step("A")], "Metadata": {"a": 1}}), "a is 1; allowed: a text of at most 1024 characters"),
        (
            text({"Name": "A", "Type": "Condition", "Arguments": {"Conditions": [TRUE], "IfSteps": step("B")}}),
            "IfSteps of step A is no list",
        ),
    ],
)
def test_a_definition_that_could_never_run_is_refused(document: str, message: str) -> None:
    with pytest.raises(definition.DefinitionError, match=message):
        definition.read(document)


def test_what_the_schema_and_the_sdk_have_is_accepted() -> None:
    retry = {"ExceptionType": "Step.THROTTLING", "IntervalSeconds": 1, "BackoffRate": 2.0, "MaxAttempts": 2}
    document = {
        "Metadata": {"team": "a"},
        "Parameters": [{"Name": "Data", "Description": "where it is"}],
        "PipelineExperimentConfig": {"ExperimentName": {"Get": "Execution.PipelineName"}, "TrialName": "t"},
        "MlflowConfig": None,
        "Steps": [
            job(
                "A", CacheConfig={"Enabled": True, "ExpireAfter": "P30D"}, RetryPolicies=[retry, {"ExceptionType": ["Step.SERVICE_FAULT"]}]
            ),
            step("B", DependsOn=["A", {"Step": "A", "Trigger": "Any"}], DisplayName="the end", Description="why"),
        ],
    }
    read = definition.read(json.dumps(document))
    assert list(read.steps) == ["A", "B"]
    scope = Scope(execution={"PipelineName": "p"}, experiment=read.experiment)
    assert evaluate({"Get": "PipelineExperimentConfig.ExperimentName"}, scope) == "p"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (text({**job("A"), "Arguments": {"Environment": {"A": {"Get": "Execution.ProcessingJobName"}}}}), "Execution.ProcessingJobName"),
        (json.dumps({"Steps": [step("A")], "MlflowConfig": {"MlflowResourceArn": "arn"}}), "MlflowConfig"),
    ],
)
def test_what_the_schema_has_and_the_account_has_not_is_refused_by_name(document: str, message: str) -> None:
    with pytest.raises(definition.UnsupportedStepError, match=message):
        definition.read(document)


@pytest.mark.parametrize("kind", ["Callback", "EMR", "QualityCheck", "Dance"])
def test_a_step_type_that_cannot_run_is_refused_by_name(kind: str) -> None:
    with pytest.raises(definition.UnsupportedStepError, match=f"{kind} \\(step A\\)"):
        definition.read(text(step("A", kind)))


def progress(*steps: dict[str, Any]) -> Progress:
    return Progress(definition.read(text(*steps)))


def ready(state: Progress) -> list[str]:
    return [item.name for item in state.ready()]


def test_independent_steps_are_ready_together_and_dependent_ones_wait() -> None:
    state = progress(step("A"), step("B"), step("C", DependsOn=["A", "B"]))
    assert ready(state) == ["A", "B"]
    state.outcomes = {"A": Outcome.COMPLETED}
    assert ready(state) == ["B"]
    state.outcomes["B"] = Outcome.COMPLETED
    assert ready(state) == ["C"]


def test_a_branch_that_is_not_taken_never_runs_nor_does_what_waits_for_it() -> None:
    state = progress(check("If", [step("Yes"), check("Inner", [step("Deep")], [])], [step("No")]), step("After", DependsOn=["No"]))
    state.outcomes, state.branches = {"If": Outcome.COMPLETED}, {"If": True}
    assert ready(state) == ["Yes", "Inner"]
    assert state.outcomes["No"] is state.outcomes["After"] is Outcome.SKIPPED
    state.outcomes |= {"Yes": Outcome.COMPLETED, "Inner": Outcome.COMPLETED}
    state.branches["Inner"] = False
    assert ready(state) == []
    assert state.status() == "Succeeded"


def test_after_a_failure_nothing_new_starts_except_what_waits_for_it() -> None:
    waits = {"DependsOn": [{"Step": "A", "Trigger": "Failed"}]}
    state = progress(step("A"), step("B", DependsOn=["A"]), step("C"), step("Notify", **waits))
    state.outcomes = {"A": Outcome.FAILED}
    assert ready(state) == ["Notify"]
    state.outcomes["Notify"] = Outcome.COMPLETED
    assert state.status() == "CompletedWithFailures"


def test_a_failure_nobody_waits_for_fails_the_execution() -> None:
    state = progress(step("A"), step("B", DependsOn=["A"]))
    state.outcomes = {"A": Outcome.FAILED}
    assert ready(state) == []
    assert state.status() == "Failed"
