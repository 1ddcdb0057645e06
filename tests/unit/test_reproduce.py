"""Claims about rebuilding: exactly what was recorded is fetched and run, and every difference is named."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from build_scripts import command_line, recorded_lineage, reproduce
from build_scripts.archive_difference import compare
from build_scripts.publish import code_prefix
from build_scripts.step_modules import load
from tests.unit.script_account import PACKAGE, Registry, ScriptAccount, install, refusal

#: The steps in miniature: prepare adds up bytes, train remembers its hyperparameters, choose packs.
CODE = {
    "prepare.py": b"""
import hashlib, json, pathlib, sys
data, output = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[4])
text = "".join(f"{file.relative_to(data)}:{file.read_text()}" for file in sorted(data.rglob("*")) if file.is_file())
for name in ("train", "validation", "preparation"):
    (output / name).mkdir()
(output / "train" / "rows").write_text(text)
digest = hashlib.sha256(text.encode()).hexdigest()
(output / "preparation" / "lineage.json").write_text(json.dumps({"data_sha256": digest}))
print("prepared")
""",
    "train.py": b"""
import json, os, pathlib, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
hosts = json.loads(os.environ.get("SM_HOSTS", "[]"))
if given.get("--lost") and os.environ["SM_CURRENT_HOST"] == "algo-2":
    sys.exit("error: algo-2 has no memory left")
if hosts and os.environ["SM_CURRENT_HOST"] != hosts[0]:
    sys.exit(0)
if given.get("--depth") == "0":
    sys.exit("error: depth is 0; allowed: 1 or more")
folder = pathlib.Path(given["--model-dir"])
folder.mkdir()
rows = pathlib.Path(given["--train"], "rows").read_text()
made = {"hosts": len(hosts)} if hosts else {}
(folder / "model.json").write_text(json.dumps({"depth": given["--depth"], "rows": len(rows), **made}))
print("trained")
""",
    "choose.py": b"""
import pathlib, sys
def libraries(): return {"python": "3.12.0", "numpy": "2.1.0"}
if __name__ == "__main__":
    candidates, output = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[6])
    (output / "model").mkdir(parents=True)
    (output / "model" / "model.tar.gz").write_bytes(next(candidates.glob("*/model.tar.gz")).read_bytes())
    print("chose")
""",
}
DATA = "training/houses/"


class VersionedS3:
    """Objects with their history; `now` is the time of the next write, one second after the last."""

    def __init__(self) -> None:
        self.history: list[dict[str, Any]] = []
        self.content: dict[tuple[str, str], bytes] = {}
        self.now = 0

    def put(self, bucket: str, key: str, body: bytes | None) -> str:
        """The version's id. `body` None deletes."""
        self.now += 1
        version = f"v{self.now}"
        moment = datetime.fromtimestamp(self.now, UTC)
        self.history.append({"Bucket": bucket, "Key": key, "VersionId": version, "LastModified": moment, "deleted": body is None})
        if body is not None:
            self.content[f"{bucket}/{key}", version] = body
        return version

    def forget(self, version: str) -> None:
        self.history = [item for item in self.history if item["VersionId"] != version]

    def get_object(self, *, Bucket: str, Key: str, VersionId: str = "") -> dict[str, Any]:  # noqa: N803 - boto3 spells them so
        found = [item for item in self.history if (item["Bucket"], item["Key"]) == (Bucket, Key) and VersionId in ("", item["VersionId"])]
        if not found or found[-1]["deleted"]:
            raise refusal("NoSuchVersion" if VersionId else "NoSuchKey", "there is none", "GetObject")
        return {"Body": io.BytesIO(self.content[f"{Bucket}/{Key}", found[-1]["VersionId"]])}

    def get_paginator(self, operation: str) -> VersionedS3:
        assert operation == "list_object_versions"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        found = [item for item in self.history if item["Bucket"] == Bucket and item["Key"].startswith(Prefix)]
        ordered = sorted(found, key=lambda item: (item["Key"], -item["LastModified"].timestamp()))
        yield {
            "Versions": [item for item in ordered if not item["deleted"]],
            "DeleteMarkers": [item for item in ordered if item["deleted"]],
        }


