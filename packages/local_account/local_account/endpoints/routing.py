"""Which instance of a variant gets a request: the strategies of SageMaker's `ProductionVariantRoutingConfig`. Pure.

In: a production variant of an endpoint configuration, checked when the configuration is created. Out: the
strategy that `fleet.py` asks for every request. Source: API reference of ProductionVariantRoutingConfig.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any


class RoutingStrategy(StrEnum):
    LEAST_OUTSTANDING_REQUESTS = "LEAST_OUTSTANDING_REQUESTS"
    RANDOM = "RANDOM"

    def choose(self, in_flight: Sequence[int]) -> int:
        """Index of the instance for the next request. `in_flight` has the requests of each instance, at least one of them."""
        if self is RoutingStrategy.RANDOM:
            return random.randrange(len(in_flight))
        fewest = min(in_flight)
        return random.choice([index for index, requests in enumerate(in_flight) if requests == fewest])


def strategy_of(variant: Mapping[str, Any]) -> RoutingStrategy:
    """What a production variant asks for, RANDOM if nothing, as in SageMaker. What else SageMaker has is refused with the request
    (`local_account/api/values.py`).
    """
    configuration = variant.get("RoutingConfig")
    return RoutingStrategy(configuration["RoutingStrategy"]) if configuration else RoutingStrategy.RANDOM
