"""Runs the step script named by TIMED_SCRIPT and appends its seconds, imports included, to TIMED_SECONDS_FILE.

Both orchestrators start their steps through this file, so "inside a step script" means the same for both.
"""

import os
import runpy
import sys
import time
from pathlib import Path

started = time.perf_counter()
script = Path(__file__).with_name(os.environ["TIMED_SCRIPT"])
sys.argv[0] = str(script)
try:
    runpy.run_path(str(script), run_name="__main__")
finally:
    with Path(os.environ["TIMED_SECONDS_FILE"]).open("a", encoding="utf-8") as file:
        file.write(f"{script.stem} {time.perf_counter() - started:.6f}\n")
