"""`python -m benchmarks [NAME ...]`: measures the numbers of benchmarks/README.md again, one question after the other.

Each is a package with a command of its own, such as `python -m benchmarks.orchestration --rounds 5`, and keeps its result in
benchmarks/results/. They run one at a time, each in its own process: two at once would measure each other.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

QUESTIONS = {
    "loop": "how long the stages of `make demo` and the other commands take",
    "retraining": "from an alarm to the version that comes of it",
    "ways_back": "how long a broken live version takes to be left",
    "updates": "what clients lose while an endpoint is updated, in every way that it can be",
    "many_models": "`cdk synth` with twenty models, and how large their stacks become",
    "caching": "a training again on the same code and data",
    "orchestration": "what the local account adds to each step, against Metaflow",
    "authorization": "what deciding about a request costs",
    "training": "the registered model against AWS's abalone sample",
    "large_training": "ten million rows in memory, on disk and on two hosts: memory, time, and whether the model is the same",
    "serving": "what live metrics cost a request",
    "lean_image": "the team's own serving image beside the managed image's server",
    "serving.stack": "the managed image's own server: this program beside AWS's default path",
    "multi_model": "fifty models on one instance: a warm one beside an endpoint of its own",
    "preparation": "one million rows against scikit-learn's own pipeline",
    "evaluation": "five million test rows: memory and time",
    "preparation.large": "ten million rows through the whole step, beside polars",
    "reproducibility": "whether a registered version can be rebuilt bit for bit",
    "monitoring.speed": "one million captured requests",
    "monitoring.false_alarms": "how often the watch alarms where nothing has drifted, beside Evidently and PSI",
    "monitoring.power": "the smallest drift of each kind that the watch finds, beside Evidently and PSI",
    "monitoring.concept_drift": "the smallest concept drift that labels show",
    "capacity": "the simulator against theory, simpy and ciw; the recommendation against AWS's sample",
}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which to measure (default: all): {', '.join(QUESTIONS)}")
    names = parser.parse_args(arguments).names or list(QUESTIONS)
    unknown = [name for name in names if name not in QUESTIONS]
    if unknown:
        print(f"error: there is no benchmark {unknown[0]!r}; allowed: {', '.join(QUESTIONS)}", file=sys.stderr)
        return 2
    failed = []
    for name in names:
        print(f"\n== {name}: {QUESTIONS[name]}", flush=True)
        finished = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=Path(__file__).parents[1], check=False)
        failed += [name] if finished.returncode else []
    if failed:
        print(f"error: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
