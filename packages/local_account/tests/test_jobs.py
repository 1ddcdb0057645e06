"""Processing and training jobs through boto3: the contract that a script finds inside its container, and how jobs end."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from local_account.account import Account
from local_account.context import AccountSettings, Context
from local_account.sagemaker.jobs import running
from local_account.sagemaker.jobs.container import Container
from local_account.sagemaker.jobs.record import PROCESSING, Job, JobStoppedError
from local_account.sagemaker.jobs.s3_data import pack, relative_path
from local_account.sagemaker.jobs.script_mode import arguments, decoded
from local_account.sagemaker.warm.containers import WarmContainers

from . import sagemaker_requests as small

#: Writes everything it sees of its container into seen.json of the directory that its first argument names.
SEE = """
import json, os, pathlib, sys
target = pathlib.Path(sys.argv[1])
config = pathlib.Path(os.environ["SEEN_CONFIG"])
seen = {
    "arguments": sys.argv[1:], "environment": dict(os.environ), "directory": os.getcwd(),
    "files": sorted(path.relative_to(target.parents[1]).as_posix() for path in target.parents[1].rglob("*") if path.is_file()),
    "config": {path.name: json.loads(path.read_text()) for path in config.glob("*.json")},
}
(target / "seen.json").write_text(json.dumps(seen))
message = pathlib.Path(os.environ["SEEN_CONFIG"]).parent / "output" / "message"
message.write_text("4 rows")
"""
TRAIN = """
import json, os, pathlib, sys
model = pathlib.Path(os.environ["SM_MODEL_DIR"])
config = pathlib.Path(os.environ["SM_INPUT_CONFIG_DIR"])
seen = {"arguments": sys.argv[1:], "environment": dict(os.environ), "train": sorted(os.listdir(os.environ["SM_CHANNEL_TRAIN"])),
        "config": {path.name: json.loads(path.read_text()) for path in config.glob("*.json")}}
(model / "seen.json").write_text(json.dumps(seen))
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "extra.txt").write_text("extra")
print("loss=0.9"); print("loss=0.25")
"""
FAIL_TRAIN = """
import os, pathlib
pathlib.Path(os.environ["SM_OUTPUT_DIR"], "failure").write_text("target column rings is constant")
raise SystemExit(3)
"""
#: Each host leaves a file of its own; the second one dies where that is asked for, and the others would go on for ten minutes.
HOSTS = """
import json, os, pathlib, signal, sys, time
config = json.loads(pathlib.Path(os.environ["SM_INPUT_CONFIG_DIR"], "resourceconfig.json").read_text())
host = os.environ["SM_CURRENT_HOST"]
seen = {"config": config, "hosts": json.loads(os.environ["SM_HOSTS"]), "interface": os.environ["SM_NETWORK_INTERFACE_NAME"]}
seen["train"] = sorted(os.listdir(os.environ["SM_CHANNEL_TRAIN"]))
pathlib.Path(os.environ["SM_MODEL_DIR"], host + ".json").write_text(json.dumps(seen))
if "--dies" in sys.argv:
    os.kill(os.getpid(), signal.SIGKILL) if host == "algo-2" else time.sleep(600)
