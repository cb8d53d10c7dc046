"""The memory that the allocator keeps."""

import platform
import subprocess
import sys

import pytest

THREADS = """
import ctypes, threading
from ci_observer.web.memory import return_memory

if {is_limited}:
    return_memory()
barrier = threading.Barrier(6)

def allocate():
    barrier.wait()
    blocks = [b"x" * 1000 for _ in range(1000)]
    barrier.wait()

threads = [threading.Thread(target=allocate) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_stats()
"""


def arenas(*, is_limited: bool) -> int:
    """The number of arenas after six threads have allocated memory."""
    result = subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", THREADS.format(is_limited=is_limited)],
        check=True,
        capture_output=True,
        text=True,
    )
    return result.stderr.count("Arena ")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_the_threads_of_the_web_side_share_two_arenas() -> None:
    assert arenas(is_limited=True) <= 2 < arenas(is_limited=False)


BODIES = """
import os
from ci_observer.web.memory import return_memory

if {is_limited}:
    return_memory()
first = b"x" * 2_000_000
del first
bodies, others = [], []
for _ in range(100):
    bodies.append(b"x" * 1_000_000)
    others.append(b"x" * 100_000)
bodies.clear()
with open("/proc/self/statm") as file:
    print(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
"""


def resident_bytes(*, is_limited: bool) -> int:
    """The memory of a process that has freed a hundred bodies of 1 MB."""
    result = subprocess.run(  # noqa: S603 (our own code)
        [sys.executable, "-c", BODIES.format(is_limited=is_limited)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(result.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_the_memory_of_large_bodies_is_returned() -> None:
    assert resident_bytes(is_limited=True) < 60e6 < resident_bytes(is_limited=False)
