"""`python -m demo` (`make demo`): the whole loop offline, from `cdk bootstrap` to an endpoint that scales and a file that is scored.

    python -m demo                                      every model whose data come with the project, side by side
    python -m demo --model churn --data table.csv       one model, with a table of your own
    python -m demo --data table.csv --target price      a table that no model describes: its file is drafted first, in a copy

Output: one line for each stage; `<out>/index.html`, the story to look at; `<out>/permissions.html`, what each role used;
`<out>/timings.json`; `<out>/logs` of the commands and `<out>/account/logs` of builds, jobs and model servers.
Exit code 0; 1 if a stage failed, with its reason and log; 2 if it cannot start, or its account ends; 128 + signal if it was stopped.
Whatever happens, nothing it started goes on. Next: `story.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from build_scripts.command_line import read_settings
from demo import drafted, page, permissions_page, story, timings
from demo.errors import AccountEndedError, Interrupted, SetupError, StageError
from demo.lock import only_one
from demo.narrator import Narrator
from demo.own_paths import PERMISSIONS, ask
from demo.story import Options
from demo.subject import left_out, subjects
from demo.terminal import Terminal
from local_account import arguments
from plain_signs import print_anywhere
from settings_schema import SettingsError
from settings_schema.reading import Settings

_CHECKOUT = Path(__file__).resolve().parents[1]
#: This process sends it to itself.
_ACCOUNT_ENDED = signal.SIGUSR1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, _ACCOUNT_ENDED)


def main(command_line: Sequence[str] | None = None) -> int:
    print_anywhere()
    options = _parser().parse_args(command_line)
    settings, narrator = read_settings(), Narrator()
    try:
        with _stoppable() as account_ended, only_one(options.out):
            return _run(options, settings, narrator, account_ended)
    except (SetupError, SettingsError) as error:
        if options.debug:
            raise
        narrator.complain(f"demo: {error}")
        return 2
    except AccountEndedError as ended:
        narrator.complain(f"demo: {ended}")
        return 2
    except Interrupted as interrupted:
        narrator.complain("demo: stopped; nothing that it started goes on")
        return 128 + interrupted.signal_number


def _run(options: argparse.Namespace, settings: Settings, narrator: Narrator, account_ended: Callable[[str], None]) -> int:
    if options.target is None:
        told = subjects(settings, options.model, options.data)
    elif options.data is None or options.model is not None:
        raise SetupError("--target drafts a model of --data FILE, and is not for one that is in models/; leave --model out")
    directory, checkout = options.out.resolve(), _CHECKOUT
    with _working_directory(directory) as working_directory:
        if options.target is not None:
            narrator.chapter("A model of your data")
            with narrator.stage("A model is drafted") as stage:
                found = drafted.draft(_CHECKOUT, settings, options.data, options.target, working_directory)
                stage.note = f"models/{found.model.replace('-', '_')}.py, in a copy of this checkout"
            narrator.say("\n".join(f"        {line}" for line in found.report))
            checkout, settings, told = found.checkout, found.settings, subjects(found.settings, found.model, found.data)
        terminal = Terminal(checkout, directory, tools=_CHECKOUT)
        try:
            choices = Options(options.port, options.speed, options.traffic_speed, on_account_end=account_ended)
            facts = story.tell(terminal, narrator, settings, told, choices, working_directory)
            with narrator.stage("The page is written"):
                page.write(directory / "index.html", settings, facts)
        except StageError as error:
            _blame_the_account(terminal, error)
            if options.debug:
                raise
            narrator.complain(f"demo: {error}")
            refused = _permissions(terminal, directory, options)
            narrator.complain(f"demo: the story ends here. Log: {error.log or terminal.account_logs}{refused}")
            return 1
        except (SetupError, SettingsError):
            raise
        except Exception as error:
            _blame_the_account(terminal, error)
            if options.debug:
                raise
            narrator.complain(f"demo: {type(error).__name__}: {error}")
            narrator.complain(f"demo: the story ends here. Logs: {terminal.account_logs} (`--debug` shows the traceback)")
            return 1
        finally:
            narrator.close()
            with _unstoppable():
                terminal.close()
    timings.write(directory / "timings.json", facts, narrator.elapsed())
    logs = f"{options.out / 'logs'}, {options.out / 'account' / 'logs'}"
    if options.target is not None:
        again = f"python -m build_scripts.describe_data {options.data} --target {options.target}"
        narrator.say(f"\nThe draft is gone with its copy; `{again}` writes it into models/")
    if rest := left_out(settings, told):
        narrator.say(f"\nNot told: {', '.join(rest)} (--model NAME, with --data FILE where the data is not part of this project)")
    narrator.say(f"\nDone in {narrator.elapsed():.0f} s. Look at it: {options.out / 'index.html'}   Logs: {logs}")
    return 0


def _permissions(terminal: Terminal, directory: Path, options: argparse.Namespace) -> str:
    """Also a story that ended early has the page of what was refused; where it is, for the last line."""
    try:
        report = ask(terminal.account, "GET", PERMISSIONS)
    except (OSError, KeyError, StageError):  # no account, or none that answers any more
        return ""
    permissions_page.write(directory / permissions_page.NAME, report)
    refused = permissions_page.summary(report).refused
    return f"   Refused: {refused} different requests, {options.out / permissions_page.NAME}" if refused else ""


def _blame_the_account(terminal: Terminal, error: Exception) -> None:
    """Raises AccountEndedError if there is no account any more: the error is then only how the story noticed it."""
    reason = terminal.how_the_account_ended()
    if reason:
        raise AccountEndedError(reason) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m demo",
        description="Run the whole loop offline: deploy, push, train, approve, release, scale. Ends with a page to look at.",
    )
    parser.add_argument("--out", type=Path, default=Path("out/demo"), help="directory for the page and the logs (default: %(default)s)")
    parser.add_argument("--model", metavar="NAME", help="tell the story of this file of models/ alone (default: each whose data is here)")
    parser.add_argument("--data", type=Path, help="your own CSV or Parquet file for that model (default: the example's)")
    parser.add_argument("--target", metavar="COLUMN", help="of --data: draft a model that predicts it, as build_scripts.describe_data does")
    parser.add_argument(
        "--port", type=arguments.port, default=0, help="port of the local account; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--speed", type=arguments.speed, default=Options.speed, help="simulated seconds per second (default: %(default)g)")
    parser.add_argument(
        "--traffic-speed", type=arguments.speed, default=Options.traffic_speed, help="during the traffic (default: %(default)g)"
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


@contextlib.contextmanager
def _working_directory(directory: Path) -> Iterator[Path]:
    """A fresh `<out>/work`; what an earlier demo left goes first. At the end only the page, the timings and the logs stay."""
    work, account = directory / "work", directory / "account"
    for earlier in (work, account, directory / "logs"):
        shutil.rmtree(earlier, ignore_errors=True)
    written = [directory / name for name in ("index.html", "permissions.html", "timings.json")]
    for earlier in (*written, *directory.glob("report-*.html")):
        earlier.unlink(missing_ok=True)
    work.mkdir()
    try:
        yield work
    finally:
        with _unstoppable():
            shutil.rmtree(work, ignore_errors=True)
            for entry in account.iterdir() if account.is_dir() else ():
                if entry.is_dir() and entry.name != "logs":
                    shutil.rmtree(entry, ignore_errors=True)
                elif entry.is_file():
                    entry.unlink()


@contextlib.contextmanager
def _stoppable() -> Iterator[Callable[[str], None]]:
    """Signals that ask to stop become `Interrupted`, so that every `finally` on the way out is run.

    Yields how another thread tells the story at once, whatever it is waiting for, that the account has ended and why.
    """
    ended: list[str] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        if number == _ACCOUNT_ENDED and ended:
            raise AccountEndedError(ended[0])
        raise Interrupted(number)

    def account_ended(reason: str) -> None:
        ended.append(reason)
        signal.pthread_kill(threading.main_thread().ident or 0, _ACCOUNT_ENDED)

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield account_ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _unstoppable() -> Iterator[None]:
    """The clean-up is short and is not cut off by a second Ctrl-C."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
