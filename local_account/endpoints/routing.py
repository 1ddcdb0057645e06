"""Which instance of a variant gets a request: the strategies of SageMaker's `ProductionVariantRoutingConfig`. Pure.

In: a production variant of an endpoint configuration, checked when the configuration is created (`operations.py`). Out: the
strategy that `fleet.py` asks for every request. Source: API reference of ProductionVariantRoutingConfig.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from local_account.errors import NotEmulatedError, ServiceError


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
    """What a production variant asks for, RANDOM if nothing, as in SageMaker. Raises ServiceError for what cannot be followed."""
    configuration = variant.get("RoutingConfig")
    if configuration is None:
        return RoutingStrategy.RANDOM
    strategy = configuration.get("RoutingStrategy")
    if strategy == "PREFIX_AWARE" or "PrefixAwareRoutingConfig" in configuration:
        raise NotEmulatedError("sagemaker", "CreateEndpointConfig with RoutingStrategy PREFIX_AWARE")
    if strategy not in list(RoutingStrategy):
        allowed = ", ".join(RoutingStrategy)
        message = f"RoutingConfig.RoutingStrategy of variant {variant['VariantName']} is {strategy!r}; allowed: {allowed}"
        raise ServiceError("ValidationException", message)
    return RoutingStrategy(strategy)
