"""What a process took: seconds, peak memory (RSS) and the shape of its result."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from typing import Any


def report(seconds: float, matrix: Any, names: Sequence[str]) -> dict[str, Any]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss * unit / 2**20,
        "shape": list(matrix.shape),
        "dtype": str(matrix.dtype),
        "columns": list(names),
    }
