"""Would a deployment of this CDK app succeed in the accounts that it names? Asks them before it is tried, and only reads.

    npx cdk synth && python -m preflight
    python -m preflight --profile 444455556666=staging     # another account with credentials of its own
    python -m preflight --policy                           # the permissions that it needs, as an IAM policy

Input: a cloud assembly, and credentials. Output: a table: ✓ is fine, ✗ would fail, ? could not be seen, → what to do.
Exit code 1 with a ✗, 2 for bad input, 0 otherwise. A project that knows more of itself than its templates say calls `command.run`.
"""

from __future__ import annotations

import argparse
import io
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from preflight import command
from preflight.application import App
from preflight.errors import PreflightError, explain
from preflight.sites import of_assembly, profiles_of

BAD_INPUT_EXIT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    try:
        return command.run(given, lambda: any_app(given))
    except (PreflightError, OSError) as error:
        if given.debug:
            traceback.print_exc()
        print(f"error: {explain(error)}", file=sys.stderr)
        return BAD_INPUT_EXIT


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m preflight", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_options(made)
    add = made.add_argument
    add("--profile", action="append", default=[], metavar="ACCOUNT=NAME", help="enter an account with this profile, not by the lookup role")
    add("--price", action="append", default=[], metavar="TYPE=USD", help="an instance-hour, for where the Price List does not answer")
    add("--project", type=Path, help="hold the tools on this machine to the pins of this folder's pyproject.toml and package.json")
    add("--debug", action="store_true", help="show the traceback of an error")
    return made


def any_app(given: argparse.Namespace) -> App:
    """An app of which nothing is known but its templates."""
    if given.project and not given.project.is_dir():
        raise PreflightError(f"--project is {given.project}; allowed: a folder with a pyproject.toml or a package.json")
    profiles = profiles_of(given.profile)
    return App(
        name=given.assembly.resolve().parent.name,
        sites=lambda stacks: of_assembly(stacks, profiles),
        usd_per_hour=command.prices_of(given.price),
        prices_source="given with --price" if given.price else "the AWS Price List does not answer",
        root=given.project,
    )


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no terminal ends this by lacking a sign
    sys.exit(main())