class Registered:
    """Version 1, made of CODE and one data file, as the pipeline would have registered it."""

    def __init__(self, account: ScriptAccount) -> None:
        self.s3 = VersionedS3()
        account.clients["s3"] = self.s3
        self.sagemaker = account.sagemaker
        address = code_prefix(CODE)
        self.s3.put("artifacts", f"{address}/sourcedir.tar.gz", load("archive").pack(CODE))
        self.code_key = f"{address}/sourcedir.tar.gz"
        self.data_version = self.s3.put("data", f"{DATA}rows.csv", b"1,2\n")
        self.model = load("archive").pack({"model.json": json.dumps({"depth": "3", "rows": len("rows.csv:1,2\n")}).encode()})
        self.s3.put("artifacts", "model.tar.gz", self.model)
        self.facts = {
            "code-uri": f"s3://artifacts/{address}",
            "code-hash": address.rsplit("/", 1)[-1],
            "data-url": f"s3://data/{DATA}",
            "data-versions": f"rows.csv@{self.data_version}",
            "data-sha256": hashlib.sha256(b"rows.csv:1,2\n").hexdigest(),
            "model-sha256": hashlib.sha256(self.model).hexdigest(),
            "libraries": "numpy=2.1.0 python=3.12.0",
            "algorithm": "tree",
            "hyperparameters": "depth=3",
        }
        account.sagemaker.add(1, **self.facts)
        self.package = account.sagemaker.packages[1]
        self.package["InferenceSpecification"]["Containers"] = [{"ModelDataUrl": "s3://artifacts/model.tar.gz"}]

    def record(self, **facts: str) -> None:
        self.package["CustomerMetadataProperties"] |= {name.replace("_", "-"): value for name, value in facts.items()}


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Registered:
    return Registered(install(monkeypatch))


def rebuild(capsys: pytest.CaptureFixture[str], *arguments: str, number: int = 1) -> tuple[int, str]:
    """Exit code and everything printed."""
    code = command_line.run(reproduce.main, ["--model-package-arn", f"{PACKAGE}/{number}", *arguments])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_same_inputs_give_the_identical_artifact(registered, capsys, tmp_path):
    code, text = rebuild(capsys, "--save", str(tmp_path / "model.tar.gz"))
    assert (code, text.splitlines()[-1]) == (0, f"identical: model.tar.gz has sha256 {registered.facts['model-sha256']}")
    assert (tmp_path / "model.tar.gz").read_bytes() == registered.model


def test_what_several_instances_trained_is_trained_by_as_many_processes(registered, capsys):
    registered.record(instances="2")
    code, text = rebuild(capsys)
    assert code == 1 and "model.json: hosts" in text  # the registered one was one host's
    assert "on 2 hosts  trained" in text
    registered.record(hyperparameters="depth=3 lost=1")
    assert "not rebuilt: train failed: algo-2 has no memory left" in rebuild(capsys)[1]


def test_the_recorded_version_of_the_data_is_used_not_the_newest(registered, capsys):
    registered.s3.put("data", f"{DATA}rows.csv", b"9,9\n")
    registered.s3.put("data", f"{DATA}more.csv", b"1,1\n")
    registered.s3.put("data", f"{DATA}_SUCCESS", b"")
    assert rebuild(capsys)[0] == 0


def test_deleted_data_is_rebuilt_as_long_as_its_version_exists(registered, capsys):
    registered.s3.put("data", f"{DATA}rows.csv", None)
    assert rebuild(capsys)[0] == 0


def test_a_version_of_the_data_that_is_gone_is_named(registered, capsys):
    registered.s3.forget(registered.data_version)
    code, text = rebuild(capsys)
    assert code == 2
    assert f"no longer has rows.csv@{registered.data_version}" in text


def test_names_with_spaces_and_at_signs_are_found(registered, capsys):
    first = registered.s3.put("data", f"{DATA}a @ b.csv", b"1\n")
    second = registered.s3.put("data", f"{DATA}c d.csv", b"2\n")
    digest = hashlib.sha256(b"a @ b.csv:1\nc d.csv:2\n").hexdigest()
    registered.record(data_versions=f"a @ b.csv@{first} c d.csv@{second}", data_sha256=digest)
    code, text = rebuild(capsys)
    assert code == 1, "other data gives another model"
    assert "model.json: rows 13 -> 22" in text


