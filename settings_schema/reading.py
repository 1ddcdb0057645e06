"""Reads what a team has written: settings.py and every file of models/. For entry points only; everything else is given what it needs.

Input: the folder of the project. Output: `Settings`. Raises SettingsError, or whatever Python says about the file, of which
`settings_schema.errors.stop` makes one line.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TypeVar

from settings_schema.errors import SettingsError, require, shown
from settings_schema.fleet import Fleet, Fleets, MultiModelFleet, OnFleet
from settings_schema.fleet_room import require_members_fit, require_room
from settings_schema.model import LONGEST_NAME, Model, check_name
from settings_schema.project import Environment, Prices, Project, Source
from settings_schema.serverless import EXCLUDED, Serverless
from settings_schema.serving import ServingImage

ROOT = Path(__file__).resolve().parents[1]
_Kind = TypeVar("_Kind")
_FILE_NAME = re.compile(r"[a-z](_?[a-z0-9])*")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`environments` in the order in which a version passes them: what is tested first, then what serves. `models` by name, sorted.

    `fleets` by name.
    """

    project: Project
    environments: tuple[Environment, ...]
    source: Source
    prices: Prices
    models: Mapping[str, Model]
    fleets: Fleets = field(default_factory=dict)

    @property
    def staging(self) -> Environment:
        return self.environments[0]

    @property
    def production(self) -> Environment:
        return self.environments[-1]

    def environment(self, name: str) -> Environment:
        """Raises SettingsError, naming the known ones."""
        found = {environment.name: environment for environment in self.environments}
        require(name in found, "environment", name, " | ".join(found))
        return found[name]

    def model(self, name: str | None = None) -> Model:
        """None: the only one. Raises SettingsError, naming the known ones."""
        known = ", ".join(self.models) or "none: models/ has no file"
        if name is None:
            if len(self.models) != 1:
                raise SettingsError(f"--model is missing; allowed: {known}")
            return next(iter(self.models.values()))
        require(name in self.models, "--model", name, known)
        return self.models[name]

    def lean_environments(self) -> list[Environment]:
        """In which the team's own image serves a model; it is built only where there are some."""
        return [item for item in self.environments if any(model.is_lean(item.name) for model in self.models.values())]

    def endpoint_model(self, name: str | None = None) -> Model:
        """As `model`, among those that endpoints serve. None: the only one of these."""
        served = {each: model for each, model in self.models.items() if not model.is_batch_only}
        known = ", ".join(served) or "none: every model is batch only"
        if name is None:
            if len(served) != 1:
                raise SettingsError(f"--model is missing; allowed: {known}")
            return next(iter(served.values()))
        model = self.model(name)
        require(model.name in served, "--model", name, f"{known}, which have endpoints")
        return model


def read(root: Path = ROOT) -> Settings:
    """Everything, checked, also how it fits together."""
    values = _run(root / "settings.py", "settings.py")
    project, environments = _value(values, "PROJECT", Project), _environments(values)
    _require_home(project, environments)
    fleets = _fleets(values, environments)
    models = [model_of(file, environments, fleets) for file in sorted((root / "models").glob("[!_]*.py"))]
    for model in models:
        _require_image_there(model, project, environments)
    for fleet in fleets.values():
        if isinstance(fleet, Fleet):
            require_room(models, fleet)
        else:
            require_members_fit(models, fleet)
    return Settings(
        project=project,
        environments=environments,
        source=_value(values, "SOURCE", Source, "CodeCommit() or CodeConnection(...)"),
        prices=_value(values, "PRICES", Prices),
        models={model.name: model for model in models},
        fleets=fleets,
    )


class _Fresh(SourceFileLoader):
    """Bytecode that is kept knows a file by its size and the second of its change: of two edits in one second it would be the first."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _run(file: Path, name: str) -> ModuleType:
    """The file's values. By its path, so that nothing else of the same name is taken for it."""
    specification = importlib.util.spec_from_file_location(name, file, loader=_Fresh(name, str(file)))
    assert specification is not None and specification.loader is not None  # noqa: S101 - a .py file has both
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except SystemExit as error:  # or the program that reads would end with whatever the file says, in silence
        raise SettingsError(f"{name} ends the program ({error!r}); allowed: values only") from None
    return module


def _value(values: ModuleType, name: str, kind: type[_Kind], allowed: str = "") -> _Kind:
    value = getattr(values, name, None)
    if not isinstance(value, kind):
        said = "is missing" if value is None else f"is {shown(value)}"
        raise SettingsError(f"{values.__name__}: {name} {said}; allowed: {allowed or f'{kind.__name__}(...)'}")
    return value


def _environments(values: ModuleType) -> tuple[Environment, ...]:
    """Two: what a version passes first, and what serves."""
    given = getattr(values, "ENVIRONMENTS", None)
    are_environments = isinstance(given, tuple) and all(isinstance(item, Environment) for item in given)
    allowed = "a tuple of two Environment(...): where a version is tested, then where it serves"
    require(are_environments and len(given or ()) == 2, f"{values.__name__}: ENVIRONMENTS", given, allowed)
    environments: tuple[Environment, ...] = given or ()
    names = [environment.name for environment in environments]
    require(len(set(names)) == len(names), f"{values.__name__}: ENVIRONMENTS", names, "different names")
    return environments


