"""`make bench`: all figures with their baselines, in one table.

    python -m bench                             a million runs, in a quarter of an hour
    python -m bench --runs 20000 --only runs    one part, in a minute

The first call takes longer, because it writes the databases to `data/bench`.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from bench.databases.cached import FOLDER, cached_database
from bench.harness import sizes
from bench.harness.machine import machine
from bench.harness.sizes import Sizes
from bench.harness.table import Row, markdown, replace_marked
from bench.measure import (
    access_checks,
    bad_statements,
    command_line,
    data_pages,
    datasette_pages,
    idle,
    ingest,
    rollups,
    run_pages,
    runs_api,
    startup,
    wall_api,
    wall_page,
    wall_refresh,
)

FEW_RUNS = 10_000
PARTS: dict[str, Callable[[Path, Path, Sizes], Iterable[Row]]] = {
    "select": run_pages.rows,
    "runs": runs_api.rows,
    "wall": wall_api.rows,
    "access": access_checks.rows,
    "refresh": wall_refresh.rows,
    "datasette": datasette_pages.rows,
    "data": data_pages.rows,
    "dashboards": data_pages.dashboard_rows,
    "statements": bad_statements.rows,
    "start": startup.rows,
    "commands": command_line.rows,
    "idle": idle.rows,
    "ingest": ingest.rows,
    "rollups": rollups.rows,
    "page": wall_page.rows,
}


@click.command()
@click.option("--runs", default=1_000_000, show_default=True, envvar="BENCH_RUNS")
@click.option(
    "--small", default=FEW_RUNS, show_default=True, help="Runs to compare with."
)
@click.option(
    "--only", "parts", multiple=True, type=click.Choice([*PARTS]), help="Repeatable."
)
@click.option("--quick", is_flag=True, help="Only test that all benchmarks work.")
@click.option(
    "--folder",
    default=FOLDER,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the databases.",
)
@click.option(
    "--output",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A Markdown file; the table replaces the text between its marks.",
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
    """Print figures of CI Observer next to a baseline from the same run."""
    start = time.monotonic()
    few, many = cached_database(folder, small), cached_database(folder, runs)
    sizes_used = sizes.QUICK if quick else sizes.FULL
    rows: list[Row] = []
    for part in parts or PARTS:
        minutes = (time.monotonic() - start) / 60
        click.echo(f"measuring {part}, after {minutes:.1f} minutes …", err=True)
        rows += echo_rows(PARTS[part](few, many, sizes_used))
    minutes = (time.monotonic() - start) / 60
    lines = [*conditions(runs, small, minutes), "", *markdown(rows)]
    for line in lines:
        click.echo(line)
    if output:
        output.write_text(replace_marked(output.read_text(), lines))


def echo_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Print each row on stderr as soon as it is measured."""
    for row in rows:
        goal = {None: "", True: ", met", False: ", not met"}[row.is_met]
        click.echo(f"  {row.title}: {row.ours:.3g} {row.unit}{goal}", err=True)
        yield row


def conditions(runs: int, small: int, minutes: float) -> Iterator[str]:
    """The sizes of the databases, and the machine."""
    yield f"{runs:,} runs vs {small:,} runs, measured in {minutes:.0f} minutes."
    yield machine()


if __name__ == "__main__":
    sys.exit(main())
