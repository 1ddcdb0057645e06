"""`python -m local_account`: start an emulated AWS account or several, say how to use them, and stay until Ctrl-C.

Output: the exports and next commands on standard output; `<state>/account.json` for programs. Exit code 2 if it
cannot start. Next: `account.py`.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from local_account import arguments, client_environment, profiles
from local_account.account import DESCRIPTION_FILE, Account, CannotStartError
from local_account.context import AccountSettings, Context, Profile

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Objects that are made before those that are gone are looked for: models of services are hundreds of thousands that stay, and Python's
#: own 700 let the search for cycles take a tenth of all time.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


def main(command_line: Sequence[str] | None = None, *, next_steps: Callable[[Context], str] | None = None) -> int:
    """`next_steps`: what to type once the exports are there; a project tells its own."""
    parser = _parser()
    options = parser.parse_args(command_line)
    default, *others = options.account or [Profile(AccountSettings.account_id)]
    if repeated := _repeated(others):
        parser.error(f"argument --account: the name {repeated!r} is given twice; give each account and region a name of its own")
    wait_for_signal = _stop_signals()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    try:
        settings = AccountSettings(
            state_directory=options.state,
            port=options.port,
            account_id=default.account_id,
            region=options.region or default.region or AccountSettings.region,
            speed=options.speed,
            profiles=(*_named(default, options.region), *others),
        )
        account = Account(settings).start()
    except CannotStartError as error:
        if options.debug:
            raise
        print(f"local account: {error}", file=sys.stderr)
        return 2
    gc.freeze()  # what is there now stays to the end
    try:
        print(welcome(account.context, next_steps or first_steps, replaced_another=account.replaced_another), flush=True)
        wait_for_signal()
    finally:
        account.stop()
    return 0


_REPLACED = """It is a new account. What the one before it in this directory had (stacks, data, repositories, models, endpoints, logs)
ended with it, and its exports no longer work: begin with the exports below, in every terminal, and with `cdk bootstrap`.
"""


def _stop_signals() -> Callable[[], None]:
    """From here on, a signal that asks to stop is kept for whoever calls the result, which returns once there was one.

    The system may hand a signal to any thread. Python's handler then waits for the main thread, which a lock would never let go
    (https://docs.python.org/3/library/signal.html#signals-and-threads): only the wake-up file, written at once, is sure to reach it.
    """
    receiving, waking = os.pipe()
    os.set_blocking(waking, False)
    for stop_signal in _STOP_SIGNALS:
        signal.signal(stop_signal, lambda *_: None)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)

    def wait() -> None:
        while os.read(receiving, 1)[0] not in _STOP_SIGNALS:  # another signal for which Python has a handler
            continue

    return wait


def _named(default: Profile, region: str | None) -> list[Profile]:
    """The default account by the name that it was given, beside the profile that is called default."""
    return [Profile(default.account_id, default.name, region or default.region or AccountSettings.region)] if default.name else []


def _repeated(profiles: Sequence[Profile]) -> str:
    """A profile's name that is given twice; empty if none is."""
    times = Counter(profile.name or profile.account_id for profile in profiles)
    return next((name for name, count in times.items() if count > 1), "")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local_account", description="Run an emulated AWS account on this machine until Ctrl-C."
    )
    parser.add_argument("--port", type=arguments.port, default=4566, help="port on 127.0.0.1; 0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--state", type=Path, default=Path("out/account"), help="directory for its files, emptied at the start (default: %(default)s)"
    )
    parser.add_argument(
        "--account",
        type=arguments.account,
        action="append",
        metavar="[NAME=]ID[/REGION]",
        help=f"the account's id (default: {AccountSettings.account_id}); again for each further one, with the name of its profile",
    )
    parser.add_argument("--region", type=arguments.region, help=f"default region (default: {AccountSettings.region})")
    parser.add_argument(
        "--speed",
        type=arguments.speed,
        default=1.0,
        help="seconds of metrics, cooldowns and schedules per real second (default: %(default)s)",
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def welcome(context: Context, next_steps: Callable[[Context], str], *, replaced_another: bool = False) -> str:
    """What a person needs: the environment of a second terminal, and what to type there."""
    again = _REPLACED if replaced_another else ""
    settings = context.settings
    exports = "\n".join(f"  {line}" for line in client_environment.shell_lines(settings, context.keyring.administrator, os.environ))
    return f"""The local account {settings.account_id} answers on {settings.endpoint_url} until Ctrl-C.
{again}{_others(context)}Logs: {settings.state_directory / "logs"}   For programs: {settings.state_directory / DESCRIPTION_FILE}

In a second terminal, in your project's directory:
{exports}
(In fish, instead of the line with unset: {client_environment.UNSET_IN_FISH})

{next_steps(context)}"""


def first_steps(context: Context) -> str:
    """With anybody's CDK app."""
    settings = context.settings
    return f"""Your CDK app, as it is:
  cdk bootstrap aws://{settings.account_id}/{settings.region}
  cdk deploy --all

Anything else that speaks to AWS, such as:
  aws sts get-caller-identity
  aws s3 mb s3://my-bucket
  aws codecommit create-repository --repository-name my-code
  git push {settings.endpoint_url}/v1/repos/my-code HEAD:main
"""


def _others(context: Context) -> str:
    """A line for each further account, with the words that stock tools take for it."""
    lines = [
        f"Account {profile.account_id}, region {profile.region}: --profile {profile.name}, for instance\n"
        f"  cdk bootstrap aws://{profile.account_id}/{profile.region} --profile {profile.name} --trust {context.settings.account_id} "
        "--cloudformation-execution-policies arn:aws:iam::aws:policy/AdministratorAccess\n"
        for profile in profiles.of(context)[1:]
        if (profile.account_id, profile.region) != (context.settings.account_id, context.settings.region)
    ]
    return "".join(lines)


def run(main: Callable[[], int]) -> NoReturn:
    """End this process with what `main` returns, whatever its terminal can show.

    Everything is stopped and put away then. A thread that still waits for an answer must not keep the process, as sys.exit would let it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run(main)
