"""Runs three step scripts under the local account and under Metaflow, in turn, and prints what each adds to them.

    python -m benchmarks.orchestration [--rounds 5]

Overhead = wall-clock of the whole run minus the seconds inside the step scripts (imports included), per step.
Metaflow is installed once, with its pinned version, into an environment of its own under .state/.
Output: a table, and benchmarks/results/orchestration.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.orchestration.three_steps import definition
from benchmarks.preparation.rows import MODEL
from benchmarks.role import ROLE, make_role
from build_scripts.publish import code_files
from build_scripts.step_modules import load
from local_account.account import Account
from local_account.context import AccountSettings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
METAFLOW = "metaflow==2.19.39"
BUCKET = "orchestration-benchmark"
STEPS = 3


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.orchestration", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each that count (default 5), after one that does not")
    rounds = parser.parse_args(arguments).rounds
    peer = _metaflow_python()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        files = {**code_files(MODEL), "timed.py": (HERE / "timed.py").read_bytes()}
        data = _abalone(work / "data")
        with Account(AccountSettings(state_directory=work / "account", port=0)) as account:
            make_role(account.client("iam"))
            local = _LocalAccount(account, files, data, work / "seconds.txt")
            results: dict[str, list[dict[str, float]]] = {"local account": [], "Metaflow": []}
            for round_number in range(rounds + 1):
                samples = {"local account": local.run(), "Metaflow": _run_metaflow(peer, files, data, work / f"metaflow-{round_number}")}
                if round_number:  # the first run warms caches of both
                    for name, sample in samples.items():
                        results[name].append(sample)
                print(f"round {round_number} of {rounds}" + ("" if round_number else " (not counted)"), flush=True)
    _report(results)
    return 0


def _abalone(folder: Path) -> Path:
    from sklego.datasets import load_abalone

    folder.mkdir(parents=True)
    load_abalone(as_frame=True).to_csv(folder / "abalone.csv", index=False)
    return folder


class _LocalAccount:
    def __init__(self, account: Account, files: Mapping[str, bytes], data: Path, seconds_file: Path) -> None:
        self._sagemaker = account.client("sagemaker")
        self._seconds_file = seconds_file
        s3 = account.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for name, content in files.items():
            s3.put_object(Bucket=BUCKET, Key=f"code/steps/{name}", Body=content)
        s3.put_object(Bucket=BUCKET, Key="code/sourcedir.tar.gz", Body=load("archive").pack(files))
        s3.upload_file(str(data / "abalone.csv"), BUCKET, "data/abalone.csv")
        body = definition(BUCKET, ROLE, seconds_file)
        self._sagemaker.create_pipeline(
            PipelineName="three-steps", PipelineDefinition=body, RoleArn=ROLE, ClientRequestToken="three-steps-" * 4
        )

    def run(self) -> dict[str, float]:
        self._seconds_file.unlink(missing_ok=True)
        started = time.perf_counter()
        arn = self._sagemaker.start_pipeline_execution(PipelineName="three-steps", ClientRequestToken=f"{time.time_ns():040d}")[
            "PipelineExecutionArn"
        ]
        while (status := self._describe(arn))["PipelineExecutionStatus"] == "Executing":
            time.sleep(0.02)
        wall = time.perf_counter() - started
        if status["PipelineExecutionStatus"] != "Succeeded":
            raise SystemExit(f"the local account's run failed: {status.get('FailureReason')}")
        return _sample(wall, self._seconds_file)

    def _describe(self, arn: str) -> Any:
        return self._sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)


def _metaflow_python() -> Path:
    environment = ROOT / ".state" / "metaflow"
    python = environment / "bin" / "python"
    if not python.exists():
        print(f"installing {METAFLOW} into .state/metaflow", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run([sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), METAFLOW], check=True)
    return python


def _run_metaflow(python: Path, files: Mapping[str, bytes], data: Path, work: Path) -> dict[str, float]:
    for name, content in files.items():
        target = work / "code" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    environment = {
        **os.environ,
        "STEP_PYTHON": sys.executable,
        "STEP_CODE": str(work / "code"),
        "STEP_DATA": str(data),
        "STEP_WORK": str(work),
        "TIMED_SECONDS_FILE": str(work / "seconds.txt"),
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(work / "store"),
        "METAFLOW_USER": "benchmark",
        "METAFLOW_DISABLE_TRACING": "1",
    }
    started = time.perf_counter()
    finished = subprocess.run(
        [str(python), str(HERE / "metaflow_flow.py"), "--quiet", "run"],
        env=environment,
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - started
    if finished.returncode:
        raise SystemExit(f"Metaflow's run failed:\n{finished.stdout}\n{finished.stderr}")
    return _sample(wall, work / "seconds.txt")


def _sample(wall: float, seconds_file: Path) -> dict[str, float]:
    inside = {name: float(seconds) for name, seconds in (line.split() for line in seconds_file.read_text(encoding="utf-8").splitlines())}
    if len(inside) != STEPS:
        raise SystemExit(f"{seconds_file} names the steps {sorted(inside)}; expected {STEPS}")
    return {
        "wall_seconds": wall,
        "script_seconds": sum(inside.values()),
        "overhead_seconds_per_step": (wall - sum(inside.values())) / STEPS,
    }


def _report(results: dict[str, list[dict[str, float]]]) -> None:
    medians = {name: {key: statistics.median(sample[key] for sample in samples) for key in samples[0]} for name, samples in results.items()}
    print(f"\n{'':16}{'whole run s':>14}{'in scripts s':>14}{'overhead s/step':>17}")
    for name, row in medians.items():
        print(f"{name:16}{row['wall_seconds']:14.2f}{row['script_seconds']:14.2f}{row['overhead_seconds_per_step']:17.3f}")
    ratio = medians["local account"]["overhead_seconds_per_step"] / medians["Metaflow"]["overhead_seconds_per_step"]
    print(f"\noverhead per step, local account / Metaflow: {ratio:.2f}")
    target = ROOT / "benchmarks" / "results" / "orchestration.json"
    target.parent.mkdir(exist_ok=True)
    document = {"machine": describe_machine(), "peer": METAFLOW, "median": medians, "overhead_ratio": ratio, "rounds": results}
    target.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
