"""Runs the training pipeline with the default budget, then again on the same code and data: what is cached is not run again.

    python -m benchmarks.caching

Seconds are of `build_scripts.run_pipeline --parameter ... --wait` as a whole process, the SageMaker SDK's import included.
Output: the steps of the second run, and benchmarks/results/caching.json.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.registered import registered_abalone

RESULT = Path(__file__).parents[1] / "results" / "caching.json"
TARGET_SECONDS = 15.0
ROUNDS = 3


def main() -> int:
    seconds = []
    with registered_abalone() as registered:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            finished = registered.script("run_pipeline", "--parameter", "TriggerReason=again", "--wait")
            seconds.append(round(time.perf_counter() - started, 2))
            if finished.returncode:
                print(finished.stdout + finished.stderr)
                return 1
    print(finished.stdout)
    median = sorted(seconds)[ROUNDS // 2]
    print(f"cached re-run: {median:.1f} s (promised: at most {TARGET_SECONDS:.0f} s)")
    document = {"machine": describe_machine(), "median_seconds": median, "target_seconds": TARGET_SECONDS, "runs": seconds}
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
