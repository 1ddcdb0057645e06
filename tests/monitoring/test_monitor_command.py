"""The job's command: what it is given in arguments and environment, and one line for what it cannot use."""

import json
import os
import subprocess
import sys

import monitor
import pytest
from failure import BadInput

from tests.monitoring.conftest import PIPELINES
from tests.monitoring.production import CAPTURE, PREFIX, Production, asked, line, trained

VARIABLES = {
    "MODEL": "houses",
    "ENVIRONMENT": "production",
    "ENDPOINT_NAME": "shop--houses--production",
    "BUCKET": "none",
    "MONITORING_PREFIX": PREFIX,
    "CAPTURE_PREFIX": CAPTURE,
    "MODEL_PACKAGE_ARN": "arn:aws:sagemaker:eu-west-1:111122223333:model-package/houses/12",
}


@pytest.fixture
def production(tmp_path):
    made = Production(tmp_path)
    made.version("12")
    made.put("monitoring.json", json.dumps({"monitoring": made.limits}))
    return made


def given(production, *arguments):
    return ["--folder", str(production.folder), "--settings", str(production.folder / "monitoring.json"), *arguments]


def here(production, monkeypatch, *arguments, **variables):
    """The command in this process, which fails by raising."""
    for name, value in {**VARIABLES, **variables}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monitor.main(given(production, *arguments))


def command(production, *arguments):
    """The script in a process of its own, as the job runs it: its folder and the model's scripts are one."""
    folders = os.pathsep.join(str(PIPELINES / name / "steps") for name in ("tabular", "monitoring"))
    environment = {**os.environ, "PYTHONPATH": folders, "SM_OUTPUT_DIR": str(production.folder / "output"), **VARIABLES}
    script = str(PIPELINES / "monitoring" / "steps" / "monitor.py")
    return subprocess.run(
        [sys.executable, script, *given(production, *arguments)], env=environment, capture_output=True, text=True, check=False
    )


def test_the_job_judges_what_is_due_and_says_so(production):
    production.traffic(200)
    finished = command(production, "--now", "2026-11-27T15:20:00.123Z")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout == "2026-11-27T14Z--2026-11-27T15Z: 200 rows of 200 requests: ok\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--now", "tomorrow"], "--now is 'tomorrow'; allowed: a time such as 2026-11-27T10:00Z"),
        (
            ["--now", "2026-11-27T15:20Z", "--from", "2026-11-27T10:00Z"],
            "give both --from and --to, or neither for the windows that are due",
        ),
        (
            ["--now", "2026-11-27T15:20Z", "--from", "2026-11-27T10:00Z", "--to", "2026-11-27T09:00Z"],
            "--from is 2026-11-27T10:00Z and --to is 2026-11-27T09:00Z; allowed: a --from before --to",
        ),
        (
            ["--now", "2026-11-27T15:20Z", "--from", "2026-11-28T10:00Z", "--to", "2026-11-28T11:00Z"],
            "--from is 2026-11-28T10:00Z, which is not over at 2026-11-27T15:20Z",
        ),
    ],
)
def test_times_that_cannot_be_meant_are_refused_in_one_line(production, monkeypatch, arguments, line):
    with pytest.raises(BadInput) as refused:
        here(production, monkeypatch, *arguments)
    assert str(refused.value) == line
    assert not (production.folder / PREFIX).exists()


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"CAPTURE_PREFIX": None}, "set one of CAPTURE_PREFIX (of an endpoint) and PREDICTIONS_PREFIX (of a batch model)"),
        ({"PREDICTIONS_PREFIX": "predictions/"}, "set one of CAPTURE_PREFIX (of an endpoint) and PREDICTIONS_PREFIX (of a batch model)"),
        ({"MODEL": None}, "the environment variable 'MODEL' is not set; the monitoring pipeline's job sets it"),
    ],
)
def test_variables_that_are_missing_are_named(production, monkeypatch, variables, line):
    with pytest.raises(BadInput) as refused:
        here(production, monkeypatch, "--now", "2026-11-27T15:20Z", **variables)
    assert str(refused.value) == line


@pytest.mark.parametrize("hours", [0, 169, None, "1"])
def test_settings_that_are_none_are_refused(production, monkeypatch, hours):
    production.put("monitoring.json", json.dumps({"monitoring": {"window_hours": hours}}))
    with pytest.raises(BadInput, match=f"window_hours is {hours!r}; allowed: 1 to 168"):
        here(production, monkeypatch, "--now", "2026-11-27T15:20Z")


def test_a_breach_is_no_failure_of_the_job(production, monkeypatch, capsys):
    production.captured(line(",3,Lima", "2.0", id=str(place)) for place in range(200))
    here(production, monkeypatch, "--now", "1795792800")  # 2026-11-27T15:20Z in epoch seconds
    assert "missing in 100.0% of the rows" in capsys.readouterr().out


def test_two_versions_in_an_experiment_are_counted_from_what_was_captured_and_labelled(production, monkeypatch, capsys):
    """The challenger answers 1.5 where the champion says 2 and the truth is 1: told apart by the version that each answer names."""
    production.version("13")
    production.traffic(1, version="13", name="first", time="2026-11-27T14:20:00Z")
    production.traffic(240, name="champion")
    answered = [text.replace('"2.0\\n"', '"1.5\\n"') for text in lines_of(production, "challenger", 60)]
    production.put(f"{CAPTURE}Challenger/2026/11/27/14/30-00-000-b.jsonl", "\n".join(answered) + "\n")
    ids = [json.loads(text)["eventMetadata"]["inferenceId"] for text in [*lines_of(production, "champion", 240), *answered]]
    production.put("labels/houses/one.csv", "".join(["inference_id,truth\n", *(f"{identifier},1\n" for identifier in ids)]))
    variables = {
        "CHALLENGER_VERSION": "13",
        "EXPERIMENT_BEGAN": "2026-11-27T14:00:00Z",
        "EXPERIMENT_METRIC": "mae",
        "EXPERIMENT_MORE_IS_BETTER": "false",
        "EXPERIMENT_PERCENT": "20",
        "EXPERIMENT_LABELLED_ANSWERS": "300",
        "EXPERIMENT_DAYS": "14",
    }
    here(production, monkeypatch, "--now", "2026-11-27T15:20Z", LABELS_PREFIX="labels/houses/", **variables)
    found = json.loads((production.folder / f"{PREFIX}experiments/13.json").read_text())
    assert (found["requests"], found["labels"]) == ({"champion": 240, "challenger": 60},) * 2
    assert (found["decided"], found["favours"], found["values"]) == (True, "challenger", {"champion": 1.0, "challenger": 0.5})
    assert "experiment of version 13: version 13 is better: mae is 0.5 of version 13 (60 labelled answers)" in capsys.readouterr().out


def lines_of(production, name, count):
    """Captured lines of so many requests, each with an id by its name and place."""
    return [
        line(body, "2.0\n", version="13" if name == "challenger" else "12", id=f"2026/11/27/14 {name} {place}")
        for place, body in enumerate(asked(trained(count, 2)))
    ]
