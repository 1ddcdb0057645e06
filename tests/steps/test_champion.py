"""The version in production: what was released last, told by name where something of it was deleted; and which rows judge it fairly."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import archive
import boto3
import numpy as np
import pytest
import split
from botocore.exceptions import ClientError
from dataset import Rows
from evaluation import champion
from failure import BadInput

GROUP = "arn:aws:sagemaker:us-east-1:111122223333:model-package/shop--abalone"
NOON = 12
ARCHIVE = archive.pack({"version.json": json.dumps({"algorithm": "linear"}).encode()})
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()
EXPORTED = {"MODEL_DATA_URL": "s3://artifacts/model.tar.gz", "MODEL_SHA256": SHA256}
#: What CodePipeline, SageMaker and S3 answer for what is not there.
GONE = {
    "pipeline": ("PipelineNotFoundException", "Account '111122223333' does not have a pipeline with name 'deploy'"),
    "package": ("ValidationException", f"ModelPackage {GROUP}/3 does not exist."),
    "archive": ("NoSuchKey", "The specified key does not exist."),
}


class Account:
    """A deploy pipeline with its executions (status, version), newest first, in pages of two. `missing` was deleted.

    `returns`: (hour, version) of each execution of the return pipeline; those of the deploy pipeline ended in the hours from NOON on.
    `recorded`: what their builds exported of the version's archive; `evaluated`: its hash, as the version's metadata has it.
    """

    def __init__(
        self,
        executions: Sequence[tuple[str, str | None]] = (("Succeeded", f"{GROUP}/3"),),
        missing: str = "",
        refused: str = "",
        returns: Sequence[tuple[int, str]] = (),
        recorded: Mapping[str, str] | None = None,
        evaluated: str = "",
    ) -> None:
        self._recorded, self._facts = dict(recorded or {}), {"a": "b", **({"model-sha256": evaluated} if evaluated else {})}
        self._missing, self._refused = missing, refused
        last = NOON + len(executions) - 1
        deployed = [(last - index, status, version) for index, (status, version) in enumerate(executions)]
        self._executions = {"deploy": deployed, "return": [(hour, "Succeeded", version) for hour, version in returns]}

    def _answer(self, what: str, answer: dict[str, Any]) -> dict[str, Any]:
        if what == self._refused:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized to perform this"}}, what)
        if what == self._missing:
            code, message = GONE[what]
            raise ClientError({"Error": {"Code": code, "Message": message}}, what)
        return answer

    def list_pipeline_executions(self, pipelineName: str, nextToken: str = "0") -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        first, executions = int(nextToken), self._executions[pipelineName]
        page = [
            {"pipelineExecutionId": str(index), "status": status, "lastUpdateTime": datetime(2026, 11, 27, hour, tzinfo=UTC)}
            for index, (hour, status, _) in enumerate(executions)
        ][first : first + 2]
        more = {"nextToken": str(first + 2)} if first + 2 < len(executions) else {}
        return self._answer("pipeline", {"pipelineExecutionSummaries": page, **more})

    def get_pipeline_execution(self, pipelineName: str, pipelineExecutionId: str) -> dict[str, Any]:  # noqa: N803
        version = self._executions[pipelineName][int(pipelineExecutionId)][2]
        variables = [{"name": "Leaving", "resolvedValue": "latest"}]
        variables += [{"name": "ModelPackageArn", "resolvedValue": version}] if version else []
        return self._answer("execution", {"pipelineExecution": {"variables": variables}})

    def list_action_executions(self, pipelineName: str, filter: dict[str, str]) -> dict[str, Any]:  # noqa: N803
        assert filter["pipelineExecutionId"] in {str(index) for index, _ in enumerate(self._executions[pipelineName])}
        render = {"actionName": "Render", "output": {"outputVariables": {"MODEL_PACKAGE_VERSION": "3", **self._recorded}}}
        return self._answer(
            "actions", {"actionExecutionDetails": [{"actionName": "Deploy", "output": {}}, {"actionName": "Source"}, render]}
        )

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803
        containers = [{"ModelDataUrl": "s3://artifacts/model.tar.gz"}]
        package = {"ModelPackageArn": ModelPackageName, "CustomerMetadataProperties": self._facts}
        return self._answer("package", {**package, "InferenceSpecification": {"Containers": containers}})

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        assert (Bucket, Key) == ("artifacts", "model.tar.gz")
        return self._answer("archive", {"Body": io.BytesIO(ARCHIVE)})


def of(account: Account, folder: Path, monkeypatch: pytest.MonkeyPatch) -> champion.Champion:
    monkeypatch.setattr(boto3, "client", lambda _: account)
    return champion.released_by(["deploy", "return"], folder)


def test_the_version_in_production_is_the_one_that_was_released_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = of(Account(), tmp_path, monkeypatch)
    assert (found.name, found.version, found.facts) == (f"{GROUP}/3", {"algorithm": "linear"}, {"a": "b"})


@pytest.mark.parametrize(
    ("executions", "name"),
    [
        ([("InProgress", f"{GROUP}/5"), ("Failed", f"{GROUP}/4"), ("Stopped", f"{GROUP}/4"), ("Succeeded", f"{GROUP}/3")], f"{GROUP}/3"),
        ([("Succeeded", f"{GROUP}/1"), ("Succeeded", f"{GROUP}/3")], f"{GROUP}/1"),  # an older version went back
        ([("Succeeded", "latest"), ("Succeeded", None), ("Succeeded", f"{GROUP}/2")], f"{GROUP}/2"),  # nothing says which those were
        ([("Failed", f"{GROUP}/1")], "none"),
        ([], "none"),
    ],
)
def test_only_what_reached_production_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executions: list[tuple[str, str | None]], name: str
) -> None:
    assert of(Account(executions), tmp_path, monkeypatch).name == name


@pytest.mark.parametrize(("hour", "name"), [(NOON + 1, f"{GROUP}/2"), (NOON - 1, f"{GROUP}/3")])
def test_whichever_pipeline_brought_a_version_to_production_last_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hour: int, name: str
) -> None:
    """A version that was left must not be what the next one has to be better than."""
    assert of(Account(returns=[(hour, f"{GROUP}/2")]), tmp_path, monkeypatch).name == name


@pytest.mark.parametrize(
    ("missing", "name", "says"),
    [
        ("pipeline", "none", "no version is in production"),
        ("package", f"{GROUP}/3", "version 3 in production was deleted from the registry"),
        ("archive", f"{GROUP}/3", "the archive of version 3 in production was deleted from S3"),
    ],
)
def test_what_was_deleted_cannot_be_compared_with_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, name: str, says: str
) -> None:
    """Or nothing that is trained could ever replace it."""
    found = of(Account(missing=missing), tmp_path, monkeypatch)
    assert found.name == name
    assert champion.incomparable(found, {}) == says


def test_a_version_that_was_deleted_while_it_serves_is_compared_with_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its deployment has said where the archive is that serves."""
    found = of(Account(missing="package", recorded=EXPORTED), tmp_path, monkeypatch)
    assert (found.name, found.version, found.facts, found.sha256) == (f"{GROUP}/3", {"algorithm": "linear"}, {}, SHA256)


