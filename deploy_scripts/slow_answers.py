"""Are too many answers too slow? Asked one by one until that is clear, which takes three answers of a slow version and 90 of a fast one.

`Endpoint.p99_latency_ms` allows one slow answer in 100. A fixed number of answers decides either by chance (two slow ones of 100) or late.
Wald's sequential probability ratio test weighs after each answer "one in 100" against "one in 20", and ends with the least answers of all
tests that err as seldom. In: counts of answers. Out: what they say. Next: checks.py, verify.py.

Sources: A. Wald, Sequential Tests of Statistical Hypotheses, Annals of Mathematical Statistics 16 (1945), 117-186: the two bounds; A. Wald,
Sequential Analysis (1947), 3.8: broken off, the likelier of the two counts. Why these numbers: docs/decisions/0144.
"""

from __future__ import annotations

import math
from enum import Enum

#: Shares of slow answers: what models/ allows, and what is surely too slow.
ALLOWED, TOO_MANY = 0.01, 0.05
#: How often a version is refused that has ALLOWED, and how often one passes that has TOO_MANY: at most, each time it is asked.
REFUSED_WRONGLY, PASSED_WRONGLY = 0.01, 0.025
_REFUSE, _PASS = math.log((1 - PASSED_WRONGLY) / REFUSED_WRONGLY), math.log(PASSED_WRONGLY / (1 - REFUSED_WRONGLY))


class Speed(Enum):
    FAST, SLOW, UNCLEAR = "fast", "slow", "unclear"


def weigh(slow: int, asked: int) -> Speed:
    """UNCLEAR: ask on."""
    evidence = _evidence(slow, asked)
    return Speed.SLOW if evidence >= _REFUSE else Speed.FAST if evidence <= _PASS else Speed.UNCLEAR


def likelier(slow: int, asked: int) -> Speed:
    """What to say when there is no time to ask on."""
    return Speed.SLOW if _evidence(slow, asked) > 0 else Speed.FAST


def _evidence(slow: int, asked: int) -> float:
    """Logarithm of how much likelier the answers are with TOO_MANY than with ALLOWED."""
    return slow * math.log(TOO_MANY / ALLOWED) + (asked - slow) * math.log((1 - TOO_MANY) / (1 - ALLOWED))
