"""How a step fails: one line for a person, where SageMaker looks for it, and a non-zero exit.

SageMaker shows `/opt/ml/output/message` as a processing job's ExitMessage. A training job's `/opt/ml/output/failure` belongs to the
toolkit in the image, which writes over whatever a script has left there; so a trial's line is in its log, where
build_scripts/trial_logs.py finds it by its beginning, `error: `. Used by every script of this folder.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

BAD_INPUT_EXIT = 2
BUG_EXIT = 1
#: An ExitMessage holds 1024 characters.
LONGEST = 1000


class BadInput(Exception):  # noqa: N818 - it is no error of the program: the input is bad
    """The data or a setting cannot be used. The message says what was given, what is allowed, and where to change it."""


def run(main: Callable[[list[str]], None]) -> None:
    """Runs a script's `main` with the command line; `--debug` adds the traceback of bad input."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        main(arguments)
    except BadInput as problem:
        if "--debug" in sys.argv:
            traceback.print_exc()
        _report(str(problem))
        sys.exit(BAD_INPUT_EXIT)
    except Exception as problem:  # a bug: the traceback belongs in the log, the line in the console
        traceback.print_exc()
        _report(f"{type(problem).__name__}: {(str(problem).splitlines() or [''])[0]}")  # libraries append stack traces
        sys.exit(BUG_EXIT)


def _report(message: str) -> None:
    line = " ".join(message.split())[:LONGEST]
    print(f"error: {line}", file=sys.stderr)
    folder = Path(os.environ.get("SM_OUTPUT_DIR", "/opt/ml/output"))
    if folder.is_dir() or "SM_OUTPUT_DIR" in os.environ:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "message").write_text(line, encoding="utf-8")
