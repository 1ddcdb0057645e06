"""`python -m benchmarks.capacity [--only NAME ...]`: measures, prints, and keeps the results in benchmarks/results/capacity.json."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.capacity import recommendation, speed, validation
from benchmarks.machine import describe_machine

RESULTS = Path(__file__).parents[1] / "results" / "capacity.json"
SECTIONS: dict[str, Callable[[], Any]] = {
    "fluid_day": speed.fluid_day,
    "single_requests": speed.single_requests,
    "same_queue": speed.same_queue,
    "published_graph": validation.figure,
    "least_outstanding": validation.least_outstanding,
    "search_over_a_week": recommendation.week,
    "against_aws_sample_notebook": recommendation.against_sample,
    "erlang": validation.erlang,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="sections to measure again; others are kept")
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    for name in parser.parse_args().only:
        load = os.getloadavg()[0]  # numbers of a busy machine are worse than its own
        kept = {**kept, "machine": describe_machine(), name: {"load_average_before": round(load, 2), **SECTIONS[name]()}}
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        shown = {key: value for key, value in kept[name].items() if key != "rows"}
        print(name, json.dumps(shown, indent=1), flush=True)


if __name__ == "__main__":
    main()
