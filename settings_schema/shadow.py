"""A new version in production's shadow: it gets copies of requests before anyone is asked whether it may answer them."""

from __future__ import annotations

from pydantic import Field

from settings_schema.value import Value

#: What SageMaker says about other endpoints than real-time ones: guide, "Create a shadow test", whose note lists what is incompatible.
NOT_HERE = "only in an Endpoint(...): SageMaker takes no shadow variant with asynchronous or serverless inference"


class Shadow(Value):
    """After staging's verification, and before a person is asked: `percent` of production's requests are copied to the new version.

    Its answers reach nobody. `minutes`: how long both are compared, of at most six hours, for which a build waits meanwhile. As many
    instances as production has at that moment, or their `percent`, run beside it as long.
    """

    minutes: int = Field(default=60, ge=1, le=360)
    percent: int = Field(default=100, ge=1, le=100)
