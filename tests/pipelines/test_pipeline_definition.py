"""The definition of the training pipeline: the same bytes for the same commit, wired to scripts that take what it gives."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_account.sagemaker.jobs import first_party
from pipelines import spark_image
from pipelines.tabular.pipeline import get_pipeline
from pipelines.tabular.specification import specification_json
from settings_schema import (
    METRICS,
    Algorithm,
    Categorical,
    Model,
    Numeric,
    Prices,
    Problem,
    Processing,
    Project,
    Range,
    SettingsError,
    Training,
    Tuning,
)
from tests.example_models import ABALONE, ARRESTS, PROJECT
from tests.pipelines.conftest import CODE, PLACE, FixedPlace, defined
from tests.steps.journey import EVIDENCE

ROOT = Path(__file__).resolve().parents[2]
STEPS = ROOT / "pipelines" / "tabular" / "steps"
PROCESSING = {"Prepare": "prepare", "Choose": "choose", "Evaluate": "evaluate"}
NAMES = ABALONE.names(PROJECT)
TUNING = {"TuneGradientBoosting": "gradient_boosting", "TuneRandomForest": "random_forest", "TuneLinear": "linear"}


def script(name: str) -> Any:
    if str(STEPS) not in sys.path:
        sys.path.insert(0, str(STEPS))
    return importlib.import_module(name)


def plain(value: Any) -> str:
    """An argument as text, variables as a number that every parser takes."""
    return value if isinstance(value, str) else "1"


def test_the_definition_is_byte_identical_in_another_process(definition_text: str) -> None:
    # Some installed package is called `tests`, too.
    code = "import sys, types; sys.modules['tests'] = tests = types.ModuleType('tests'); tests.__path__ = ['tests']"
    code += "; from tests.pipelines.conftest import defined; print(defined())"
    # Another hash seed, no credentials, and no network: the proxy refuses every connection.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"PYTHONHASHSEED": "77", "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "HOME": "/nonexistent"}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert result.stdout.strip() == definition_text


def test_no_step_makes_a_session_of_the_sdk_s_local_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would read botocore's models anew, which takes longer than the whole definition."""
    made: list[str] = []
    monkeypatch.setattr("sagemaker.core.local.local_session.LocalSession.__init__", lambda *_, **__: made.append("session"))
    assert defined()
    assert made == []


def test_parameters_follow_the_sagemaker_templates(definition: dict[str, Any]) -> None:
    names = {parameter["Name"] for parameter in definition["Parameters"]}
    assert names >= {"InputDataUrl", "ProcessingInstanceType", "ProcessingInstanceCount", "TrainingInstanceType", "TrainingInstanceCount"}
    assert names >= {"ModelApprovalStatus", "MetricThreshold", "GitCommit", "TriggerReason"}
    defaults = {parameter["Name"]: parameter.get("DefaultValue") for parameter in definition["Parameters"]}
    assert defaults["ModelApprovalStatus"] == "PendingManualApproval"
    assert defaults["MetricThreshold"] == ABALONE.data.threshold


@pytest.mark.parametrize("name", PROCESSING)
def test_every_argument_is_one_the_script_takes(steps: dict[str, dict[str, Any]], name: str) -> None:
    specification = steps[name]["Arguments"]["AppSpecification"]
    assert specification["ContainerEntrypoint"] == ["python3", f"/opt/ml/processing/input/code/{PROCESSING[name]}.py"]
    options = script(PROCESSING[name]).parser().parse_args([plain(argument) for argument in specification["ContainerArguments"]])
    assert options is not None


@pytest.mark.parametrize("name", PROCESSING)
def test_every_folder_that_a_script_is_given_is_an_input_or_output(steps: dict[str, dict[str, Any]], name: str) -> None:
    arguments = steps[name]["Arguments"]
    folders = {item["S3Input"]["LocalPath"] for item in arguments["ProcessingInputs"]}
    folders |= {item["S3Output"]["LocalPath"] for item in arguments["ProcessingOutputConfig"]["Outputs"]}
    for argument in arguments["AppSpecification"]["ContainerArguments"]:
        if isinstance(argument, str) and argument.startswith("/opt/ml"):
            assert any(folder == argument or folder.startswith(f"{argument}/") for folder in folders), argument


