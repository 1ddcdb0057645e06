"""When something happens: AWS's cron expressions and time zones, as fields."""

from __future__ import annotations

import functools
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from capacity.model import CapacityError
from capacity.schedule import parse

_CRON = "six fields, minute hour day-of-month month day-of-week year, with '?' for one of the days, such as '0 7 ? * MON-FRI *'"
_ZONE = "a name of the IANA time zone database, such as Europe/Madrid"


def is_cron(text: str) -> bool:
    """What EventBridge Scheduler and Application Auto Scaling take within `cron(...)`, by their user guides' pages on cron expressions."""
    parts = text.split()
    if len(parts) != 6 or (parts[2] == "?") == (parts[4] == "?"):
        return False
    try:
        parse(f"cron({text})")
    except CapacityError:
        return False
    return True


def _cron(text: str) -> str:
    if not is_cron(text):
        raise ValueError  # the field's description says what is allowed
    return text


@functools.cache
def _zones() -> frozenset[str]:
    """Python looks through the whole database each time that it is asked."""
    return frozenset(available_timezones())


def _zone(text: str) -> str:
    if text not in _zones():
        raise ValueError
    return text


#: A cron expression without `cron(...)` around it.
Cron = Annotated[str, Field(description=_CRON), AfterValidator(_cron)]
#: A name of the IANA time zone database.
TimeZone = Annotated[str, Field(description=_ZONE), AfterValidator(_zone)]
