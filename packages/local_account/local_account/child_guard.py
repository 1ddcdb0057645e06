"""Runs one command and ends it, with everything it started, when it ends or the account's process is gone.

The account holds the other end of this process's lifeline: its standard input, or the pipe that `--lifeline` names where the command
needs its own. The system closes it however the account dies, `kill -9` included, so no job, build, function or model server outlives
the account. On Linux this process is also whom the system gives the orphans below it to (prctl(2), PR_SET_CHILD_SUBREAPER), so a
descendant cannot escape by a session of its own or by a parent that ends; elsewhere the command's process group is ended.
Run as `python -S -E child_guard.py [--lifeline DESCRIPTOR] COMMAND [ARGUMENT ...]`; `stand_guard` does the same in a process that was
forked (`sagemaker/warm/server.py`). Standard library only, to start fast.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

_PR_SET_CHILD_SUBREAPER = 36


def end_group(process_group: int, with_signal: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it had already ended
        os.killpg(process_group, with_signal)


def adopt_orphans() -> None:
    """From now on, orphans below this process become its children. No other system than Linux can do it."""
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants() -> None:
    """End every process below this one, and wait for its end. What they start meanwhile is found in the next round."""
    while True:
        for process in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def descendants(ancestor: int) -> list[int]:
    """The processes below one, by what `/proc` says of everyone's parent; none on other systems."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:  # noqa: PTH112, PTH208 - pathlib costs a third of the start
        if name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - same
                # The command's name is in parentheses and may contain anything; after it come the state and the parent.
                children.setdefault(int(file.read().rpartition(b")")[2].split()[1]), []).append(int(name))
    found = list(children.get(ancestor, []))
    for process in found:
        found += children.get(process, [])
    return found


def stand_guard() -> None:
    """Fork, and return in the child, a session of its own. This process waits for its end, ends what it left, and exits as it did.

    SIGTERM is passed on to the child's group; SIGHUP ends everything at once.
    """
    guarded = 0
    caught = {signal.SIGTERM: signal.SIGTERM, signal.SIGHUP: signal.SIGKILL}

    def pass_on(number: int, _: object) -> None:
        if not guarded:
            os._exit(128 + number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(guarded, caught[signal.Signals(number)])  # it may have no session, so no group, of its own yet
        end_group(guarded, caught[signal.Signals(number)])

    adopt_orphans()
    signal.pthread_sigmask(signal.SIG_BLOCK, caught)  # until both know who they are
    guarded = os.fork()
    if guarded == 0:
        os.setsid()
        for number in caught:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, caught)
        return
    for number in caught:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, caught)
    os._exit(_after(os.waitstatus_to_exitcode(os.waitpid(guarded, 0)[1])))


def _after(return_code: int) -> int:
    """End what a command left running in the background; its exit code as a shell gives it."""
    end_descendants()
    return return_code if return_code >= 0 else 128 - return_code


def main(arguments: list[str]) -> int:
    adopt_orphans()
    lifeline, own_input = sys.stdin.fileno(), subprocess.DEVNULL
    if arguments[0] == "--lifeline":
        lifeline, own_input, arguments = int(arguments[1]), 0, arguments[2:]
    child = subprocess.Popen(arguments, stdin=own_input, start_new_session=True)
    if lifeline != sys.stdin.fileno():  # whoever reads or writes the command's streams must see them end with the command
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)

    def watch() -> None:
        while os.read(lifeline, 1):
            pass
        end_group(child.pid)

    threading.Thread(target=watch, daemon=True).start()
    for stop_signal in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(stop_signal, lambda *_: end_group(child.pid))
    return_code = child.wait()
    end_group(child.pid)  # where orphans are not ours to end
    return _after(return_code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