"""
SLEEP = "import time\nprint('sleeping', flush=True)\ntime.sleep(60)\n"
GROW = """
import pathlib, sys, time
pathlib.Path(sys.argv[1], "early.txt").write_text("early")
time.sleep(60)
"""


@pytest.fixture(scope="module")
def sagemaker(account: Account) -> Any:
    scripts = {"hosts.py": HOSTS, "see.py": SEE, "train.py": TRAIN, "fail.py": FAIL_TRAIN, "sleep.py": SLEEP, "grow.py": GROW}
    small.publish(account.client("s3"), scripts)
    return account.client("sagemaker")


def process(sagemaker: Any, request: dict[str, Any]) -> dict[str, Any]:
    name = small.new_name("processing")
    sagemaker.create_processing_job(ProcessingJobName=name, **request)
    return small.wait(lambda: sagemaker.describe_processing_job(ProcessingJobName=name), "ProcessingJobStatus")


def train(sagemaker: Any, request: dict[str, Any], **hyperparameters: str) -> dict[str, Any]:
    name = small.new_name("training")
    sagemaker.create_training_job(TrainingJobName=name, HyperParameters=hyperparameters, **request)
    return small.wait(lambda: sagemaker.describe_training_job(TrainingJobName=name), "TrainingJobStatus")


def unpacked(body: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        return {name: content.read() for name, content in files.items() if content}


OUTPUT = small.s3_output("out", f"s3://{small.BUCKET}/seen")
SEEING = ("see", "/opt/ml/processing/output/out", "--uri", "s3://bucket/opt/ml/x", "--file=/opt/ml/processing/input/data/one.csv")


def test_a_processing_script_finds_inputs_arguments_environment_and_configuration(sagemaker: Any, account: Account) -> None:
    environment = {"SEEN_CONFIG": "/opt/ml/config", "MODE": "a"}
    data = small.s3_input("data", f"s3://{small.BUCKET}/data/one.csv")
    job = process(sagemaker, small.processing(*SEEING, inputs=[data], outputs=[OUTPUT], Environment=environment))
    assert job["ProcessingJobStatus"] == "Completed", job
    seen = json.loads(small.read(account.client("s3"), f"s3://{small.BUCKET}/seen/seen.json"))
    target, _, uri, file = seen["arguments"]
    assert target.endswith("/opt/ml/processing/output/out")
    assert uri == "s3://bucket/opt/ml/x", "an S3 URI is not a path of the container"
    assert file == f"--file={target.removesuffix('output/out')}input/data/one.csv"
    assert "input/data/one.csv" in seen["files"]
    assert seen["environment"]["MODE"] == "a"
    assert seen["environment"]["AWS_ENDPOINT_URL"] == account.context.settings.endpoint_url
    assert seen["config"]["resourceconfig.json"]["hosts"] == ["algo-1"]
    assert seen["config"]["processingjobconfig.json"]["ProcessingJobName"] == job["ProcessingJobName"]
    assert job["ExitMessage"] == "4 rows"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"InstanceCount": 9}, r"ProcessingResources\.ClusterConfig\.InstanceCount 9"),
        ({"S3DataDistributionType": "ShardedByS3Key"}, r"S3Input\.S3DataDistributionType ShardedByS3Key"),
        ({"S3DataType": "ManifestFile"}, r"S3Input\.S3DataType ManifestFile"),
    ],
)
def test_what_a_job_would_share_with_other_instances_is_refused_by_name(sagemaker: Any, change: dict[str, Any], named: str) -> None:
    data = small.s3_input("data", f"s3://{small.BUCKET}/data/")
    request = small.processing("shape", "none", inputs=[data], ProcessingJobName=small.new_name("shared"))
    if "InstanceCount" in change:
        request["ProcessingResources"] = {"ClusterConfig": {**small.CLUSTER["ClusterConfig"], **change}}
    else:
        data["S3Input"] |= change
    with pytest.raises(ClientError, match=f"NotImplemented.*{named}"):
        sagemaker.create_processing_job(**request)


def test_a_training_script_finds_the_script_mode_contract(sagemaker: Any, account: Account) -> None:
    hyperparameters = {**small.script_mode("train.py"), "max_depth": "5", "name": '"quoted"', "_tuning_objective_metric": "loss"}
    job = train(sagemaker, small.training_definition(), **hyperparameters)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed", job
    artifact = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifact == f"s3://{small.BUCKET}/models/{job['TrainingJobName']}/output/model.tar.gz"
    seen = json.loads(unpacked(small.read(account.client("s3"), artifact))["seen.json"])
    assert seen["arguments"] == ["--max_depth", "5", "--name", "quoted"]
    assert seen["train"] == ["one.csv", "two.csv"]
    environment = seen["environment"]
    assert json.loads(environment["SM_HPS"]) == {"max_depth": 5, "name": "quoted"}
    assert (environment["SM_HP_MAX_DEPTH"], environment["SM_CHANNELS"], environment["SM_NUM_GPUS"]) == ("5", '["train"]', "0")
    assert seen["config"]["hyperparameters.json"]["max_depth"] == "5"
    assert seen["config"]["inputdataconfig.json"]["train"]["TrainingInputMode"] == "File"
    assert seen["config"]["resourceconfig.json"]["current_host"] == "algo-1"
    assert unpacked(small.read(account.client("s3"), artifact.replace("model.tar", "output.tar"))) == {"extra.txt": b"extra"}


def of_hosts(count: int) -> dict[str, Any]:
    resources = {"InstanceCount": count, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    return small.training_definition(ResourceConfig=resources)


def test_each_instance_of_a_training_job_is_a_container_with_its_name_and_all_leave_one_model(sagemaker: Any, account: Account) -> None:
    job = train(sagemaker, of_hosts(3), **small.script_mode("hosts.py"))
    assert job["TrainingJobStatus"] == "Completed", job
    written = unpacked(small.read(account.client("s3"), job["ModelArtifacts"]["S3ModelArtifacts"]))
    names = ["algo-1", "algo-2", "algo-3"]
    assert sorted(written) == [f"{name}.json" for name in names]
    for name in names:
        seen = json.loads(written[f"{name}.json"])
        assert (seen["config"]["current_host"], seen["config"]["hosts"], seen["hosts"]) == (name, names, names)
        assert seen["config"]["instance_groups"][0]["hosts"] == names
        assert seen["interface"] == seen["config"]["network_interface_name"]
        assert seen["train"] == ["one.csv", "two.csv"]


def test_a_host_that_dies_fails_the_job_by_its_name_and_ends_the_others(sagemaker: Any) -> None:
    job = train(sagemaker, of_hosts(3), **small.script_mode("hosts.py"), dies="")
    assert job["TrainingJobStatus"] == "Failed", job
    assert job["FailureReason"].startswith("AlgorithmError: algo-2: ExecuteUserScriptError"), job["FailureReason"]


def test_metrics_are_the_last_values_that_the_patterns_find(sagemaker: Any) -> None:
    job = train(sagemaker, small.training_definition(), **small.script_mode("train.py"))
    assert [(metric["MetricName"], round(metric["Value"], 6)) for metric in job["FinalMetricDataList"]] == [("loss", 0.25)]
    statuses = [transition["Status"] for transition in job["SecondaryStatusTransitions"]]
    assert statuses == ["Starting", "Downloading", "Training", "Uploading", "Completed"]


def test_the_toolkit_writes_its_own_reason_over_the_one_that_a_script_left(sagemaker: Any) -> None:
    """`_trainer.py` of sagemaker-containers: the command, and exit code 1 whatever the script's was. What the script said is in the log."""
    job = train(sagemaker, small.training_definition(), **small.script_mode("fail.py"))
    assert job["TrainingJobStatus"] == "Failed"
    reason, _, log = job["FailureReason"].rpartition("; log: ")
    assert re.fullmatch(r'AlgorithmError: ExecuteUserScriptError:\nCommand "\S+/python3 -m fail( --\S+ \S+)*", exit code: 1', reason)
    lines = Path(log).read_text(encoding="utf-8").splitlines()
    assert lines[-1].startswith('Command "')


