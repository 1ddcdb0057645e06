"""Where a version came from, as short texts: each becomes one metadata value of the registered version.

Input: the lineage of the data, `version.json` and the packed model. Output: name -> text. Next: pipelines/tabular/pipeline.py
records them, and build_scripts/reproduce.py makes the version again from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from registry_text import metadata, pairs


def best_trials(algorithms: Sequence[str], choice: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Of each algorithm of the model's file the hyperparameters that won, whether the version is made of them or not."""
    won = {candidate["algorithm"]: pairs(candidate["hyperparameters"]) for candidate in choice}
    return texts({f"best_trial_{name}": won.get(name, "none") for name in algorithms})


def facts(data: Mapping[str, Any], version: Mapping[str, Any], packed: bytes, git_commit: str) -> dict[str, str]:
    found = {
        "git_commit": git_commit,
        "data_url": data["data_url"],
        "data_sha256": data["data_sha256"],
        "data_versions": data["data_versions"],
        "data_sources": sources(data["sources"]),
        "data_split": pairs(data["split"]),
        "schema_sha256": version["schema_sha256"],
        "specification_sha256": version["specification_sha256"],
        "code_sha256": version["code_sha256"],
        "model_sha256": hashlib.sha256(packed).hexdigest(),
        "libraries": pairs(version["libraries"]),
        "algorithm": version["algorithm"],
        "hyperparameters": pairs(version["hyperparameters"]),
        "instances": str(version.get("instances", 1)),
        "fitted_on": pairs(version["fitted_on"]),
    }
    if "decision_threshold" in version:
        found |= {"decision_metric": version["decision_metric"], "decision_threshold": repr(version["decision_threshold"])}
    return texts(found)


def sources(counts: Mapping[str, int]) -> str:
    """`uploaded=4177`, or `held_out=61 learned=388 learned_share=0.085 uploaded=4177`: of the rows that train, validate or test."""
    if "learned" not in counts:
        return pairs(counts)
    share = counts["learned"] / (counts["learned"] + counts["uploaded"])
    return pairs({**counts, "learned_share": f"{share:.3f}"})


def texts(facts: Mapping[str, str]) -> dict[str, str]:
    """Each as the registry takes it."""
    return {name: metadata(value) for name, value in facts.items()}
