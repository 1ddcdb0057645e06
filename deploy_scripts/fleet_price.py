"""What a fleet costs a day beside an endpoint for each of its models. Used by capacity_plan.py and the approver's page.

Input: how a model is served, settings.py's fleets and PRICES. Output: lines. How many instances copies need: capacity/sharing.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from build_scripts.command_line import ProblemError
from capacity.sharing import instances_needed, size_of
from settings_schema import Component, Environment
from settings_schema.fleet_room import on_fleet, reserved
from settings_schema.reading import Settings

#: Models on the fleet, each as this one.
_COUNTS = (1, 2, 5, 10)
_HOURS = 24


def lines(settings: Settings, serving: Component, environment: Environment) -> Iterator[str]:
    """Raises ProblemError for a type without a price."""
    fleet, price = settings.fleets[serving.fleet], settings.prices
    instances = fleet.instances[environment.name]
    hourly = price.usd_per_hour.get(instances.instance_type)
    if hourly is None:
        raise ProblemError(f"PRICES.usd_per_hour of settings.py has no {instances.instance_type}; allowed: a price for it")
    day = _HOURS * hourly
    models, size = on_fleet(settings.models.values(), fleet, environment.name), size_of(instances.instance_type)
    yield (
        f"fleet {fleet.name} in {environment.name}: {instances.min_count} to {instances.max_count} {instances.instance_type}, "
        f"{instances.min_count * day:.2f} to {instances.max_count * day:.2f} USD a day, shared by {', '.join(models)}"
    )
    if size is None:
        yield f"what an {instances.instance_type} has is not known here, so nothing is said of how many copies fit on one"
        return
    begun = reserved(models.values())
    needed = max(instances_needed(begun, size) or 0, instances.min_count)
    yield f"they begin with {len(begun)} copies, which need {needed} x {instances.instance_type}, {needed * day:.2f} USD a day"
    each = f"{serving.copies} x {serving.memory_mb} MB and {serving.cpu_cores:g} cores each"
    yield f"of models like this one, {each}, at {price.source}, noted {price.as_of}:"
    yield f"{'models':>6}  {'instances of the fleet':>22}  {'fleet, USD a day':>16}  {'an endpoint each, USD a day':>27}"
    for count in _COUNTS:
        needed = max(instances_needed([serving.size] * serving.copies * count, size) or 0, instances.min_count)
        room = "" if needed <= instances.max_count else f"  more than its max_count of {instances.max_count}"
        yield f"{count:>6}  {needed:>22}  {needed * day:>16.2f}  {count * day:>27.2f}{room}"
