"""A Python environment with the server of the managed image, from its public source: of the benchmark alone, not of `make setup`.

The versions are those of the image (docker/xgboost/pyproject.toml of aws/deep-learning-containers, for 3.2-0), as far as serving one model
imports them; XGBoost is the build for processors alone, whose code for them is the same. As the image's Dockerfile does, one name in
sagemaker-containers is replaced, which Python 3.10 has no more. Output: the folder of the environment, which stays in .cache/.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "python3.12"
#: sagemaker-xgboost-container at this commit says that it needs Python 3.12.
SOURCE = "https://github.com/aws/sagemaker-xgboost-container.git"
COMMIT = "cb8df91"
RELEASES = (
    "numpy==2.1.0",
    "scipy==1.15.0",
    "pandas==2.2.3",
    "pyarrow==22.0.0",
    "Flask==3.1.3",
    "Werkzeug==3.1.8",
    "gunicorn==25.3.0",
    "gevent==26.4.0",
    "boto3==1.38.0",
    "psutil==7.0.0",
    "retrying==1.3.3",
    "protobuf==3.20.3",
    "setuptools==80.9.0",  # the last with pkg_resources, which sagemaker-containers imports
    "wheel",
    "six",
    "paramiko",
    "inotify_simple==1.2.1",
)
#: Whose own pins contradict the image's.
WITHOUT_THEIR_NEEDS = ("xgboost-cpu==3.2.0", "sagemaker-containers==2.8.6.post2", "sagemaker-inference==1.5.5")


def environment(source: str = SOURCE) -> Path:
    """Made once. Ends the program where it cannot be: without Python 3.12, nginx, a C compiler or a package index."""
    for command, what in ((PYTHON, "the image's Python"), ("nginx", "the server in front of the image's workers")):
        if shutil.which(command) is None:
            raise SystemExit(f"error: there is no {command}, {what}; install it, with `apt-get install` or pyenv, and put it on PATH")
    wanted = "\n".join((PYTHON, COMMIT, *RELEASES, *WITHOUT_THEIR_NEEDS))
    folder = ROOT / ".cache" / f"serving-stack-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    if not (folder / "complete").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, source)
        (folder / "complete").touch()
    return folder


def _make(folder: Path, source: str) -> None:
    """An editable or cached clone will do as the source: `git+file:///...`."""
    _run(PYTHON, "-m", "venv", str(folder))
    install = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*install, *RELEASES)
    _run(*install, "--no-deps", "--no-build-isolation", *WITHOUT_THEIR_NEEDS, f"git+{source}@{COMMIT}")
    (mapping,) = folder.glob("lib/python*/site-packages/sagemaker_containers/_mapping.py")
    mapping.write_text(mapping.read_text(encoding="utf-8").replace("collections.Mapping", "collections.abc.Mapping"), encoding="utf-8")


def _run(*command: str) -> None:
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PIP_NO_INPUT": "1"})
    if finished.returncode:
        raise SystemExit(f"error: {' '.join(command[:6])}...: {(finished.stderr.strip().splitlines() or ['no message'])[-1]}")
