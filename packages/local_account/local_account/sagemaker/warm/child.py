"""A forked child becomes the job: its `/opt/ml`, environment, directory, log and arguments, then its script as `__main__`.

Runs in the process that `server.py` forked and never returns. Standard library only.
"""

import atexit
import os
import signal
import sys
import threading
import traceback
import types
from pathlib import Path
from typing import Any, NoReturn

import opt_ml  # type: ignore[import-not-found]  # beside this file, like `child` itself


def run(request: dict[str, Any], has_own_opt_ml: bool) -> NoReturn:
    """`request`: command (script or `-m module`, then arguments), environment, directory, log, the folder to be `/opt/ml`, isolated."""
    for caught in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
        signal.signal(caught, signal.SIG_DFL)
    redirect(request["log"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if has_own_opt_ml:
        opt_ml.enter(request["opt_ml"], bool(request.get("isolated")))
    elif request.get("isolated"):
        sys.exit("not started: this machine lets a process have no network of its own")
    else:
        opt_ml.guard()
    os.chdir(request["directory"])
    seed_numpy()
    limit_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    code = execute(request["command"])
    finish()
    os._exit(code)


def redirect(log: str) -> None:
    """Output goes to the log line by line, as with PYTHONUNBUFFERED in a container; there is no input."""
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - open as long as the process lives
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115 - same
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115 - same


def seed_numpy() -> None:
    """NumPy's global generator was seeded when the server imported it: without this, all jobs would draw the same numbers."""
    numpy = sys.modules.get("numpy")
    if numpy:
        numpy.random.seed()


def limit_threads(threads: int) -> None:
    """OpenMP and BLAS read their variables when they are loaded, which was before this job's environment was known."""
    try:
        import threadpoolctl
    except ImportError:
        return
    threadpoolctl.threadpool_limits(threads)


def execute(command: list[str]) -> int:
    """Run the script as Python's own command line would; returns the exit code."""
    search_path = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    own_directory = str(Path(__file__).parent)
    sys.path[:] = search_path + [entry for entry in sys.path if entry != own_directory]
    for own in ("child", "opt_ml"):
        sys.modules.pop(own, None)
    try:
        if command[0] == "-m":
            import runpy

            sys.argv = command[1:]
            sys.path.insert(0, str(Path.cwd()))
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = command
            sys.path.insert(0, str(Path(command[0]).resolve().parent))
            run_script(command[0])
    except SystemExit as error:
        return exit_code(error.code)
    except BaseException as error:  # what Python would print before it exits with 1
        inner = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(type(error), error, inner.tb_next if inner and command[0] != "-m" else inner)
        return 1
    return 0


def run_script(path: str) -> None:
    main_module = types.ModuleType("__main__")
    main_module.__dict__.update(__file__=path, __builtins__=__builtins__)
    sys.modules["__main__"] = main_module
    exec(compile(Path(path).read_bytes(), path, "exec"), main_module.__dict__)  # noqa: S102 - running the user's script is the purpose


def exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def finish() -> None:
    """What the interpreter does on its way out: wait for threads, run exit handlers, flush."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
