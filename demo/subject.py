"""Whose story is told: each model with its names, in the environments that a version passes, and a person's own table for it.

In: what the team has set, and what was asked for on the command line. Out: `Subject`s; SetupError says why a story cannot be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from build_scripts.upload_data import EXAMPLES
from demo.errors import SetupError
from settings_schema import Batch, Model, ModelNames, ServingNames
from settings_schema.reading import Settings
from settings_schema.serving import OnEndpoint


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model of the story. `data`: a person's own file; None takes the example's. `label` stands before what is told of it."""

    model: Model
    names: ModelNames
    staging: ServingNames
    production: ServingNames
    data: Path | None = None
    label: str = ""

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def in_production(self) -> OnEndpoint | Batch:
        """How production serves it."""
        return self.model.serving[self.production.environment]

    def titled(self, title: str) -> str:
        return f"{self.label}{title}"


def subject(settings: Settings, model: Model, data: Path | None = None, label: str = "") -> Subject:
    names = model.names(settings.project)
    staging, production = names.at(settings.staging.name), names.at(settings.production.name)
    return Subject(model=model, names=names, staging=staging, production=production, data=data, label=label)


def subjects(settings: Settings, model: str | None = None, data: Path | None = None) -> list[Subject]:
    """The model that was asked for, or else each whose data come with the project. Raises SetupError where there is nothing to train on."""
    if data is not None or model is not None:
        chosen = settings.model(model)
        if data is None and chosen.name not in EXAMPLES:
            raise SetupError(f"{_without_data([chosen.name])}. Give it with --data FILE.")
        return [subject(settings, chosen, data)]
    told = [one for one in settings.models.values() if one.name in EXAMPLES]
    if not told:
        raise SetupError(f"{_without_data(list(settings.models))}. Tell the story of one with --model NAME --data FILE.")
    return [subject(settings, one, label=f"{one.name}: " if len(told) > 1 else "") for one in told]


def left_out(settings: Settings, told: list[Subject]) -> list[str]:
    """Models whose story is not told."""
    return sorted(set(settings.models) - {one.name for one in told})


def _without_data(models: list[str]) -> str:
    names = ", ".join(f"models/{name.replace('-', '_')}.py" for name in models) or "models/ has no file"
    return f"{names}: the data is not part of this project" if models else names
