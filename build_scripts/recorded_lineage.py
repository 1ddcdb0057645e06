"""What the registry recorded about a version's making: enough to make it again.

Input: a registered version. Output: `Lineage`. Used by reproduce.py. Next: recorded_inputs.py fetches what it names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import ClientError

from build_scripts.command_line import ProblemError
from build_scripts.registry import describe
from build_scripts.step_modules import load

#: Metadata of a version (pipelines/tabular/pipeline.py) without which it cannot be rebuilt.
REQUIRED = (
    "code-uri",
    "code-hash",
    "data-url",
    "data-versions",
    "data-sha256",
    "model-sha256",
    "libraries",
    "algorithm",
    "hyperparameters",
)
#: A metadata value of this length may have lost its end.
_LONGEST_FACT = 256


@dataclass(frozen=True)
class Lineage:
    """`data_versions`: as pipelines/tabular/steps/data_versions.py writes it. `hyperparameters`: of the trial that won, as text; of a blend
    its weights. `trials`: by algorithm the hyperparameters of each trial that it is made of.

    `instances`: that trained the trial together; of a version that does not say so, one.
    `fitted_on`: rows of the parts that the model was fitted on; empty of a version from before a model was fitted again.
    `model_url`: where the registered model.tar.gz is; `model_sha256`: what it was when it was registered.
    """

    package: str
    commit: str
    image: str
    code_uri: str
    code_hash: str
    data_url: str
    data_versions: str
    data_sha256: str
    model_url: str
    model_sha256: str
    libraries: Mapping[str, str]
    algorithm: str
    hyperparameters: Mapping[str, str]
    trials: Mapping[str, Mapping[str, str]]
    fitted_on: str
    instances: int = 1


def read(sagemaker: Any, package: str) -> Lineage:
    """Raises ProblemError if the version does not exist, or names the facts that were not recorded."""
    version = describe(sagemaker, package)
    facts = version.facts
    missing = [name for name in REQUIRED if facts.get(name) in (None, "", "unknown")]
    if not version.model_url:
        missing.append("ModelDataUrl")
    if missing or not version.model_url:
        reason = f"its lineage has no {', '.join(missing)}; versions that the training pipeline registered have it"
        raise ProblemError(f"{version.arn} cannot be rebuilt: {reason}")
    return Lineage(
        package=version.arn,
        commit=facts.get("git-commit", "unknown"),
        image=facts.get("image", "unknown"),
        code_uri=facts["code-uri"].rstrip("/"),
        code_hash=facts["code-hash"],
        data_url=facts["data-url"],
        data_versions=facts["data-versions"],
        data_sha256=facts["data-sha256"],
        model_url=version.model_url,
        model_sha256=facts["model-sha256"],
        libraries=pairs(facts["libraries"]) or {},
        algorithm=facts["algorithm"],
        hyperparameters=(hyperparameters := _hyperparameters(sagemaker, version.arn, facts, facts["algorithm"], "hyperparameters")),
        trials=_trials(sagemaker, version.arn, facts, hyperparameters),
        fitted_on=facts.get("fitted-on", ""),
        instances=int(facts.get("instances", "1")),
    )


def _trials(sagemaker: Any, package: str, facts: Mapping[str, str], hyperparameters: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    if facts["algorithm"] != load("blend").NAME:
        return {facts["algorithm"]: hyperparameters}
    recorded = {name: f"best-trial-{name.replace('_', '-')}" for name in hyperparameters}
    missing = [fact for fact in recorded.values() if fact not in facts]
    if missing:
        raise ProblemError(f"{package} cannot be rebuilt: its lineage has no {', '.join(missing)}, of which it is blended")
    return {name: _hyperparameters(sagemaker, package, facts, name, fact) for name, fact in recorded.items()}


def _hyperparameters(sagemaker: Any, package: str, facts: Mapping[str, str], algorithm: str, fact: str) -> dict[str, str]:
    """Of the trial that won. A metadata value holds 256 characters: where they were cut, the tuning job still has them."""
    recorded = pairs(facts[fact])
    if recorded is not None:
        return recorded
    job = facts.get(f"tuning-job-{algorithm.replace('_', '-')}")
    try:
        if not job:
            raise KeyError("tuning-job")
        name = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=job)["BestTrainingJob"]["TrainingJobName"]
        given = sagemaker.describe_training_job(TrainingJobName=name)["HyperParameters"]
    except (ClientError, KeyError) as error:
        reason = f"its hyperparameters were cut ({facts[fact][:40]}...), and tuning job {job} does not exist"
        raise ProblemError(f"{package} cannot be rebuilt: {reason}") from error
    return {name: value.strip('"') for name, value in given.items() if not name.startswith(("_", "sagemaker_")) and name != "algorithm"}


def pairs(text: str) -> dict[str, str] | None:
    """What pipelines/tabular/steps/registry_text.py wrote: `name=value name=value`, escaped with `@`. None if it may have been cut."""
    if not re.fullmatch(r"([^= ]+=[^= ]*)( [^= ]+=[^= ]*)*", text) or len(text) >= _LONGEST_FACT:
        return None
    halves = (item.split("=") for item in text.split(" "))
    return {_plain(name): _plain(value) for name, value in halves}


def _plain(escaped: str) -> str:
    return unquote(escaped.replace("@", "%"))
