"""Settings of the C library's allocator, for a process of many threads."""

import ctypes
from contextlib import suppress

# glibc's name for it is M_ARENA_MAX: https://man7.org/linux/man-pages/man3/mallopt.3.html
M_ARENA_MAX = -8
ARENAS = 2


def limit_arenas() -> None:
    """Let all threads share two arenas; has no effect without glibc.

    By default each thread gets an arena of its own, up to eight for each core, and
    keeps the memory that large rows and bodies needed once.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)
