"""The allocator's arenas, as glibc reports them."""

import platform
import subprocess
import sys

import pytest

THREADS = """
import ctypes, threading
from ci_observer.web.memory import limit_arenas

if {is_limited}:
    limit_arenas()
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
