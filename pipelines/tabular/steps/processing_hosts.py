"""How many instances a processing job has: SageMaker writes their names into the container.

Source: "How Amazon SageMaker Processing Configures Your Processing Container" of the developer guide, for `resourceconfig.json`
(`current_host`, `hosts`). Used by `prepare.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

from failure import BadInput

CONFIGURATION = Path("/opt/ml/config/resourceconfig.json")


def require_one() -> None:
    """Raises BadInput where there are more: each would prepare all of the data, and all but one for nothing."""
    try:
        hosts = json.loads(CONFIGURATION.read_text(encoding="utf-8"))["hosts"]
    except FileNotFoundError:  # no container of SageMaker's
        return
    if len(hosts) > 1:
        given = f"ProcessingInstanceCount is {len(hosts)} ({', '.join(hosts[:5])}), and Prepare works on one instance without Spark"
        remedy = "start the run with ProcessingInstanceCount=1, or write processing=Processing(spark=True) into the model's file"
        raise BadInput(f"{given}; {remedy}")