def test_a_script_that_is_the_entrypoint_leaves_its_own_reason(sagemaker: Any) -> None:
    """Without the toolkit, SageMaker reads what the script wrote to /opt/ml/output/failure."""
    own = {"ContainerEntrypoint": ["sh", "-c", "printf constant > /opt/ml/output/failure; exit 3"], "TrainingImage": "xgboost:3.2-0"}
    request = small.training_definition(AlgorithmSpecification={**own, "TrainingInputMode": "File"})
    assert train(sagemaker, request)["FailureReason"].startswith("AlgorithmError: constant, exit code: 3; log: ")


def code_channel() -> dict[str, Any]:
    return {
        "ChannelName": "code",
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{small.BUCKET}/code.tar.gz"}},
    }


def test_in_network_isolation_the_code_is_not_fetched_from_s3(sagemaker: Any) -> None:
    """The toolkit would do it in the container, which reaches nothing; a channel is brought by SageMaker."""
    request = small.training_definition(EnableNetworkIsolation=True, Environment={"PIP_NO_BUILD_ISOLATION": "0"})
    job = train(sagemaker, request, **small.script_mode("train.py"))
    assert "code.tar.gz cannot be fetched in network isolation; give the code as a channel" in job["FailureReason"]


@pytest.mark.parametrize(("value", "starts"), [(None, False), ("0", True), ("false", True), ("1", False), ("true", False)])
def test_without_a_network_a_program_is_installed_only_if_pip_may_use_what_the_image_has(
    sagemaker: Any, value: str | None, starts: bool
) -> None:
    """pip 26.1, run in the image's way without an index: `PIP_NO_BUILD_ISOLATION` is read as an option that switches off."""
    environment = {} if value is None else {"PIP_NO_BUILD_ISOLATION": value}
    request = small.training_definition(EnableNetworkIsolation=True, Environment=environment)
    request["InputDataConfig"].append(code_channel())
    job = train(
        sagemaker, request, **{**small.script_mode("train.py"), "sagemaker_submit_directory": "/opt/ml/input/data/code/code.tar.gz"}
    )
    assert (job["TrainingJobStatus"] == "Completed") is starts
    if not starts:
        assert job["FailureReason"].startswith(
            'AlgorithmError: InstallModuleError:\nCommand "/opt/venv/bin/python3 -m pip install .", exit code: 1'
        )
        log = Path(job["FailureReason"].rpartition("log: ")[2]).read_text(encoding="utf-8")
        assert "ERROR: No matching distribution found for setuptools>=40.8.0" in log


