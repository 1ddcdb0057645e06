"""Writes `timings.json`: the measured seconds of each stage, for the benchmark, and what they are measured against."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from demo.facts import Facts, ModelFacts

#: What the demo may take after installation, on two cores, until production scales; a push and an approval where one model has the machine;
#: and from when the watch looks at a window with labels until the version that the alarm asked for waits. Seconds.
GOALS = {"until_it_scales": 75.0, "push_to_pending": 25.0, "approval_to_staging": 10.0, "watch_to_pending": 40.0}


def of_model(facts: Facts, model: ModelFacts) -> dict[str, float]:
    """Until the version waits for approval, from the approval until it is on staging, and what the watch led to."""
    watched = model.watched
    return {
        "push_to_pending": round(model.pending_at - facts.pushed_at, 2),
        "approval_to_staging": round(model.staging_at - model.approved_at, 2),
        **({"watch_to_pending": round(watched.pending_at - watched.judged_at, 2)} if watched else {}),
    }


def write(path: Path, facts: Facts, total_seconds: float) -> None:
    measured: Mapping[str, object] = {
        "whole_demo": round(total_seconds, 2),
        "until_it_scales": round(facts.worked_at, 2),
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
