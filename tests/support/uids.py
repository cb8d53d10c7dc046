"""Processes of real users, as in the container. Only root can start them."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534
# Numbers without a name.
INGEST, WEB, GROUP = 20_001, 20_002, 20_003
# The packages of this Python, for another one that every user can run.
PYTHONPATH = os.pathsep.join([str(ROOT), *filter(None, sys.path)])


# Starts itself again, as `up` does.
TRY = (
    "import os, sys; import ci_observer.ingest.commands.runtime, datasette.app;"
    "os.execv(sys.executable, [sys.executable, '-c', 'pass'])"
)


@cache
def python_for_all() -> str | None:
    """A Python that every user can run, with the product; None if there is none.

    The one of the tests may be in a folder of root.
    """
    other = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    return next(filter(works_for_all, filter(None, (sys.executable, other))), None)


def works_for_all(python: str) -> bool:
    try:
        return run_as(WEB, TRY, python=python).returncode == 0
    except PermissionError:
        return False


def environ_for_all(**variables: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": PYTHONPATH,
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/",
        **variables,
    }


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """A temporary folder that every user can reach; pytest's are root's only."""
    path = Path(tempfile.mkdtemp(prefix="ci-observer-users-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def without_root() -> Iterator[None]:
    """Act as a user who is not root, if this process is root.

    A command that runs meanwhile may also change the real user of this process, and
    would leave it to the tests that follow.
    """
    if os.geteuid() != 0:
        yield
        return
    before = os.getresuid()
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.setresuid(*before)


def become_both() -> None:
    """Become what the container's entrypoint makes of a command."""
    os.setgroups([])
    os.setresgid(GROUP, GROUP, GROUP)
    os.setresuid(WEB, INGEST, INGEST)


def run_as(
    user: int, code: str, *arguments: object, python: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run Python code as a user of the shared group."""
    return subprocess.run(  # noqa: S603 (our own code)
        [python or python_for_all() or "", "-c", code, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        user=user,
        group=GROUP,
        extra_groups=[],
        env=environ_for_all(),
    )


def ids_of(pid: int) -> tuple[list[int], list[int]]:
    """The real, effective and saved uids and gids of a process."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    lines = {line.split(":")[0]: line.split()[1:4] for line in status if ":" in line}
    return [int(n) for n in lines["Uid"]], [int(n) for n in lines["Gid"]]


needs_users = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or python_for_all() is None,
    reason="needs root on Linux, and a Python that other users can run",
)
