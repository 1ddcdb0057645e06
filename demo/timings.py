"""Writes `timings.json`: the measured seconds of each stage, for the benchmark, and what they are measured against."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from demo.facts import Facts, ModelFacts

#: What the whole demo may take after installation, on two cores; and a push and an approval where one model has the machine. Seconds.
GOALS = {"whole_demo": 75.0, "push_to_pending": 25.0, "approval_to_staging": 10.0}


def of_model(facts: Facts, model: ModelFacts) -> dict[str, float]:
    """Until the version waits for approval, and from the approval until it is on staging."""
    return {
        "push_to_pending": round(model.pending_at - facts.pushed_at, 2),
        "approval_to_staging": round(model.staging_at - model.approved_at, 2),
    }


def write(path: Path, facts: Facts, total_seconds: float) -> None:
    measured: Mapping[str, object] = {
        "whole_demo": round(total_seconds, 2),
        "models": {model.subject.name: of_model(facts, model) for model in facts.models},
    }
    document = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()},
        "measured_seconds": measured,
        "goal_seconds": GOALS,
        "stages": [
            {"chapter": stage.chapter, "title": stage.title, "started": round(stage.started, 3), "seconds": round(stage.seconds, 3)}
            for stage in facts.stages
        ],
    }
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
