"""Shows who decided what about each version of each model, newest first: what `status.py --history` prints.

Input: what was kept, and what the services say (decisions.py). A version that was deleted is shown as long as what was decided is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from build_scripts.command_line import ProblemError
from build_scripts.project_environment import ProjectEnvironment
from build_scripts.registry import listed
from deploy_scripts.decisions import Decision, decisions
from settings_schema.reading import Settings


def collect(project: ProjectEnvironment, settings: Settings, model: str | None) -> dict[str, list[Decision]]:
    """By model. Raises ProblemError for one that is not set."""
    chosen = [settings.model(model)] if model else list(settings.models.values())
    found: dict[str, list[Decision]] = {}
    for item in chosen:
        names = item.names(settings.project)
        try:
            versions = listed(project.client("sagemaker"), names.model_package_group)
        except ProblemError:  # not deployed yet
            versions = []
        found[item.name] = sorted(decisions(project, names, versions, every=True), reverse=True)
    return found


def show(history: Mapping[str, Sequence[Decision]], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({model: [item._asdict() for item in found] for model, found in history.items()}, indent=2))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200  # a log or a pipe has no width of its own, and words must not be cut
    table = Table("model", "version", "when", "what", "where", "who", "words")
    for model, found in history.items():
        for item in found:
            cells = (model, str(item.version), item.at, item.what, item.where, item.who or "unknown", item.words)
            table.add_row(*map(Text, cells))  # people's words are no markup
    console.print(table if table.row_count else "nobody has decided anything yet")
