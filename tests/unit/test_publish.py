"""Claims about published code: the address is its content, and nothing is uploaded twice."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from build_scripts.publish import code_files, publish
from pipelines.published_code import code_prefix
from settings_schema import Model, Retraining
from tests.example_models import ABALONE, ARRESTS, STAGING
from tests.unit.script_account import S3


def test_scripts_and_the_specification_are_published_once() -> None:
    s3, files = S3(), {"train.py": b"code", "algorithms/linear.py": b"more", "specification.json": b"{}"}
    uri, uploaded = publish(s3, "artifacts", files)
    assert uploaded
    prefix = uri.removeprefix("s3://artifacts/")
    assert set(s3.writes) == {f"{prefix}/steps/{name}" for name in files} | {f"{prefix}/sourcedir.tar.gz"}
    assert publish(s3, "artifacts", files) == (uri, False)
    assert len(s3.writes) == len(files) + 1


def test_interrupted_upload_is_completed() -> None:
    s3, files = S3(), {"train.py": b"code"}
    s3.put_object(Bucket="artifacts", Key=f"{code_prefix(files)}/steps/train.py", Body=b"code")
    _, uploaded = publish(s3, "artifacts", files)
    assert uploaded
    assert s3.objects[f"artifacts/{code_prefix(files)}/steps/train.py"] == b"code"


def test_address_follows_the_content_and_nothing_else() -> None:
    one, same, other = {"a.py": b"1", "b.py": b"2"}, {"b.py": b"2", "a.py": b"1"}, {"a.py": b"1", "b.py": b"3"}
    assert code_prefix(one) == code_prefix(same)
    assert code_prefix(one) != code_prefix(other)
    assert code_prefix(one) != code_prefix({"a.py": b"1", "c.py": b"2"})


def test_archive_holds_the_same_files() -> None:
    s3 = S3()
    uri, _ = publish(s3, "artifacts", {"train.py": b"code"})
    packed = s3.objects[uri.removeprefix("s3://") + "/sourcedir.tar.gz"]
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        assert archive.getnames() == ["train.py"]


def test_the_model_travels_with_the_code_and_caches_do_not(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "train.pyc").write_text("x")
    (tmp_path / "train.py").write_text("code")
    (tmp_path / "specification.json").write_text("stale")
    files = code_files(ARRESTS, tmp_path)
    assert list(files) == ["specification.json", "train.py"]
    assert json.loads(files["specification.json"])["dataset"]["target"] == "released"


def test_a_model_s_address_changes_with_what_it_learns_and_not_with_where_it_serves_or_when_it_trains(tmp_path: Path) -> None:
    def address(model: Model) -> str:
        return code_prefix(code_files(model, tmp_path))

    (tmp_path / "train.py").write_text("code")
    serving = {**ABALONE.serving, STAGING.name: ABALONE.serving[STAGING.name].but(instance_type="ml.c5.xlarge")}
    assert address(ABALONE) == address(ABALONE.but(serving=serving)) == address(ABALONE.but(retraining=Retraining(cron=None)))
    changed = ABALONE.but(tuning=ABALONE.tuning.but(trials=9))
    others = [address(model) for model in (ABALONE, changed, ARRESTS)]
    assert len(set(others)) == 3
    (tmp_path / "train.py").write_text("shared code that changed")
    assert not {address(model) for model in (ABALONE, changed, ARRESTS)} & set(others)


def test_what_tools_leave_behind_does_not_change_the_address(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("code")
    before = code_files(ABALONE, tmp_path)
    for name in (".mypy_cache/3.11/cache.db", ".DS_Store", "algorithms/__pycache__/linear.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("left behind")
    assert code_files(ABALONE, tmp_path) == before