@pytest.mark.parametrize(
    "account", [Account(missing="package", recorded={**EXPORTED, "MODEL_SHA256": "0" * 64}), Account(evaluated="0" * 64)]
)
def test_an_archive_that_was_replaced_is_not_what_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    """Jobs can write where models are kept."""
    found = of(account, tmp_path, monkeypatch)
    assert found.name == f"{GROUP}/3"
    assert champion.incomparable(found, {}) == "the archive of version 3 in production is not the one that was evaluated"


def test_an_archive_is_compared_with_where_it_is_the_one_that_was_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert of(Account(evaluated=SHA256), tmp_path, monkeypatch).folder is not None


def test_of_a_deletion_nothing_else_is_forgiven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInput, match="cannot be read for the comparison"):
        of(Account(missing="package", refused="actions"), tmp_path, monkeypatch)


@pytest.mark.parametrize("what", ["pipeline", "execution", "package", "archive"])
def test_what_may_not_be_read_is_no_deleted_champion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    with pytest.raises(BadInput, match="cannot be read for the comparison"):
        of(Account(refused=what), tmp_path, monkeypatch)


# --------------------------------------------------------------------------------- rows that it has not learned from

COLUMNS = ("area", "rooms")
SHARES = {"salt": "1", "validation": 0.15, "test": 0.15}


def prepared(
    columns: Sequence[str] = COLUMNS, *, identifier: str | None = None, split_by: str = "features", **shares: Any
) -> dict[str, Any]:
    dataset = {"numeric": [{"name": name} for name in columns], "categorical": [], "features": list(columns), "identifier": identifier}
    return {"dataset": dataset, "preparation": {"split": {**SHARES, **shares}}, "split_by": split_by}


def unseen(folder: Path, theirs: dict[str, Any], ours: dict[str, Any], rows: Rows) -> list[bool]:
    (folder / "preparation.json").write_text(json.dumps(theirs), encoding="utf-8")
    return [bool(known) for known in champion.unseen(champion.Champion(folder=folder), ours, rows)]


@pytest.fixture
def rows() -> Rows:
    generator = np.random.default_rng(1)
    numeric = {name: generator.normal(size=400) for name in (*COLUMNS, "garden")}
    return Rows(numeric, {}, np.zeros(400), 400)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (prepared(), prepared(("rooms", "area"))),
        (prepared(identifier="id", split_by="identifier"), prepared((*COLUMNS, "garden"), identifier="id", split_by="identifier")),
    ],
    ids=["columns in another order", "rows told apart by an identifier"],
)
def test_rows_that_are_split_alike_are_test_rows_of_both(tmp_path: Path, rows: Rows, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    assert all(unseen(tmp_path, theirs, ours, rows))


@pytest.mark.parametrize(
    "ours", [prepared((*COLUMNS, "garden")), prepared(salt="2"), prepared(test=0.3)], ids=["a column more", "another salt", "other shares"]
)
def test_of_rows_that_are_split_anew_production_has_not_learned_from_its_own_test_rows(
    tmp_path: Path, rows: Rows, ours: dict[str, Any]
) -> None:
    its_own = split.sides(split.content_buckets({name: rows.numeric[name] for name in COLUMNS}, {}, "1"), 0.15, 0.15)[2]
    assert unseen(tmp_path, prepared(), ours, rows) == its_own.tolist()
    assert 0 < its_own.sum() < 400


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (prepared(split_by="copy"), prepared((*COLUMNS, "garden"))),
        (prepared(identifier="id", split_by="identifier"), prepared()),
        ({name: value for name, value in prepared().items() if name != "split_by"}, prepared()),
    ],
    ids=["copies told apart by their place", "by an identifier that is gone", "a version that does not say"],
)
def test_where_nobody_can_know_no_row_counts(tmp_path: Path, rows: Rows, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    assert not any(unseen(tmp_path, theirs, ours, rows))