def test_a_job_over_its_time_is_stopped_and_says_so(sagemaker: Any) -> None:
    request = small.training_definition(StoppingCondition={"MaxRuntimeInSeconds": 1})
    job = train(sagemaker, request, **small.script_mode("sleep.py"))
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_logs_are_in_cloudwatch_logs_too(sagemaker: Any, account: Account) -> None:
    job = train(sagemaker, small.training_definition(), **small.script_mode("train.py"))
    logs, group = account.client("logs"), "/aws/sagemaker/TrainingJobs"
    deadline = time.monotonic() + 10
    events: list[Any] = []
    while not events:
        assert time.monotonic() < deadline, "the log was never copied"
        time.sleep(0.05)
        for stream in logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=job["TrainingJobName"])["logStreams"]:
            events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    assert [event["message"] for event in events] == ["loss=0.9", "loss=0.25"]


@pytest.mark.parametrize(
    ("hyperparameters", "change", "message"),
    [
        ({}, {}, "runs no container images"),
        (small.script_mode("train.py"), {"RoleArn": None}, "Value null at 'roleArn' failed to satisfy constraint: Member must not be null"),
        (
            small.script_mode("train.py"),
            {
                "AlgorithmSpecification": {
                    "TrainingImage": "i",
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": "m", "Regex": "("}],
                }
            },
            "Regex of m is malformed",
        ),
        (
            small.script_mode("train.py"),
            {"AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "Pipe"}},
            "CreateTrainingJob with AlgorithmSpecification.TrainingInputMode Pipe",
        ),
    ],
)
def test_a_training_job_that_cannot_run_is_not_created(sagemaker: Any, hyperparameters: dict[str, str], change: Any, message: str) -> None:
    request = {key: value for key, value in {**small.training_definition(), **change}.items() if value is not None}
    name, client = small.new_name("refused"), sagemaker
    if "RoleArn" not in request:  # boto3 would refuse it before it is sent
        client = _unchecked(sagemaker)
    with pytest.raises(ClientError, match=message):
        client.create_training_job(TrainingJobName=name, HyperParameters=hyperparameters, **request)
    with pytest.raises(ClientError, match="Could not find"):
        sagemaker.describe_training_job(TrainingJobName=name)


def _unchecked(client: Any) -> Any:
    import boto3
    from botocore.config import Config

    credentials = client._request_signer._credentials
    session = boto3.Session(credentials.access_key, credentials.secret_key, region_name="us-east-1")
    return session.client(
        "sagemaker", endpoint_url=client.meta.endpoint_url, config=Config(parameter_validation=False, retries={"max_attempts": 1})
    )


def test_the_same_model_files_are_packed_into_the_same_bytes(tmp_path: Path) -> None:
    def packed(name: str, moment: int) -> bytes:
        folder = tmp_path / name
        (folder / "code").mkdir(parents=True)
        for path in (folder / "model.json", folder / "code" / "inference.py"):
            path.write_text("same")
            os.utime(path, (moment, moment))
        pack(folder, tmp_path / f"{name}.tar.gz")
        return (tmp_path / f"{name}.tar.gz").read_bytes()

    assert packed("first", 1_000) == packed("second", 2_000)


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("/opt/ml", "{root}/opt/ml"),
        ("/opt/ml/model", "{root}/opt/ml/model"),
        ("--in=/opt/ml/a:/opt/ml/b", "--in={root}/opt/ml/a:{root}/opt/ml/b"),
        ("file:///opt/ml/a", "file://{root}/opt/ml/a"),
        ("s3://bucket/opt/ml/a", "s3://bucket/opt/ml/a"),
        ("/home/opt/ml/a", "/home/opt/ml/a"),
        ("/opt/mlflow", "/opt/mlflow"),
    ],
)
def test_only_the_containers_own_paths_are_rewritten(tmp_path: Path, text: str, rewritten: str) -> None:
    assert Container(tmp_path).localise(text) == rewritten.format(root=tmp_path)