def test_many_files_are_found_by_the_moment_at_which_the_prefix_held_them(registered, capsys):
    listed = f"rows.csv@{registered.data_version}"
    registered.record(data_versions=f"1 files sha256:{hashlib.sha256(listed.encode()).hexdigest()}")
    registered.s3.put("data", f"{DATA}more.csv", b"1,1\n")
    registered.s3.put("data", f"{DATA}rows.csv", None)
    assert rebuild(capsys)[0] == 0
    registered.record(data_versions=f"1 files sha256:{'0' * 64}")
    code, text = rebuild(capsys)
    assert code == 2
    assert "never held" in text


def test_unversioned_data_is_judged_by_its_hash(registered, capsys):
    registered.record(data_versions="unversioned")
    assert rebuild(capsys)[0] == 0
    registered.s3.put("data", f"{DATA}rows.csv", b"1,3\n")
    code, text = rebuild(capsys)
    assert code == 1
    assert "differs: the data at" in text
    assert registered.facts["data-sha256"] in text


def test_changed_code_is_named_and_never_run(registered, capsys):
    registered.s3.put("artifacts", registered.code_key, load("archive").pack({**CODE, "prepare.py": b"raise SystemExit('was run')"}))
    code, text = rebuild(capsys)
    assert code == 1
    assert f"recorded {registered.facts['code-hash']}" in text
    assert "was run" not in text


def test_code_that_would_leave_its_folder_is_refused(registered, capsys, tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../escaped.py"))
    registered.s3.put("artifacts", registered.code_key, packed.getvalue())
    code, text = rebuild(capsys)
    assert code == 1
    assert "differs: the code" in text


def test_other_hyperparameters_are_named_with_the_file_and_value_that_differ(registered, capsys):
    registered.record(hyperparameters="depth=4")
    code, text = rebuild(capsys)
    assert code == 1
    assert 'model.json: depth "3" -> "4"' in text


def test_other_libraries_are_named(registered, capsys):
    registered.record(libraries="numpy=1.26.0 python=3.12.0")
    assert "libraries numpy 2.1.0 here, 1.26.0 recorded" in rebuild(capsys)[1]


def test_a_stored_artifact_that_was_changed_or_lost_is_told_from_a_rebuild_that_differs(registered, capsys):
    registered.s3.put("artifacts", "model.tar.gz", b"something else")
    code, text = rebuild(capsys)
    assert code == 1
    assert "the rebuilt model.tar.gz is what was registered" in text
    registered.s3.put("artifacts", "model.tar.gz", None)
    assert "is gone" in rebuild(capsys)[1]


def test_a_step_that_fails_gives_its_own_reason(registered, capsys):
    registered.record(hyperparameters="depth=0")
    code, text = rebuild(capsys)
    assert (code, text.splitlines()[-1]) == (1, "error: not rebuilt: train failed: depth is 0; allowed: 1 or more")


def test_hyperparameters_that_the_registry_cut_come_from_the_tuning_job(registered, capsys, monkeypatch):
    jobs: dict[str, Any] = {}
    given = {"depth": "3", "algorithm": '"tree"', "sagemaker_program": '"train.py"', "_tuning_objective_metric": "x"}

    def describe_search(_: Any, *, HyperParameterTuningJobName: str) -> Any:  # noqa: N803
        if HyperParameterTuningJobName not in jobs:
            raise refusal("ResourceNotFound", "no such job", "DescribeHyperParameterTuningJob")
        return jobs[HyperParameterTuningJobName]

    monkeypatch.setattr(Registry, "describe_hyper_parameter_tuning_job", describe_search, raising=False)
    monkeypatch.setattr(Registry, "describe_training_job", lambda _, TrainingJobName: {"HyperParameters": given}, raising=False)  # noqa: N803
    registered.record(hyperparameters="depth=" + "3" * 250, tuning_job_tree="search")
    code, text = rebuild(capsys)
    assert code == 2
    assert "tuning job search does not exist" in text
    jobs["search"] = {"BestTrainingJob": {"TrainingJobName": "trial"}}
    assert rebuild(capsys)[0] == 0


def test_a_blend_is_rebuilt_from_each_of_its_trials_and_the_weights_that_were_chosen(
    registered: Registered, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = {"best_trial_tree": "depth=3", "best_trial_tall_oak": "depth=5", "best_trial_elm": "depth=7"}
    registered.record(algorithm="blend", hyperparameters="tall_oak=0.25 tree=0.75", fitted_on="train=1 validation=1", **trials)
    ran, script = [], reproduce.Rebuild._script

    def noted(work: Any, name: str, *arguments: str, hosts: int = 1) -> None:
        ran.append((name, dict(zip(arguments[::2], arguments[1::2], strict=True))))
        script(work, name, *arguments, hosts=hosts)

    monkeypatch.setattr(reproduce.Rebuild, "_script", noted)
    rebuild(capsys)
    assert [(given["--algorithm"], given["--depth"]) for name, given in ran if name == "train"] == [("tall_oak", "5"), ("tree", "3")]
    (given,) = [given for name, given in ran if name == "choose"]
    assert given["--weights"] == "tall_oak=0.25 tree=0.75"
    assert {"--train", "--validation"} <= set(given)


def test_a_version_from_before_models_were_fitted_again_has_its_choice_made_without_rows(
    registered: Registered, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, script = [], reproduce.Rebuild._script

    def noted(work: Any, name: str, *given: str, hosts: int = 1) -> None:
        ran.append((name, given))
        script(work, name, *given, hosts=hosts)

    monkeypatch.setattr(reproduce.Rebuild, "_script", noted)
    assert rebuild(capsys)[0] == 0
    assert not {"--train", "--validation", "--weights"} & {*dict(ran)["choose"]}


def test_a_blend_without_the_settings_of_a_member_is_one_line(registered: Registered, capsys: pytest.CaptureFixture[str]) -> None:
    registered.record(algorithm="blend", hyperparameters="oak=0.25 tree=0.75", best_trial_tree="depth=3")
    code, printed = rebuild(capsys)
    assert code == 2 and "its lineage has no best-trial-oak, of which it is blended" in printed


def test_hyperparameters_of_any_characters_are_read_as_they_were(registered):
    given = {"monotone_constraints": "(1,0,-1)", "a b": "{'x': \"~ñ%\"}", "mail": "a@28b.com", "empty": ""}
    registered.record(hyperparameters=load("registry_text").pairs(given))
    assert recorded_lineage.read(registered.sagemaker, f"{PACKAGE}/1").hyperparameters == given


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"code-uri": ""}, "its lineage has no code-uri"),
        ({"data-sha256": "unknown", "libraries": ""}, "its lineage has no data-sha256, libraries"),
        ({"data-url": "https://example.org/"}, "is not an address in S3"),
        ({"code-uri": "s3://artifacts/code/0000"}, "s3://artifacts/code/0000/sourcedir.tar.gz does not exist"),
    ],
)
def test_a_lineage_with_gaps_is_one_line_and_exit_2(registered, capsys, change, expected):
    registered.package["CustomerMetadataProperties"] |= change
    code, text = rebuild(capsys)
    assert code == 2
    assert expected in text
    assert len([line for line in text.splitlines() if line.startswith("error")]) == 1


