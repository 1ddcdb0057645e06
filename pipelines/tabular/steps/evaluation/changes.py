"""What changed since the version in production: that is what the approver has to judge.

Input: both versions' `version.json`, metrics and code. Output: rows of a table, only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import archive
from decisions import HALF


def since(production: Mapping[str, Any], candidate: Mapping[str, Any]) -> list[dict[str, str]]:
    """Differences between two `version.json`: data, schema, settings, algorithm, hyperparameters and libraries."""
    rows = [
        _row("Data (sha256)", _short(production.get("data_sha256")), _short(candidate.get("data_sha256"))),
        *_each("Rows", production.get("rows", {}), candidate.get("rows", {})),
        _row("Schema", _short(production.get("schema_sha256")), _short(candidate.get("schema_sha256"))),
        _row("Settings", _short(production.get("specification_sha256")), _short(candidate.get("specification_sha256"))),
        _row("Code", _short(production.get("code_sha256")), _short(candidate.get("code_sha256"))),
        _row("Algorithm", production.get("algorithm"), candidate.get("algorithm")),
        *_thresholds(production, candidate),
        _row("Fitted on", _parts(production), _parts(candidate)),
        *_each("Hyperparameter", production.get("hyperparameters", {}), candidate.get("hyperparameters", {})),
        *_each("Library", production.get("libraries", {}), candidate.get("libraries", {})),
    ]
    return [row for row in rows if row["production"] != row["candidate"]]


def in_code(production: Path, candidate: Path) -> dict[str, str] | None:
    """The scripts that differ, by name. Both: folders of code."""
    theirs, ours = archive.code_files(production), archive.code_files(candidate)
    different = sorted(name for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name))
    return _row("Changed scripts", "-", ", ".join(different)) if different else None


def _thresholds(production: Mapping[str, Any], candidate: Mapping[str, Any]) -> list[dict[str, str]]:
    """Of binary versions. Those from before thresholds were fitted decide at one half."""
    both = [
        f"{version['decision_threshold']:g} (for {version['decision_metric']})" if "decision_threshold" in version else f"{HALF:g}"
        for version in (production, candidate)
    ]
    return [_row("Decision threshold", *both)]


def _parts(version: Mapping[str, Any]) -> str:
    """Versions from before models were fitted again learned from the training rows alone."""
    return f"{' and '.join(version.get('fitted_on', ['train']))} rows"


def _each(what: str, production: Mapping[str, Any], candidate: Mapping[str, Any]) -> list[dict[str, str]]:
    names = sorted(production.keys() | candidate.keys())
    return [_row(f"{what} {name}", production.get(name), candidate.get(name)) for name in names]


def _row(what: str, production: Any, candidate: Any) -> dict[str, str]:
    return {"what": what, "production": _text(production), "candidate": _text(candidate)}


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _short(digest: str | None) -> str | None:
    return digest and digest[:12]
