"""What values share with the steps that read them: how a category is written, and which hyperparameters SageMaker's tuner takes.

The steps run alone in a container and import nothing of the project, so their modules are loaded from their folder.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from settings_schema.errors import SettingsError, require

PIPELINES = Path(__file__).resolve().parents[1] / "pipelines"


def kinds() -> list[str]:
    """The kinds of pipeline that train a model: the folders of pipelines/ whose steps can train."""
    return sorted(file.parents[1].name for file in PIPELINES.glob("*/steps/train.py"))


def algorithms(kind: str) -> list[str]:
    """The algorithms that a kind of pipeline has: the files of its steps/algorithms/."""
    return sorted(file.stem for file in (PIPELINES / kind / "steps" / "algorithms").glob("[a-z]*.py"))


@functools.cache
def steps_module(name: str, kind: str = "tabular") -> Any:
    """A module that the steps share with values and definition."""
    file = PIPELINES / kind / "steps" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(name, file)
    assert specification is not None and specification.loader is not None  # noqa: S101 - a .py file has both
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def one_form(value: str, field_name: str) -> str:
    """A category as the steps read it: "True" is true, "4.0" is 4, " F" is F. Raises SettingsError for a text that means missing."""
    category: str | None = steps_module("cells").category(value)
    if category is None:
        raise SettingsError(f"{field_name} is {value!r}, which is read as a missing value; allowed: another text")
    return category


def rounds_are_judged_by() -> list[str]:
    """Metrics that are measured after each round of boosting."""
    return sorted(steps_module("tuner_contract").OF_A_ROUND)


def check_hyperparameters(algorithm: str, fixed: Mapping[str, Any], tuned: Mapping[str, tuple[float, float]]) -> None:
    """Raises SettingsError for what SageMaker's tuner would not take of the XGBoost image: a name, a range, or `num_round` missing."""
    contract = steps_module("tuner_contract")
    field = f"Algorithm({algorithm!r})"
    for name, (low, high) in tuned.items():
        known = contract.TUNABLE.get(name)
        require(known is not None, f"{field}.tuned", name, ", ".join(sorted(contract.TUNABLE)))
        reaches_below = low <= known.low if known.is_open else low < known.low
        bounds = f"{'more than' if known.is_open else 'from'} {known.low:g}{f' to {known.high:g}' if known.high < float('inf') else ''}"
        require(not reaches_below and high <= known.high, f"{field}.tuned[{name!r}]", (low, high), bounds)
        is_whole = isinstance(low, int) and isinstance(high, int)
        require(is_whole or not known.is_integer, f"{field}.tuned[{name!r}]", (low, high), "whole numbers")
    for name in fixed:
        require(name in contract.DECLARED, f"{field}.fixed", name, ", ".join(sorted(contract.DECLARED)))
    given = contract.REQUIRED in fixed or contract.REQUIRED in tuned
    require(given, f"{field}.fixed", dict(fixed), f"with {contract.REQUIRED}, which the image wants; 1 where nothing is boosted")
