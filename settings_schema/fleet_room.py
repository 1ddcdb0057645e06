"""Whether what a fleet's models reserve has a place on its instances, with the copies that a release starts before old ones go.

What does not fit by the size of the instances fits in AWS neither, where SageMaker keeps some of them for itself; what fits here may not
there: leave room. Of a type whose size is not known here nothing is said. Source: capacity/sharing.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from capacity.sharing import Size, instances_needed, size_of
from settings_schema.component import Component
from settings_schema.errors import require
from settings_schema.fleet import Fleet, Instances, MultiModelFleet
from settings_schema.member import Member
from settings_schema.model import Model


def on_fleet(models: Iterable[Model], fleet: Fleet, environment: str) -> dict[str, Component]:
    """By the name of the model."""
    served = {model.name: model.serving[environment] for model in models}
    return {name: kind for name, kind in served.items() if isinstance(kind, Component) and kind.fleet == fleet.name}


def reserved(components: Iterable[Component]) -> list[Size]:
    """The copies with which they begin, below which no scaling goes for long: a release starts at least one."""
    return [component.size for component in components for _ in range(component.copies)]


def require_room(models: Iterable[Model], fleet: Fleet) -> None:
    """Raises SettingsError for the first model or number of instances that cannot be."""
    for environment, instances in fleet.instances.items():
        components, size = on_fleet(models, fleet, environment), size_of(instances.instance_type)
        if size is None:
            continue
        for name, component in components.items():
            _require_fits(f"models/{name.replace('-', '_')}.py: Model.serving[{environment!r}]", component, size, instances, fleet)
        _require_enough(f"settings.py: Fleet({fleet.name!r}).instances[{environment!r}].max_count", components, size, instances)


def require_members_fit(models: Iterable[Model], fleet: MultiModelFleet) -> None:
    """Nothing is reserved, and what is not asked is unloaded; but each must fit when it is. Raises SettingsError."""
    for environment, instances in fleet.instances.items():
        size = size_of(instances.instance_type)
        for model in models if size else ():
            member = model.serving[environment]
            if size and isinstance(member, Member) and member.fleet == fleet.name:
                where = f"models/{model.name.replace('-', '_')}.py: Model.serving[{environment!r}].memory_mb"
                allowed = f"at most {size.memory_mb}, what one {instances.instance_type} of the fleet {fleet.name!r} has"
                require(member.memory_mb <= size.memory_mb, where, member.memory_mb, allowed)


def _require_fits(where: str, component: Component, size: Size, instances: Instances, fleet: Fleet) -> None:
    allowed = f"at most {{}}, what one {instances.instance_type} of the fleet {fleet.name!r} has"
    require(component.memory_mb <= size.memory_mb, f"{where}.memory_mb", component.memory_mb, allowed.format(size.memory_mb))
    require(component.cpu_cores <= size.cores, f"{where}.cpu_cores", component.cpu_cores, allowed.format(f"{size.cores:g}"))


def _require_enough(where: str, components: Mapping[str, Component], size: Size, instances: Instances) -> None:
    copies = reserved(components.values())
    needed = {name: instances_needed([*copies, *[one.size] * one.batch], size) or 0 for name, one in components.items()}
    if not needed:
        return
    name, most = max(needed.items(), key=lambda item: item[1])
    what = f"{len(copies)} copies of {', '.join(components)} and {components[name].batch} of {name} beside them while it is released"
    require(most <= instances.max_count, where, instances.max_count, f"at least {most} {instances.instance_type}, for {what}")
