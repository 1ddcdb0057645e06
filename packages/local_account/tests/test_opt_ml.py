"""A literal `/opt/ml` in a script is the job's own folder, as in SageMaker, or the job ends with the reason. Never the machine's."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from local_account.account import Account
from local_account.sagemaker.warm import opt_ml

from . import sagemaker_requests as small
from .endpoint_models import create_configuration, create_endpoint, create_model, invoke, variant

OPT_ML = Path("/opt/ml")
namespaces = pytest.mark.skipif(not opt_ml.available(), reason="this machine lets a process have no mount namespace")

#: A script as people write it for SageMaker: literal paths, in Python, in a program that it starts, and in a shell.
LITERAL = """
import pathlib, subprocess, sys
folder = pathlib.Path("/opt/ml/processing/output/out")
print("there before:", folder.exists(), sorted(path.name for path in pathlib.Path("/opt/ml/processing/input/data").iterdir()))
(folder / "python.txt").write_text("1")
subprocess.run([sys.executable, "-c", "open('/opt/ml/processing/output/out/child.txt', 'w').write('2')"], check=True)
subprocess.run("echo 3 > /opt/ml/processing/output/out/shell.txt", shell=True, check=True)
"""
TRAIN = """
import json, pathlib
config = json.loads(pathlib.Path("/opt/ml/input/config/hyperparameters.json").read_text())
pathlib.Path("/opt/ml/model/depth.txt").write_text(config["depth"])
"""


@pytest.fixture(autouse=True)
def _the_machine_is_as_it_was() -> Any:
    """What the machine itself has in /opt/ml before and after a test."""

    def contents() -> list[Path] | None:
        return sorted(OPT_ML.rglob("*")) if OPT_ML.exists() else None

    before = contents()
    yield
    assert contents() == before


@pytest.fixture(scope="module")
def sagemaker(account: Account) -> Any:
    small.publish(account.client("s3"), {"literal.py": LITERAL, "train.py": TRAIN})
    return account.client("sagemaker")


def written(account: Account, prefix: str) -> list[str]:
    listed = account.client("s3").list_objects_v2(Bucket=small.BUCKET, Prefix=f"{prefix}/").get("Contents", [])
    return [entry["Key"].rpartition("/")[2] for entry in listed]


# ------------------------------------------------------------------------------------------ with a namespace


@namespaces
@pytest.mark.parametrize("environment", [{}, {"PYTHONHASHSEED": "0"}], ids=["forked", "ordinary"])
def test_a_script_with_literal_paths_runs_as_in_sagemaker(account: Account, sagemaker: Any, environment: dict[str, str]) -> None:
    name = small.new_name("literal")
    request = small.processing(
        "literal",
        inputs=[small.s3_input("data", f"s3://{small.BUCKET}/data/") | {}],
        outputs=[small.s3_output("out", f"s3://{small.BUCKET}/{name}")],
        Environment=environment,
    )
    sagemaker.create_processing_job(ProcessingJobName=name, **request)
    described = small.wait(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")
    assert described["ProcessingJobStatus"] == "Completed", described
    assert written(account, name) == ["child.txt", "python.txt", "shell.txt"]
    log = account.context.log_path("processing-job", name).read_text()
    assert "there before: True ['one.csv', 'two.csv']" in log


@namespaces
def test_a_shell_command_has_the_jobs_folder_too(account: Account, sagemaker: Any) -> None:
    name = small.new_name("shell")
    request = small.processing("literal", outputs=[small.s3_output("out", f"s3://{small.BUCKET}/{name}")])
    command = "d=/opt; cp $d/ml/processing/input/code/train.py $d/ml/processing/output/out/"  # not seen where paths are rewritten
    request["AppSpecification"] |= {"ContainerEntrypoint": ["sh", "-c", command], "ContainerArguments": ["x"]}
    sagemaker.create_processing_job(ProcessingJobName=name, **request)
    described = small.wait(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")
    assert (described["ProcessingJobStatus"], written(account, name)) == ("Completed", ["train.py"])


@namespaces
def test_a_training_script_reads_and_writes_literal_paths(account: Account, sagemaker: Any) -> None:
    name = small.new_name("train")
    hyperparameters = {**small.script_mode("train.py"), "depth": "7"}
    sagemaker.create_training_job(TrainingJobName=name, HyperParameters=hyperparameters, **small.training_definition())
    described = small.wait(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus")
    assert described["TrainingJobStatus"] == "Completed", described
    assert small.read(account.client("s3"), described["ModelArtifacts"]["S3ModelArtifacts"])


@namespaces
def test_a_model_is_loaded_from_the_literal_path(account: Account, sagemaker: Any) -> None:
    code = "def model_fn(d): return open('/opt/ml/model/code/inference.py').read().count('model_fn')\n"
    code += "def transform_fn(m, data, content_type, accept): return str(m), 'application/json'\n"
    create_model(account, "literal", code=code)
    create_configuration(account, "literal", variant("literal"))
    assert create_endpoint(account, "literal", "literal")["EndpointStatus"] == "InService"
    assert invoke(account, "literal")["Body"] == b"2"


@namespaces
def test_what_the_machine_has_in_opt_is_still_there_in_a_job(tmp_path: Path) -> None:
    listed = [entry.name for entry in sorted(OPT_ML.parent.iterdir())] if OPT_ML.parent.exists() else []
    folder = tmp_path / "ml"
    folder.mkdir()
    seen = become(folder, sys.executable, "-c", "import os; print(*sorted(os.listdir('/opt')))").stdout.split()
    assert seen == sorted({*listed, "ml"})
    (folder / "inside.txt").write_text("own")
    assert become(folder, "cat", "/opt/ml/inside.txt").stdout == "own"


def become_nobody() -> None:
    os.setgid(65534)
    os.setuid(65534)


@namespaces
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else to try it")
def test_somebody_without_rights_has_it_too() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # pytest's and the account's are for their user only
        os.chown(folder, 65534, 65534)
        finished = as_nobody(folder)
    if "Permission denied" in finished.stderr or "can't open file" in finished.stderr:
        pytest.skip("this checkout or interpreter can only be read by root")
    assert finished.stdout.split() == ["65534", "mine"], finished.stderr


def as_nobody(folder: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", "-E", opt_ml.__file__, folder, "sh", "-c", "id -u; echo mine > /opt/ml/a; cat /opt/ml/a"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, preexec_fn=become_nobody)


def become(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    launch = [sys.executable, "-S", "-E", opt_ml.__file__, str(folder), *command]
    return subprocess.run(launch, capture_output=True, text=True, timeout=30, check=False)


# ------------------------------------------------------------------------------------------- or with a guard


def guarded(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A Python process where the machine has no namespaces: guarded as `opt_ml.py` does it."""
    inherited = {**os.environ, "PYTHONPATH": opt_ml.GUARD, **environment}
    return subprocess.run([sys.executable, "-c", script], env=inherited, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    "use",
    [
        "open('/opt/ml/model/a.txt', 'w')",
        "import pathlib; pathlib.Path('/opt/ml/processing/evaluation').mkdir(parents=True, exist_ok=True)",
        "import os; os.makedirs('/opt/ml/output', exist_ok=True)",
        "import os; print(os.path.exists('/opt/ml/input'))",
        "import pathlib; print(pathlib.Path('/opt/ml/input').is_dir())",
        "import glob; print(glob.glob('/opt/ml/input/*'))",
        "import os; os.system('mkdir -p /opt/ml/x')",
        "import subprocess; subprocess.run(['touch', '/opt/ml/x'])",
        # A Python process that the script starts, with a path that its command does not show.
        "import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', \"open('/opt' + '/ml/x', 'w')\"]).returncode)",
        "import shutil; shutil.copyfile('/etc/hostname', '/opt/ml/x')",
        "import os; os.replace('/etc/nothing', '/opt/ml/x')",
    ],
)
def test_a_use_of_the_literal_path_ends_the_process_with_the_reason(use: str) -> None:
    finished = guarded(f"try:\n    {use}\nexcept Exception:\n    pass\nprint('went on')")
    assert finished.returncode == 1
    assert "went on" not in finished.stdout
    assert "/opt/ml" in finished.stderr.splitlines()[-1] and "take the path from an argument or an SM_* variable" in finished.stderr


