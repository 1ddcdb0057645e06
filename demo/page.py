"""Writes the page at the end of the story: one HTML file with its pictures and the report inside, that asks nothing of the network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import jinja2

from demo import permissions_page, plots, timings
from demo.facts import Facts, ScalingRecord
from demo.narrator import Stage
from settings_schema.reading import Settings


def write(path: Path, settings: Settings, facts: Facts) -> None:
    """Render `page.html.j2` and put the reports and the page of permissions beside it; each file appears complete or not at all."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["metric"] = _short
    total = max(stage.started + stage.seconds for stage in facts.stages)
    html = environment.get_template("page.html.j2").render(
        facts=facts,
        models=facts.models,
        project=settings.project,
        total_seconds=total,
        seconds=lambda model: timings.of_model(facts, model),
        chapters=_by_chapter(facts.stages),
        chapter_colours=plots.CHAPTER_COLOURS,
        journey=plots.journey(facts.stages),
        scaling=_scaling,
        permissions=permissions_page.summary(facts.permissions) if facts.permissions else None,
    )
    if facts.permissions:
        permissions_page.write(path.with_name(permissions_page.NAME), facts.permissions)
    for model in facts.models:
        _write_whole(path.with_name(model.report_file), model.report_html)
        if model.watched:
            _write_whole(path.with_name(model.watch_file), model.watched.report_html)
            _write_whole(path.with_name(model.next_report_file), model.watched.next_report_html)
    _write_whole(path, html)


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _by_chapter(stages: Sequence[Stage]) -> Mapping[str, list[Stage]]:
    chapters: dict[str, list[Stage]] = defaultdict(list)
    for stage in sorted(stages, key=lambda stage: stage.started):
        chapters[stage.chapter].append(stage)
    return chapters


def _scaling(record: ScalingRecord | None) -> Mapping[str, object] | None:
    if record is None:
        return None
    zone = ZoneInfo(record.time_zone)
    return {
        "picture": plots.scaling(record),
        "activities": [(f"{activity.time.astimezone(zone):%H:%M}", activity) for activity in record.activities],
        "colours": plots.RULE_COLOURS,
        "before": record.samples[0].instances,
        "most": record.most,
        "after": record.samples[-1].instances,
        "answered": sum(record.requests.values()),
        "failed": record.failed,
        "minute_seconds": 60 / record.speed,
        "rules": sorted({activity.kind for activity in record.activities}),
    }


def _short(number: object) -> str:
    """Four significant digits; what is no number stays as it is."""
    try:
        return f"{float(str(number)):.4g}"
    except ValueError:
        return str(number)