def test_what_prepare_writes_is_what_the_definition_uploads(steps: dict[str, dict[str, Any]]) -> None:
    outputs = {item["OutputName"] for item in steps["Prepare"]["Arguments"]["ProcessingOutputConfig"]["Outputs"]}
    assert outputs == {*script("sides").PARTS, "preparation"}


@pytest.mark.parametrize(("name", "algorithm"), TUNING.items())
def test_every_hyperparameter_is_one_the_algorithm_has(steps: dict[str, dict[str, Any]], name: str, algorithm: str) -> None:
    arguments = steps[name]["Arguments"]
    static = arguments["TrainingJobDefinition"]["StaticHyperParameters"]
    ranges = arguments["HyperParameterTuningJobConfig"]["ParameterRanges"]
    given = [name for name in static if not name.startswith("sagemaker_")] + [item["Name"] for kind in ranges.values() for item in kind]
    assert arguments["TrainingJobDefinition"]["Environment"]["ALGORITHM"] == algorithm
    assert set(given) <= set(script(f"algorithms.{algorithm}").DEFAULTS)
    assert {channel["ChannelName"] for channel in arguments["TrainingJobDefinition"]["InputDataConfig"]} == {"train", "validation"}


@pytest.mark.parametrize("name", TUNING)
def test_sagemaker_takes_a_search_for_its_own_algorithm(steps: dict[str, dict[str, Any]], name: str) -> None:
    """It holds the XGBoost image for one, also where the program is ours (`first_party.py` has the sources)."""
    search, definition = steps[name]["Arguments"]["HyperParameterTuningJobConfig"], steps[name]["Arguments"]["TrainingJobDefinition"]

    assert "MetricDefinitions" not in definition["AlgorithmSpecification"]
    first_party.check_tuning(definition, search["ParameterRanges"], search["HyperParameterTuningJobObjective"])


@pytest.mark.parametrize("problem", list(Problem))
def test_the_tuner_reads_the_line_that_training_prints(steps: dict[str, dict[str, Any]], problem: Problem) -> None:
    """Every metric of every problem is one of the image's, in its direction, and its line is found by the image's expression."""
    image = steps["TuneLinear"]["Arguments"]["TrainingJobDefinition"]["AlgorithmSpecification"]
    patterns = {each["Name"]: each["Regex"] for each in first_party.metric_definitions(image)}
    contract = script("tuner_contract")
    for metric, about in METRICS[problem].items():
        objective = contract.objective(metric, problem.value)
        direction = "Maximize" if about.more_is_better else "Minimize"
        request = {"AlgorithmSpecification": image, "StaticHyperParameters": {"num_round": "1"}}
        first_party.check_tuning(request, {}, {"MetricName": objective, "Type": direction})
        for value, text in ((2.1534, "2.1534"), (1.2e-05, "1.2e-05"), (-0.5, "-0.5")):
            found = re.findall(patterns[objective], contract.line(metric, problem.value, value))
            assert found == [text]


def test_tuning_follows_the_settings_and_is_seeded(steps: dict[str, dict[str, Any]]) -> None:
    for name in TUNING:
        job = steps[name]["Arguments"]["HyperParameterTuningJobConfig"]
        assert job["RandomSeed"] == ABALONE.tuning.seed
        assert job["ResourceLimits"] == {
            "MaxNumberOfTrainingJobs": ABALONE.tuning.trials,
            "MaxParallelTrainingJobs": ABALONE.tuning.parallel_trials,
        }
        assert job["HyperParameterTuningJobObjective"]["Type"] == "Minimize"


def searches(tuning: Tuning) -> dict[str, dict[str, Any]]:
    found = {step["Name"]: step["Arguments"] for step in json.loads(defined(ABALONE.but(tuning=tuning)))["Steps"]}
    return {name: found[name] for name in TUNING}


