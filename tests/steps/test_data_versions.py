"""Which data there is: the same text for the same files, another one for any other, and one line where there is none."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import as_recorded
import boto3
import data_versions
import prepare
import pytest
from botocore.exceptions import ClientError
from failure import BadInput

from tests.steps.small_data import HOUSES, houses, write_csv, write_specification

URL = "s3://data/training/houses/"


class Bucket:
    """Lists its newest versions first, as S3 does for each key; `refuses` is the code of an error instead."""

    def __init__(self, *files: str, refuses: str = "", contents: Mapping[str, bytes] | None = None) -> None:
        """`files`: `key@version`, or `key@null:etag` in a bucket without versioning. `contents`: by key, of those that may be read."""
        self.contents = contents or {}
        self.items: list[dict[str, Any]] = []
        self.refuses = refuses
        for file in files:
            self.put(file)

    def put(self, file: str) -> None:
        key, _, version = file.rpartition("@")
        identifier, _, tag = version.partition(":")
        for item in self.items:
            item["IsLatest"] = item["IsLatest"] and item["Key"] != key
        written = datetime(2026, 11, 27, 14, len(self.items), tzinfo=UTC)
        self.items.insert(0, {"Key": key, "VersionId": identifier, "ETag": f'"{tag}"', "IsLatest": True, "LastModified": written})

    def get_object(self, **request: str) -> dict[str, Any]:
        assert request["Bucket"] == "data"
        version = f"@{request['VersionId']}" if "VersionId" in request else ""
        return {"Body": io.BytesIO(self.contents[request["Key"] + version])}

    def get_paginator(self, operation: str) -> Bucket:
        assert operation == "list_object_versions"
        return self

    def paginate(self, **request: str) -> list[dict[str, Any]]:
        assert request["Bucket"] == "data"
        if self.refuses:
            raise ClientError({"Error": {"Code": self.refuses, "Message": "no"}}, "ListObjectVersions")
        found = sorted((item for item in self.items if item["Key"].startswith(request["Prefix"])), key=lambda item: item["Key"])
        return [{"Versions": found[:1]}, {"Versions": found[1:]}, {}]


def version(*files: str, url: str = URL) -> str:
    return data_versions.find(Bucket(*files), url)


def test_it_names_each_file_with_its_version() -> None:
    assert version("training/houses/b.csv@v2", "training/houses/a.csv@v1") == "a.csv@v1 b.csv@v2"


def test_a_replaced_file_an_added_and_a_removed_one_are_other_data() -> None:
    bucket = Bucket("training/houses/a.csv@v1")
    seen = [data_versions.find(bucket, URL)]
    for file in ("training/houses/a.csv@v2", "training/houses/b.csv@v1"):
        bucket.put(file)
        seen.append(data_versions.find(bucket, URL))
    assert len({*seen, version("training/houses/b.csv@v1")}) == 4


def test_without_versioning_the_content_tells_them_apart() -> None:
    assert version("training/houses/a.csv@null:1") != version("training/houses/a.csv@null:2")


def test_what_prepare_does_not_read_does_not_count() -> None:
    files = ["training/houses/a.csv@v1"]
    more = ["training/houses/@v2", "training/houses/_SUCCESS@v3", "training/houses/.hidden@v4", "training/arrests/a.csv@v5"]
    assert version(*files) == version(*files, *more)


def test_a_prefix_covers_what_a_job_s_input_covers() -> None:
    files = ["training/houses/a.csv@v1", "training/houses-2/b.csv@v2"]
    assert version(*files, url="s3://data/training/houses") == "b.csv@v2 a.csv@v1"
    assert version(*files, url="s3://data/training/houses/a.csv") == "a.csv@v1"


@pytest.mark.parametrize("names", [[f"part-{number:04}.csv" for number in range(40)], ["prices (new), 2026.csv"]])
def test_what_a_registry_cannot_hold_is_told_by_its_hash(names: list[str]) -> None:
    """A metadata value has 256 characters, and of the punctuation only _.:/=+-@ (CustomerMetadataValue of the API's model)."""
    found = version(*(f"training/houses/{name}@v1" for name in names))
    listed = " ".join(f"{name}@v1" for name in names)
    assert found == f"{len(names)} files sha256:{hashlib.sha256(listed.encode()).hexdigest()}"


@pytest.mark.parametrize(
    ("bucket", "url", "says"),
    [
        (Bucket(), URL, f"there is no data at {URL}; `python -m build_scripts.upload_data` uploads it"),
        (Bucket("training/houses/_SUCCESS@v1"), URL, "there is no data at"),
        (Bucket(refuses="NoSuchBucket"), URL, "there is no bucket 'data'"),
        (Bucket(refuses="AccessDenied"), URL, "may not be listed; allowed: training/ of the project's data bucket"),
        (Bucket("a,b/rows.csv@v1"), "s3://data/a,b/", "InputDataUrl is 's3://data/a,b/' (14 characters); allowed: 1 to 256 letters"),
        (Bucket(), f"s3://data/{'a' * 300}/", "(311 characters); allowed: 1 to 256"),
        (Bucket(), "data/houses.csv", "InputDataUrl is 'data/houses.csv'; allowed: s3://bucket/prefix/"),
    ],
)
def test_where_there_is_no_data_one_line_says_what_to_do(bucket: Bucket, url: str, says: str) -> None:
    with pytest.raises(BadInput) as refusal:
        data_versions.find(bucket, url)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_another_error_of_s3_is_not_taken_for_missing_data() -> None:
    with pytest.raises(ClientError):
        data_versions.find(Bucket(refuses="SlowDown"), URL)


def test_the_function_answers_what_the_step_declares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "client", lambda _: Bucket("training/houses/a.csv@v1"))
    asked = {"url": URL, "commit": "0123abc", "trigger": "weekly (Monday), please"}
    uploaded = f"1 files sha256:{hashlib.sha256(b'a.csv@v1').hexdigest()}"
    answered = {"version": "a.csv@v1", "uploaded": uploaded, "learned": "0", "commit": "0123abc", "trigger": "weekly _Monday__ please"}
    assert data_versions.handler(asked, None) == answered


