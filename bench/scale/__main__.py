"""`make scale`: replicas, shards and the lake on this machine, in one table.

    python -m bench.scale                              all parts, in 15 minutes
    python -m bench.scale --only lake --only spark     some parts
    python -m bench.scale --output docs/scaling.md     also updates the table there

Exit code 0 if all parts have worked, otherwise 1.
"""

import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from bench.harness.machine import machine
from bench.harness.table import replace_marked
from bench.scale import parts
from bench.scale.deadline import deadline
from bench.scale.figures import FAILED, Figure, failure, markdown

# A part is stopped after this multiple of its minutes: the machine may be slow.
PATIENCE = 3


@click.command()
@click.option(
    "--only",
    "names",
    multiple=True,
    type=click.Choice(parts.NAMES),
    help="Measure this part only. Repeatable.",
)
@click.option(
    "--output",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A Markdown file; the table replaces the text between its marks.",
)
def main(*, names: Sequence[str], output: Path | None) -> None:
    """Measure replicas, shards and the lake on this machine; print one table."""
    # Every part can end its processes, also where a shell has started this in the
    # background.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ci-observer-scale-") as folder:
        figures = list(measure_all(names or parts.NAMES, Path(folder)))
    minutes = (time.monotonic() - start) / 60
    lines = [*conditions(minutes), "", *markdown(figures)]
    for line in lines:
        click.echo(line)
    if output:
        output.write_text(replace_marked(output.read_text(), lines))
    if any(figure.name == FAILED for figure in figures):
        sys.exit(1)


def measure_all(names: Sequence[str], scratch: Path) -> Iterator[Figure]:
    """The figures of these parts; a part that fails has a row with its error."""
    for name in names:
        start = time.monotonic()
        try:
            yield from measure(name, scratch)
        except Exception as error:  # noqa: BLE001 (the other parts go on)
            found = failure(name, error)
            say(f"  {found.name}: {found.note}")
            yield found
        say(f"{name} took {(time.monotonic() - start) / 60:.1f} minutes")


def measure(name: str, scratch: Path) -> Iterator[Figure]:
    """The figures of one part, each printed on stderr as soon as it is measured."""
    part = parts.load(name)
    say(f"{name}: up to {part.MINUTES:g} minutes …")
    with (
        deadline(PATIENCE * part.MINUTES),
        closing(part.measure(scratch, lambda text: say(f"  {text}"))) as figures,
    ):
        for figure in figures:
            say(f"  {figure.name}: {figure.text}")
            yield figure


def say(text: str) -> None:
    click.echo(text, err=True)


def conditions(minutes: float) -> Iterator[str]:
    """The day, the length of the measurement, and the machine."""
    yield f"Measured on {datetime.now(UTC):%d %B %Y} in {minutes:.0f} minutes."
    yield machine()


if __name__ == "__main__":
    main()
