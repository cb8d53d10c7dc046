"""The processor time of commands: the help texts, and an export of all runs."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from bench.harness.sizes import Sizes
from bench.harness.table import Row

CI_OBSERVER = (sys.executable, "-m", "ci_observer")
ATTEMPTS = "select * from run_history"


def rows(_: Path, large: Path, sizes: Sizes) -> Iterator[Row]:
    """Help texts vs Python with click alone, and exports vs the shell of SQLite."""
    click = (sys.executable, "-c", "import click")
    for arguments in (("--help",), ("ingest", "--help")):
        ours, bare = _in_turn([(*CI_OBSERVER, *arguments), click], large, sizes)
        yield Row(
            title=f"`ci-observer {' '.join(arguments)}`, CPU, vs `import click` alone",
            ours=ours,
            baseline=bare,
            unit="s",
            goal="<= 2.5x",
        )
    sqlite = shutil.which("sqlite3")
    rounds = sizes.ingest_rounds
    for output_format, option, goal in (
        ("csv", "-csv", "<= 2x"),
        ("ndjson", "-json", None),
    ):
        export = (*CI_OBSERVER, "export", "--format", output_format, "-")
        shell = [(sqlite, option, large, ATTEMPTS)] if sqlite else []
        ours, *baseline = _in_turn([export, *shell], large, sizes)
        yield Row(
            title=f"export of all attempts as {output_format}, CPU, vs `sqlite3`",
            ours=ours,
            baseline=baseline[0] if baseline else None,
            unit="s",
            goal=goal if baseline else None,
        )
        yield Row(
            title=f"export of all attempts as {output_format}: time to the first row",
            ours=min(seconds_to_first_row(export, large) for _ in range(rounds)),
            baseline=(
                min(seconds_to_first_row(shell[0], large) for _ in range(rounds))
                if shell
                else None
            ),
            unit="s",
            goal="< 1",
        )


def _in_turn(
    commands: Sequence[Sequence[str | Path]], db: Path, sizes: Sizes
) -> list[float]:
    """The median seconds of each command; they run one after the other, in turn."""
    seconds: list[list[float]] = [[] for _ in commands]
    for _ in range(sizes.ingest_rounds):
        for command, found in zip(commands, seconds, strict=True):
            found.append(cpu_seconds(command, db))
    return [median(found) for found in seconds]


def cpu_seconds(command: Sequence[str | Path], db: Path) -> float:
    """The processor time of a command whose output goes nowhere."""
    process = subprocess.Popen(  # noqa: S603 (fixed arguments)
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"CI_OBSERVER_DB": str(db)},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} failed")
    return usage.ru_utime + usage.ru_stime


def seconds_to_first_row(command: Sequence[str | Path], db: Path) -> float:
    """The time until a command has written two lines: CSV begins with a header."""
    start = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 (fixed arguments)
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"CI_OBSERVER_DB": str(db)},
    )
    with process:
        if process.stdout is None:
            raise ValueError("the process needs a pipe")
        lines = process.stdout.readline(), process.stdout.readline()
        seconds = time.perf_counter() - start
        process.kill()
    if not all(lines):
        raise RuntimeError(f"{command} wrote no row")
    return seconds
