"""Rebuilds a registered version from its lineage and says whether the result is the same, byte for byte.

    python -m build_scripts.reproduce --model-package-arn arn:aws:sagemaker:...:model-package/mlops--abalone/3
    python -m build_scripts.reproduce --model-package-arn ... --save rebuilt.tar.gz

Input: the registry, and what it names: the published code, the versions of the data, the hyperparameters of the trial
that won. The published prepare.py, train.py and choose.py run here, as processes, in a folder of their own; what several instances
trained together, as many processes do.
Exit code 0: identical. 1: it differs, and in what. 2: it cannot be rebuilt, and why.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from build_scripts.archive_difference import compare
from build_scripts.command_line import ProblemError, VerdictError, parser, read_settings, run
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.recorded_inputs import fetch_code, fetch_data, read
from build_scripts.recorded_lineage import Lineage
from build_scripts.recorded_lineage import read as read_lineage
from build_scripts.step_modules import load

_STEP_TIMEOUT_SECONDS = 4 * 60 * 60  # as MAX_RUNTIME_SECONDS of the jobs
_SHOWN_FILES = 3
_LIBRARIES = "import json, choose; print(json.dumps(choose.libraries()))"


class Rebuild:
    """Runs the fetched code on the fetched data. `folder` holds `code/` and `data/`; everything it writes stays in there."""

    def __init__(self, lineage: Lineage, folder: Path, python: str) -> None:
        self._lineage, self._folder, self._python = lineage, folder, python

    def libraries(self) -> dict[str, str]:
        """Installed versions of what computes, as the version's own code names them."""
        found: dict[str, str] = json.loads(self._python_run("libraries", "-c", _LIBRARIES))
        return found

    def prepare(self) -> str:
        """The data's hash."""
        self._script("prepare", "--data", self._at("data"), "--output", self._at("."))
        lineage = json.loads((self._folder / "preparation" / "lineage.json").read_text(encoding="utf-8"))
        return str(lineage["data_sha256"])

    def train(self) -> None:
        """The trial that won, or each that is blended."""
        for algorithm, hyperparameters in self._lineage.trials.items():
            self._train(algorithm, hyperparameters)

    def _train(self, algorithm: str, hyperparameters: Mapping[str, str]) -> None:
        pairs = [text for name, value in sorted(hyperparameters.items()) for text in (f"--{name}", value)]
        trial = self._folder / f"trial-{algorithm}"
        folders = ["--train", self._at("train"), "--validation", self._at("validation"), "--model-dir", str(trial)]
        self._script("train", "--algorithm", algorithm, *folders, *pairs, hosts=self._lineage.instances)
        # SageMaker hands the next step the packed model folder.
        packed = load("archive").pack({file.name: file.read_bytes() for file in trial.iterdir() if file.is_file()})
        candidate = self._folder / "candidates" / f"candidate-{algorithm.replace('_', '-')}"
        candidate.mkdir(parents=True)
        (candidate / "model.tar.gz").write_bytes(packed)

    def choose(self) -> bytes:
        """model.tar.gz."""
        folders = ["--candidates", self._at("candidates"), "--preparation", self._at("preparation"), "--output", self._at("chosen")]
        if self._lineage.fitted_on:  # a version from before then has a choose.py that takes no rows
            folders += ["--train", self._at("train"), "--validation", self._at("validation")]
        if len(self._lineage.trials) > 1:  # which weights were best is decided; a competition of the members alone might say another
            weights = " ".join(f"{name}={value}" for name, value in self._lineage.hyperparameters.items())
            folders += ["--weights", weights]
        self._script("choose", *folders)
        return (self._folder / "chosen" / "model" / "model.tar.gz").read_bytes()

    def _at(self, name: str) -> str:
        return str(self._folder / name)

    def _script(self, name: str, *arguments: str, hosts: int = 1) -> None:
        """On several hosts, as many processes: what the first printed is shown, which writes the model."""
        started = time.monotonic()
        script = str(self._folder / "code" / f"{name}.py")
        with ThreadPoolExecutor(hosts) as together:
            jobs = [together.submit(self._python_run, name, script, *arguments, **host) for host in _environments(hosts)]
            for ended in as_completed(jobs):
                ended.result()  # of the one that failed first: the others say that it is lost
        said = jobs[0].result().strip().splitlines()
        on = f" on {hosts} hosts" if hosts > 1 else ""
        print(f"{name:<9} {time.monotonic() - started:.1f} s{on}  {said[-1] if said else ''}", flush=True)

    def _python_run(self, step: str, *command: str, **host: str) -> str:
        """`host`: what a container of several is told. Without credentials: the code needs none. Raises VerdictError with the script's own
        line.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON", "SM_"))}
        inherited |= {name: os.environ[name] for name in ("SM_NUM_CPUS",) if name in os.environ}  # how many threads to use
        environment = {**inherited, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "SM_OUTPUT_DIR": self._at("failure"), **host}
        finished = subprocess.run(
            [self._python, *command],
            env=environment,
            cwd=self._folder / "code",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_STEP_TIMEOUT_SECONDS,
            check=False,
        )
        if finished.returncode:
            said = finished.stderr.strip().splitlines() or ["no message"]
            raise VerdictError(f"not rebuilt: {step} failed: {said[-1].removeprefix('error: ')}")
        return finished.stdout


def _environments(hosts: int) -> list[dict[str, str]]:
    """Of each host's process, as pipelines/tabular/steps/hosts.py reads them; all on this machine. The job's name chooses their port."""
    if hosts == 1:
        return [{}]
    names = [f"algo-{number}" for number in range(1, hosts + 1)]
    shared = {"SM_HOSTS": json.dumps(names), "SM_NETWORK_INTERFACE_NAME": "lo", "TRAINING_JOB_NAME": f"reproduce-{uuid.uuid4().hex}"}
    return [{**shared, "SM_CURRENT_HOST": name} for name in names]


def rebuild(s3: Any, lineage: Lineage, folder: Path, python: str) -> bytes:
    """model.tar.gz. Raises ProblemError and VerdictError."""
    for name in ("code", "data"):
        (folder / name).mkdir()
    files = fetch_code(s3, lineage, folder / "code")
    print(f"code      {files} files, hash {lineage.code_hash} as recorded; commit {lineage.commit}")
    names = fetch_data(s3, lineage, folder / "data")
    print(f"data      {', '.join(names[:_SHOWN_FILES])}{f' and {len(names) - _SHOWN_FILES} more' if len(names) > _SHOWN_FILES else ''}")
    work = Rebuild(lineage, folder, python)
    different = library_differences(lineage, work.libraries())
    print(f"libraries {'; '.join(different) or 'as recorded'}", flush=True)
    digest = work.prepare()
    if digest != lineage.data_sha256:
        raise VerdictError(f"differs: the data at {lineage.data_url} has sha256 {digest}, recorded {lineage.data_sha256}")
    work.train()
    return work.choose()


def library_differences(lineage: Lineage, here: dict[str, str]) -> list[str]:
    names = sorted(lineage.libraries.keys() | here.keys())
    absent = "none"
    return [
        f"{name} {here.get(name, absent)} here, {lineage.libraries.get(name, absent)} recorded"
        for name in names
        if here.get(name) != lineage.libraries.get(name)
    ]


def verdict(lineage: Lineage, stored: bytes | None, rebuilt: bytes) -> tuple[bool, list[str]]:
    """Whether everything is identical, and lines that say so or say what differs. `stored`: what is at `model_url` now."""
    recorded, made = lineage.model_sha256, hashlib.sha256(rebuilt).hexdigest()
    now = None if stored is None else hashlib.sha256(stored).hexdigest()
    if made == recorded == now:
        return True, [f"identical: model.tar.gz has sha256 {made}"]
    if made == recorded:
        state = "is gone" if stored is None else f"has sha256 {now}"
        return False, [f"differs: the rebuilt model.tar.gz is what was registered ({made}), but {lineage.model_url} {state}"]
    lines = [f"differs: model.tar.gz has sha256 {made}, registered {recorded}"]
    if stored is None or now != recorded:
        state = "is gone" if stored is None else "was changed since, too"
        return False, [*lines, f"  {lineage.model_url} {state}: its files cannot be compared"]
    try:
        difference = compare(stored, rebuilt)
    except (tarfile.TarError, OSError) as error:
        return False, [*lines, f"  the archives cannot be compared: {error}"]
    lines += [f"  {line}" for line in difference.lines]
    if not difference.lines:
        lines.append("  every file inside is the same; only the compression differs (another zlib, or other metadata in the archive)")
    return False, [*lines, f"  same: {', '.join(_summary(difference.same)) or 'nothing'}"]


def _summary(names: Sequence[str]) -> list[str]:
    """The code as one entry: it has dozens of files."""
    code = [name for name in names if name.startswith("code/")]
    return [*(name for name in names if name not in code), *([f"code/ ({len(code)} files)"] if code else [])]


def main(arguments: Sequence[str]) -> int:
    given = _options().parse_args(arguments)
    if given.save and given.save.is_dir():
        raise ProblemError(f"--save is {str(given.save)!r}, a folder; give the name of a file")
    place = ProjectEnvironment(read_settings().project)
    s3 = place.client("s3")
    lineage = read_lineage(place.client("sagemaker"), given.model_package_arn)
    with tempfile.TemporaryDirectory() as scratch:
        rebuilt = rebuild(s3, lineage, Path(scratch), given.python)
    if given.save:
        given.save.write_bytes(rebuilt)
    identical, lines = verdict(lineage, read(s3, lineage.model_url), rebuilt)
    print("\n".join(lines))
    return 0 if identical else 1


def _options() -> argparse.ArgumentParser:
    options = parser(__doc__)
    options.add_argument("--model-package-arn", required=True, metavar="ARN", help="the version, as the registry and status.py show it")
    options.add_argument("--save", type=Path, metavar="FILE", help="keep the rebuilt model.tar.gz")
    options.add_argument(
        "--python", default=sys.executable, help="interpreter with the recorded libraries, where this one has others (default: this one)"
    )
    return options


if __name__ == "__main__":
    raise SystemExit(run(main))
