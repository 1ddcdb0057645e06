"""Gives a process a `/opt/ml` of its own, as a container of SageMaker has it, or ends it with a reason where it asks for one.

Where Linux allows it, the process gets a mount namespace in which `/opt/ml` is the job's folder: for Python, for libraries, and for
everything that it starts. Elsewhere (macOS, hardened kernels, most containers) a Python process that uses a path below `/opt/ml` ends
with one line that names the path, before anything is touched (docs/decisions/0070). A job that is to be isolated also gets a network
namespace, with a loopback of its own and nothing else (docs/decisions/0090).
Run as `python -S -E opt_ml.py [--isolated] FOLDER COMMAND [ARGUMENT ...]`, or used by `child.py` in a forked process.
Standard library only.
"""

import ctypes
import os
import re
import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

OPT_ML = "/opt/ml"
#: Holds the `sitecustomize.py` through which Python processes that a guarded process starts are guarded, too.
GUARD = str(Path(__file__).with_name("guard"))

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000


# ------------------------------------------------------------------------------------------ a mount namespace


def available(isolated: bool = False) -> bool:
    """Whether a process of this user may have a `/opt/ml`, and a network, of its own. Tried in a process that does nothing else."""
    if not sys.platform.startswith("linux"):
        return False
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "ml"
        folder.mkdir()
        process = os.fork()
        if process == 0:
            try:
                enter(str(folder), isolated)
                os._exit(0)
            except BaseException:  # whatever it is, the answer is no
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def enter(folder: str, isolated: bool = False) -> None:
    """Let `/opt/ml` be `folder` for this process and those that it starts, and let them have no network if they are to be isolated.

    The process must have one thread. Raises OSError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    wanted = _CLONE_NEWNS | (_CLONE_NEWNET if isolated else 0)
    if libc.unshare(wanted):  # root may; others need a user namespace first, in which they are who they were
        _check(libc.unshare(_CLONE_NEWUSER | wanted), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    if isolated:
        _start_loopback()
    _mount(libc, "none", "/", "", _MS_REC | _MS_PRIVATE)  # nothing of what follows is seen outside
    if not Path(OPT_ML).is_dir():
        _make_room(libc, Path(folder))
    _mount(libc, folder, OPT_ML, "", _MS_BIND | _MS_REC)


def _start_loopback() -> None:
    """In a new network there is a loopback, but it is off: netdevice(7)."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP))


def _make_room(libc: Any, folder: Path) -> None:
    """Put an empty `ml` beside what the machine has in `/opt`, where it must not be created."""
    opt, stash = Path(OPT_ML).parent.resolve(strict=True), folder.parent / ".opt"
    stash.mkdir(exist_ok=True)  # only a place to mount at: what is mounted there is seen by one process
    _mount(libc, str(opt), str(stash), "", _MS_BIND | _MS_REC)
    _mount(libc, "tmpfs", str(opt), "tmpfs", 0, "mode=755")
    for entry in stash.iterdir():
        place = opt / entry.name
        if entry.is_symlink():
            place.symlink_to(entry.readlink())
            continue
        place.mkdir() if entry.is_dir() else place.touch()
        _mount(libc, str(entry), str(place), "", _MS_BIND | _MS_REC)
    Path(OPT_ML).mkdir()


def _mount(libc: Any, source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    texts = [text.encode() or None for text in (source, target, kind, data)]
    _check(libc.mount(texts[0], texts[1], texts[2], flags, texts[3]), f"mount of {target}")


def _check(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


# ----------------------------------------------------------------------------------------------- or a guard

_NAMED = re.compile(r"(?<![\w.-])(?:(?<!/)|(?<=://))/opt/ml(?=/|$|[^\w.-])")
#: Events of Python's audit hooks that say which path is used: https://docs.python.org/3/library/audit_events.html.
_EVENTS = frozenset(
    {
        *("open", "glob.glob", "subprocess.Popen"),
        *(f"shutil.{name}" for name in ("copyfile", "copytree", "move", "rmtree", "unpack_archive")),
        *(f"os.{name}" for name in ("listdir", "scandir", "mkdir", "rename", "remove", "rmdir", "chmod", "chown", "link", "symlink")),
        *(f"os.{name}" for name in ("truncate", "utime", "chdir", "system", "exec", "posix_spawn", "spawn")),
    }
)


def guard() -> None:
    """From here on, this Python process ends with a reason if it uses a path below `/opt/ml`. Python processes that it starts, too."""
    sys.addaudithook(lambda event, arguments: refuse(arguments) if event in _EVENTS else None)
    for name in ("stat", "lstat", "access"):  # no event tells of these, and `exists` would answer no
        setattr(os, name, _refusing(getattr(os, name)))
    paths = [GUARD, *(path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path and path != GUARD)]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)


def refuse(value: Any) -> None:
    """End the process if a path below `/opt/ml` is in `value`, which may be a command with arguments."""
    if isinstance(value, list | tuple):
        for item in value:
            refuse(item)
        return
    text = os.fsdecode(value) if isinstance(value, str | bytes | os.PathLike) else ""
    if _NAMED.search(text):
        # Not an Exception: a script that catches those would go on as if the path were empty.
        raise SystemExit(
            f"{text[:200]} is in a container's {OPT_ML}. This machine lets a process have none of its own (no mount namespaces for this "
            "user), so take the path from an argument or an SM_* variable"
        )


def _refusing(original: Any) -> Any:
    def checked(path: Any, *arguments: Any, **options: Any) -> Any:
        refuse(path)
        return original(path, *arguments, **options)

    for supported in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
        if original in supported:
            supported.add(checked)
    return checked


# ---------------------------------------------------------------------------------------------- as a command


def main(folder: str, command: Sequence[str], isolated: bool = False) -> NoReturn:
    """Become `command`, with a `/opt/ml` of its own or guarded, and with no network if it is to be isolated."""
    if available(isolated):
        enter(folder, isolated)
    elif isolated:
        sys.exit(f"{command[0]} is not started: this machine lets a process have no network of its own")
    elif not Path(command[0]).name.startswith("python") and _is_writable():
        sys.exit(f"{command[0]} is not started: it could write to this machine's own {OPT_ML}, and mount namespaces are not allowed here")
    else:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (GUARD, os.environ.get("PYTHONPATH"))))
    program = shutil.which(command[0])
    if program is None:
        sys.exit(f"{command[0]} does not exist on this machine")
    os.execv(program, list(command))  # noqa: S606 - to become the command is the purpose


def _is_writable() -> bool:
    """Whether this user could make something below the machine's own `/opt/ml`."""
    existing = next(path for path in (Path(OPT_ML), *Path(OPT_ML).parents) if path.exists())
    return os.access(existing, os.W_OK)


if __name__ == "__main__":
    given = sys.argv[2:] if sys.argv[1] == "--isolated" else sys.argv[1:]
    main(given[0], given[1:], isolated=sys.argv[1] == "--isolated")