def test_a_search_can_end_by_the_clock() -> None:
    for job in searches(Tuning(trials=50, max_minutes=30)).values():
        limits = job["HyperParameterTuningJobConfig"]["ResourceLimits"]
        assert limits == {"MaxNumberOfTrainingJobs": 50, "MaxParallelTrainingJobs": 2, "MaxRuntimeInSeconds": 1800}


def test_hyperband_is_for_what_is_boosted_and_counts_its_rounds_and_the_last_line() -> None:
    found = searches(Tuning(strategy="Hyperband", trials=27))
    boosting = found["TuneGradientBoosting"]["HyperParameterTuningJobConfig"]
    assert boosting["Strategy"] == "Hyperband"
    assert boosting["StrategyConfig"] == {"HyperbandStrategyConfig": {"MinResource": 60 // 9, "MaxResource": 60 + 1}}
    assert boosting["TrainingJobEarlyStoppingType"] == "Off"
    for name in ("TuneRandomForest", "TuneLinear"):
        config = found[name]["HyperParameterTuningJobConfig"]
        assert (config["Strategy"], "StrategyConfig" in config, config["TrainingJobEarlyStoppingType"]) == ("Random", False, "Off")


def test_only_trials_that_hyperband_judges_print_every_round() -> None:
    told = {name: job["TrainingJobDefinition"]["Environment"] for name, job in searches(Tuning(strategy="Hyperband")).items()}
    assert [name for name, environment in told.items() if script("tuner_contract").EACH_ROUND_VARIABLE in environment] == [
        "TuneGradientBoosting"
    ]


def test_the_tuning_steps_do_not_wait_for_each_other(steps: dict[str, dict[str, Any]]) -> None:
    for name in TUNING:
        text = json.dumps(steps[name])
        assert "Steps.Prepare." in text
        assert "Steps.Tune" not in text
        assert "DependsOn" not in steps[name]


def test_jobs_are_encrypted_in_the_vpc_and_tagged(steps: dict[str, dict[str, Any]]) -> None:
    for name in PROCESSING:
        arguments = steps[name]["Arguments"]
        assert arguments["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == PLACE.key_arn
        assert arguments["ProcessingOutputConfig"]["KmsKeyId"] == PLACE.key_arn
        assert arguments["NetworkConfig"]["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
        assert {tag["Key"]: tag["Value"] for tag in arguments["Tags"]} == NAMES.tags
        assert arguments["ProcessingJobName"].startswith(NAMES.job_prefix)
    for name in TUNING:
        trial = steps[name]["Arguments"]["TrainingJobDefinition"]
        assert trial["ResourceConfig"]["VolumeKmsKeyId"] == trial["OutputDataConfig"]["KmsKeyId"] == PLACE.key_arn
        assert trial["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}


def test_sagemaker_can_name_every_job_of_the_longest_names_and_the_model_s_permissions_name_them(steps: dict[str, dict[str, Any]]) -> None:
    """`<name in the definition>-<execution>-<token>-<failures>`, of 12, 10 and at most two characters, within 63."""
    for project, model in (("p" * 16, "m" * 20), ("pp", "m" * 20), ("p" * 16, "mm"), ("shop", "abalone")):
        names = ABALONE.but(name=model).names(Project(name=project))
        for step in json.loads(defined(ABALONE.but(name=model), project=Project(name=project)))["Steps"]:
            name = step["Arguments"].get("ProcessingJobName") if isinstance(step["Arguments"], dict) else None
            if name is not None:
                made = f"{name}-{'x' * 12}-{'t' * 10}-99"
                assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", made), made
                assert made.startswith(names.job_prefix)


def test_jobs_of_two_models_whose_names_begin_alike_do_not_meet() -> None:
    long = [ABALONE.but(name=f"{'m' * 18}{end}").names(Project(name="p" * 16)) for end in ("1", "2")]
    short = [ABALONE.but(name=name).names(PROJECT) for name in ("fish", "fish-large")]
    for one, other in (long, short):
        assert not one.job("Evaluate").startswith(other.job_prefix)
        assert not other.job("Evaluate").startswith(one.job_prefix)


def test_work_is_cached_and_retried_but_the_comparison_with_production_is_made_anew(steps: dict[str, dict[str, Any]]) -> None:
    for name in ["Prepare", "Choose", *TUNING]:
        assert steps[name]["CacheConfig"]["Enabled"] is True
    assert "CacheConfig" not in steps["Evaluate"]
    for name in [*PROCESSING, *TUNING]:
        reasons = {reason for policy in steps[name]["RetryPolicies"] for reason in policy["ExceptionType"]}
        assert {"Step.THROTTLING", "SageMaker.CAPACITY_ERROR"} <= reasons


def test_a_commit_does_not_break_the_cache(steps: dict[str, dict[str, Any]]) -> None:
    for name in ["Prepare", "Choose", *TUNING]:
        assert "Parameters.GitCommit" not in json.dumps(steps[name])
        assert "Parameters.TriggerReason" not in json.dumps(steps[name])


def test_whoever_starts_it_a_run_asks_first_what_the_data_is(definition: dict[str, Any], steps: dict[str, dict[str, Any]]) -> None:
    """And Prepare's cache goes by the answer: no starter has to say anything."""
    first = definition["Steps"][0]
    assert (first["Type"], first["Arguments"]["url"]) == ("Lambda", {"Get": "Parameters.InputDataUrl"})
    assert "CacheConfig" not in first
    given = steps["Prepare"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert given[given.index("--data-version") + 1] == {"Get": f"Steps.{first['Name']}.OutputParameters['version']"}
    assert "version" in [output["OutputName"] for output in first["OutputParameters"]]
    assert all("DefaultValue" in parameter for parameter in definition["Parameters"])


def test_the_function_that_a_run_asks_is_the_one_of_its_role_s_account(definition: dict[str, Any]) -> None:
    arn = f"arn:aws:lambda:us-east-1:111122223333:function:{NAMES.data_version_function}"
    assert definition["Steps"][0]["FunctionArn"] == arn
    elsewhere = defined(place=FixedPlace(region="cn-north-1", partition="aws-cn"))
    assert json.loads(elsewhere)["Steps"][0]["FunctionArn"] == arn.replace("arn:aws:", "arn:aws-cn:").replace("us-east-1", "cn-north-1")


def test_another_cache_key_trains_everything_anew(definition: dict[str, Any], steps: dict[str, dict[str, Any]]) -> None:
    """Prepare then runs, and everything after it reads what this run has written."""
    assert {"Get": "Parameters.CacheKey"} in steps["Prepare"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    for name in [*TUNING, "Choose"]:
        assert "Steps.Prepare.ProcessingOutputConfig" in json.dumps(steps[name])
    written = [json.dumps(output) for output in steps["Prepare"]["Arguments"]["ProcessingOutputConfig"]["Outputs"]]
    assert all("Execution.PipelineExecutionId" in output for output in written)


def test_trials_are_written_where_the_chosen_one_is_looked_for(steps: dict[str, dict[str, Any]]) -> None:
    for name in TUNING:
        written = steps[name]["Arguments"]["TrainingJobDefinition"]["OutputDataConfig"]["S3OutputPath"]
        sources = [
            item["S3Input"]["S3Uri"]
            for item in steps["Choose"]["Arguments"]["ProcessingInputs"]
            if item["InputName"].startswith("candidate-")
        ]
        joined = ["/".join(plain(value) for value in source["Std:Join"]["Values"]) for source in sources]
        assert f"{written}/1/output/model.tar.gz" in joined


def test_registration_carries_evidence_and_lineage_within_the_limits(steps: dict[str, dict[str, Any]]) -> None:
    package = steps["Register"]["Arguments"]
    facts = package["CustomerMetadataProperties"]
    assert {
        "git-commit",
        "data-sha256",
        "data-versions",
        "data-sources",
        "schema-sha256",
        "code-hash",
        "image",
        "libraries",
        "golden-url",
        "report-url",
    } <= set(facts)
    assert {"algorithm", "metric", "metric-value", "tuning-job-linear", "best-trial-linear", "fitted-on"} <= set(facts)
    assert set(package["ModelMetrics"]) == {"ModelQuality", "ModelDataQuality", "Bias", "Explainability"}
    assert "ModelDataQuality" in package["DriftCheckBaselines"]
    inference = package["InferenceSpecification"]
    assert set(inference["SupportedContentTypes"]) == {"text/csv", "application/json", "application/jsonlines"}
    assert inference["SupportedTransformInstanceTypes"]
    assert "ml.m5.large" in inference["SupportedRealtimeInferenceInstanceTypes"]
    container = inference["Containers"][0]
    assert container["Environment"]["SAGEMAKER_PROGRAM"] == "inference.py"
    assert container["Environment"]["SAGEMAKER_SUBMIT_DIRECTORY"] == "/opt/ml/model/code"
    assert (STEPS / "inference.py").exists()


def test_what_is_recorded_is_text_of_the_registry_s_alphabet_for_the_longest_settings() -> None:
    """Values that are known only when a step has run come from where they are made so: DataVersion, and `metadata` of evaluation.json."""
    longest = {
        "project": Project(name="p" * 16),
        "place": FixedPlace(artifact_bucket="b" * 63, data_bucket="c" * 63),
        "code_uri": f"s3://{'b' * 63}/code/{'0' * 64}",
    }
    model = ARRESTS.but(name="m" * 20, data=ARRESTS.data.but(threshold=1e-300))
    facts = registered(model, **longest)["CustomerMetadataProperties"]
    assert len(facts) <= 50
    for name, value in facts.items():
        assert script("registry_text").is_metadata(name)
        assert len(name) <= 128
        assert script("registry_text").is_metadata(recorded(value)), (name, value)


def recorded(value: Any) -> str:
    """What SageMaker puts in the place of a variable, as long as it can be there."""
    if isinstance(value, str):
        return value
    (kind, argument), *_ = value.items()
    if kind == "Std:Join":
        return str(argument["On"].join(map(recorded, argument["Values"])))
    if kind == "Std:JsonGet":
        assert argument["Path"].startswith("metadata.")
        return "v"
    if argument == "Parameters.InputDataUrl":  # DataVersion refuses another one than can be recorded
        return "s3://bucket/prefix/"
    if argument == "Parameters.MetricThreshold":
        return "-2.2250738585072014e-308"
    if argument == "Execution.PipelineExecutionId":
        return "a" * 12
    place = re.fullmatch(r"Steps\.(\w+)\.(.+)", argument)
    assert place is not None, value
    if place[2].startswith("ProcessingOutputConfig"):  # pipelines/<pipeline>/<execution>/<step>/<output> of the bucket
        return f"s3://{'b' * 63}/pipelines/{'p' * 16}--{'m' * 20}--training/{'a' * 12}/evaluate/evaluation"
    assert (place[1], place[2]) in {("DataVersion", f"OutputParameters['{name}']") for name in ("commit", "trigger")} or place[
        2
    ] == "HyperParameterTuningJobName"
    return "j" * 32


def test_whatever_starts_a_program_of_ours_in_the_image_installs_it_without_a_network(definition: dict[str, Any]) -> None:
    """The image's pip fetches setuptools to install a program, unless this variable is one of Python's false (pip's configuration)."""
    starting = list(starting_a_program(definition["Steps"]))
    assert len(starting) == len(TUNING) + 1
    assert [environment.get("PIP_NO_BUILD_ISOLATION") for environment in starting] == ["0"] * len(starting)


def starting_a_program(document: Any) -> Iterator[dict[str, str]]:
    """The environment of each container and job in the document that names a program."""
    if isinstance(document, dict):
        hyperparameters = {**(document.get("StaticHyperParameters") or {}), **(document.get("HyperParameters") or {})}
        environment = document.get("Environment") or {}
        if "sagemaker_program" in hyperparameters or "SAGEMAKER_PROGRAM" in environment:
            yield environment
    for value in document.values() if isinstance(document, dict) else document if isinstance(document, list) else []:
        yield from starting_a_program(value)


def test_every_evidence_file_that_is_registered_is_one_that_evaluation_writes(steps: dict[str, dict[str, Any]]) -> None:
    registered = set(re.findall(r'"([a-z_]+\.(?:json|csv|html))"', json.dumps(steps["Register"])))
    assert registered >= {"evaluation.json", "golden.csv", "report.html", "constraints.json", "contract.json"}
    assert registered <= EVIDENCE  # which a journey through the steps writes (tests/steps/test_journey.py)


def test_the_model_card_is_valid_json_when_its_facts_are_filled_in(steps: dict[str, dict[str, Any]]) -> None:
    content = steps["Register"]["Arguments"]["ModelCard"]["ModelCardContent"]["Std:Join"]
    assert content["On"] == ""
    card = json.loads("".join(value if isinstance(value, str) else "2.5" for value in content["Values"]))
    assert card["evaluation_details"][0]["metric_groups"][0]["metric_data"] == [{"name": "rmse", "type": "number", "value": 2.5}]
    assert "2.5" in card["training_details"]["training_observations"]
    assert "abalone: predict rings" in card["intended_uses"]["purpose_of_model"]


AWKWARD = [
    "{metric}",
    "{metric-value}",
    '"{metric-value}"',
    'a "quoted" name',
    "back\\slash",
    "{}",
    "{data-sha256}",
    "größer",
    "line\nbreak",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_names_of_columns_and_classes_stand_in_the_model_card_as_they_are(name: str) -> None:
    columns = (Categorical(name=name, values=("a", "b")), Categorical(name=f"{name}{name}"))
    dataset = ARRESTS.data.but(target=f"{name} target", positive_class=name, numeric=(), categorical=columns, facet=None)
    card = filled_card(ARRESTS.but(data=dataset))
    assert card["intended_uses"]["intended_uses"].endswith(f": {name}, {name}{name}")
    assert card["intended_uses"]["purpose_of_model"] == f"arrests: predict {name} target (binary)."
    assert (
        f"{name} is decided from a probability of <metadata.decision_threshold> on"
        in card["evaluation_details"][0]["evaluation_observation"]
    )


def test_the_model_card_keeps_the_limits_of_its_schema_however_many_columns_there_are() -> None:
    """The schema as the SDK ships it."""
    from sagemaker.core.shapes.model_card_shapes import AdditionalInformation, EvaluationDetailsItem, IntendedUses, TrainingDetails

    columns = tuple(Numeric(name=f"measurement number {index}") for index in range(500))
    data = ARRESTS.data.but(numeric=columns, target="t" * 3000, positive_class="p" * 3000, facet=None, categorical=())
    card = filled_card(ARRESTS.but(data=data))
    IntendedUses(**card["intended_uses"])
    TrainingDetails(**card["training_details"])
    AdditionalInformation(**card["additional_information"])
    for item in card["evaluation_details"]:
        EvaluationDetailsItem(**item)


def test_an_approver_sees_the_warnings_and_the_threshold_in_the_card_and_the_metadata() -> None:
    card = filled_card(ARRESTS)
    assert "<gate.caveats>" in card["additional_information"]["caveats_and_recommendations"]
    facts = registered(ARRESTS)["CustomerMetadataProperties"]
    places = {name: value["Std:JsonGet"]["Path"] for name, value in facts.items() if isinstance(value, dict) and "Std:JsonGet" in value}
    assert {"decision-threshold", "decision-metric", "warnings"} <= set(places)
    assert "decision-threshold" not in registered(ABALONE)["CustomerMetadataProperties"]


def registered(model: Model, **others: Any) -> dict[str, Any]:
    definition = json.loads(defined(model, **others))
    gate = next(step for step in definition["Steps"] if step["Name"] == "CheckGate")
    return dict(gate["Arguments"]["IfSteps"][0]["Arguments"]["IfSteps"][0]["Arguments"])


def filled_card(model: Model) -> dict[str, Any]:
    """The card with `<place>` for what is measured, and a number for the metric."""

    def fill(value: Any) -> str:
        if isinstance(value, str):
            return value
        place = value.get("Std:JsonGet", {}).get("Path", "variable")
        return "2.5" if place == "metadata.metric_value" else f"<{place}>"

    content = registered(model)["ModelCard"]["ModelCardContent"]["Std:Join"]
    return dict(json.loads(content["On"].join(map(fill, content["Values"]))))


def test_the_gate_decides_and_a_refusal_gives_its_reasons(steps: dict[str, dict[str, Any]]) -> None:
    condition = steps["CheckGate"]["Arguments"]["Conditions"][0]
    assert condition["LeftValue"]["Std:JsonGet"]["Path"] == "gate.passed"
    assert condition["RightValue"] is True
    assert steps["Refuse"]["Type"] == "Fail"
    assert "gate.reasons" in json.dumps(steps["Refuse"])
    assert steps["Register"]["Arguments"]["ModelApprovalStatus"] == {"Get": "Parameters.ModelApprovalStatus"}


def test_what_is_already_in_production_is_neither_registered_nor_a_failure(steps: dict[str, dict[str, Any]]) -> None:
    new = steps["CheckNew"]["Arguments"]
    assert new["Conditions"][0]["LeftValue"]["Std:JsonGet"]["Path"] == "gate.is_new"
    assert [step["Name"] for step in new["IfSteps"]] == ["Register"]
    assert new["ElseSteps"] == []


def test_a_run_compares_with_what_the_model_s_own_deploy_pipeline_released(steps: dict[str, dict[str, Any]]) -> None:
    given = steps["Evaluate"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert given[given.index("--deploy-pipeline") + 1] == NAMES.deploy_pipeline
    assert given[given.index("--return-pipeline") + 1] == NAMES.return_pipeline


def test_another_model_has_its_own_data_direction_and_task() -> None:
    definition = json.loads(defined(ARRESTS))
    text = json.dumps(definition)
    assert "training/arrests/" in text
    assert '"Maximize"' in text
    assert "validation:auc" in text
    gate = next(step for step in definition["Steps"] if step["Name"] == "CheckGate")
    register = gate["Arguments"]["IfSteps"][0]["Arguments"]["IfSteps"][0]
    assert register["Arguments"]["Task"] == "CLASSIFICATION"


def test_what_competes_is_what_the_model_names() -> None:
    extra = Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=1.0, high=2.0)})
    definition = json.loads(defined(ABALONE.but(algorithms=(extra,))))
    assert [step["Name"] for step in definition["Steps"]] == ["DataVersion", "Prepare", "TuneLinear", "Choose", "Evaluate", "CheckGate"]


def test_whole_numbers_in_a_model_are_the_parameters_that_floats_are() -> None:
    """A threshold of 5 once ended a build in the SDK's TypeError: its float parameter takes no int."""

    def definition(five: float) -> str:
        dataset = ABALONE.data.but(threshold=five)
        linear = Algorithm(name="linear", fixed={"num_round": 1}, tuned={"lambda": Range(low=0.5, high=five)})
        return defined(ABALONE.but(data=dataset, algorithms=(linear,)))

    assert definition(5) == definition(5.0)


def test_trials_on_spare_capacity_wait_for_it_and_go_on_from_checkpoints_of_their_search() -> None:
    """Whatever lies below S3Uri is fetched when a trial starts, so another execution has another place.

    MaxWaitTimeInSeconds "must be equal to or greater than MaxRuntimeInSeconds" (StoppingCondition of SageMaker's service model).
    """
    model = ABALONE.but(training=Training(use_spot=True, max_run_minutes=30, max_wait_minutes=45))
    found = {step["Name"]: step["Arguments"] for step in json.loads(defined(model))["Steps"]}
    for name, algorithm in TUNING.items():
        trial = found[name]["TrainingJobDefinition"]
        assert trial["EnableManagedSpotTraining"] is True
        assert trial["StoppingCondition"] == {"MaxRuntimeInSeconds": 1800, "MaxWaitTimeInSeconds": 2700}
        place = [f"s3://artifacts/checkpoints/abalone/{algorithm.replace('_', '-')}", {"Get": "Execution.PipelineExecutionId"}]
        assert trial["CheckpointConfig"]["S3Uri"] == {"Std:Join": {"On": "/", "Values": place}}


def test_without_spare_capacity_nothing_waits_and_nothing_is_kept(steps: dict[str, Any]) -> None:
    for name in TUNING:
        trial = steps[name]["Arguments"]["TrainingJobDefinition"]
        assert trial["StoppingCondition"] == {"MaxRuntimeInSeconds": 4 * 60 * 60}
        assert not {"EnableManagedSpotTraining", "CheckpointConfig"} & set(trial)


def test_where_trials_run_is_no_part_of_what_a_version_is_made_by() -> None:
    assert specification_json(ABALONE.but(training=Training(use_spot=True))) == specification_json(ABALONE)


def test_evaluation_knows_its_execution_and_the_prices_in_arguments_that_sagemaker_takes(steps: dict[str, dict[str, Any]]) -> None:
    """ContainerArgument of SageMaker's service model: 256 characters, and 100 of them at most."""
    many = {f"ml.m5.{number}xlarge": 0.23 + number for number in range(60)}
    prices = Prices(region="us-east-1", as_of="2026-01", source="a page", usd_per_hour=many)
    definition = get_pipeline(PROJECT, ABALONE, PLACE, code_uri=CODE, prices=prices).definition()
    found = {step["Name"]: step for step in json.loads(definition)["Steps"]}
    arguments = found["Evaluate"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert arguments[arguments.index("--execution") + 1] == {"Get": "Execution.PipelineExecutionArn"}
    assert arguments[arguments.index("--prices-noted") + 1] == "2026-01"
    listed = arguments[arguments.index("--prices") + 1 : arguments.index("--output")]
    assert " ".join(listed).split() == [f"{kind}={many[kind]:g}" for kind in sorted(many)]
    assert len(arguments) <= 100 and all(len(text) <= 256 for text in arguments if isinstance(text, str))
    without = steps["Evaluate"]["Arguments"]["AppSpecification"]["ContainerArguments"]
    assert "--prices" not in without
    same = {name: step for name, step in found.items() if name != "Evaluate"}
    assert same == {name: steps[name] for name in same}  # prices train nothing anew


def test_a_model_with_spark_prepares_in_spark_s_image_on_as_many_instances_as_it_says_and_nothing_else_does() -> None:
    model = ABALONE.but(processing=Processing(spark=True, instance_count=3))
    definition = json.loads(get_pipeline(PROJECT, model, PLACE, code_uri=CODE).definition())
    defaults = {parameter["Name"]: parameter.get("DefaultValue") for parameter in definition["Parameters"]}
    assert defaults["ProcessingInstanceCount"] == 3
    steps = {step["Name"]: step["Arguments"] for step in definition["Steps"] if step["Type"] == "Processing"}
    prepare, evaluate = steps["Prepare"], steps["Evaluate"]
    specification = prepare["AppSpecification"]
    # The account of AWS in this region: available_images.md of aws/sagemaker-spark-container.
    assert specification["ImageUri"] == "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.3"
    code = "/opt/ml/processing/input/code"
    assert specification["ContainerEntrypoint"] == ["python3", f"{code}/submit_spark.py", "prepare_on_spark.py"]
    inputs = {item["InputName"]: item["S3Input"] for item in prepare["ProcessingInputs"]}
    assert inputs["packages"]["LocalPath"] == "/opt/ml/processing/input/packages"
    assert inputs["packages"]["S3Uri"] == f"s3://artifacts/{spark_image.wheels_prefix()}/"
    assert prepare["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == {"Get": "Parameters.ProcessingInstanceCount"}
    assert "sagemaker-xgboost" in evaluate["AppSpecification"]["ImageUri"]
    assert evaluate["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 1


def test_the_packages_of_spark_are_those_of_the_lock_and_have_hashes() -> None:
    pins = spark_image.pins()
    assert [line.partition("==")[0] for line in pins.splitlines() if "==" in line] == list(spark_image.PACKAGES)
    assert "pyarrow==22.0.0 " in pins and "numpy==2.1.0 " in pins
    assert pins.count("--hash=sha256:") > len(spark_image.PACKAGES)


def test_several_instances_without_spark_are_refused_in_the_settings() -> None:
    with pytest.raises(SettingsError, match="instance_count is 2; allowed: 1 where spark is False"):
        Processing(instance_count=2)
