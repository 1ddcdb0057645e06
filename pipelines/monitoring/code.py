"""What the job that watches a model runs: its own scripts beside those that trained and serve the model, and the model's limits.

Input: a model. Output: files by relative path, in one flat folder, because scripts find their siblings there; `monitoring.json` has what
is set and what the gate holds a version to. Which environment it watches, the job's environment variables say (pipeline.py).
Next: build_scripts/publish.py; infra/serving/model_watch.py.
"""

from __future__ import annotations

import json

from pipelines.published_code import code_hash, files_of
from settings_schema import Model
from settings_schema.steps import PIPELINES

SETTINGS_FILE = "monitoring.json"
_STEPS = PIPELINES / "monitoring" / "steps"


def monitoring_json(model: Model) -> str:
    """JSON with sorted keys, so that equal settings give equal bytes. Of a model that is watched."""
    watch, facet = model.watch, model.data.facet
    document = {
        "model": model.name,
        "monitoring": watch.model_dump() if watch else None,
        "gate": model.gate.model_dump(),
        "facet": facet.model_dump() if facet else None,
        "learn_from_answers": model.retraining.learn_from_answers,
    }
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def code_files(model: Model) -> dict[str, bytes]:
    """Everything that the job runs. No file of its own hides one of the model's: a test holds them apart."""
    return dict(sorted({**files_of(PIPELINES / model.pipeline / "steps"), **_own(model)}.items()))


def own_hash(model: Model) -> str:
    """Of its own scripts and the limits: what a deployment brings anew when it has changed, though no version has."""
    return code_hash(_own(model))


def _own(model: Model) -> dict[str, bytes]:
    return {**files_of(_STEPS), SETTINGS_FILE: monitoring_json(model).encode()}
