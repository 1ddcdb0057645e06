"""What a registered version takes and answers: by its own archive, because today's settings.py may have moved on.

Input: a `Version`. Output: a `Contract`. Used wherever a version is asked or judged: verify.py, load_test.py, example_request.py,
score_file.py and the demo (docs/decisions/0067-a-version-is-judged-by-its-own-contract.md). Next: golden.py, invocation.py.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from build_scripts.command_line import ProblemError
from build_scripts.missing import found_object
from build_scripts.registry import Version
from settings import Problem

#: Member of model.tar.gz that pipelines/tabular/steps/prepare.py writes: the data set that it was prepared for, and the classes.
PREPARATION = "preparation.json"


@dataclass(frozen=True, kw_only=True)
class Contract:
    """Columns in the order of a request: numeric, then categorical. `classes` in the order of their index; empty for a regression.

    `described`: the data set as settings.py had it, with what each column may hold.
    """

    dataset: str
    problem: Problem
    target: str
    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    metric: str
    classes: tuple[str, ...] = ()
    positive_class: str | None = None
    described: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def features(self) -> tuple[str, ...]:
        return (*self.numeric, *self.categorical)


def read(s3: Any, version: Version) -> Contract:
    """Raises ProblemError if the archive is gone or not to be read, or is none that the training pipeline made."""
    bucket, _, key = (version.model_url or "").removeprefix("s3://").partition("/")
    answer = found_object(s3.get_object, Bucket=bucket, Key=key) if key else None
    if answer is None:
        where = version.model_url or "of which it names no address"
        raise ProblemError(f"version {version.number} does not say what it takes: its archive {where} is gone, or may not be read")
    try:
        return from_preparation(_member(answer["Body"]))
    except (tarfile.TarError, OSError, EOFError, KeyError, ValueError, TypeError) as error:
        where = f"its archive {version.model_url} has no {PREPARATION} as the training pipeline writes it ({error})"
        raise ProblemError(f"version {version.number} does not say what it takes: {where}") from error


def from_preparation(state: Mapping[str, Any]) -> Contract:
    """`state`: preparation.json as it is. Raises KeyError, ValueError and TypeError for anything else."""
    dataset = state["dataset"]
    return Contract(
        dataset=dataset["name"],
        problem=Problem(dataset["problem"]),
        target=dataset["target"],
        numeric=tuple(column["name"] for column in dataset["numeric"]),
        categorical=tuple(column["name"] for column in dataset["categorical"]),
        metric=dataset["metric"],
        classes=tuple(state["classes"] or ()),
        positive_class=dataset["positive_class"],
        described=dataset,
    )


def _member(stream: Any) -> dict[str, Any]:
    """Read while it comes, and no further: the model itself can be large."""
    with tarfile.open(fileobj=stream, mode="r|gz") as archive:
        for member in archive:
            if member.name.removeprefix("./") == PREPARATION and (file := archive.extractfile(member)):
                return dict(json.load(file))
    raise KeyError(PREPARATION)
