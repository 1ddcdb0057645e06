"""Where a version came from, as short texts: each becomes one metadata value of the registered version.

Input: the lineage of the data, `version.json` and the packed model. Output: name -> text. Next: pipelines/tabular/pipeline.py
records them, and build_scripts/reproduce.py makes the version again from them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from registry_text import metadata, pairs


def facts(data: Mapping[str, Any], version: Mapping[str, Any], packed: bytes, git_commit: str) -> dict[str, str]:
    found = {
        "git_commit": git_commit,
        "data_url": data["data_url"],
        "data_sha256": data["data_sha256"],
        "data_versions": data["data_versions"],
        "schema_sha256": version["schema_sha256"],
        "specification_sha256": version["specification_sha256"],
        "code_sha256": version["code_sha256"],
        "model_sha256": hashlib.sha256(packed).hexdigest(),
        "libraries": pairs(version["libraries"]),
        "algorithm": version["algorithm"],
        "hyperparameters": pairs(version["hyperparameters"]),
    }
    if "decision_threshold" in version:
        found |= {"decision_metric": version["decision_metric"], "decision_threshold": repr(version["decision_threshold"])}
    return texts(found)


def texts(facts: Mapping[str, str]) -> dict[str, str]:
    """Each as the registry takes it."""
    return {name: metadata(value) for name, value in facts.items()}
