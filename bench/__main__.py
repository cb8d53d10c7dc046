"""`make bench`: every figure beside its baseline, in one table.

    python -m bench                             a million runs, a quarter of an hour
    python -m bench --runs 20000 --only runs    a part of it, in a minute

The first run makes the databases, which takes longer; they are kept in `data/bench`.
"""

import os
import platform
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from bench import (
    datasette_pages,
    effort,
    heartbeat,
    ingest_figures,
    page_figures,
    page_of_runs,
    runs_api,
    start,
    wall_api,
)
from bench.databases import FOLDER, database
from bench.effort import Effort
from bench.table import Row, markdown, put_between_marks

SMALL = 10_000
PARTS: dict[str, Callable[[Path, Path, Effort], Iterable[Row]]] = {
    "select": page_of_runs.rows,
    "runs": runs_api.rows,
    "wall": wall_api.rows,
    "heartbeat": heartbeat.rows,
    "datasette": datasette_pages.rows,
    "start": start.rows,
    "ingest": ingest_figures.rows,
    "page": page_figures.rows,
}


@click.command()
@click.option("--runs", default=1_000_000, show_default=True, envvar="BENCH_RUNS")
@click.option("--small", default=SMALL, show_default=True, help="Runs to compare with.")
@click.option(
    "--only", "parts", multiple=True, type=click.Choice([*PARTS]), help="Repeatable."
)
@click.option("--quick", is_flag=True, help="Only to see that everything works.")
@click.option(
    "--folder",
    default=FOLDER,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the databases are kept.",
)
@click.option(
    "--output",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A Markdown file with marks, between which the table is to stand, too.",
)
def main(
    *,
    runs: int,
    small: int,
    parts: tuple[str, ...],
    quick: bool,
    folder: Path,
    output: Path | None,
) -> None:
    """Print what CI Observer takes, beside a baseline in the same run."""
    begun = time.monotonic()
    few, many = database(folder, small), database(folder, runs)
    how = effort.QUICK if quick else effort.FULL
    rows: list[Row] = []
    for part in parts or PARTS:
        minutes = (time.monotonic() - begun) / 60
        click.echo(f"measuring {part}, after {minutes:.1f} minutes …", err=True)
        rows += told(PARTS[part](few, many, how))
    minutes = (time.monotonic() - begun) / 60
    lines = [*about(runs, small, minutes), "", *markdown(rows)]
    for line in lines:
        click.echo(line)
    if output:
        output.write_text(put_between_marks(output.read_text(), lines))


def told(rows: Iterable[Row]) -> Iterator[Row]:
    """The rows, which are told on stderr as they come."""
    for row in rows:
        goal = {None: "", True: ", met", False: ", not met"}[row.is_met]
        click.echo(f"  {row.figure}: {row.ours:.3g} {row.unit}{goal}", err=True)
        yield row


def about(runs: int, small: int, minutes: float) -> Iterator[str]:
    """What was measured, and on what machine."""
    yield f"{runs:,} runs beside {small:,}, measured in {minutes:.0f} minutes."
    yield (
        f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {platform.system()} {platform.release()}."
    )


def processor() -> str:
    """The processor's name; Linux tells."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    sys.exit(main())
