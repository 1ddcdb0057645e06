"""What the facts of a version say to an approver: the one source of the page and of the text.

Input: what facts.py gathered. Output: `View`. Nothing here is escaped or coloured: page.py and text.py do that. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from deploy_scripts.review import evaluated, running
from deploy_scripts.review.sections import BAD, GOOD, WARN, Section, interval

#: In the order in which an approver asks.
_EVALUATED = (
    *(evaluated.beside, evaluated.gate, evaluated.data, evaluated.changes, evaluated.commits, evaluated.groups, evaluated.bias),
    evaluated.making,
)
_RUNNING = (
    running.drift,
    running.shadow,
    running.staging,
    running.cost,
    running.experiment,
    running.if_yes,
    running.decisions,
    running.more,
)


class View(NamedTuple):
    """`tone` of the verdict: GOOD, WARN or BAD."""

    title: str
    subtitle: str
    verdict: str
    tone: str
    sections: Sequence[Section]


def view(facts: Mapping[str, Any]) -> View:
    version = facts["version"]
    verdict, tone = _verdict(facts)
    sections = [section for part in (*_EVALUATED, *_RUNNING) if (section := part(facts)) is not None]
    return View(
        title=f"{facts['model']}: version {version['number']} for {facts['environment']}",
        subtitle=f"{version['algorithm'] or 'a model'} of commit {version['git-commit'][:12] or 'unknown'}, trained {version['created']}"
        f" because of: {version['trigger'] or 'unknown'}. Made {facts['made_at']}",
        verdict=verdict,
        tone=tone,
        sections=sections,
    )


def _verdict(facts: Mapping[str, Any]) -> tuple[str, str]:
    """The gate's judgement, the one comparison that counts, and what production's requests have shown already."""
    gate, production = facts["gate"], facts["production"]["said"]
    if not gate:
        return f"What the gate said cannot be read; {production}.", BAD
    count = len(gate.get("warnings") or [])
    judged = "Passed its gate" if gate.get("passed") else f"Did not pass its gate: {gate.get('reasons')}"
    warned = f", with {count} warning{'s' if count > 1 else ''}" if count else ""
    row = next((row for row in facts["quality"]["rows"] if row["name"] == gate.get("metric")), None)
    gain = f" {_against(row['name'], row['difference'])}" if row and row["difference"] else ""
    undone = (facts["shadow"] or {}).get("would_undo") or []
    seen = f" In production's shadow {', '.join(undone)} would have undone its rollout." if undone else ""
    tone = BAD if undone or not gate.get("passed") else WARN if count else GOOD
    return f"{judged}{warned}; {production}.{gain}{seen}", tone


def _against(metric: str, difference: Mapping[str, Any]) -> str:
    gain, lower, upper = (difference[name] for name in ("gain", "lower", "upper"))
    if gain is None:
        return f"The difference in {metric} is undefined on these rows."
    sure = "better" if (lower or 0) > 0 else "worse" if (upper or 0) < 0 else "neither better nor worse for sure"
    return f"By {metric} it is {sure}: {interval(gain, lower, upper, signed=True)}."
