"""Lets lines of metrics out of a model's process as they are.

The image's multi-model server reads what a model's process prints and logs it with time, level and thread in front (`ReaderThread` of
`WorkerLifeCycle.java`, multi-model-server 1.1.2; ConversionPattern of sagemaker-inference 1.5.5). CloudWatch Logs makes metrics of an event
only if it is the JSON and nothing else. So such lines go to the output of the container's first process, which hosting puts into the log.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, TextIO

#: Variable of the container (infra/fleet/multi_model_stack.py): the file to which its first process writes.
OUTPUT = "CONTAINER_OUTPUT"
_METRICS = '{"_aws"'


class MetricsApart:
    """In place of a process's standard output: of what is written to it, lines of metrics go to the container's own output."""

    def __init__(self, usual: TextIO, path: Path) -> None:
        self._usual, self._path = usual, path

    def write(self, text: str) -> int:
        """Metrics are written in one piece, of at most PIPE_BUF bytes, so that lines of several processes do not mix."""
        if not text.startswith(_METRICS):
            return self._usual.write(text)
        try:
            with self._path.open("a", encoding="utf-8") as output:
                return output.write(text)
        except OSError:  # what is said of requests must not be what fails them
            return self._usual.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._usual, name)


def let_metrics_out() -> None:
    """Once for a process; not at all where the container does not say where its output is."""
    path = os.environ.get(OUTPUT)
    if path and not isinstance(sys.stdout, MetricsApart):
        sys.stdout = MetricsApart(sys.stdout, Path(path))
