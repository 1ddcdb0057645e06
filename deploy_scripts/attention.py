"""What a person has to know or do, as status.py tells it: what waits with the command for it, what failed last with its reason."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Waiting:
    """A decision that somebody has to make, or a state that somebody has to end, and the command for it."""

    what: str
    since: str
    command: str
    whom: str = "an approver"


@dataclass(frozen=True)
class Failure:
    """The last run of something that failed, until the next one: its reason in AWS's words, and where its log is."""

    what: str
    since: str
    reason: str
    log: str = ""


#: Of what broke or stands still, where nobody in particular decides.
ON_CALL = "whoever is on call"
