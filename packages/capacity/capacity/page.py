"""Writes the capacity page: one HTML file with its plots inside, that opens anywhere.

Input: what `compare.py` and `recommend.py` found. Output: the path of the page. It is written at once, so that a failure leaves
the last good page.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from capacity import plots
from capacity.advice import ROUTING_WORDS, budget_words, caveat, outcome_words
from capacity.assumption_notes import notes
from capacity.compare import TABLE_HEADER, Situation, table_rows
from capacity.model import Configuration, Policy, StepPolicy
from capacity.queueing import P99_BUDGET
from capacity.recommend import Recommendation
from capacity.simulate import Replay

_MOST_DECISIONS = 400


def write(
    path: Path,
    configuration: Configuration,
    situation: Situation,
    replays: Sequence[Replay],
    found: Recommendation | None,
    *,
    prices: str,
    declared: str = "",
    block: str = "",
) -> Path:
    """Render and write. prices: where they are from and of when. block: the recommendation written down, under the heading `declared`."""
    html = render(configuration, situation, replays, found, prices=prices, declared=declared, block=block)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(html, encoding="utf-8")
    draft.replace(path)
    return path


def render(
    configuration: Configuration,
    situation: Situation,
    replays: Sequence[Replay],
    found: Recommendation | None,
    *,
    prices: str,
    declared: str,
    block: str,
) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("capacity", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    combination = next(replay for replay in replays if replay.name == "combination")
    static = next(replay for replay in replays if replay.name.startswith("static"))
    proposed = (
        situation.replay(found.chosen.candidate.configuration(), "recommended") if found and _same_instance(found, configuration) else None
    )
    shown = [*replays, *([proposed] if proposed else [])]
    title, lines = "", list[str]()
    if found:
        cost = static.cost(situation.usd_per_hour)
        title, lines = caveat(found, situation.traffic, situation.assumptions, int(static.running[0]), cost)
    return environment.get_template("capacity.html").render(
        configuration=configuration,
        rules=[describe(policy) for policy in configuration.policies],
        actions=configuration.scheduled_actions,
        situation=situation,
        header=TABLE_HEADER,
        rows=table_rows(shown, situation),
        timeline=plots.timeline(combination, situation),
        bars=plots.side_by_side(shown, situation),
        proposed_timeline=plots.timeline(proposed, situation) if proposed else None,
        curve=plots.trade_off(found, replays, situation) if found else None,
        found=found,
        words=partial(outcome_words, on_average=found.budget.on_average) if found else None,
        routing=ROUTING_WORDS[configuration.routing],
        allowed=budget_words(found.budget) if found else "",
        declared=declared,
        block=block,
        honest_title=title,
        honest=lines,
        decisions=[_decision(d.time, d.old, d.new, d.kind, d.rule, d.cause) for d in combination.decisions[:_MOST_DECISIONS]],
        left_out=max(0, len(combination.decisions) - _MOST_DECISIONS),
        colours=plots.KINDS,
        verdict=_verdict(combination, static, situation),
        assumptions=notes(situation.assumptions),
        prices=prices,
    )


def _same_instance(found: Recommendation, configuration: Configuration) -> bool:
    """The timeline of a recommendation for another instance type would need that type's service time."""
    return configuration.instance_type in (None, found.chosen.candidate.option.instance_type)


def _verdict(replay: Replay, static: Replay, situation: Situation) -> str:
    held = "holds" if replay.breach_share <= P99_BUDGET else "breaks"
    saved = 1 - replay.cost(situation.usd_per_hour) / static.cost(situation.usd_per_hour)
    against = f"{100 * saved:.0f} % less than" if saved >= 0 else f"{-100 * saved:.0f} % more than"
    return (
        f"The configured scaling {held} the SLO: {100 * replay.breach_share:.2f} % of the requests are slower than "
        f"{1000 * situation.slo_seconds:g} ms (1 % allowed), for {replay.cost(situation.usd_per_hour):,.2f} USD, "
        f"{against} the smallest static fleet that holds it."
    )


def _decision(time: float, old: int, new: int, kind: str, rule: str, cause: str) -> dict[str, str]:
    change = f"{old} → {new}" if old != new else str(old)
    return {"time": f"{datetime.fromtimestamp(time, UTC):%a %d %b %H:%M:%S}", "change": change, "kind": kind, "rule": rule, "cause": cause}


def describe(policy: Policy) -> str:
    """A policy in one line."""
    if isinstance(policy, StepPolicy):
        steps = ", ".join(f"{step.adjustment:+d} from {step.lower:g}" for step in policy.steps)
        alarms = ", ".join(
            f"{a.metric.name} {a.threshold:g} ({a.datapoints_to_alarm} of {a.evaluation_periods} x {a.metric.period_seconds} s)"
            for a in policy.alarms
        )
        return f"{policy.name}: step scaling on {alarms}; {policy.adjustment_type} {steps}; cooldown {policy.cooldown_seconds} s"
    back = "never scales in" if policy.disable_scale_in else f"cooldown in {policy.scale_in_cooldown_seconds} s"
    out = f"cooldown out {policy.scale_out_cooldown_seconds} s"
    return f"{policy.name}: target tracking {policy.metric.name} at {policy.target_value:g}; {out}, {back}"
