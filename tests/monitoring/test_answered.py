"""Claims about reading answered rows again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from build_scripts import step_modules

THREADS = Path("/proc/self/task")

#: A process of its own, because another test may have begun Arrow's threads here.
PROGRAM = """
import os, sys
from pathlib import Path
import answered
packed = Path(sys.argv[1]).read_bytes()
before = set(os.listdir("/proc/self/task"))
rows = answered.read(packed).to_pylist()
names = answered.read(packed, ["inference_id"]).column_names
print(rows, names, len(set(os.listdir("/proc/self/task")) - before))
"""


@pytest.mark.skipif(not THREADS.exists(), reason="threads of a process are counted in /proc, which only Linux has")
def test_reading_leaves_no_thread_that_could_abort_the_end_of_the_process(tmp_path: Path) -> None:
    rows = [{"inference_id": "a", "row": 1}, {"inference_id": "b", "row": 2}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "kept.parquet")
    folders = os.pathsep.join(str(step_modules.folder(kind)) for kind in ("tabular", "monitoring"))
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "kept.parquet")],
        env={**os.environ, "PYTHONPATH": folders},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == f"{rows} ['inference_id'] 0\n"
