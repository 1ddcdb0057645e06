"""When what serves is made anew with the same version, so that it gets the patches of its image."""

from __future__ import annotations

from pydantic import Field

from settings_schema.times import Cron, TimeZone
from settings_schema.value import Value

#: Parameter of a serving stack, variable of the deploy pipeline and of the container: the day on which it was made anew for its own sake.
REBUILT = "Rebuilt"
NEVER = "never"


class Rebuild(Value):
    """Looks at these times whether the last release is older than `older_than_days`, and takes the same version through the gates again.

    SageMaker finds out which image a tag means when a fleet is made, and keeps to it (DeployedImage of its service model). It patches what
    is below by itself, but nothing whose model, role, image or configuration is gone ("Best practices for endpoint security and health").
    """

    cron: Cron = "0 6 ? * MON *"
    time_zone: TimeZone = "Etc/UTC"
    older_than_days: int = Field(default=30, ge=1, le=365)