def answer(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> dict[str, str]:
    monkeypatch.setattr(boto3, "client", lambda _: bucket)
    return data_versions.handler({"url": URL}, None)


LEARNED = "training/houses/learned"


def test_what_production_learned_is_other_data_but_no_other_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    before = answer(monkeypatch, Bucket("training/houses/a.csv@v1"))
    learned = answer(monkeypatch, Bucket("training/houses/a.csv@v1", f"{LEARNED}/live/w1.csv@v2"))
    replaced = answer(monkeypatch, Bucket("training/houses/a.csv@v3", f"{LEARNED}/live/w1.csv@v2"))
    assert len({before["version"], learned["version"], replaced["version"]}) == 3
    assert before["uploaded"] == learned["uploaded"] != replaced["uploaded"]


def test_the_rows_that_all_environments_have_learned_are_counted_and_what_is_no_tally_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tallies = {"live": b'{"rows": 30}', "try": b'{"rows": 12}', "third": b"cut in the mid", "fourth": b'{"rows": "many"}'}
    files = [f"{LEARNED}/{environment}/_tally.json@v1" for environment in tallies]
    bucket = Bucket("training/houses/a.csv@v1", *files, contents=dict(zip([file[:-3] for file in files], tallies.values(), strict=True)))
    found = answer(monkeypatch, bucket)
    assert (found["learned"], found["version"]) == ("42", "a.csv@v1")
    said = capsys.readouterr().out
    assert f"{LEARNED}/third/_tally.json is not counted" in said
    assert f"{LEARNED}/fourth/_tally.json is not counted" in said


def test_answers_alone_are_no_data_to_begin_with() -> None:
    with pytest.raises(BadInput, match="there is no data at"):
        version(f"{LEARNED}/live/w1.csv@v1")


def arguments(folder: Path, version: str) -> list[str]:
    (folder / "data").mkdir()
    write_csv(folder / "data" / "a.csv", houses())
    specification = write_specification(folder / "specification.json", HOUSES)
    places = ["--data", str(folder / "data"), "--output", str(folder / "out"), "--specification", str(specification)]
    return [*places, "--data-url", URL, "--data-version", version]


def test_files_that_were_replaced_while_the_run_started_are_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the step cache would keep what was read from the new files under the version of the old ones."""
    monkeypatch.setattr(boto3, "client", lambda _: Bucket("training/houses/a.csv@v1", "training/houses/a.csv@v2"))
    with pytest.raises(BadInput, match=f"the data at {URL} changed while the run started; start it again"):
        prepare.main(arguments(tmp_path, "a.csv@v1"))
    assert not (tmp_path / "out").exists()


def test_the_lineage_names_the_version_that_the_run_started_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "client", lambda _: Bucket("training/houses/a.csv@v1"))
    prepare.main(arguments(tmp_path, "a.csv@v1"))
    assert '"data_versions": "a.csv@v1"' in (tmp_path / "out" / "preparation" / "lineage.json").read_text(encoding="utf-8")


def test_answers_that_are_learned_while_a_run_starts_neither_end_it_nor_get_into_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch writes at any hour. The run has the files that it was told of: one as it was, one that is new taken out."""
    changed, new, same = (f"{LEARNED}/live/{name}.csv" for name in ("changed", "new", "same"))
    bucket = Bucket("training/houses/a.csv@v1", f"{changed}@v2", f"{same}@v3", contents={f"{changed}@v2": b"as it was"})
    version = data_versions.find(bucket, URL)
    for file in (f"{changed}@v4", f"{new}@v5"):
        bucket.put(file)
    monkeypatch.setattr(boto3, "client", lambda _: bucket)
    folder = tmp_path / "learned" / "live"
    folder.mkdir(parents=True)
    for name in ("changed", "new", "same"):
        (folder / f"{name}.csv").write_bytes(b"as it is")
    as_recorded.require(URL, version, tmp_path)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"changed.csv": b"as it was", "same.csv": b"as it is"}


def test_an_upload_while_a_run_starts_ends_it_whatever_was_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket("training/houses/a.csv@v1", f"{LEARNED}/live/w.csv@v2")
    version = data_versions.find(bucket, URL)
    for file in (f"{LEARNED}/live/w.csv@v3", "training/houses/a.csv@v4"):
        bucket.put(file)
    monkeypatch.setattr(boto3, "client", lambda _: bucket)
    with pytest.raises(BadInput, match="changed while the run started"):
        as_recorded.require(URL, version, tmp_path)


def test_the_first_answers_come_while_a_run_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket("training/houses/a.csv@v1")
    version = data_versions.find(bucket, URL)
    bucket.put(f"{LEARNED}/live/w.csv@v2")
    monkeypatch.setattr(boto3, "client", lambda _: bucket)
    (tmp_path / "learned" / "live").mkdir(parents=True)
    (tmp_path / "learned" / "live" / "w.csv").touch()
    as_recorded.require(URL, version, tmp_path)
    assert list((tmp_path / "learned" / "live").iterdir()) == []