@pytest.mark.parametrize(
    ("key", "prefix", "relative"),
    [
        ("data/a.csv", "data/", "a.csv"),
        ("data/sub/a.csv", "data", "sub/a.csv"),
        ("data/a.csv", "data/a.csv", "a.csv"),
        ("data/a.csv", "data/a", "a.csv"),
        ("a.csv", "", "a.csv"),
    ],
)
def test_objects_keep_their_place_below_the_prefix(key: str, prefix: str, relative: str) -> None:
    assert relative_path(key, prefix) == relative


def test_hyperparameters_become_sorted_arguments() -> None:
    given = decoded({"b": "1", "alpha": '"text"', "flag": "true", "raw": "not json", "sagemaker_program": '"x"'})
    assert arguments(given) == ["--alpha", "text", "-b", "1", "--flag", "True", "--raw", "not json"]


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Any:
    context = Context(AccountSettings(state_directory=tmp_path_factory.mktemp("warm"), port=1))
    yield WarmContainers(context)
    context.close()


def run_script(warm: WarmContainers, folder: Path, text: str, *command: str, **environment: str) -> tuple[int | None, str]:
    script, log = folder / f"{small.new_name('script')}.py", folder / f"{small.new_name('log')}.log"
    script.write_text(text)
    process_ = warm.start(
        [sys.executable, str(script), *command],
        environment={"PATH": os.environ["PATH"], **environment},
        working_directory=folder,
        log_file=log,
        opt_ml=folder,
    )
    code = process_.wait(60)
    process_.stop()
    return code, log.read_text()


def test_warm_jobs_see_nothing_of_each_other(warm: WarmContainers, tmp_path: Path) -> None:
    first = (
        "import json, os, sys; json.leak = 1; os.environ['LEAK'] = '1'; sys.path.append('leak')\nimport numpy; print(numpy.random.rand())"
    )
    second = "import json, numpy, os, sys\n"
    second += "print(hasattr(json, 'leak'), 'LEAK' in os.environ, 'leak' in sys.path, sys.argv[1:])\nprint(numpy.random.rand())"
    code, log = run_script(warm, tmp_path, first, OWN="x")
    other_code, other_log = run_script(warm, tmp_path, second, "a b", "c")
    assert code == other_code == 0
    assert other_log.splitlines()[0] == "False False False ['a b', 'c']"
    assert other_log.splitlines()[1] != log.strip(), "each job draws its own random numbers"


