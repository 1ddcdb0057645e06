"""The commits that were built between production's version and the one that is judged, with their titles.

Input: what CodePipeline remembers of the build pipeline: for twelve months, whoever keeps the code. Output: `Commits`, newest first.
Of commits that were pushed together it built, and knows, the last one. Sources: SourceRevision of CodePipeline's service model (the
message is its revisionSummary), and for a connection `ProviderType` and `CommitMessage` as JSON ("CodeStarSourceConnection" of its guide).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

MOST_SHOWN = 30


class Commit(NamedTuple):
    identifier: str
    title: str
    built: str


class Commits(NamedTuple):
    """`note`: why there are none, or not all."""

    found: tuple[Commit, ...]
    note: str = ""


def between(executions: Sequence[Mapping[str, Any]], before: str, after: str) -> Commits:
    """`executions`: PipelineExecutionSummaries, newest first. `before`, `after`: the commits that made the two versions."""
    if before == after:
        return Commits((), "the same commit made both")
    built = list(_built(executions))
    names = [commit.identifier for commit in built]
    if after not in names:
        return Commits((), f"CodePipeline does not remember that it built {after[:12]}")
    newer = built[names.index(after) :]
    names = [commit.identifier for commit in newer]
    if before not in names:
        return Commits(tuple(newer[:1]), f"production's commit {before[:12] or 'is unknown, and'} was not built before this one")
    found = newer[: names.index(before)]
    more = len(found) - MOST_SHOWN
    return Commits(tuple(found[:MOST_SHOWN]), f"and {more} more" if more > 0 else "")


def _built(executions: Sequence[Mapping[str, Any]]) -> Iterator[Commit]:
    """Each commit once, as it was built last."""
    seen = set()
    for execution in executions:
        for revision in execution.get("sourceRevisions", [])[:1]:
            identifier = str(revision.get("revisionId", ""))
            if identifier and identifier not in seen:
                seen.add(identifier)
                yield Commit(identifier, _title(str(revision.get("revisionSummary", ""))), f"{execution['startTime']:%Y-%m-%d %H:%M}")


def _title(summary: str) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):  # else a message as it is
        summary = str(json.loads(summary)["CommitMessage"])
    return (summary.strip().splitlines() or ["no message"])[0]
