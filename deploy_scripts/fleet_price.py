"""What a fleet costs a day beside an endpoint for each of its models. Used by capacity_plan.py and the approver's page.

Input: how a model is served, settings.py's fleets and PRICES. Output: lines. How many instances copies need: capacity/sharing.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from build_scripts.command_line import ProblemError
from capacity.sharing import Size, instances_needed, size_of
from settings_schema import Component, Environment, Fleet, Member
from settings_schema.fleet import OnFleet
from settings_schema.fleet_room import on_fleet, reserved
from settings_schema.reading import Settings

#: Models on the fleet, each as this one.
_COUNTS = (1, 2, 5, 10)
_HOURS = 24


def lines(settings: Settings, serving: Component | Member, environment: Environment) -> Iterator[str]:
    """Raises ProblemError for a type without a price."""
    fleet, price = settings.fleets[serving.fleet], settings.prices
    instances = fleet.instances[environment.name]
    hourly = price.usd_per_hour.get(instances.instance_type)
    if hourly is None:
        raise ProblemError(f"PRICES.usd_per_hour of settings.py has no {instances.instance_type}; allowed: a price for it")
    day = _HOURS * hourly
    models = [name for name, model in settings.models.items() if _is_on(model.serving.get(environment.name), fleet.name)]
    size = size_of(instances.instance_type)
    yield (
        f"fleet {fleet.name} in {environment.name}: {instances.min_count} to {instances.max_count} {instances.instance_type}, "
        f"{instances.min_count * day:.2f} to {instances.max_count * day:.2f} USD a day, shared by {', '.join(models)}"
    )
    if size is None:
        yield f"what an {instances.instance_type} has is not known here, so nothing is said of how many models fit on one"
        return
    if isinstance(serving, Component) and isinstance(fleet, Fleet):
        begun = reserved(on_fleet(settings.models.values(), fleet, environment.name).values())
        needed = max(instances_needed(begun, size) or 0, instances.min_count)
        yield f"they begin with {len(begun)} copies, which need {needed} x {instances.instance_type}, {needed * day:.2f} USD a day"
    copies, copy, each = _needed(serving)
    yield f"of models like this one, {each}, at {price.source}, noted {price.as_of}:"
    for count in _COUNTS:
        needed = max(instances_needed([copy] * copies * count, size) or 0, instances.min_count)
        room = "" if needed <= instances.max_count else f", more than its max_count of {instances.max_count}"
        beside = f"an endpoint each: {count * day:.2f} USD a day"
        yield f"{count:>2} on the fleet: {needed} x {instances.instance_type}, {needed * day:.2f} USD a day{room}; {beside}"


def _needed(serving: Component | Member) -> tuple[int, Size, str]:
    """Copies of a model, what one takes, and both in words. Nothing is reserved for a member: its memory counts while it is loaded."""
    if isinstance(serving, Member):
        return 1, Size(0, serving.memory_mb), f"{serving.memory_mb} MB each, all of them loaded"
    return serving.copies, serving.size, f"{serving.copies} x {serving.memory_mb} MB and {serving.cpu_cores:g} cores each"


def _is_on(serving: object, fleet: str) -> bool:
    return isinstance(serving, OnFleet) and serving.fleet == fleet
