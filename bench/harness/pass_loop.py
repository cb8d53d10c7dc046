"""The child's side of an ingest benchmark: each line on stdin starts one pass."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path


def run_passes(make_pass: Callable[[], object]) -> None:
    """Make a pass for each line, and print what the process has used so far."""
    for _ in sys.stdin:
        make_pass()
        used = {"cpu": time.process_time(), "peak_memory": peak_memory()}
        sys.stdout.write(json.dumps(used) + "\n")
        sys.stdout.flush()


def peak_memory() -> float:
    """The peak resident memory of this process in MB; works on Linux only.

    `ru_maxrss` would be at least that of the process which started this one: Linux
    keeps it when a process starts another program.
    https://man7.org/linux/man-pages/man2/getrusage.2.html
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(peak) / 1024