@pytest.mark.parametrize(
    "use",
    [
        "import argparse; argparse.ArgumentParser().add_argument('--model-dir', default='/opt/ml/model')",
        "import os; os.environ['SM_MODEL_DIR'] = '/opt/ml/model'",
        "import pathlib, tempfile; d = pathlib.Path(tempfile.mkdtemp()) / 'opt' / 'ml'; d.mkdir(parents=True); print(d.exists())",
        "print(open('/etc/passwd').read()[:0])",
        "import shutil, tempfile; shutil.rmtree(tempfile.mkdtemp())",
    ],
)
def test_a_path_that_is_only_named_or_is_another_is_fine(use: str) -> None:
    finished = guarded(use)
    assert finished.returncode == 0, finished.stderr


def test_a_forked_job_is_guarded_where_there_are_no_namespaces(tmp_path: Path) -> None:
    script, log = tmp_path / "job.py", tmp_path / "log"
    script.write_text("open('/opt/ml/model/a.txt', 'w')\n")
    request = {"command": [str(script)], "environment": {"PATH": os.environ["PATH"]}, "directory": str(tmp_path), "log": str(log)}
    program = f"import sys; sys.path.insert(0, {str(Path(opt_ml.__file__).parent)!r}); import child; child.run({request!r}, False)"
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 1
    assert "/opt/ml/model/a.txt is in a container's /opt/ml" in log.read_text()


def test_the_environments_own_sitecustomize_still_comes(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('mine')\n")
    finished = guarded("", PYTHONPATH=os.pathsep.join((opt_ml.GUARD, str(tmp_path))))
    assert finished.stdout == "mine\n", finished.stderr


def test_a_shell_that_could_write_to_the_machines_folder_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opt_ml, "available", lambda isolated=False: False)
    monkeypatch.setattr(opt_ml, "_is_writable", lambda: True)
    with pytest.raises(SystemExit, match="sh is not started: it could write to this machine's own /opt/ml"):
        opt_ml.main(str(tmp_path), shlex.split("sh -c true"))
