"""The processes of an instance in Linux's /proc: memory and file handles."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
SUPERVISOR, INGEST, KEEPER, WALL, DATASETTE, WORKERS = (
    "supervisor",
    "ingest",
    "web",
    "wall",
    "datasette",
    "SQL workers",
)
OTHERS = "others"
# They live as long as the instance; workers come and go.
LASTING = (SUPERVISOR, INGEST, KEEPER, WALL, DATASETTE)


def processes_of(supervisor: int) -> Iterator[tuple[str, int]]:
    """The name and id of each process below the supervisor, and its own."""
    yield SUPERVISOR, supervisor
    for pid in _children(supervisor):
        command = _command(pid)
        if command[-1:] == ["ingest"]:
            yield from _all(INGEST, pid)
        elif command[-1:] == ["serve"]:
            yield from _web(pid)
        else:
            yield from _all(OTHERS, pid)


def _web(keeper: int) -> Iterator[tuple[str, int]]:
    yield KEEPER, keeper
    # The wall's process is forked first, and never again.
    for name, pid in zip((WALL, DATASETTE), _children(keeper), strict=False):
        yield name, pid
        for child in _children(pid):
            yield from _all(WORKERS, child)


def _all(name: str, pid: int) -> Iterator[tuple[str, int]]:
    yield name, pid
    for child in _children(pid):
        yield from _all(name, child)


def _children(pid: int) -> list[int]:
    """In the order of their starts."""
    found: list[int] = []
    with suppress(OSError):
        for task in (PROC / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return sorted(found)


def _command(pid: int) -> list[str]:
    with suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_text().rstrip("\0").split("\0")
    return []


def memory_bytes(pid: int) -> int:
    """The proportional set size: shared pages count in parts. 0 after the end.

    https://docs.kernel.org/filesystems/proc.html
    """
    with suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def open_files(pid: int) -> int:
    """The number of file handles; 0 after the end."""
    with suppress(OSError):
        return len(os.listdir(PROC / str(pid) / "fd"))
    return 0
