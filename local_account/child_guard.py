"""Runs one command and ends it, with everything it started, when the account's process is gone.

The account holds the other end of this process's standard input. The system closes it however the
account dies, `kill -9` included, so no job, build or model server outlives the account.
Run as `python -S child_guard.py COMMAND [ARG ...]`; standard library only, to start fast.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def end_group(process_group: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it had already ended
        os.killpg(process_group, signal.SIGKILL)


def main() -> int:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    lifeline = sys.stdin.fileno()

    def watch() -> None:
        while os.read(lifeline, 1):
            pass
        end_group(child.pid)

    threading.Thread(target=watch, daemon=True).start()
    for stop_signal in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(stop_signal, lambda *_: end_group(child.pid))
    return_code = child.wait()
    end_group(child.pid)  # what the command left running in the background
    return return_code if return_code >= 0 else 128 - return_code


if __name__ == "__main__":
    sys.exit(main())