def test_a_version_that_does_not_exist_is_one_line_and_exit_2(registered, capsys):
    code, text = rebuild(capsys, number=7)
    assert code == 2
    assert text.count("\n") == 1
    assert f"{PACKAGE}/7 does not exist in the registry" in text


def test_archives_with_equal_files_differ_in_compression_only(registered):
    loose = io.BytesIO()
    with tarfile.open(fileobj=loose, mode="w:gz") as archive:
        member = tarfile.TarInfo("./a.json")
        member.size = 2
        archive.addfile(member, io.BytesIO(b"{}"))
    difference = compare(loose.getvalue(), load("archive").pack({"a.json": b"{}"}))
    assert (difference.lines, difference.same) == ([], ["a.json"])


def test_files_on_one_side_only_are_named():
    pack = load("archive").pack
    difference = compare(pack({"a": b"1", "b": b"1", "c.json": b"[1, 2]"}), pack({"b": b"22", "c.json": b"[1, 3]", "d": b""}))
    assert difference.lines == [
        "a: only in the registered archive",
        "b: content differs (1 bytes registered, 2 rebuilt)",
        "c.json: [1] 2 -> 3",
        "d: only in the rebuilt archive",
    ]
    assert difference.same == []


def test_nothing_is_left_behind(registered, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rebuild(capsys)
    assert list(Path(tmp_path).iterdir()) == []
