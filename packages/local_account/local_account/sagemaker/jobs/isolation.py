"""EnableNetworkIsolation of a job: no network, and no credentials of AWS in its environment, or the job is refused.

SageMaker guide, "Run Training and Inference Containers in Internet-Free Mode": the containers cannot make any outbound network calls,
even to S3, and no AWS credentials are made available to them; SageMaker itself fetches and stores the data. Linux does it by a
network namespace (`warm/opt_ml.py`); where this user may have none, what cannot be kept is not promised.
"""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from local_account.errors import NotEmulatedError
from local_account.sagemaker.warm import opt_ml


def is_wanted(given: Mapping[str, Any]) -> bool:
    """Whether a model, or the request or description of a job, asks for it; a processing job does so in its `NetworkConfig`."""
    return bool((given.get("NetworkConfig") or given).get("EnableNetworkIsolation"))


@functools.cache
def is_possible() -> bool:
    """Whether a process of this user may have a network of its own. Tried in a process that does nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-S", "-E", opt_ml.__file__, "--isolated", folder, "true"]
        return sys.platform.startswith("linux") and subprocess.run(command, capture_output=True, check=False).returncode == 0


def require_possible(operation: str) -> None:
    """Raises NotEmulatedError where a job could not be isolated as it asks for."""
    if not is_possible():
        raise NotEmulatedError(
            "sagemaker", f"{operation} with EnableNetworkIsolation: this machine lets a process have no network of its own"
        )
