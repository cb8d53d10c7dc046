"""The machine of a measurement, for the line above its table."""

import os
import platform
import sqlite3
from pathlib import Path


def machine() -> str:
    """Processor, cores and versions, as a sentence."""
    return (
        f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {platform.system()} {platform.release()}."
    )


def processor() -> str:
    """The name of the processor; only Linux has it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
