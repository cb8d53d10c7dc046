"""Settings of the C library's allocator, for a process of many threads."""

import ctypes
from contextlib import suppress

# glibc's names: https://man7.org/linux/man-pages/man3/mallopt.3.html
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
ARENAS = 2
LARGE_BYTES = 262_144
# A page of runs takes some 300 kB for a moment. If the allocator returned them each
# time, the system would clear them for the next page.
KEPT_BYTES = 2_097_152


def return_memory() -> None:
    """Let the allocator return memory to the system; has no effect without glibc.

    By default each thread gets an arena of its own, up to eight for each core, and
    keeps the memory that large rows and bodies needed once. After the first large
    block is freed, others come from the arenas, too.
    """
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, ARENAS)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
