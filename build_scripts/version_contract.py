"""What a registered version takes and answers: by its own contract, because today's file of the model may have moved on.

Input: a `Version`, whose evidence has `contract.json` (pipelines/tabular/steps/served.py makes it of what the archive says of itself).
Output: a `Contract`. Used wherever a version is asked or judged: verify.py, load_test.py, example_request.py, score_file.py and the demo
(docs/decisions/0112-a-version-carries-its-contract.md). Next: golden.py, invocation.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.objects import content
from build_scripts.registry import Version
from settings_schema import Problem

#: Metadata of a version (pipelines/tabular/pipeline.py).
URL = "contract-url"


@dataclass(frozen=True, kw_only=True)
class Contract:
    """Columns in the order of a request: numeric, then categorical. `classes` in the order of their index; empty for a regression.

    `described`: the data set as the model's file had it, with what each column may hold. `code_sha256`: of the code that answers.
    """

    model: str
    problem: Problem
    target: str
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    metric: str
    classes: tuple[str, ...] = ()
    positive_class: str | None = None
    code_sha256: str = ""
    described: Mapping[str, Any] = field(default_factory=dict, repr=False)
    preparation: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def features(self) -> tuple[str, ...]:
        return (*self.numeric, *self.categorical)


def read(s3: Any, version: Version) -> Contract:
    """Raises ProblemError if the version names none, or it is gone, not to be read, or none that the training pipeline made."""
    url = version.facts.get(URL)
    if not url:
        raise ProblemError(f"version {version.number} does not say what it takes: its metadata has no {URL}; train it again")
    made = content(s3, url)
    if made is None:
        raise ProblemError(f"version {version.number} does not say what it takes: {url} is gone, or may not be read; train it again")
    try:
        return from_preparation(json.loads(made))
    except (KeyError, ValueError, TypeError) as error:
        where = f"{url} is no contract as the training pipeline writes it ({error})"
        raise ProblemError(f"version {version.number} does not say what it takes: {where}") from error


def from_preparation(state: Mapping[str, Any]) -> Contract:
    """`state`: contract.json, or the preparation.json that it is made of. Raises KeyError, ValueError and TypeError for anything else."""
    dataset = state["dataset"]
    return Contract(
        model=state["model"],
        problem=Problem(dataset["problem"]),
        target=dataset["target"],
        numeric=tuple(column["name"] for column in dataset["numeric"]),
        categorical=tuple(column["name"] for column in dataset["categorical"]),
        metric=dataset["metric"],
        classes=tuple(state["classes"] or ()),
        positive_class=dataset["positive_class"],
        code_sha256=state.get("code_sha256") or "",
        described=dataset,
        preparation=state.get("preparation") or {},
    )
