"""What labels say about windows that were judged before they came: the parts of findings.json that wait for the truth.

Input: the store with what the watch kept of each window, all labels, each version's evidence and the model's limits. Output: for each
window and version that a label belongs to, what replaces `realised` and what joins `bias`; and a summary of the labels themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import bias_checks
import realised
from labels import Labels
from realised import Takes

#: Ids and problems that a summary names.
MOST_NAMED = 20


@dataclass(frozen=True)
class Judged:
    """One version in one window. `folder`: of the window; `bias`: what needs the truth, of a model with a facet."""

    folder: str
    version: str
    realised: dict[str, Any]
    bias: list[dict[str, Any]]


def judged(
    store: Any,
    prefix: str,
    labels: Labels,
    evidence: Callable[[str], tuple[Takes, Mapping[str, Any]] | None],
    limits: Mapping[str, Any],
    gate: Mapping[str, Any],
) -> Iterator[Judged]:
    """`prefix`: of all windows' folders. `evidence(version)`: its columns and its documents by their files' names, None without any."""
    for folder, versions in realised.windows(store, prefix, labels):
        for version in sorted(versions):
            known = evidence(version)
            if known is None or "estimator.json" not in known[1]:
                continue
            takes, documents = known
            labelled = realised.join(store, folder, version, takes, labels)
            found = realised.judge(labelled, documents["estimator.json"], limits)
            if found is not None:
                yield Judged(folder, version, found.document(), _bias(labelled, documents["contract.json"], gate))


def _bias(labelled: realised.Labelled, contract: Mapping[str, Any], gate: Mapping[str, Any]) -> list[dict[str, Any]]:
    facet = bias_checks.facet_of(contract)
    rows, predicted = labelled.with_truth()
    if facet is None or not rows.count:
        return []
    return bias_checks.check(rows, predicted.decided, facet, gate, rows.target)


def summary(store: Any, prefix: str, labels: Labels) -> dict[str, Any]:
    """How many labels there are, what is wrong with them, and which ids nobody was answered with."""
    unknown = realised.unknown(store, prefix, labels)
    return {
        "files": labels.files,
        "rows": labels.rows,
        "truths": sum(label.is_known for label in labels.known.values()),
        "corrected": labels.corrected,
        "repeated": labels.repeated,
        "left_out": labels.left_out,
        "problems": labels.problems[:MOST_NAMED],
        "unknown": len(unknown),
        "unknown_ids": unknown[:MOST_NAMED],
    }
