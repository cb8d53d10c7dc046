"""Starts one process of `up`: user, environment, output, and its end with its parent.

Run as a script, before the program itself: it imports the standard library only, and
then becomes the program. The first argument is a `Launch` as JSON, the others are a
module and its arguments. `launch.py --watch PARENT MODULE …` runs a module in this
process and ends it with its parent, where the kernel cannot.
"""

import ctypes
import json
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

# https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
PR_SET_PDEATHSIG = 1
SECONDS_BETWEEN_LOOKS = 0.5


def launch(spec: dict[str, Any], command: list[str]) -> NoReturn:
    """Become `python -m` with a module and its arguments.

    `spec` has `parent`, the id of the process that has to live; `outputs`, descriptors
    for stdout and stderr; `user`, a uid or null; `unset`, names of variables; and if
    needed `set`, variables, `inline`, variables of files → those for the contents, and
    `pid_file`, a file for the id of this process.
    """
    for number, descriptor in enumerate(spec["outputs"], start=1):
        os.dup2(descriptor, number)
    environ = {k: v for k, v in os.environ.items() if k not in spec["unset"]}
    environ |= spec.get("set", {})
    _inline_files(environ, spec.get("inline", {}))
    if spec.get("pid_file"):
        Path(spec["pid_file"]).write_text(f"{os.getpid()}\n")
    if spec["user"] is not None:
        os.setresuid(spec["user"], spec["user"], spec["user"])
    if sys.platform == "linux":
        # After the change of user, which would reset it.
        end_with_parent()
        arguments = ["-m", *command]
    else:
        arguments = [str(Path(__file__)), "--watch", str(spec["parent"]), *command]
    if os.getppid() != spec["parent"]:
        sys.exit("The supervising process has ended.")
    os.execve(sys.executable, [sys.executable, *arguments], environ)  # noqa: S606 (ours)


def _inline_files(environ: dict[str, str], names: dict[str, str]) -> None:
    """Replace variables of files by their contents, before another user cannot read."""
    for source, target in names.items():
        if source not in environ or target in environ:
            continue
        try:
            environ[target] = Path(environ[source]).read_text().strip()
        except (OSError, ValueError):
            continue  # The program reports it.
        del environ[source]


def end_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends."""
    prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def prctl(option: int, value: int) -> None:
    """Set an option of this process in the Linux kernel. Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def watch(parent: int, command: list[str]) -> None:
    """Run a module in this process, and end it when its parent has ended."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    # As `python -m` does.
    sys.path[0] = os.getcwd()
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1] == "--watch":
        watch(int(sys.argv[2]), sys.argv[3:])
    else:
        launch(json.loads(sys.argv[1]), sys.argv[2:])
