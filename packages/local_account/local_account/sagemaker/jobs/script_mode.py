"""Script mode: what the image's toolkit does before it runs the user's script as a module, and what it says when that fails.

Hyperparameters `sagemaker_submit_directory` (a tar.gz in S3) and `sagemaker_program` name the code; all other hyperparameters
become arguments, and everything else the script may want is in `SM_*` variables.
Source: sagemaker-containers 2.8.6.post2 (_env.py, _mapping.py, _modules.py, _errors.py, _trainer.py), which the XGBoost image runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local_account.sagemaker import program
from local_account.sagemaker.jobs.container import Container

PROGRAM, SUBMIT_DIRECTORY = "sagemaker_program", "sagemaker_submit_directory"
_CODE = "/opt/ml/code"
_OBJECTIVE = "_tuning_objective_metric"  # the tuner's own (`_params.py`, TUNING_METRIC)


def decoded(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """Hyperparameters are text; those that are JSON mean what the JSON says."""
    return {name: _json_or_text(text) for name, text in hyperparameters.items()}


def for_the_script(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Without those that speak to the toolkit or name the tuner's objective."""
    return {name: value for name, value in hyperparameters.items() if not name.startswith("sagemaker_") and name != _OBJECTIVE}


def arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """Command line for the script, sorted by name: `--max_depth 5`, or `-k 5` for one letter."""
    line: list[str] = []
    for name, value in sorted(for_the_script(hyperparameters).items()):
        line += [f"--{name}" if len(name) > 1 else f"-{name}", _as_argument(value)]
    return line


def command(hyperparameters: Mapping[str, Any]) -> list[str]:
    """`python -m train --max_depth 5`, in the folder of the code."""
    module = str(hyperparameters[PROGRAM]).removesuffix(".py")
    return [program.PYTHON, "-m", module, *arguments(hyperparameters)]


def failed(hyperparameters: Mapping[str, Any]) -> str:
    """What the toolkit writes to `/opt/ml/output/failure`, over what the script has written there."""
    return f'ExecuteUserScriptError:\nCommand "{" ".join(command(hyperparameters))}"'


def append_to_log(log: Path, said: str) -> None:
    """The toolkit's own lines come after the script's."""
    log.parent.mkdir(parents=True, exist_ok=True)  # a script may not have started yet
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"sagemaker-containers ERROR    {said}\n")


def environment(
    container: Container, job_name: str, hyperparameters: Mapping[str, Any], channels: Sequence[str], module: str
) -> dict[str, str]:
    """The `SM_*` variables of a training container."""
    own = for_the_script(hyperparameters)
    paths = {
        "SM_MODEL_DIR": "/opt/ml/model",
        "SM_INPUT_DIR": "/opt/ml/input",
        "SM_INPUT_CONFIG_DIR": "/opt/ml/input/config",
        "SM_OUTPUT_DIR": "/opt/ml/output",
        "SM_OUTPUT_DATA_DIR": "/opt/ml/output/data",
        "SM_OUTPUT_INTERMEDIATE_DIR": "/opt/ml/output/intermediate",
        "SM_MODULE_DIR": _CODE,
        **{f"SM_CHANNEL_{channel.upper()}": f"/opt/ml/input/data/{channel}" for channel in channels},
    }
    values = {
        "SM_JOB_NAME": job_name,
        "SM_MODULE_NAME": module.removesuffix(".py"),
        "SM_USER_ENTRY_POINT": module,
        "SM_USER_ARGS": arguments(hyperparameters),
        "SM_CHANNELS": sorted(channels),
        "SM_HPS": own,
        "SM_LOG_LEVEL": "20",
        "TRAINING_JOB_NAME": job_name,
        **{f"SM_HP_{name.upper()}": value for name, value in own.items()},
    }
    places = {name: container.path(path).as_posix() for name, path in paths.items()}
    return {**places, **{name: _as_variable(value) for name, value in values.items()}}


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _as_variable(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _as_argument(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return ",".join(f"{name}={item}" for name, item in sorted(value.items()))
    return str(value)
