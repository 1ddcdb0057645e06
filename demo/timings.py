"""Writes `timings.json`: the measured seconds of each stage, for the benchmark, and what they are measured against."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

from demo.facts import Facts

#: What the whole demo, a push and an approval may take after installation, on two cores. Seconds.
GOALS = {"whole_demo": 90.0, "push_to_pending": 25.0, "approval_to_staging_in_service": 10.0}


def measured(facts: Facts, total_seconds: float) -> dict[str, float]:
    return {
        "whole_demo": round(total_seconds, 2),
        "push_to_pending": round(facts.pending_at - facts.pushed_at, 2),
        "approval_to_staging_in_service": round(facts.staging_in_service_at - facts.approved_at, 2),
    }


def write(path: Path, facts: Facts, total_seconds: float) -> None:
    document = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()},
        "measured_seconds": measured(facts, total_seconds),
        "goal_seconds": GOALS,
        "stages": [
            {"chapter": stage.chapter, "title": stage.title, "started": round(stage.started, 3), "seconds": round(stage.seconds, 3)}
            for stage in facts.stages
        ],
    }
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
