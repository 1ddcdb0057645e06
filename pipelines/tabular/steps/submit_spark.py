"""What each host of a Spark job starts: sets the cluster up for Python, hands the script to the image's `smspark-submit`, keeps its line.

    python3 submit_spark.py prepare_on_spark.py --data ...

`smspark-submit` starts YARN on each host, runs the script on the first and waits on the others (`job.py` of aws/sagemaker-spark-container).
Two things it does not do. It gives the JVM of a worker nine tenths of an instance's memory (`bootstrapper.py`), and Python gets what is
left: here Python gets more than half. It writes its own line, "spark failed with a non-zero exit code", over that of the script
(`errors.py`): here the script's is put back. Standard library only: it runs on every host before anything is unpacked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

#: `smspark-submit` looks for it in /opt/ml/processing/input (`config_path_utils.py`), in which the code is, too.
CONFIGURATION = Path(__file__).resolve().parents[1] / "conf" / "configuration.json"
#: On the volume of the job; Hadoop's own place is the container's small disk.
LOCAL_FOLDER = "/opt/ml/processing/spark"
#: Shares of an instance's memory. The driver's Python, the daemons and the system have the rest of the first host.
_JVM, _PYTHON, _DRIVER_JVM = 0.20, 0.45, 0.10


def main(argv: list[str]) -> int:
    CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
    memory_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    CONFIGURATION.write_text(json.dumps(configuration(memory_mib)), encoding="utf-8")
    script, *arguments = argv
    return submit(["smspark-submit", str(Path(__file__).resolve().with_name(script)), *arguments])


def configuration(memory_mib: int) -> list[dict[str, Any]]:
    """In the form of EMR: a later line of a Spark file counts, so these are added to those of the image."""
    spark = {
        "spark.driver.memory": f"{int(memory_mib * _DRIVER_JVM)}m",
        "spark.executor.memory": f"{int(memory_mib * _JVM)}m",
        "spark.executor.memoryOverhead": f"{int(memory_mib * _PYTHON)}m",
    }
    yarn = {"yarn.nodemanager.local-dirs": LOCAL_FOLDER, "yarn.nodemanager.vmem-check-enabled": "false"}
    return [{"Classification": "spark-defaults", "Properties": spark}, {"Classification": "yarn-site", "Properties": yarn}]


def submit(command: list[str]) -> int:
    """The exit code. What the script says (failure.py) stands where SageMaker looks for it when this returns."""
    folder = Path(os.environ.get("SM_OUTPUT_DIR", "/opt/ml/output"))
    with tempfile.TemporaryDirectory() as said:
        code = subprocess.run(command, env={**os.environ, "SM_OUTPUT_DIR": said}, check=False).returncode
        message = Path(said) / "message"
        if code and message.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "message").write_text(message.read_text(encoding="utf-8"), encoding="utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
