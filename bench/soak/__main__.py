"""`make soak MINUTES=10`: a table, and a verdict.

Exit code 0 if nothing has grown and no run is lost, otherwise 1.
"""

import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from bench.soak.browser import open_walls
from bench.soak.faults import cause_faults
from bench.soak.instance import (
    Instance,
    SimulatedGitHub,
    running_instance,
    simulated_github,
    wait_until,
)
from bench.soak.judge import (
    BASELINE_MINUTE,
    Sample,
    ended_processes,
    faults_of,
    lost_runs,
    minutes_of,
)
from bench.soak.table import markdown
from bench.soak.visitors import Visitors

SAMPLE_SECONDS = 3
# After the last fault, until every run of GitHub must be stored.
SETTLE_SECONDS = 120
MAX_LOST_SHOWN = 5


@click.command()
@click.option("--minutes", type=float, default=10, show_default=True)
@click.option("--walls", default=50, show_default=True, help="Pages that refresh.")
@click.option("--browsers", default=1, show_default=True, help="Walls in Chromium.")
@click.option(
    "--days", default=90, show_default=True, help="History that must be stored."
)
def main(*, minutes: float, walls: int, browsers: int, days: int) -> None:
    """Run an instance under load and faults, and print how it was."""
    # Both end all processes, also where a shell has started it in the background.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    since = f"{datetime.now(UTC) - timedelta(days=days - 1):%Y-%m-%dT%H:%M:%SZ}"
    folder = Path(tempfile.mkdtemp(prefix="ci-observer-soak-"))
    with (
        simulated_github() as (github, settings),
        running_instance(settings, folder, days=days) as instance,
    ):
        visitors = Visitors(instance, walls=walls)
        faults = [
            *run(github, instance, visitors, minutes=minutes, browsers=browsers),
            *_lost(github, instance, since),
        ]
    for fault in faults:
        click.echo(f"FAILED: {fault}")
    if faults:
        click.echo(f"The log is {folder / 'log'}.")
        sys.exit(1)
    shutil.rmtree(folder)
    is_judged = minutes > BASELINE_MINUTE
    growth = "nothing grew" if is_judged else "too short to judge growth"
    click.echo(f"ok: {growth}, no 5xx, no run is lost")


def run(
    github: SimulatedGitHub,
    instance: Instance,
    visitors: Visitors,
    *,
    minutes: float,
    browsers: int,
) -> Iterator[str]:
    """Print the table; yield the faults."""
    first = instance.lasting()
    samples: list[Sample] = []
    problems = asyncio.run(
        _soak(
            github,
            instance,
            visitors,
            samples,
            seconds=minutes * 60,
            browsers=browsers,
        )
    )
    measured = minutes_of(samples, visitors.responses)
    for line in markdown(measured):
        click.echo(line)
    yield from faults_of(measured)
    yield from problems
    yield from ended_processes(first, instance.lasting())


async def _soak(
    github: SimulatedGitHub,
    instance: Instance,
    visitors: Visitors,
    samples: list[Sample],
    *,
    seconds: float,
    browsers: int,
) -> list[str]:
    """Fill the samples; return the problems of the walls in Chromium."""
    start = time.monotonic()

    async def measure() -> None:
        while True:
            sample = await asyncio.to_thread(instance.sample, time.monotonic() - start)
            samples.append(sample)
            click.echo(_status(sample), err=True)
            await asyncio.sleep(SAMPLE_SECONDS)

    async with open_walls(instance.url, browsers) as problems:
        others = [
            asyncio.create_task(work) for work in (measure(), cause_faults(github))
        ]
        await visitors.visit(seconds)
        for other in others:
            other.cancel()
            with suppress(asyncio.CancelledError):
                await other
    return problems


def _status(sample: Sample) -> str:
    memory = ", ".join(
        f"{name} {size / 1e6:.0f}" for name, size in sample.memory.items()
    )
    return f"{sample.seconds:5.0f} s: MB: {memory}; {sample.runs} runs"


def _lost(github: SimulatedGitHub, instance: Instance, since: str) -> list[str]:
    """The runs that are lost after some passes without faults."""
    expected = github.runs(since)
    wait_until(
        lambda: not any(lost_runs(expected, instance.archived())), SETTLE_SECONDS
    )
    lost = list(lost_runs(expected, instance.archived()))
    more = len(lost) - MAX_LOST_SHOWN
    return lost[:MAX_LOST_SHOWN] + ([f"and {more} more runs"] if more > 0 else [])


if __name__ == "__main__":
    main()
