"""How every script begins and ends: it reads what the team has set, and ends with 0, or with one line that teaches and exit 2.

The traceback comes only with `--debug`. It prints on any terminal.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from plain_signs import print_anywhere
from settings_schema.errors import BAD_INPUT_EXIT, UNREADABLE, SettingsError, stop
from settings_schema.reading import Settings, read

#: How services name a quota that is reached, as an error's code or in the reason why a step or an endpoint failed.
_QUOTA_REACHED = re.compile(r"LimitExceeded|QuotaExceeded|account-level service limit|service quota", re.IGNORECASE)


def read_settings() -> Settings:
    """What the team has set. For `main` of a script: everything else is given what it needs. A slip ends the program with one line."""
    try:
        return read()
    except UNREADABLE as error:
        stop(error)


def add_model_option(options: argparse.ArgumentParser) -> None:
    """`--model`, for `settings.model(given.model)`. A build of one model has it in its environment."""
    options.add_argument(
        "--model", default=os.environ.get("MODEL"), metavar="NAME", help="a file of models/; may be left out where there is only one"
    )


def add_package_option(options: argparse.ArgumentParser) -> None:
    """`--package`: the version that choose_version.py chose, which a build has in its environment. Its parser refuses to do without."""
    chosen = os.environ.get("MODEL_PACKAGE_ARN")
    options.add_argument("--package", default=chosen, required=not chosen, help="the version's ARN (default: MODEL_PACKAGE_ARN)")


class ProblemError(Exception):
    """Something a person can put right: says what was given, what is allowed, and where to change it."""


class VerdictError(Exception):
    """The script worked, and its answer is no: a check failed, a run failed. Exit 1."""


def parser(description: str | None, epilog: str = "") -> argparse.ArgumentParser:
    """A parser whose help is the module's docstring as it is written, and whose errors are one line."""
    made = _Parser(prog=_program(), description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return made


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT_EXIT, f"error: {message}; `{self.prog} --help` lists what is allowed\n")


def _program() -> str | None:
    """`python -m build_scripts.publish`, as a person types it; None leaves it to argparse."""
    specification = getattr(sys.modules["__main__"], "__spec__", None)
    return f"python -m {specification.name}" if specification else None


def run(main: Callable[[Sequence[str]], int | None], arguments: Sequence[str] | None = None) -> int:
    """Call `main` and turn its errors into one line; returns the exit code."""
    print_anywhere()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return main(given) or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (ProblemError, VerdictError, SettingsError, ClientError, BotoCoreError, OSError) as error:
        if "--debug" in given:
            traceback.print_exc()
        print(f"error: {with_pointer(explain(error))}", file=sys.stderr)
        return 1 if isinstance(error, VerdictError) else BAD_INPUT_EXIT


def with_pointer(reason: str) -> str:
    """The reason, and where to look if it is a quota: deploy_scripts/preflight.py knows them all, with the command that asks for more."""
    pointer = "; `make preflight` shows each quota beside what the settings need, and how to ask for more"
    return f"{reason}{pointer}" if _QUOTA_REACHED.search(reason) else reason


def explain(error: BaseException) -> str:
    """One line for an error; AWS errors with their operation, connection errors with what to check."""
    if isinstance(error, ClientError):
        details: dict[str, Any] = error.response.get("Error", {})
        return f"{error.operation_name}: {details.get('Code')}: {' '.join(str(details.get('Message')).split())}"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(error).split())
    if isinstance(error, BotoCoreError) and not isinstance(error, ParamValidationError):
        return f"{text.rstrip('.')}. Check AWS_PROFILE or the exports of `make local`."
    return text