def _fleets(values: ModuleType, environments: Sequence[Environment]) -> Fleets:
    """Endpoints that models share; a team that has none says nothing."""
    given = getattr(values, "FLEETS", ())
    where = f"{values.__name__}: FLEETS"
    are_fleets = isinstance(given, tuple) and all(isinstance(item, Fleet | MultiModelFleet) for item in given)
    require(are_fleets, where, given, "a tuple of Fleet(...) and MultiModelFleet(...), written (a, b), or (a,) for one")
    names, known = [fleet.name for fleet in given], [environment.name for environment in environments]
    require(len(set(names)) == len(names), where, names, "different names")
    for fleet in given:
        for name in fleet.instances:
            require(name in known, f"{values.__name__}: {type(fleet).__name__}({fleet.name!r}).instances", name, " | ".join(known))
    return {fleet.name: fleet for fleet in given}


def _require_home(project: Project, environments: Sequence[Environment]) -> None:
    """Whoever deploys an environment elsewhere has that place's credentials, which say nothing about where the project's own is."""
    for place in ("account", "region"):
        elsewhere = [environment.name for environment in environments if getattr(environment, place)]
        allowed = f"set, because Environment({elsewhere[0]!r}).{place} is" if elsewhere else ""
        require(not elsewhere or getattr(project, place) is not None, f"settings.py: Project.{place}", None, allowed)


def model_of(file: Path, environments: Sequence[Environment], fleets: Fleets) -> Model:
    """The model of one file, checked, also against the environments."""
    where = f"models/{file.name}"
    allowed = f"a-z, 0-9 and '_', with a letter first, no '_' last and no two of them together, at most {LONGEST_NAME} characters"
    require(bool(_FILE_NAME.fullmatch(file.stem)) and len(file.stem) <= LONGEST_NAME, f"{where}: the file's name", file.stem, allowed)
    name = file.stem.replace("_", "-")
    check_name(name)
    model = _value(_run(file, where), "MODEL", Model)
    serving, known = list(model.serving), [environment.name for environment in environments]
    require(
        sorted(serving) == sorted(known), f"{where}: Model.serving", serving, f"one entry for each of {', '.join(known)} of settings.py"
    )
    for environment in environments:
        in_vpc = environment.in_vpc and isinstance(model.serving[environment.name], Serverless)
        allowed = f"another kind, because Environment({environment.name!r}).in_vpc is set: a VPC configuration, {EXCLUDED}"
        require(not in_vpc, f"{where}: Model.serving[{environment.name!r}]", model.serving[environment.name], allowed)
        _require_fleet(where, model, environment.name, fleets)
    first = model.serving[known[0]]
    shadow = getattr(first, "shadow", None)
    require(shadow is None, f"{where}: serving[{known[0]!r}].shadow", shadow, f"in {known[-1]!r} only, whose requests are copied")
    experiment = getattr(first, "experiment", None)
    require(experiment is None, f"{where}: serving[{known[0]!r}].experiment", experiment, f"in {known[-1]!r} only, which has the traffic")
    untested = model.is_lean(known[-1]) and not model.is_lean(known[0])
    allowed = f"{ServingImage.LEAN} as well, because it is in {known[-1]!r}, and what serves there is tested in {known[0]!r} first"
    require(not untested, f"{where}: serving[{known[0]!r}].image", ServingImage.MANAGED.value, allowed)
    return model.but(name=name)


def _require_image_there(model: Model, project: Project, environments: Sequence[Environment]) -> None:
    """CreateEndpointConfig refuses a serverless container's image that "does not reside in an Amazon ECR repository within the same AWS
    account creating the endpoint", where it is none of AWS's own (aws/amazon-sagemaker-feedback#181).
    """
    for environment in environments:
        elsewhere = environment.account not in (None, project.account)
        cannot = elsewhere and model.is_lean(environment.name) and isinstance(model.serving[environment.name], Serverless)
        where = f"models/{model.name.replace('-', '_')}.py: serving[{environment.name!r}].image"
        allowed = (
            f"{ServingImage.MANAGED}, because a serverless endpoint takes an image of its own account only, and the project's is another"
        )
        require(not cannot, where, ServingImage.LEAN.value, allowed)


def _require_fleet(where: str, model: Model, environment: str, fleets: Fleets) -> None:
    """A model that shares an endpoint names one that is in that environment."""
    serving = model.serving[environment]
    if not isinstance(serving, OnFleet):
        return
    known = [name for name, fleet in fleets.items() if environment in fleet.instances]
    allowed = " | ".join(known) or f"none: settings.py has no Fleet with instances in {environment!r}"
    require(serving.fleet in known, f"{where}: Model.serving[{environment!r}].fleet", serving.fleet, allowed)
    fleet, kind = fleets[serving.fleet], type(serving).__name__
    allowed = f"{fleet.holds}(fleet={fleet.name!r}), because settings.py says that it is a {type(fleet).__name__}"
    require(fleet.holds == kind, f"{where}: Model.serving[{environment!r}]", f"{kind}(fleet={fleet.name!r})", allowed)