def test_a_warm_job_has_the_threads_it_asks_for(warm: WarmContainers, tmp_path: Path) -> None:
    script = "import sklearn.ensemble, threadpoolctl; print({item['num_threads'] for item in threadpoolctl.threadpool_info()})"
    assert run_script(warm, tmp_path, script, OMP_NUM_THREADS="1")[1] == "{1}\n"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("", 0),
        ("raise SystemExit(7)", 7),
        ("raise SystemExit('gone wrong')", 1),
        ("1 / 0", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143),
    ],
)
def test_warm_jobs_end_with_the_code_of_an_ordinary_process(warm: WarmContainers, tmp_path: Path, script: str, code: int) -> None:
    assert run_script(warm, tmp_path, script)[0] == code


def test_a_traceback_shows_the_users_code_only(warm: WarmContainers, tmp_path: Path) -> None:
    log = run_script(warm, tmp_path, "def f():\n    return 1 / 0\nf()\n")[1]
    assert log.count("File ") == 2
    assert log.endswith("ZeroDivisionError: division by zero\n")


def test_an_environment_that_changes_how_python_starts_gets_an_ordinary_process(warm: WarmContainers, tmp_path: Path) -> None:
    script = "print(sorted({'a', 'b', 'c', 'd'}, key=hash))"
    outcomes = {run_script(warm, tmp_path, script, PYTHONHASHSEED=seed) for seed in ("1", "1", "2", "3", "4")}
    assert len(outcomes) > 1, "the seed is honoured"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="warm containers fork on Linux only")
def test_no_warm_job_outlives_an_account_that_is_killed(tmp_path: Path) -> None:
    marker = small.new_name("orphan")
    child = f"[sys.executable, '-S', '-c', 'import time; time.sleep(60)', '{marker}']"
    (tmp_path / "job.py").write_text(f"import subprocess, sys, time\nsubprocess.Popen({child})\ntime.sleep(60)\n")
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom local_account.context import AccountSettings, Context\n"
        "from local_account.sagemaker.warm.containers import WarmContainers\n"
        "folder = Path(sys.argv[1])\nwarm = WarmContainers(Context(AccountSettings(state_directory=folder, port=1)))\n"
        "job = warm.start([sys.executable, str(folder / 'job.py')], environment={}, working_directory=folder,\n"
        "                 log_file=folder / 'log', opt_ml=folder)\n"
        "time.sleep(60)\n"
    )
    account = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=Path(__file__).parents[1])

    def alive() -> list[psutil.Process]:
        found = [item for item in psutil.process_iter(["cmdline"]) if marker in (item.info["cmdline"] or [])]
        return [item for item in found if item.status() != psutil.STATUS_ZOMBIE]

    try:
        _until(alive, "the job never started")
    finally:
        account.send_signal(signal.SIGKILL)
        account.wait()
    _until(lambda: not alive(), "the job outlived its account")


def _until(condition: Any, complaint: str, timeout_seconds: float = 30) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)


def test_jobs_run_in_the_order_in_which_they_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often they look for their place; and one that is stopped while it waits runs not at all and keeps nobody waiting."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    monkeypatch.setattr(running, "_POLL_SECONDS", 0.02)
    jobs = [Job(PROCESSING, {}, tmp_path / "log", tmp_path) for _ in range(7)]
    context = Context(AccountSettings(state_directory=tmp_path, port=1))
    runner, ran = running.Runner(context, WarmContainers(context)), []

    def run(number: int) -> None:
        with contextlib.suppress(JobStoppedError), runner.slot(jobs[number]):
            ran.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(1, 7)]
    with runner.slot(jobs[0]):
        for thread in threads:
            thread.start()
            time.sleep(0.03)
        jobs[3].stop_requested.set()
        threads[2].join()
    for thread in threads:
        thread.join()
    assert ran == [1, 2, 4, 5, 6]
